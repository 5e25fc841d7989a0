//! The narrow contract with a container engine.
//!
//! # Guarantees
//! An implementation does one side effect for each call and repeats safely: what is already so is not an error
//! (a container that runs is started, one that is gone is removed).
//!
//! # Assumptions
//! Whoever calls has decided. No implementation looks at labels or owners.

mod build_request;
pub mod docker;
mod error;
mod frontend;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod pool;
mod progress;
mod ssh_key;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use longshore_crds::ContainerEngine;

use crate::app::{
    Adjustable, Attachment, Container, ContainerId, ContainerSpec, Credentials, EngineImageId, EngineInfo, Image,
    ImageReference, ManifestDigest, Network, PrivateTags, Volume,
};

pub(crate) use build_request::DEFAULT_SBOM_GENERATOR;
pub use build_request::{Attestations, BuildRequest, Provenance, Sbom};
pub use error::{BuildFailed, EngineError};
pub(crate) use frontend::images_of as frontend_images_of;
pub use pool::EnginePool;
pub use progress::{BuildReport, LayerState, Progress, ProgressSink, ResolvedImage, StepDuration, StepState};
pub use ssh_key::{SshKey, SshKeyError};

/// A container engine.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What the engine is. It answers, or it is [`EngineError::Unreachable`].
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// Every container on the engine, ended ones and other people's included, without [`Container::detail`].
    async fn list_containers(&self) -> Result<Vec<Container>, EngineError>;

    /// Those of these containers that are there, as they are listed.
    async fn find_containers(&self, ids: &BTreeSet<ContainerId>) -> Result<Vec<Container>, EngineError>;

    /// One container with its detail; `None` when there is none with this ID.
    async fn inspect_container(&self, id: &ContainerId) -> Result<Option<Container>, EngineError>;

    /// Makes a container, with everything in it that it is to find when it starts. The engine refuses a name that is taken with [`EngineError::NameTaken`] and an image that
    /// it does not hold with [`EngineError::NotFound`].
    async fn create_container(&self, request: &CreateContainer) -> Result<ContainerId, EngineError>;

    /// Starts a container; one that runs already is left as it is. A host port that is taken is
    /// [`EngineError::PortTaken`], and leaves the container in the state `created` with a non-zero exit code.
    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// Stops a container and waits for its end; one that does not run or is gone is left as it is.
    async fn stop_container(&self, id: &ContainerId, grace_period: Duration) -> Result<(), EngineError>;

    /// Lets a container go on that is paused; any other is left as it is.
    async fn unpause_container(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// Changes a container, which goes on if it runs, and looks whether it is so then. A bound that is absent is left as
    /// it is, but for that of processes, which is lifted.
    async fn adjust_container(&self, id: &ContainerId, to: &Adjustable) -> Result<(), EngineError>;

    /// Renames a container.
    async fn rename_container(&self, id: &ContainerId, name: &str) -> Result<(), EngineError>;

    /// Removes a container that does not run; one that is gone is well. One that runs is [`EngineError::Conflict`].
    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// Every volume on the engine, other people's included.
    async fn list_volumes(&self) -> Result<Vec<Volume>, EngineError>;

    /// Makes a volume that stays until somebody removes it. One that is there is left as it is, labels included.
    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError>;

    /// Removes a volume with everything in it; one that is gone is well. One that a container has is
    /// [`EngineError::Conflict`].
    async fn remove_volume(&self, name: &str) -> Result<(), EngineError>;

    /// Every network on the engine, other people's and the engine's own included.
    async fn list_networks(&self) -> Result<Vec<Network>, EngineError>;

    /// Makes a network of containers, which find one another in it by their names. One of this name that is there is left
    /// as it is, labels included. Where the engine has no addresses for another network, that is
    /// [`EngineError::NoAddressesLeft`].
    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError>;

    /// Removes a network by its ID; one that is gone is well. One that a running container is in is
    /// [`EngineError::Conflict`].
    async fn remove_network(&self, id: &str) -> Result<(), EngineError>;

    /// Connects a container to a network, whether it runs or not; one that is in it is left as it is.
    async fn connect_container(&self, id: &ContainerId, attachment: &Attachment) -> Result<(), EngineError>;

    /// What a container printed.
    fn logs(&self, id: &ContainerId, options: &LogOptions) -> BoxStream<'static, Result<LogChunk, EngineError>>;

    /// Every image that a reference points at, or that a container uses.
    async fn list_images(&self) -> Result<Vec<Image>, EngineError>;

    /// The images that any of these private tags points at, each with those of its references alone.
    async fn list_kept_images(&self, tags: &BTreeSet<PrivateTags>) -> Result<Vec<Image>, EngineError>;

    /// The image that a reference points at, as it is listed; `None` when it points at none.
    async fn find_image(&self, reference: &ImageReference) -> Result<Option<Image>, EngineError>;

    /// An image by its ID, though no reference may point at it; `None` when there is none. Of an index only what an
    /// inspection tells is in it.
    async fn find_image_by_id(&self, id: &EngineImageId) -> Result<Option<Image>, EngineError>;

    /// The digest under which a registry holds an image, asked by the engine as for a pull: with its mirrors, its
    /// authorities and its network. `None` when the registry holds none there.
    async fn look_up_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<ManifestDigest>, EngineError>;

    /// Whether an image is there for this platform, `linux/arm64`. Where an engine keeps several under one ID, one of
    /// them has to be.
    async fn has_platform(&self, image: &EngineImageId, platform: &str) -> Result<bool, EngineError>;

    /// Pulls an image, for this platform when one is named. Where the registry has none for it, that is
    /// [`EngineError::PlatformNotFound`].
    async fn pull_image(
        &self,
        reference: &ImageReference,
        platform: Option<&str>,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError>;

    /// Builds an image and lets [`BuildRequest::reference`] point at it. Dropping the future cancels the build at the
    /// engine too.
    async fn build_image(&self, request: BuildRequest, progress: ProgressSink) -> Result<BuildReport, EngineError>;

    /// Lets a reference point at an image.
    async fn tag_image(&self, image: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError>;

    /// Pushes what a reference points at, this one tag.
    async fn push_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError>;

    /// Removes a reference, and the image with its last one; a reference that is gone is well. An image that a
    /// container uses is [`EngineError::Conflict`] when this is its last reference.
    async fn remove_image(&self, reference: &ImageReference) -> Result<(), EngineError>;

    /// What happens on the engine from now on. The stream ends when the connection does, and it may lose events:
    /// they are hints to look, nothing more.
    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>>;
}

/// A container to be made.
#[derive(Clone, Debug)]
pub struct CreateContainer {
    /// Its name.
    pub name: String,
    /// Its image, by the engine's ID: a tag could have been moved.
    pub image: EngineImageId,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it is made of.
    pub spec: ContainerSpec,
    /// The one network that it is in; the engine's default one when absent.
    pub attachment: Option<Attachment>,
}

/// Which part of a container's log is wanted.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Whether to go on until the container ends.
    pub follow: bool,
    /// Only so many of the last lines.
    pub tail: Option<usize>,
    /// Only what was printed since then.
    pub since: Option<Timestamp>,
}

/// A piece of a container's log. It may end in mid-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// Whether the program wrote it to its standard error.
    pub is_stderr: bool,
    /// What it wrote.
    pub bytes: Bytes,
}

/// Something that happened to a container or an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// The UID of the owner that the thing's labels name, where they name one.
    pub owner_uid: Option<String>,
    /// What happened, in the engine's word: `die`, `destroy`, `start`, `tag`.
    pub action: String,
    /// What it happened to.
    pub subject: EventSubject,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSubject {
    /// A container.
    Container(ContainerId),
    /// What this reference points at.
    Reference(ImageReference),
    /// A reference that points at this image from then on.
    Tagged(ImageReference, EngineImageId),
    /// An image, by its ID.
    Image(String),
    /// A network, by its name.
    Network(String),
    /// A container that has left a network, by its ID.
    Disconnected(ContainerId),
}

/// Where engines come from: one connection for each endpoint, shared by all resources.
#[async_trait]
pub trait Engines: Send + Sync {
    /// The engine that a `ContainerEngine` describes. Whether it answers shows at the first call.
    async fn connect(&self, engine: &ContainerEngine) -> Result<Arc<dyn Engine>, EngineError>;
}
