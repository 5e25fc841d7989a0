//! Where desired state is read from and where the truth is written to: an API server or files. It is all that
//! differs between the two modes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use longshore_crds::{ContainerApp, ContainerAppRevision, ContainerAppStatus, ContainerEngine, SourceKind, Tombstone};

/// A resource's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for AppKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// The content of a Secret by its keys. It has no `Debug`: nothing may print it.
#[derive(Clone)]
pub struct SecretData {
    /// The Secret's `type`, `Opaque` when absent.
    pub kind: String,
    /// The values, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
}

/// The content of a ConfigMap by its keys, `binaryData` included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMapData {
    /// The values.
    pub data: BTreeMap<String, Vec<u8>>,
}

/// What a source of Flux offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Where it can be had, a tar archive with gzip around it.
    pub url: String,
    /// The archive's digest.
    pub digest: String,
    /// Which state of the source it is, in Flux's words: `main@sha1:12ab…`.
    pub revision: String,
}

/// How a source of Flux stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactState {
    /// It offers this.
    Offered(Artifact),
    /// It offers nothing yet, for this reason.
    NotReady(String),
    /// There is no such source, or no Flux.
    Absent,
    /// There is no cluster.
    NoCluster,
}

/// Something worth telling about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether it is the normal course of things.
    pub kind: EventKind,
    /// A stable word in CamelCase: `Built`, `NameConflict`.
    pub reason: String,
    /// A sentence.
    pub note: String,
}

/// Whether an event is the normal course of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is.
    Normal,
    /// Someone should look.
    Warning,
}

/// Why a resource could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResourceError {
    /// What is there cannot be understood. The message names the field.
    #[error("{message}")]
    Invalid {
        /// What is wrong, with the field's name.
        message: String,
        /// As much of the resource as can be understood, its metadata at least, so that its status can tell.
        app: Box<ContainerApp>,
    },
    /// It was changed since it was read: look again.
    #[error("the resource was changed in the meantime")]
    Conflict,
    /// The API server or the file system does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// We may not.
    #[error("{0}")]
    Forbidden(String),
}

/// Our finalizer: while a resource has it, what it made on an engine is still there, or may be.
pub const FINALIZER: &str = "longshore.dev/finalizer";

/// Whether a resource has our finalizer.
pub(super) fn is_held(app: &ContainerApp) -> bool {
    app.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// The resources of one mode.
#[async_trait]
pub trait Resources: Send + Sync {
    /// The resource; `None` when there is none. In standalone mode a resource that `down` takes away has a deletion
    /// timestamp, as in a cluster.
    async fn app(&self, key: &AppKey) -> Result<Option<ContainerApp>, ResourceError>;

    /// All other resources that are known. Of one that cannot be understood, what can be.
    async fn others(&self, app: &ContainerApp) -> Result<Vec<ContainerApp>, ResourceError>;

    /// The engine of this name; `None` when there is none.
    async fn engine(&self, name: &str) -> Result<Option<ContainerEngine>, ResourceError>;

    /// Replaces the tombstones of an engine, computed from this version of it.
    async fn write_tombstones(&self, engine: &ContainerEngine, tombstones: Vec<Tombstone>)
    -> Result<(), ResourceError>;

    /// A Secret of the resource's namespace; `None` when there is none.
    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<SecretData>, ResourceError>;

    /// A ConfigMap of the resource's namespace; `None` when there is none.
    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMapData>, ResourceError>;

    /// What a source of Flux in the resource's namespace offers.
    async fn artifact(&self, kind: SourceKind, namespace: &str, name: &str) -> Result<ArtifactState, ResourceError>;

    /// The folder to which `build.context.path` of a resource is relative; `None` in a cluster, where it is refused.
    fn context_root(&self, key: &AppKey) -> Option<PathBuf>;

    /// Adds our finalizer, before anything is made that a deletion would have to remove.
    async fn hold(&self, app: &ContainerApp) -> Result<(), ResourceError>;

    /// Removes our finalizer, when nothing of ours is left. A resource that is gone is well.
    async fn release(&self, app: &ContainerApp) -> Result<(), ResourceError>;

    /// Replaces the status, computed from this version of the resource.
    async fn write_status(&self, app: &ContainerApp, status: &ContainerAppStatus) -> Result<(), ResourceError>;

    /// The records of revisions under the app's name, those of an app that had the name before and is gone included. One
    /// that cannot be understood is left out.
    async fn revisions(&self, app: &ContainerApp) -> Result<Vec<ContainerAppRevision>, ResourceError>;

    /// Writes the record of a revision as a whole. One that this app has under the same name is replaced; another's is
    /// [`ResourceError::Conflict`].
    async fn write_revision(&self, app: &ContainerApp, revision: &ContainerAppRevision) -> Result<(), ResourceError>;

    /// Removes the record of a revision; one that is gone is well, another app's is left alone.
    async fn remove_revision(&self, app: &ContainerApp, name: &str) -> Result<(), ResourceError>;

    /// Tells something about the resource. It is not a reason to fail: what cannot be told is logged.
    async fn publish(&self, app: &ContainerApp, event: Event);
}
