//! What was found on an engine and in a registry, in the words of the domain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::{
    Adjustable, ConfigDigest, EngineImageId, Health, HealthReport, ImageReference, Instance, ManifestDigest,
    NetworkPlace, Owner, PublishedPort, Repository, WantedPort, labels,
};

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// The ID that it gives itself.
    pub id: String,
    /// Its version, `20.10.24`.
    pub version: String,
    /// The newest version of its API, `1.41`.
    pub api_version: String,
    /// Where it keeps images.
    pub image_store: ImageStore,
    /// What it builds with.
    pub builder: BuilderKind,
}

/// Where an engine keeps images, which decides what it calls an image's ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageStore {
    /// A graph driver's store: an ID is a config digest.
    GraphDriver,
    /// containerd's store: an ID is the digest of a manifest or an index.
    Containerd,
}

/// What an engine builds with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuilderKind {
    /// BuildKit, in Docker Engine since 18.09 (API 1.39).
    BuildKit,
    /// The classic builder.
    Classic,
}

/// The ID of a container on its engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a container does, in the engine's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made and never started, or left so by a start that failed.
    Created,
    /// Its program runs.
    Running,
    /// Its program has ended and the engine is about to start it again.
    Restarting,
    /// Its program has ended.
    Exited,
    /// Its program is frozen.
    Paused,
    /// The engine is removing it.
    Removing,
    /// The engine failed to remove it.
    Dead,
}

impl fmt::Display for ContainerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Paused => "paused",
            Self::Removing => "removing",
            Self::Dead => "dead",
        })
    }
}

/// A container on an engine, ours or anyone's.
///
/// A list of all containers gives only part of this; [`Container::detail`] is there once it was inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its ID.
    pub id: ContainerId,
    /// Its name, without the leading slash of the API.
    pub name: String,
    /// The ID of the image that it was made of.
    pub image: EngineImageId,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it does.
    pub state: ContainerState,
    /// The ports that the engine really publishes for it now.
    pub ports: Vec<PublishedPort>,
    /// What its health check has found, where it has one and it runs.
    pub health: Option<Health>,
    /// The networks that it is in, by their names.
    pub networks: BTreeMap<String, NetworkPlace>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What only an inspection tells.
    pub detail: Option<ContainerDetail>,
}

impl Container {
    /// The hash of the spec that it was made for, if we made it.
    pub fn spec_hash(&self) -> Option<&str> {
        self.labels.get(labels::SPEC_HASH).map(String::as_str)
    }

    /// Whether an installation made it.
    pub fn belongs_to(&self, instance: &Instance) -> bool {
        self.labels.get(labels::INSTANCE).is_some_and(|found| found == instance.as_str())
    }

    /// The namespace and name of the resource that made it, if one of any installation did.
    pub fn resource(&self) -> Option<(&str, &str)> {
        Some((self.labels.get(labels::NAMESPACE)?, self.labels.get(labels::NAME)?))
    }
}

/// What only an inspection of a container tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerDetail {
    /// The exit code of its last run; 0 while it has not ended.
    pub exit_code: i64,
    /// Whether its last run ended for want of memory.
    pub oom_killed: bool,
    /// Why the engine could not start it; empty when it could.
    pub error: String,
    /// How often the engine has restarted it.
    pub restarts: i64,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub finished_at: Option<Timestamp>,
    /// The ports that it was made to publish.
    pub asked_ports: Vec<WantedPort>,
    /// Its entry point, as it was made.
    pub command: Vec<String>,
    /// Its arguments, as it was made or as the image has them.
    pub args: Vec<String>,
    /// Its environment, that of the image included.
    pub env: BTreeMap<String, String>,
    /// What anybody can change of it, as it is now.
    pub adjustable: Option<Adjustable>,
    /// What its health check has found, where it has one and it runs.
    pub health: Option<HealthReport>,
}

/// A volume on an engine, ours or anyone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// An image on an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What the engine calls its ID.
    pub id: EngineImageId,
    /// The references that point at it, private ones included.
    pub references: Vec<ImageReference>,
    /// The digest of its configuration, where the store tells it.
    pub config: Option<ConfigDigest>,
    /// The digests of its manifests and indexes, with the repositories that are known to hold them.
    pub manifests: BTreeSet<(Repository, ManifestDigest)>,
    /// The digest of its own manifest or index, where the store knows it without a registry.
    pub target: Option<ManifestDigest>,
    /// The digest of the one manifest of its index that the engine holds, where it does not hold them all: an engine with
    /// containerd's store sends that one alone when it is told to push.
    pub sent_alone: Option<ManifestDigest>,
    /// The labels in its configuration.
    pub labels: BTreeMap<String, String>,
    /// Its size in bytes.
    pub size: i64,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}

impl Image {
    /// Whether a reference points at it: a tag, or a digest of it that is known with that repository.
    pub fn has(&self, reference: &ImageReference) -> bool {
        match reference.digest() {
            None => self.references.contains(reference),
            Some(digest) => self.digests_in(reference.repository()).any(|known| known == digest),
        }
    }

    /// The same with one more tag that points at it. A store that knows its manifest knows it in the tag's repository then.
    #[must_use]
    pub fn tagged(mut self, reference: &ImageReference) -> Self {
        self.references.push(reference.clone());
        self.references.sort_unstable();
        self.references.dedup();
        self.manifests.extend(self.target.clone().map(|target| (reference.repository().clone(), target)));
        self
    }

    /// The digests by which it is known in a repository.
    pub fn digests_in<'a>(&'a self, repository: &'a Repository) -> impl Iterator<Item = &'a ManifestDigest> {
        self.manifests.iter().filter(move |(holder, _)| holder == repository).map(|(_, digest)| digest)
    }

    /// Whether this is the digest of its manifest or index, whatever repository it came from.
    pub fn has_digest(&self, digest: &ManifestDigest) -> bool {
        self.target.as_ref() == Some(digest) || self.manifests.iter().any(|(_, known)| known == digest)
    }

    /// Whether this owner keeps it.
    pub fn is_kept_by(&self, owner: &Owner) -> bool {
        self.references.iter().any(|reference| owner.keeps(reference))
    }

    /// Whether what a registry holds is this image: the same configuration, or the same manifest. Of an index that the
    /// engine holds in part, the part is what it can have sent, and what its containers run.
    pub fn is(&self, remote: &RemoteImage) -> bool {
        let same_config = self.config.is_some() && self.config == remote.config;
        let own = [&self.target, &self.sent_alone];
        let same_manifest = own.into_iter().flatten().any(|manifest| *manifest == remote.manifest)
            || self.manifests.iter().any(|(_, manifest)| *manifest == remote.manifest);
        same_config || same_manifest
    }
}

/// What a registry holds under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteImage {
    /// The digest of the manifest or the index.
    pub manifest: ManifestDigest,
    /// The digest of the configuration; absent for an index.
    pub config: Option<ConfigDigest>,
    /// The sum of the configuration's and the layers' sizes in bytes, compressed; absent for an index, or when only the
    /// digest is known.
    pub size: Option<u64>,
}
