//! The steps of a plan: one side effect each, with its cause in words that a person understands.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::{
    Adjustable, ContainerId, ContainerSpec, EngineImageId, ImageReference, InputHash, ManifestDigest, RevisionRecord,
    SpecHash, Try,
};

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// Why, as a phrase that can stand after "because": `port 8080 is published, 4000 is asked for`.
    pub cause: String,
}

/// Which image a step means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageTarget {
    /// One that the engine holds.
    Present(EngineImageId),
    /// The one that an earlier step of the same plan brings. Such a step is only shown; by the time that it is
    /// its turn, the plan has been made anew and knows the ID.
    Pending,
}

/// A tag that is to be deleted at its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagDeletion {
    /// The tag.
    pub reference: ImageReference,
    /// What it holds.
    pub digest: ManifestDigest,
    /// The tags of the same repository that may go along with it, where a registry deletes only whole manifests.
    pub along: BTreeSet<ImageReference>,
}

impl TagDeletion {
    /// Whether the tag of this name in the repository is deleted, or may be.
    pub fn takes_along(&self, name: &str) -> bool {
        let tags = [&self.reference].into_iter().chain(&self.along);
        tags.into_iter().any(|reference| reference.tag() == Some(name))
    }
}

/// One side effect on an engine, through it on a registry, or on the records of revisions. Every action may be repeated after an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pull an image.
    PullImage {
        /// By this reference.
        reference: ImageReference,
        /// For this platform; the engine's own when absent.
        platform: Option<String>,
    },
    /// Build the image and tag it privately.
    BuildImage {
        /// From these inputs.
        hash: InputHash,
        /// The private tag that the image gets.
        reference: ImageReference,
        /// Whether base images are asked for at their registries though the engine holds some of these names.
        pull: bool,
        /// Whether nothing comes from the builder's cache.
        anew: bool,
    },
    /// Let a reference on the engine point at an image.
    TagImage {
        /// The image.
        image: ImageTarget,
        /// The reference.
        reference: ImageReference,
    },
    /// Push what a reference on the engine points at to the registry that it names.
    PushImage {
        /// The reference.
        reference: ImageReference,
        /// The image that it points at.
        image: ImageTarget,
    },
    /// Make a volume that stays.
    CreateVolume {
        /// Its name.
        name: String,
    },
    /// Remove a volume that stays otherwise, with everything in it.
    RemoveVolume {
        /// Its name.
        name: String,
    },
    /// Make the network that the containers of the namespace share.
    CreateNetwork {
        /// Its name.
        name: String,
    },
    /// Remove that network.
    RemoveNetwork {
        /// Its ID.
        id: String,
        /// Its name.
        name: String,
    },
    /// Connect a container to that network.
    ConnectNetwork {
        /// The container.
        id: ContainerId,
        /// Its name.
        container: String,
        /// The network's name.
        network: String,
    },
    /// Make a container, without starting it.
    CreateContainer {
        /// Its name.
        name: String,
        /// Its image.
        image: ImageTarget,
        /// What it is made of.
        spec: Box<ContainerSpec>,
        /// Which try of which run it is, where it ends.
        of: Try,
    },
    /// Start a container.
    StartContainer {
        /// The container; absent while an earlier step of the plan has still to make it.
        id: Option<ContainerId>,
        /// Its name.
        name: String,
        /// The spec that it was made for.
        spec_hash: SpecHash,
    },
    /// Stop a container.
    StopContainer {
        /// The container.
        id: ContainerId,
        /// Its name.
        name: String,
        /// How long it has to end before it is killed.
        grace_period: Duration,
    },
    /// Let a container go on that was paused.
    UnpauseContainer {
        /// The container.
        id: ContainerId,
        /// Its name.
        name: String,
    },
    /// Set back what somebody has changed of a container, as it goes on.
    AdjustContainer {
        /// The container.
        id: ContainerId,
        /// Its name.
        name: String,
        /// How it should be.
        to: Box<Adjustable>,
    },
    /// Give a container another name.
    RenameContainer {
        /// The container; absent while an earlier step of the plan has still to make it.
        id: Option<ContainerId>,
        /// The name that it has.
        from: String,
        /// The name that it gets.
        to: String,
    },
    /// Remove a container that does not run.
    RemoveContainer {
        /// The container.
        id: ContainerId,
        /// Its name.
        name: String,
        /// How long neither this one nor the one that has taken its place ran; absent where none has.
        gap: Option<Duration>,
    },
    /// Remove a reference from the engine, and the image with the last one.
    RemoveImage {
        /// The reference.
        reference: ImageReference,
    },
    /// Delete a superseded tag at its registry.
    DeleteTag {
        /// The tag.
        tag: TagDeletion,
    },
    /// Write the record of a revision, or replace what came out of it.
    RecordRevision {
        /// The record.
        record: Box<RevisionRecord>,
    },
    /// Remove the record of a superseded revision.
    RemoveRevision {
        /// The number of the revision.
        number: i64,
        /// The name of the record.
        name: String,
    },
}

impl Action {
    /// Whether nothing that was asked for waits for it.
    pub fn is_bookkeeping(&self) -> bool {
        self.keeps_records() || matches!(self, Self::DeleteTag { .. })
    }

    /// Whether it only keeps the records of revisions.
    pub fn keeps_records(&self) -> bool {
        matches!(self, Self::RecordRevision { .. } | Self::RemoveRevision { .. })
    }

    /// Whether it is the same work as another. How a build is made does not count: whether it asks registries for base
    /// images may change while it goes on, since the build itself brings them.
    pub fn is_same_work(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::BuildImage { hash, reference, .. },
                Self::BuildImage { hash: other_hash, reference: other_reference, .. },
            ) => hash == other_hash && reference == other_reference,
            _ => self == other,
        }
    }

    /// Whether it may take so long that it is done beside the reconciles of the resource, as a tracked task.
    pub fn is_long(&self) -> bool {
        matches!(
            self,
            Self::PullImage { .. } | Self::BuildImage { .. } | Self::PushImage { .. } | Self::StopContainer { .. }
        )
    }
}

/// As a person reads it in a plan: `build longshore.local/…`, `stop my-app`.
impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PullImage { reference, platform: None } => write!(formatter, "pull image {reference}"),
            Self::PullImage { reference, platform: Some(platform) } => {
                write!(formatter, "pull image {reference} for {platform}")
            }
            Self::BuildImage { hash, .. } => {
                write!(formatter, "build image {}", &hash.as_str()[..15.min(hash.as_str().len())])
            }
            Self::TagImage { reference, .. } => write!(formatter, "tag image {reference}"),
            Self::PushImage { reference, .. } => write!(formatter, "push image {reference}"),
            Self::CreateVolume { name } => write!(formatter, "create volume {name}"),
            Self::RemoveVolume { name } => write!(formatter, "remove volume {name}"),
            Self::CreateNetwork { name } => write!(formatter, "create network {name}"),
            Self::RemoveNetwork { name, .. } => write!(formatter, "remove network {name}"),
            Self::ConnectNetwork { container, network, .. } => {
                write!(formatter, "connect container {container} to network {network}")
            }
            Self::CreateContainer { name, .. } => write!(formatter, "create container {name}"),
            Self::StartContainer { name, .. } => write!(formatter, "start container {name}"),
            Self::StopContainer { name, .. } => write!(formatter, "stop container {name}"),
            Self::UnpauseContainer { name, .. } => write!(formatter, "unpause container {name}"),
            Self::AdjustContainer { name, .. } => write!(formatter, "adjust container {name}"),
            Self::RenameContainer { from, to, .. } => write!(formatter, "rename container {from} to {to}"),
            Self::RemoveContainer { name, .. } => write!(formatter, "remove container {name}"),
            Self::RemoveImage { reference } => write!(formatter, "remove image {reference}"),
            Self::DeleteTag { tag } => write!(formatter, "delete tag {}", tag.reference),
            Self::RecordRevision { record } => write!(formatter, "record revision {}", record.number()),
            Self::RemoveRevision { number, .. } => write!(formatter, "remove the record of revision {number}"),
        }
    }
}
