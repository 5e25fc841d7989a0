//! The reconciler: the only place where the pure and the real meet.

mod contract;
mod resources;

pub use contract::{LookAgain, Reconcile, ReconcileError};
pub use resources::{AppKey, ConfigMapData, Event, EventKind, ResourceError, Resources, SecretData};
