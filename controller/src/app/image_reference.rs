//! Image references, as the distribution's reference grammar and Docker's defaults have them.
//!
//! A name without a registry host is Docker Hub's, and one without a slash is in its `library`. A first component is
//! a host when it has a dot or a colon, is `localhost`, or has a capital letter, which no path may have
//! (<https://github.com/distribution/reference>, `splitDockerDomain`). Hosts keep their case: credentials are for a host
//! as it is written.
//!
//! # Caveats
//! Of digests only SHA-256 is taken, which registries and engines use; the specification knows others.

use std::fmt;
use std::str::FromStr;

use super::ManifestDigest;

const DOCKER_HUB: &str = "docker.io";
/// What Docker Hub was called before, which Docker still takes for it.
const OLD_DOCKER_HUB: &str = "index.docker.io";
/// The repositories of Docker Hub whose names have no slash.
const LIBRARY: &str = "library/";
/// Many clients bound the host and the path together
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>).
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;
/// Docker takes a name of so many hexadecimal digits for the ID of an image.
const ID_DIGITS: usize = 64;

/// A repository: a registry's host and a path in it, without a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

/// A repository, and which of its images: by a tag, by a digest, or by both, where the digest counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    repository: Repository,
    version: Version,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Version {
    Tag(String),
    Digest {
        digest: ManifestDigest,
        /// For people: no registry is asked for it.
        tag: Option<String>,
    },
}

/// What is wrong with a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The name has capital letters.
    #[error("\"{0}\" has capital letters; the name of a repository is lower-case")]
    UpperCase(String),
    /// The name has a tag where only a repository may stand.
    #[error("\"{0}\" has a tag; write only the repository here and the tag under tags")]
    HasTag(String),
    /// The name has a digest where only a repository may stand.
    #[error(
        "\"{0}\" has a digest; write only the repository here. An image that is pulled takes it as spec.image.digest"
    )]
    HasDigest(String),
    /// The name is one that Docker takes for the ID of an image.
    #[error(
        "\"{0}\" is 64 hexadecimal digits, which Docker takes for the ID of an image; write the repository with its host"
    )]
    Id(String),
    /// The tag is not one.
    #[error("\"{0}\" is not a tag; a tag is up to 128 letters, digits, _ . and -, and begins with none of . and -")]
    Tag(String),
    /// The digest is not one that is taken.
    #[error("\"{0}\" is not a digest that is supported; one is written sha256: and 64 lower-case hexadecimal digits")]
    Digest(String),
    /// Anything else.
    #[error(
        "\"{0}\" is not the name of a repository; write it as node-app, my-project/node-app or gcr.io/my-project/node-app"
    )]
    Name(String),
}

impl Repository {
    /// The host of the registry: `docker.io`, `gcr.io`, `127.0.0.1:5000`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path in the registry: `library/node`, `my-project/node-app`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The reference of this tag in the repository.
    pub fn tagged(&self, tag: &str) -> Result<ImageReference, ReferenceError> {
        if !is_tag(tag) {
            return Err(ReferenceError::Tag(tag.to_owned()));
        }
        Ok(ImageReference { repository: self.clone(), version: Version::Tag(tag.to_owned()) })
    }

    /// The reference of what has this digest in the repository.
    pub fn pinned(&self, digest: &ManifestDigest) -> ImageReference {
        ImageReference { repository: self.clone(), version: Version::Digest { digest: digest.clone(), tag: None } }
    }

    /// The name as people write it: without Docker Hub's host and its `library`, unless what is left would be read as
    /// another name.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        if self.host != DOCKER_HUB {
            return full;
        }
        let is_this = |short: &&str| short.parse().as_ref() == Ok(self);
        let candidates = [self.path.strip_prefix(LIBRARY), Some(self.path.as_str())];
        candidates.into_iter().flatten().find(is_this).map_or(full, str::to_owned)
    }
}

/// The repository in full, its host included: `docker.io/library/node`.
impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.path)
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, path) = split_host(text);
        if path.contains('@') {
            return Err(ReferenceError::HasDigest(text.to_owned()));
        }
        if path.contains(':') {
            return Err(ReferenceError::HasTag(text.to_owned()));
        }
        if text.len() == ID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::Id(text.to_owned()));
        }
        Self::of_parts(host, path).map_err(|what| what(text.to_owned()))
    }
}

impl Repository {
    fn of_parts(host: &str, path: &str) -> Result<Self, fn(String) -> ReferenceError> {
        if path.chars().any(|character| character.is_ascii_uppercase()) {
            return Err(ReferenceError::UpperCase);
        }
        let in_library = host == DOCKER_HUB && !path.contains('/');
        let path = if in_library { format!("{LIBRARY}{path}") } else { path.to_owned() };
        let fits = host.len() + 1 + path.len() <= LONGEST_REPOSITORY;
        if !fits || !is_host(host) || !path.split('/').all(is_path_component) {
            return Err(ReferenceError::Name);
        }
        Ok(Self { host: host.to_owned(), path })
    }
}

/// The host and the rest; Docker Hub's old name is its new one.
fn split_host(text: &str) -> (&str, &str) {
    let is_host = |first: &str| {
        first == "localhost" || first.contains(['.', ':']) || first.chars().any(|letter| letter.is_ascii_uppercase())
    };
    match text.split_once('/') {
        Some((OLD_DOCKER_HUB, rest)) => (DOCKER_HUB, rest),
        Some((first, rest)) if is_host(first) => (first, rest),
        _ => (DOCKER_HUB, text),
    }
}

/// A domain name or an address, with or without a port.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_ipv6 = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    port.is_none_or(is_port) && (is_ipv6 || name.split('.').all(is_label))
}

/// Runs of lower-case letters and digits, with one `.`, one or two `_`, or any number of `-` between them.
fn is_path_component(component: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_well = |byte: Option<&u8>| byte.is_some_and(|byte| is_alphanumeric(*byte));
    let separators_are_good = component
        .split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'));
    ends_well(bytes.first()) && ends_well(bytes.last()) && separators_are_good
}

fn is_tag(tag: &str) -> bool {
    let mut bytes = tag.bytes();
    let first_is_good = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let rest_is_good = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    tag.len() <= LONGEST_TAG && first_is_good && rest_is_good
}

impl ImageReference {
    /// A reference of parts that are known to be good.
    pub(crate) fn from_parts(host: &str, path: &str, tag: &str) -> Self {
        Self {
            repository: Repository { host: host.to_owned(), path: path.to_owned() },
            version: Version::Tag(tag.to_owned()),
        }
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The host of the registry.
    pub fn host(&self) -> &str {
        &self.repository.host
    }

    /// The path in the registry.
    pub fn path(&self) -> &str {
        &self.repository.path
    }

    /// The tag, where it has one. Beside a digest it says nothing.
    pub fn tag(&self) -> Option<&str> {
        match &self.version {
            Version::Tag(tag) => Some(tag),
            Version::Digest { tag, .. } => tag.as_deref(),
        }
    }

    /// The digest, where it has one.
    pub fn digest(&self) -> Option<&ManifestDigest> {
        match &self.version {
            Version::Tag(_) => None,
            Version::Digest { digest, .. } => Some(digest),
        }
    }

    /// What a registry is asked for: the digest where there is one, else the tag.
    pub fn version(&self) -> &str {
        match &self.version {
            Version::Tag(tag) => tag,
            Version::Digest { digest, .. } => digest.0.as_str(),
        }
    }

    /// The reference in full, `docker.io/library/node:6`.
    pub fn canonical(&self) -> String {
        format!("{}{}", self.repository, self.version)
    }

    /// The reference in full as engines take it, `docker.io/library/node:6` or `docker.io/library/node@sha256:…`: beside
    /// a digest some refuse a tag.
    pub fn for_engine(&self) -> String {
        match &self.version {
            Version::Tag(tag) => format!("{}:{tag}", self.repository),
            Version::Digest { digest, .. } => format!("{}@{digest}", self.repository),
        }
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    /// Parses `node`, `node:6`, `gcr.io/my-project/node-app:0.2`, `node@sha256:…` and `node:6@sha256:…`; the tag is
    /// `latest` where there is neither a tag nor a digest.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| ReferenceError::Digest(digest.to_owned()))?))
            }
            None => (text, None),
        };
        let path_start = rest.len() - split_host(rest).1.len();
        let (name, tag) = match rest[path_start..].split_once(':') {
            Some((path, tag)) => (&rest[..path_start + path.len()], Some(tag)),
            None => (rest, None),
        };
        let repository: Repository = match name.parse() {
            // With a tag or a digest behind it, it is taken for no ID.
            Err(ReferenceError::Id(_)) if name.len() < text.len() => {
                Repository::of_parts(DOCKER_HUB, name).map_err(|what| what(text.to_owned()))?
            }
            parsed => parsed?,
        };
        let tag = tag.map(|tag| if is_tag(tag) { Ok(tag) } else { Err(ReferenceError::Tag(tag.to_owned())) });
        let tag = tag.transpose()?;
        match digest {
            Some(digest) => Ok(Self { repository, version: Version::Digest { digest, tag: tag.map(str::to_owned) } }),
            None => repository.tagged(tag.unwrap_or("latest")),
        }
    }
}

/// The reference as people write it: `node:6`, `gcr.io/my-project/node-app:0.2`, `node@sha256:…`.
impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.repository.familiar(), self.version)
    }
}

/// As it stands behind the name, its separator included.
impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(formatter, ":{tag}"),
            Self::Digest { digest, tag: None } => write!(formatter, "@{digest}"),
            Self::Digest { digest, tag: Some(tag) } => write!(formatter, ":{tag}@{digest}"),
        }
    }
}

#[cfg(test)]
#[path = "image_reference_tests.rs"]
mod tests;
