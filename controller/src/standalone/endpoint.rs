//! Where the default engine answers.

use std::fmt;
use std::str::FromStr;

/// The address of an engine's API, `unix:///…` or `tcp://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

/// What is wrong with a text that should be an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the address of an engine; write unix:///var/run/docker.sock or tcp://host:2376")]
pub struct EndpointError(String);

impl Endpoint {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where Docker Engine listens when nobody says otherwise.
impl Default for Endpoint {
    fn default() -> Self {
        Self("unix:///var/run/docker.sock".to_owned())
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_known =
            ["unix:///", "tcp://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
        if is_known { Ok(Self(text.to_owned())) } else { Err(EndpointError(text.to_owned())) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
