//! Standalone mode: the same resources and the same reconciler without a cluster. Resources come from files, what is
//! to be remembered lies in a folder of state, and a runner drives the reconciler.

mod endpoint;
mod files;
mod project;
mod resources;
mod revision_files;
mod runner;
mod standing;
mod state;

pub use endpoint::{Endpoint, EndpointError};
pub use files::{BadFiles, DEFAULT_NAMESPACE, LoadedApp, Manifests, Place, Problem};
pub use project::Project;
pub use resources::{DEFAULT_ENGINE, FileResources, Images, Leaving};
pub use runner::{Overseer, Runner};
pub use standing::Standing;
pub use state::{StateError, StateFolder, Tenure};
