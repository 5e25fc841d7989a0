//! The HTTP clients with which registries are spoken to.

use std::path::Path;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Method};

use super::answer;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client for questions and one for what changes something.
#[derive(Clone)]
pub(super) struct Clients {
    /// It goes where it is redirected to, without the authorisation where that is another host.
    pub(super) asking: Client,
    /// It goes nowhere else: a registry must not have things deleted on other hosts.
    changing: Client,
}

impl Clients {
    /// Clients that speak HTTPS only and trust these authorities beside the system's.
    pub(super) fn secure(authorities: &[Certificate]) -> Result<Self, String> {
        Self::built(|| builder().https_only(true).tls_certs_merge(authorities.to_vec()))
    }

    /// Clients for plain HTTP, without a proxy.
    pub(super) fn plain() -> Result<Self, String> {
        Self::built(|| builder().no_proxy())
    }

    /// The client for this kind of request.
    pub(super) fn for_method(&self, method: &Method) -> &Client {
        if method.is_safe() { &self.asking } else { &self.changing }
    }

    fn built(builder: impl Fn() -> ClientBuilder) -> Result<Self, String> {
        Ok(Self { asking: build(builder())?, changing: build(builder().redirect(Policy::none()))? })
    }
}

fn builder() -> ClientBuilder {
    Client::builder().user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION"))).connect_timeout(CONNECT_TIMEOUT)
}

fn build(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| {
        let cause = answer::innermost(&error);
        format!("registries cannot be asked by HTTPS: {cause}; are the system's certificates installed?")
    })
}

/// The certificates in a file of PEM.
///
/// # Errors
/// A sentence that names the file.
pub(super) fn certificates_in(file: &Path) -> Result<Vec<Certificate>, String> {
    let path = file.display();
    let pem = std::fs::read(file).map_err(|error| format!("{path} cannot be read: {error}"))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("{path} holds no certificate in PEM")),
    }
}
