//! The domain, pure: no I/O and no clock. Time comes in as an argument.

mod credentials;
mod desired;
mod digest;
mod hash;
mod image_reference;
mod observed;
mod owner;
mod step;

pub use credentials::Credentials;
pub use desired::{BuildSpec, ContainerSpec, Desired, Destination, ImageSource, PublishedPort, RunSpec};
pub use digest::{ConfigDigest, Digest, DigestError, EngineImageId, ManifestDigest};
pub use hash::{ContextDigest, ImageKey, InputHash, SpecHash};
pub use image_reference::{ImageReference, ReferenceError, Repository};
pub use observed::{
    BuilderKind, Container, ContainerId, ContainerState, EngineInfo, Image, ImageStore, RemoteImage,
};
pub use owner::{Instance, Owner, labels};
pub use step::{Action, ImageTarget, Step};
