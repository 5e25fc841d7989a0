//! What a failed call means, by its status code and its message. Engines tell much only in words; the words are those
//! of Docker Engine 20.10 to 29.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bollard::errors::Error;
use longshore_crds::Protocol;

use super::host_process::HostProcess;
use crate::app::{RegistryError, RegistryRequest};
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

    /// What it means for a network that was to be made. The first words are those of 29, the second those of 20.10.
    pub(super) fn into_error_of_network(self, endpoint: &str) -> EngineError {
        let says = |words: &str| self.message().contains(words);
        if says("all predefined address pools have been fully subscribed")
            || says("could not find an available, non-overlapping IPv4 address pool")
        {
            return EngineError::NoAddressesLeft(format!(
                "the engine has no addresses left for another network: remove networks that nobody needs (docker network \
                 prune), or give it more with default-address-pools in its daemon.json ({})",
                self.message()
            ));
        }
        self.into_error(endpoint)
    }

    /// Where a process of the host listens, if that is why a container could not be started.
    pub(super) fn port_of_a_process(&self) -> Option<(SocketAddr, Protocol)> {
        let message = self.message();
        let address =
            is_taken_by_process(message).then(|| message.split_whitespace().find_map(host_address)).flatten()?;
        let is_udp = message.contains("listen udp") || message.contains("/udp:");
        Some((address, if is_udp { Protocol::Udp } else { Protocol::Tcp }))
    }

    /// What it means for a container that was to be started. The holder of the port that it wants is a process of the
    /// host, where one can be seen.
    pub(super) fn into_error_of_start(self, endpoint: &str, holder: Option<&HostProcess>) -> EngineError {
        if let Some(sentence) = unknown_address(self.message()) {
            return EngineError::AddressNotFound(sentence);
        }
        match taken_port(self.message(), holder) {
            Some(sentence) => EngineError::PortTaken(sentence),
            // The words of 20.10 to 29 where no driver offers what a device request asks for.
            None if self.message().contains("could not select device driver \"nvidia\"") => {
                EngineError::Other(format!(
                    "the engine has no GPUs of NVIDIA for containers: run it on another engine, or take nvidia.com/gpu out of \
                 its limits ({})",
                    self.message()
                ))
            }
            None => self.into_error(endpoint),
        }
    }

    /// What it means for an image that was to be pulled or pushed.
    pub(super) fn into_error_of_transfer(self, request: &RegistryRequest, endpoint: &str) -> EngineError {
        if matches!(self, Self::Unreachable(_) | Self::Unintelligible(_)) {
            return self.into_error(endpoint);
        }
        // The engine does not have it itself, which is no registry's word.
        let is_absent_here = self.message().contains("does not exist locally")
            || self.message().starts_with("tag does not exist")
            || self.message().starts_with("No such image");
        let reference = request.reference.as_ref().map_or_else(|| "the image".to_owned(), ToString::to_string);
        if is_absent_here {
            return EngineError::NotFound(format!("the engine has no image {reference}"));
        }
        let message = format!("{reference}: {}", on_one_line(self.message()));
        RegistryError::read(self.message(), None, &*message, request.clone())
            .map_or(EngineError::Other(message), EngineError::Registry)
    }
}

/// 29 tells several errors of one answer in a line each, and some of them twice.
fn on_one_line(message: &str) -> String {
    let mut lines: Vec<&str> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.dedup();
    lines.join("; ")
}

fn is_taken_by_container(message: &str) -> bool {
    message.contains("port is already allocated")
}

fn is_taken_by_process(message: &str) -> bool {
    let words = ["address already in use", "failed to bind host port", "ports are not available"];
    !is_taken_by_container(message) && words.iter().any(|words| message.contains(words))
}

/// The sentence for a start that failed because a host port is taken; `None` when it failed for another reason.
fn taken_port(message: &str, process: Option<&HostProcess>) -> Option<String> {
    let holder = match (is_taken_by_container(message), is_taken_by_process(message), process) {
        (true, _, _) => "another container of this engine".to_owned(),
        (false, true, None) => "a process on the engine's host that is none of its containers".to_owned(),
        (false, true, Some(process)) => {
            format!("{process}, a process on the engine's host that is none of its containers")
        }
        (false, false, _) => return None,
    };
    Some(match message.split_whitespace().find_map(host_address) {
        Some(address) => format!("the host port {} ({address}) is taken by {holder}", address.port()),
        None => format!("a host port is taken by {holder}: {message}"),
    })
}

/// The sentence for a start that failed because a host IP is not the host's; `None` when it failed for another reason.
fn unknown_address(message: &str) -> Option<String> {
    if !message.contains("cannot assign requested address") {
        return None;
    }
    let remedy = "choose another hostIP, or give the host that address";
    Some(match message.split_whitespace().find_map(host_address) {
        Some(address) => format!("the engine's host has no address {}: {remedy}", address.ip()),
        None => format!("a hostIP is no address of the engine's host: {remedy} ({message})"),
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
    use crate::app::{Purpose, RegistryErrorKind};

    fn start(message: &str) -> EngineError {
        let failure = Failure::Refused { status: 500, message: message.to_owned() };
        failure.into_error_of_start("unix:///run/docker.sock", None)
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
    fn an_address_that_the_host_does_not_have_is_named() {
        for (message, address) in [
            (
                "a (b): Error starting userland proxy: listen tcp4 10.99.99.99:28080: bind: cannot assign requested address",
                "10.99.99.99",
            ),
            (
                "a (b): failed to bind host port [2001:db8::99]:28080/tcp: cannot assign requested address",
                "2001:db8::99",
            ),
        ] {
            let sentence = format!(
                "the engine's host has no address {address}: choose another hostIP, or give the host that address"
            );
            assert_eq!(start(message), EngineError::AddressNotFound(sentence));
        }
    }

    #[test]
    fn a_lack_of_addresses_is_told_with_its_remedies() {
        for message in [
            "all predefined address pools have been fully subscribed",
            "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
        ] {
            let failure = Failure::Refused { status: 500, message: message.to_owned() };
            let error = failure.into_error_of_network("unix:///x");
            let EngineError::NoAddressesLeft(sentence) = error else { panic!("{error}") };
            assert!(sentence.contains("default-address-pools") && sentence.contains("network prune"), "{sentence}");
            assert!(sentence.contains(message), "{sentence}");
        }
    }

    #[test]
    fn a_missing_program_is_no_taken_port() {
        let message = "OCI runtime create failed: exec: \"nope\": executable file not found in $PATH: unknown";
        assert_eq!(start(message), EngineError::Other(message.to_owned()));
    }

    #[test]
    fn what_a_registry_has_against_it_is_told_with_the_reference() {
        let pull = |message: &str| {
            let reference = "gcr.io/my-project/node-app:0.2".parse().unwrap();
            let request = RegistryRequest::new(&reference, Purpose::Pull, None);
            Failure::Reported(message.to_owned()).into_error_of_transfer(&request, "unix:///x")
        };
        let error = pull("manifest unknown");
        assert_eq!(error.registry_kind(), Some(RegistryErrorKind::ManifestUnknown));
        assert!(error.to_string().starts_with("gcr.io/my-project/node-app:0.2: manifest unknown; "), "{error}");
        let error = pull("error from registry: denied\ndenied\ndenied").to_string();
        assert!(
            error.starts_with("gcr.io/my-project/node-app:0.2: error from registry: denied; denied; no cr"),
            "{error}"
        );
        assert!(matches!(pull("no space left on device"), EngineError::Other(_)));
        assert!(matches!(pull("tag does not exist: x"), EngineError::NotFound(_)));
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
