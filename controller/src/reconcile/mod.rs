//! The reconciler: the only place where the pure and the real meet.

mod contract;
mod reporter;
mod resources;

pub use contract::{LookAgain, Reconcile, ReconcileError};
pub use reporter::{NoReporter, Report, Reporter};
pub use resources::{AppKey, ConfigMapData, Event, EventKind, FINALIZER, ResourceError, Resources, SecretData};
