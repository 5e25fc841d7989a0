//! Cluster mode: the resources of an API server, and the queue that drives the reconciler over them.

mod backoff;
mod controller;
mod engine_specs;
mod engine_status;
mod engines;
mod errors;
mod events;
mod finalizer;
mod flux;
mod guard;
mod instance;
mod options;
mod resources;
mod revisions;
mod run;
mod status_patch;

pub use instance::instance;
pub use options::ControllerOptions;
pub use resources::KubeResources;
pub use run::{Parts, RunError, run, stop_on_signals};
