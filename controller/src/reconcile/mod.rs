//! The reconciler: the only place where the pure and the real meet.

mod resources;

pub use resources::{AppKey, ConfigMapData, Event, EventKind, ResourceError, Resources, SecretData};
