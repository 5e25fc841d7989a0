//! What a driver, a cluster's queue or the standalone runner, asks of the reconciler.

use std::time::Duration;

use async_trait::async_trait;

use super::AppKey;

/// One pass over one resource at a time, driven by a queue.
#[async_trait]
pub trait Reconcile: Send + Sync {
    /// Looks at one resource and brings it closer to what is asked. Returns when to look again at the latest.
    async fn reconcile(&self, key: &AppKey) -> Result<LookAgain, ReconcileError>;

    /// Removes from an engine that answers what the owners of its tombstones have left there. Who knows of none has
    /// nothing to do.
    async fn sweep(&self, _engine: &str) -> Result<(), ReconcileError> {
        Ok(())
    }
}

/// After what time a resource is looked at again, even when nothing wakes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookAgain(pub Duration);

/// Why a pass could not be finished. The resource is looked at again, with backoff.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileError {
    /// Whatever the resource's own store said.
    #[error("{0}")]
    Failed(String),
}
