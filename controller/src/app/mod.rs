//! The domain, pure: no I/O and no clock. Time comes in as an argument.

mod attempts;
mod base_images;
mod block;
mod build_spec;
mod build_stage;
mod credentials;
mod desired;
mod difference;
mod digest;
mod dockerfile;
mod google;
mod hash;
mod held;
mod image_reference;
mod image_scope;
mod inputs;
mod memory;
mod network;
mod observed;
mod one_shot;
mod owner;
pub mod plan;
mod port;
mod probe;
mod pull;
mod pushed_tag;
mod reason;
mod registry_error;
mod revision;
mod rollout;
mod run;
mod schedule;
pub mod status;
mod step;
mod uses;
mod validate;
mod validate_build;

pub use attempts::{AttemptKey, Attempts, Failure, Retry};
pub use block::{Block, Part};
pub use build_spec::{BuildAccess, BuildMethod, BuildSpec, CacheExport};
pub use build_stage::BuildStage;
pub use credentials::{Credentials, CredentialsMark};
pub use desired::{ContainerSpec, Desired, Destination, ImageSource, PushRules, RunSpec};
pub use difference::changes;
pub use digest::{ConfigDigest, Digest, DigestError, EngineImageId, ManifestDigest};
pub use dockerfile::base_images as base_images_of;
pub use google::is_google_registry;
pub use hash::{ContextDigest, ImageKey, InputHash, SpecHash};
pub use held::Held;
pub use image_reference::{ImageReference, ReferenceError, Repository};
pub use image_scope::{ImageScope, PrivateTags};
pub use inputs::{ContextInputs, Inputs, Origin, Policy};
pub use memory::{LastEnd, LivenessRestarts, Memory, Revision, RolledBack};
pub use network::{Attachment, Network, NetworkPlace};
pub use observed::{
    BuilderKind, Container, ContainerDetail, ContainerId, ContainerState, EngineInfo, Image, ImageStore, RemoteImage,
    Volume,
};
pub use one_shot::{OneShot, Try};
pub use owner::{Instance, Owner, labels};
pub use plan::{Observed, Plan, Remote, plan};
pub use port::{PortDifference, PublishedPort, WantedPort, compact};
pub use probe::{Health, HealthCheck, HealthReport};
pub use pull::Pull;
pub use pushed_tag::PushedTag;
pub use reason::Reason;
pub use registry_error::{Purpose, RegistryError, RegistryErrorKind, RegistryRequest, Shown, retry_after};
pub use revision::{ContextContent, Making, RevisionRecord, inputs_of, owner_uid_of};
pub use rollout::Rollout;
pub(crate) use run::Settings;
pub use run::{
    Adjustable, Bounds, Bytes, EngineRestart, KeyOrigin, MilliCpu, Mount, MountSource, MountedFile, Naming, ObjectKind,
    Referred, Security, referred_by,
};
pub use schedule::{Schedule, ScheduleError};
pub use step::{Action, ImageTarget, Step, TagDeletion};
pub use uses::Uses;
pub use validate::{owner_of, validate};
