//! How one container takes over from another, and how it is kept well. None of it is part of what a container is made
//! of: a change here replaces nothing.

use std::time::Duration;

use longshore_crds::{Run, Strategy};

/// How a container comes to serve and stays well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// How the old container gives way to the new one.
    pub strategy: Strategy,
    /// How long a container must have been up to be ready. When absent, one that replaces another and has no health
    /// check must have been up for a moment.
    pub min_ready: Option<Duration>,
    /// After how many failures in a row of its health check a container is restarted; never when absent.
    pub liveness_failures: Option<u32>,
}

impl Rollout {
    /// What the run section says of it.
    pub fn of(run: &Run) -> Self {
        let threshold = |probe: &longshore_crds::Probe| u32::try_from(probe.failure_threshold).ok();
        Self {
            strategy: run.strategy,
            min_ready: run.min_ready_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs),
            liveness_failures: run.liveness_probe.as_ref().and_then(threshold),
        }
    }
}
