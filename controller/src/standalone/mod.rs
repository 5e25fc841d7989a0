//! Standalone mode: the same resources and the same reconciler without a cluster. Resources come from files, what is
//! to be remembered lies in a folder of state, and a runner drives the reconciler.

mod files;

pub use files::{BadFiles, DEFAULT_NAMESPACE, LoadedApp, Manifests, Place, Problem};
