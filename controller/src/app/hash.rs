//! The hashes by which we know whether something is still what was asked for. Each has its version in front: a
//! hash that is computed differently one day is a different hash, not a wrong one.

use std::fmt;

use super::{BuildSpec, ContainerSpec, Digest, ImageReference, Owner};

/// The digest of a build context's content, `.dockerignore` applied: paths, kinds, modes and contents, no times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextDigest(pub Digest);

/// The hash of everything that goes into a build: `v2-` and 64 hexadecimal digits.
///
/// The same inputs give the same hash on every machine and in both modes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputHash(String);

impl InputHash {
    /// The input hash of this build.
    pub fn of(build: &BuildSpec) -> Self {
        Self(format!("v2-{}", hex_of(&build.canonical())))
    }

    /// The hash as it is written into labels and the status.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InputHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The hash of what a container is made for, but for its image: `v1-` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecHash(String);

impl SpecHash {
    /// The hash of this spec. It covers the values of the environment, so it changes when a Secret's value does.
    pub fn of(spec: &ContainerSpec) -> Self {
        Self(format!("v1-{}", hex_of(&spec.canonical())))
    }

    /// The hash that a label holds.
    pub fn from_label(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The hash as it is written into labels and the status.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpecHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What identifies the image that a spec asks for among the images that its owner keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageKey(String);

impl ImageKey {
    /// The key of an image that is built from these inputs.
    pub fn built(hash: &InputHash) -> Self {
        Self(format!("{BUILT}{hash}"))
    }

    /// Whether a reference is the private tag of an image that somebody's resource has built.
    pub fn is_of_a_build(reference: &ImageReference) -> bool {
        Owner::is_private(reference) && reference.tag().is_some_and(|tag| tag.starts_with(BUILT))
    }

    /// The key of an image that is pulled by this reference, for a platform where one is named.
    pub fn pulled(reference: &ImageReference, platform: Option<&str>) -> Self {
        let what = match platform {
            Some(platform) => format!("{} {platform}", reference.canonical()),
            None => reference.canonical(),
        };
        let digest = Digest::of(what);
        Self(format!("pulled-v1-{}", &digest.as_str()["sha256:".len()..]))
    }

    /// The key as a tag; it is at most 80 characters of the 128 that a tag may have.
    pub fn as_tag(&self) -> &str {
        &self.0
    }
}

/// What the private tags of built images begin with.
const BUILT: &str = "built-";

fn hex_of(canonical: &serde_json::Value) -> String {
    Digest::of(canonical.to_string()).as_str()["sha256:".len()..].to_owned()
}
