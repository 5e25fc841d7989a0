//! Image references, as the distribution's reference grammar and Docker's defaults have them.
//!
//! A name without a registry host is Docker Hub's, and one without a slash is in its `library`. A first component is
//! a host when it has a dot or a colon, or is `localhost`
//! (<https://github.com/distribution/reference>, `splitDockerDomain`).

use std::fmt;
use std::str::FromStr;

const DOCKER_HUB: &str = "docker.io";
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

/// A repository: a registry's host and a path in it, without a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

/// A repository and a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    repository: Repository,
    tag: String,
}

/// What is wrong with a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The name has capital letters.
    #[error("\"{0}\" has capital letters; the name of a repository is lower-case")]
    UpperCase(String),
    /// The name has a tag or a digest where only a repository may stand.
    #[error("\"{0}\" has a tag or a digest; write only the repository here and the tag under tags")]
    HasTag(String),
    /// The tag is not one.
    #[error("\"{0}\" is not a tag; a tag is up to 128 letters, digits, _ . and -, and begins with none of . and -")]
    Tag(String),
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
        Ok(ImageReference { repository: self.clone(), tag: tag.to_owned() })
    }

    /// The name as people write it: without Docker Hub's host and its `library`.
    pub fn familiar(&self) -> String {
        match (self.host.as_str(), self.path.strip_prefix("library/")) {
            (DOCKER_HUB, Some(short)) if !short.contains('/') => short.to_owned(),
            (DOCKER_HUB, _) => self.path.clone(),
            (host, _) => format!("{host}/{}", self.path),
        }
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, path) = split_host(text);
        if path.contains([':', '@']) {
            return Err(ReferenceError::HasTag(text.to_owned()));
        }
        if path.chars().any(|character| character.is_ascii_uppercase()) {
            return Err(ReferenceError::UpperCase(text.to_owned()));
        }
        let path = if host == DOCKER_HUB && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
        let fits = host.len() + 1 + path.len() <= LONGEST_REPOSITORY;
        if !fits || !is_host(host) || !path.split('/').all(is_path_component) {
            return Err(ReferenceError::Name(text.to_owned()));
        }
        Ok(Self { host: host.to_owned(), path })
    }
}

/// The host and the rest; Docker Hub's old name is its new one.
fn split_host(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        Some(("index.docker.io", rest)) => (DOCKER_HUB, rest),
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
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
        Self { repository: Repository { host: host.to_owned(), path: path.to_owned() }, tag: tag.to_owned() }
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

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The reference in full, `docker.io/library/node:6`.
    pub fn canonical(&self) -> String {
        format!("{}/{}:{}", self.repository.host, self.repository.path, self.tag)
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    /// Parses `node`, `node:6`, `gcr.io/my-project/node-app:0.2`; the tag is `latest` when absent.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let last_slash = text.rfind('/').map_or(0, |index| index + 1);
        match text[last_slash..].split_once(':') {
            Some((name, tag)) => text[..last_slash + name.len()].parse::<Repository>()?.tagged(tag),
            None => text.parse::<Repository>()?.tagged("latest"),
        }
    }
}

/// The reference as people write it: `node:6`, `gcr.io/my-project/node-app:0.2`.
impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.repository.familiar(), self.tag)
    }
}
