//! How a long call tells how far it is.

use std::sync::Arc;
use std::time::Duration;

/// Where progress is told. It must return at once.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// How far a pull, a push or a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of files of the build's context that were sent so far.
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
    /// How many bytes of the context's files the engine was sent: those that it did not have yet.
    pub bytes_sent: u64,
    /// What the builder has to say against the Dockerfile, a sentence each; at most 50.
    pub warnings: Vec<String>,
    /// The base images, in the order in which they were resolved, where the builder tells to what.
    pub base_images: Vec<ResolvedImage>,
    /// What each step took that was not cached, in the order of their beginning.
    pub durations: Vec<StepDuration>,
}

/// What an image's name meant when it was built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedImage {
    /// The reference, as people write it: `node:6`.
    pub reference: String,
    /// The digest of the manifest or the index, `sha256:…`.
    pub digest: String,
}

/// What a step took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDuration {
    /// The step as it is written in the Dockerfile.
    pub step: String,
    /// How long it took.
    pub duration: Duration,
}
