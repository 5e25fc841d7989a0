//! The reconciler: the only place where the pure and the real meet.

mod base_image_store;
mod build_access;
mod build_context;
mod build_log;
mod build_queue;
mod build_request;
mod build_stages;
mod clearing;
mod container_list;
mod contract;
mod dereference;
mod engine_store;
mod engine_stores;
mod events;
mod execute;
mod explanation;
mod failure;
mod image_list;
mod known;
mod look;
mod making;
mod masker;
mod moves;
mod orphans;
mod perform;
mod plain_text;
mod recent_folders;
mod reconciler;
mod remote_context;
mod remote_store;
mod removal;
mod reporter;
mod resources;
mod revisions;
mod source_files;
mod source_store;
mod superseded_tags;
mod sweep;
mod tasks;
mod wakes;
mod watch;

pub use contract::{LookAgain, Reconcile, ReconcileError};
pub use reconciler::{Clock, Reconciler, ReconcilerParts, Wakes};
pub use reporter::{NoReporter, Report, Reporter};
pub use resources::{
    AppKey, Artifact, ArtifactState, ConfigMapData, Event, EventKind, FINALIZER, ResourceError, Resources, SecretData,
};
