//! Who owns what on an engine: the labels on containers and the private tags of images.

use std::collections::BTreeMap;
use std::fmt;

use super::{ImageKey, ImageReference};

/// The labels that mark a container as ours. A container without them, or with another owner's, is never touched.
pub mod labels {
    /// What every label of ours begins with.
    pub const PREFIX: &str = "longshore.dev/";
    /// Which installation made it, see [`Instance`](super::Instance).
    pub const INSTANCE: &str = "longshore.dev/instance";
    /// The UID of the resource that owns it.
    pub const OWNER_UID: &str = "longshore.dev/owner-uid";
    /// The namespace of the resource.
    pub const NAMESPACE: &str = "longshore.dev/namespace";
    /// The name of the resource.
    pub const NAME: &str = "longshore.dev/name";
    /// The hash of the spec that the container was made for.
    pub const SPEC_HASH: &str = "longshore.dev/spec-hash";
    /// What the container was made for, in words and without secrets: what differs from a later spec is told by it.
    pub const SETTINGS: &str = "longshore.dev/settings";
    /// On a container that is never started: the name of the one whose folders it held until that was made.
    pub const FOLDERS_OF: &str = "longshore.dev/folders-of";
    /// On the container of a one-shot with a schedule: when its run was due.
    pub const DUE: &str = "longshore.dev/due";
    /// On the container of a one-shot that is tried again: how many tries of the run have failed before.
    pub const FAILED_BEFORE: &str = "longshore.dev/failed-before";
    /// On the same: when the first try was started.
    pub const FIRST_START: &str = "longshore.dev/first-start";
    /// On images that we built: the hash of everything that went into the build.
    pub const INPUT_HASH: &str = "longshore.dev/input-hash";
    /// On `ContainerAppRevision`s: the beginning of that hash, which is too long for a label's value.
    pub const INPUTS: &str = "longshore.dev/inputs";
}

/// The registry host of private tags. No such host exists, so nothing can be pulled from or pushed to it.
const PRIVATE_HOST: &str = "longshore.local";

/// One installation of Longshore: in a cluster the UID of the namespace kube-system and the release's name, in
/// standalone mode the project's name. It is lower-case and fit for a path component of an image reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(String);

impl Instance {
    /// The instance of this name. Characters that a repository's name cannot hold become `-`.
    pub fn new(name: &str) -> Self {
        let cleaned: String = name
            .to_lowercase()
            .chars()
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
            .collect();
        let parts: Vec<&str> = cleaned.split('-').filter(|part| !part.is_empty()).collect();
        Self(if parts.is_empty() { "default".to_owned() } else { parts.join("-") })
    }

    /// The instance's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The resource that owns what we make on an engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The installation.
    pub instance: Instance,
    /// The resource's UID: the same name applied again after a deletion is another owner.
    pub uid: String,
    /// The resource's namespace.
    pub namespace: String,
    /// The resource's name.
    pub name: String,
}

impl Owner {
    /// The labels that a container of this owner carries, but for the spec's hash.
    pub fn labels(&self) -> BTreeMap<String, String> {
        [
            (labels::INSTANCE, self.instance.as_str()),
            (labels::OWNER_UID, &self.uid),
            (labels::NAMESPACE, &self.namespace),
            (labels::NAME, &self.name),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    /// Whether these labels say that this owner made the thing.
    pub fn made(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get(labels::INSTANCE).is_some_and(|instance| instance == self.instance.as_str())
            && labels.get(labels::OWNER_UID).is_some_and(|uid| *uid == self.uid)
    }

    /// The engine's name of the volume of a claim: `<name>.<claim>` in the namespace `default`, and
    /// `<namespace>.<name>.<claim>` elsewhere.
    pub fn volume_name(&self, claim: &str) -> String {
        match self.namespace.as_str() {
            "default" | "" => format!("{}.{claim}", self.name),
            namespace => format!("{namespace}.{}.{claim}", self.name),
        }
    }

    /// Whether a volume with these labels is this resource's: made by one of its installation, namespace and name. It need
    /// not have its UID, since volumes stay when a resource is deleted, for the one that comes after it.
    pub fn has_volume(&self, labels: &BTreeMap<String, String>) -> bool {
        let is = |label: &str, value: &str| labels.get(label).is_some_and(|found| found == value);
        is(labels::INSTANCE, self.instance.as_str())
            && is(labels::NAMESPACE, &self.namespace)
            && is(labels::NAME, &self.name)
    }

    /// The private tag under which this owner keeps an image: `longshore.local/<instance>/<uid>:<key>`.
    pub fn private_reference(&self, key: &ImageKey) -> ImageReference {
        ImageReference::from_parts(PRIVATE_HOST, &self.private_path(), key.as_tag())
    }

    /// Whether this reference is a private tag of this owner.
    pub fn keeps(&self, reference: &ImageReference) -> bool {
        reference.host() == PRIVATE_HOST && reference.path() == self.private_path()
    }

    /// Whether this reference is a private tag of any owner.
    pub fn is_private(reference: &ImageReference) -> bool {
        reference.host() == PRIVATE_HOST
    }

    /// What a pattern for private tags looks like, from one for the path and one for the tag.
    pub(super) fn private_pattern(path: &str, tag: &str) -> String {
        format!("{PRIVATE_HOST}/{path}:{tag}")
    }

    pub(super) fn private_path(&self) -> String {
        format!("{}/{}", self.instance, self.uid)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}
