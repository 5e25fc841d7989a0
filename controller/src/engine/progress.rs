//! How a long call tells how far it is.

use std::sync::Arc;
use std::time::Duration;

/// Where progress is told. It must return at once.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// How far a pull, a push or a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of the build's context that were sent so far.
    ContextSent {
        /// The sum.
        bytes: u64,
    },
    /// A step of the Dockerfile.
    BuildStep {
        /// Its number, from 1.
        number: usize,
        /// How many there are, as far as is known.
        total: usize,
        /// The step as it is written in the Dockerfile.
        name: String,
        /// Where it is.
        state: StepState,
    },
    /// What a build prints, without the line's end.
    BuildLog {
        /// The line.
        line: String,
    },
    /// A layer of an image that is pulled or pushed.
    Layer {
        /// The layer's short ID.
        id: String,
        /// Where it is.
        state: LayerState,
    },
    /// Anything else worth a line, such as the digest of what was pulled.
    Message {
        /// The line.
        line: String,
    },
}

/// Where a step of a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It runs.
    Started,
    /// It was taken from the cache.
    Cached,
    /// It is done.
    Done {
        /// What it took.
        duration: Duration,
    },
    /// It failed.
    Failed,
}

/// Where a layer of a pull or a push is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerState {
    /// It is on its way.
    Transferring {
        /// Bytes so far.
        current: u64,
        /// Bytes in all, where the engine knows it.
        total: Option<u64>,
    },
    /// It was there already.
    Exists,
    /// It has arrived.
    Done,
    /// In the engine's own words, such as `Waiting` or `Mounted from library/node`.
    Other(String),
}

/// What a build did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// How many of the Dockerfile's steps it had, `FROM` included.
    pub steps: usize,
    /// How many of them came from the cache. A `FROM` whose image is on the engine is cached.
    pub cached_steps: usize,
}
