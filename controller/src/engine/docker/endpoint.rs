//! Where an engine's API is.

use std::fmt;
use std::path::PathBuf;

use crate::engine::EngineError;

/// Where Docker Engine listens when nobody says otherwise.
const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";
const PLAIN_PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// The endpoint of the engine that the docker command would use: `DOCKER_HOST`, else the local socket.
pub fn default_endpoint() -> String {
    std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned())
}

/// The address of an engine's API, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    text: String,
    address: Address,
}

/// An address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A Unix socket by its absolute path.
    Unix(PathBuf),
    /// A host, which may be an IPv6 address in brackets, and a port.
    Tcp {
        /// The host.
        host: String,
        /// The port, where one is given.
        port: Option<u16>,
    },
}

impl Endpoint {
    /// Parses `unix:///var/run/docker.sock` or `tcp://host:2376`.
    pub(super) fn parse(text: &str) -> Result<Self, EngineError> {
        let address = parse_address(text).ok_or_else(|| {
            EngineError::Other(format!(
                "the endpoint \"{text}\" is not an engine's address; write it as unix:///path/to/docker.sock or tcp://host:port"
            ))
        })?;
        Ok(Self { text: text.to_owned(), address })
    }

    /// The address as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The address, taken apart.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The start of every URI of the engine's API. The ports without and with TLS are those that IANA gave Docker.
    pub(super) fn base_uri(&self, is_tls: bool) -> String {
        match &self.address {
            // A socket's path stands where a URI has its host, in hexadecimal, as hyperlocal reads it.
            Address::Unix(path) => {
                let uri: hyper::Uri = hyperlocal::Uri::new(path, "/").into();
                uri.to_string().trim_end_matches('/').to_owned()
            }
            Address::Tcp { host, port } if is_tls => {
                format!("https://{host}:{}", port.unwrap_or(TLS_PORT))
            }
            Address::Tcp { host, port } => format!("http://{host}:{}", port.unwrap_or(PLAIN_PORT)),
        }
    }
}

fn parse_address(text: &str) -> Option<Address> {
    if let Some(path) = text.strip_prefix("unix://") {
        return path.starts_with('/').then(|| Address::Unix(PathBuf::from(path)));
    }
    let authority: hyper::http::uri::Authority = text.strip_prefix("tcp://")?.trim_end_matches('/').parse().ok()?;
    let has_user = authority.as_str().contains('@');
    let has_bad_port = authority.port_u16().is_none() && authority.as_str() != authority.host();
    if has_user || has_bad_port || authority.host().is_empty() {
        return None;
    }
    Some(Address::Tcp { host: authority.host().to_owned(), port: authority.port_u16() })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_uri(text: &str, is_tls: bool) -> String {
        Endpoint::parse(text).unwrap().base_uri(is_tls)
    }

    #[test]
    fn a_host_without_a_port_gets_the_port_of_its_protocol() {
        assert_eq!(base_uri("tcp://engine.example", false), "http://engine.example:2375");
        assert_eq!(base_uri("tcp://engine.example", true), "https://engine.example:2376");
        assert_eq!(base_uri("tcp://[::1]:4243", true), "https://[::1]:4243");
    }

    #[test]
    fn a_socket_keeps_its_path() {
        let endpoint = Endpoint::parse("unix:///run/docker.sock").unwrap();
        assert_eq!(*endpoint.address(), Address::Unix(PathBuf::from("/run/docker.sock")));
        assert!(endpoint.base_uri(false).starts_with("unix://"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_is_allowed() {
        for text in
            ["", "docker.sock", "unix://docker.sock", "npipe:////./pipe/docker", "tcp://", "tcp://a:b", "tcp://u@h:1"]
        {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("\"{text}\"")) && error.contains("tcp://host:port"), "{error}");
        }
    }
}
