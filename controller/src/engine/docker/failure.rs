//! What a failed call means, by its status code and its message. Engines tell much only in words; the words are those
//! of Docker Engine 20.10 to 29.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bollard::errors::Error;

use crate::app::ImageReference;
use crate::engine::EngineError;

/// How a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The engine did not answer, or its answer was cut.
    Unreachable(String),
    /// The engine answered that it does not do it.
    Refused {
        /// The status code of HTTP.
        status: u16,
        /// The reason, in words.
        message: String,
    },
    /// The engine began and told later, in the stream of its answer, that it failed.
    Reported(String),
    /// The answer is not what the engine's API describes.
    Unintelligible(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message: message.trim().to_owned() }
            }
            Error::DockerStreamError { error } => Self::Reported(error),
            Error::RequestTimeoutError => Self::Unreachable("it did not answer in time".to_owned()),
            Error::JsonDataError { message, .. } => Self::Unintelligible(message),
            Error::JsonSerdeError { err } if !err.is_io() => Self::Unintelligible(err.to_string()),
            other => Self::unreachable(&other),
        }
    }
}

impl Failure {
    /// An attempt to talk to the engine that failed for this reason. The innermost cause is the one that says what
    /// happened; those around it only say that something did.
    pub(super) fn unreachable(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut innermost = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self::Unreachable(innermost.to_string())
    }

    /// Whether the engine says that there is no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// What the engine said.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Unreachable(message)
            | Self::Refused { message, .. }
            | Self::Reported(message)
            | Self::Unintelligible(message) => message,
        }
    }

    /// What it means where nothing more is known than the status code.
    pub(super) fn into_error(self, endpoint: &str) -> EngineError {
        match self {
            Self::Unreachable(message) => EngineError::Unreachable { endpoint: endpoint.to_owned(), message },
            Self::Refused { status: 404, message, .. } => EngineError::NotFound(message),
            Self::Refused { status: 409, message } => EngineError::Conflict(message),
            Self::Refused { message, .. } | Self::Reported(message) => EngineError::Other(message),
            Self::Unintelligible(message) => EngineError::Other(format!(
                "the engine at {endpoint} gave an answer that is not of the Docker Engine API: {message}"
            )),
        }
    }

    /// What it means for a container that was to be created or renamed to this name.
    pub(super) fn into_error_of_name(self, name: &str, endpoint: &str) -> EngineError {
        match self {
            Self::Refused { status: 409, .. } => EngineError::NameTaken(name.to_owned()),
            other => other.into_error(endpoint),
        }
    }

    /// What it means for a container that was to be started.
    pub(super) fn into_error_of_start(self, endpoint: &str) -> EngineError {
        match taken_port(self.message()) {
            Some(sentence) => EngineError::PortTaken(sentence),
            None => self.into_error(endpoint),
        }
    }

    /// What it means for an image that was to be pulled or pushed.
    pub(super) fn into_error_of_transfer(
        self,
        reference: &ImageReference,
        has_credentials: bool,
        endpoint: &str,
    ) -> EngineError {
        if matches!(self, Self::Unreachable(_) | Self::Unintelligible(_)) {
            return self.into_error(endpoint);
        }
        // The engine does not have it itself, which is no registry's word.
        let is_absent_here = self.message().contains("does not exist locally")
            || self.message().starts_with("tag does not exist")
            || self.message().starts_with("No such image");
        if is_absent_here {
            return EngineError::NotFound(format!("the engine has no image {reference}"));
        }
        let message = format!("{reference}: {}", self.message());
        match RegistryAnswer::of(self.message(), has_credentials) {
            Some(RegistryAnswer::Unavailable) => EngineError::RegistryUnavailable(message),
            Some(RegistryAnswer::Denied) => EngineError::Denied(message),
            Some(RegistryAnswer::Missing) => EngineError::ImageNotFound(message),
            None => EngineError::Other(message),
        }
    }
}

/// What a registry meant, as an engine passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegistryAnswer {
    /// It does not answer, or not now.
    Unavailable,
    /// It wants credentials, or other ones.
    Denied,
    /// It does not have the image.
    Missing,
}

const UNAVAILABLE: &[&str] = &[
    "dial tcp",
    "connection refused",
    "connection reset",
    "no such host",
    "server misbehaving",
    "name resolution",
    "network is unreachable",
    "no route to host",
    "i/o timeout",
    "timeout exceeded",
    "handshake timeout",
    "deadline exceeded",
    "request canceled",
    "unexpected eof",
    "broken pipe",
    "x509:",
    "tls: ",
    "toomanyrequests",
    "too many requests",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
];
/// Docker Engine 29 leaves out a registry's code where there is a message; the words after "authorization failed" are
/// those of Google's registries.
const WANTS_CREDENTIALS: &[&str] = &[
    "no basic auth credentials",
    "unauthorized",
    "authentication required",
    "authorization failed",
    "authentication failed",
    "not authenticated",
    "unauthenticated request",
    "forbidden",
];
/// Docker Hub answers so for what it does not have and for what one may not see, to tell neither.
const MISSING_OR_DENIED: &[&str] = &["repository does not exist or may require", "insufficient_scope"];
const MISSING: &[&str] = &["manifest unknown", "name unknown", "not found", "does not exist"];

impl RegistryAnswer {
    /// Reads the message of a pull or a push.
    ///
    /// What may be either missing or denied is called denied when credentials were shown, since they are what one
    /// would look at, and missing when there were none: most public images need none, and a misspelt name is the
    /// likelier fault. The message says both in either case.
    pub(super) fn of(message: &str, has_credentials: bool) -> Option<Self> {
        let message = message.to_lowercase();
        let has_any = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
        if has_any(UNAVAILABLE) || message.ends_with(": eof") {
            Some(Self::Unavailable)
        } else if has_any(WANTS_CREDENTIALS) {
            Some(Self::Denied)
        } else if has_any(MISSING_OR_DENIED) && !has_credentials {
            Some(Self::Missing)
        } else if has_any(MISSING_OR_DENIED) || message.contains("denied") {
            Some(Self::Denied)
        } else if has_any(MISSING) {
            Some(Self::Missing)
        } else {
            None
        }
    }
}

/// The sentence for a start that failed because a host port is taken; `None` when it failed for another reason.
fn taken_port(message: &str) -> Option<String> {
    let by_container = message.contains("port is already allocated");
    let by_process = message.contains("address already in use")
        || message.contains("failed to bind host port")
        || message.contains("ports are not available");
    let holder = match (by_container, by_process) {
        (true, _) => "another container of this engine",
        (false, true) => "a process on the engine's host that is none of its containers",
        (false, false) => return None,
    };
    Some(match message.split_whitespace().find_map(host_address) {
        Some(address) => format!("the host port {} ({address}) is taken by {holder}", address.port()),
        None => format!("a host port is taken by {holder}: {message}"),
    })
}

/// The host's address in a word such as `0.0.0.0:4000`, `:::4000`, `[::]:4000/tcp:` or
/// `0.0.0.0:4000:172.17.0.2:80/tcp:`.
fn host_address(word: &str) -> Option<SocketAddr> {
    let word = word.trim_end_matches([':', ',', '.']);
    let word = word.split('/').next()?;
    if let Ok(address) = word.parse() {
        return Some(address);
    }
    let mut parts = word.splitn(3, ':');
    if let (Some(Ok(ip)), Some(Ok(port))) =
        (parts.next().map(str::parse::<Ipv4Addr>), parts.next().map(str::parse::<u16>))
    {
        return Some(SocketAddr::from((ip, port)));
    }
    let (ip, port) = word.rsplit_once(':')?;
    Some(SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(message: &str) -> EngineError {
        let failure = Failure::Refused { status: 500, message: message.to_owned() };
        failure.into_error_of_start("unix:///run/docker.sock")
    }

    fn pull(message: &str, has_credentials: bool) -> EngineError {
        let reference = "gcr.io/my-project/node-app:0.2".parse().unwrap();
        Failure::Reported(message.to_owned()).into_error_of_transfer(&reference, has_credentials, "unix:///x")
    }

    #[test]
    fn a_taken_port_names_the_port_and_its_kind_of_holder() {
        for (message, sentence) in [
            (
                "driver failed programming external connectivity on endpoint a (b): Bind for 0.0.0.0:4008 failed: port is already allocated",
                "the host port 4008 (0.0.0.0:4008) is taken by another container of this engine",
            ),
            (
                "driver failed programming external connectivity on endpoint a (b): Error starting userland proxy: listen tcp4 0.0.0.0:4009: bind: address already in use",
                "the host port 4009 (0.0.0.0:4009) is taken by a process on the engine's host that is none of its containers",
            ),
            (
                "failed to set up container networking: failed to bind host port 0.0.0.0:4009/tcp: address already in use",
                "the host port 4009 (0.0.0.0:4009) is taken by a process on the engine's host that is none of its containers",
            ),
            (
                "failed to bind host port for 127.0.0.1:4009:172.17.0.2:80/tcp: address already in use",
                "the host port 4009 (127.0.0.1:4009) is taken by a process on the engine's host that is none of its containers",
            ),
            (
                "Bind for :::4008 failed: port is already allocated",
                "the host port 4008 ([::]:4008) is taken by another container of this engine",
            ),
        ] {
            assert_eq!(start(message), EngineError::PortTaken(sentence.to_owned()));
        }
    }

    #[test]
    fn a_missing_program_is_no_taken_port() {
        let message = "OCI runtime create failed: exec: \"nope\": executable file not found in $PATH: unknown";
        assert_eq!(start(message), EngineError::Other(message.to_owned()));
    }

    #[test]
    fn what_a_registry_says_is_told_apart() {
        for message in [
            "no basic auth credentials",
            "push access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
            "denied: requested access to the resource is denied",
            "unexpected status from HEAD request to https://gcr.io/v2/a/manifests/b: 403 Forbidden",
            "unauthorized: authentication required",
        ] {
            assert!(matches!(pull(message, true), EngineError::Denied(_)), "{message}");
        }
        for message in [
            "Get \"https://gcr.io/v2/\": dial tcp 10.210.0.1:443: connect: connection refused",
            "received unexpected HTTP status: 500 Internal Server Error",
            "toomanyrequests: You have reached your unauthenticated pull rate limit",
            "Get \"https://gcr.io/v2/\": EOF",
            "Get \"https://gcr.io/v2/\": x509: certificate signed by unknown authority",
        ] {
            assert!(matches!(pull(message, true), EngineError::RegistryUnavailable(_)), "{message}");
        }
        for message in [
            "manifest for gcr.io/a/b:c not found: manifest unknown: manifest unknown",
            "gcr.io/a/b:c: not found",
            "name unknown: Repository \"b\" not found",
        ] {
            assert!(matches!(pull(message, true), EngineError::ImageNotFound(_)), "{message}");
        }
    }

    #[test]
    fn what_may_be_missing_or_denied_is_missing_without_credentials_and_denied_with_them() {
        let message = "pull access denied for nope, repository does not exist or may require 'docker login': denied: requested access to the resource is denied";
        assert!(matches!(pull(message, false), EngineError::ImageNotFound(_)));
        assert!(matches!(pull(message, true), EngineError::Denied(_)));
    }

    #[test]
    fn an_unreachable_engine_is_named_by_its_endpoint_and_the_innermost_cause() {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "No such file or directory");
        let error = Failure::unreachable(&std::io::Error::other(cause)).into_error("unix:///run/docker.sock");
        assert_eq!(
            error.to_string(),
            "the engine at unix:///run/docker.sock does not answer: No such file or directory"
        );
    }
}
