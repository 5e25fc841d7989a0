//! Asking web servers, with credentials that only one of them gets to see.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, Method, Response, StatusCode, Url, redirect};
use secrecy::ExposeSecret as _;

use super::address::shown;
use super::error::quoted;
use super::{SourceAuthentication, SourceCredentials, SourceError, SourceLimits};

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;

/// A client for web servers whose certificates the system trusts, or one of these authorities.
pub(super) fn client(authorities: Vec<Certificate>, limits: &SourceLimits) -> Result<Client, SourceError> {
    // Whoever was first has installed one already, and then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(limits.silence)
        .read_timeout(limits.silence)
        .tls_certs_merge(authorities)
        .build()
        .map_err(|error| SourceError::Other(format!("TLS cannot be set up: {}", innermost(&error))))
}

/// The certificates in a text in PEM.
pub(super) fn certificates_in(pem: &[u8], whence: &str) -> Result<Vec<Certificate>, SourceError> {
    match Certificate::from_pem_bundle(pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(SourceError::Invalid(format!("{whence} holds no certificate in PEM"))),
    }
}

/// One conversation with the server of a source, and with those that it redirects to.
///
/// # Guarantees
/// Credentials are sent to exactly the scheme, host and port of the source's own address, and never by plain HTTP. A
/// redirect elsewhere goes without them, and one from HTTPS to HTTP is not followed.
pub(super) struct Visit {
    client: Client,
    home: Url,
    authorization: Option<HeaderValue>,
}

/// An answer, and where it came from.
pub(super) struct Found {
    pub(super) response: Response,
    /// The address that answered, after redirects.
    pub(super) url: Url,
}

impl Visit {
    /// A conversation with the server at this address.
    pub(super) fn new(client: Client, home: Url, credentials: &SourceCredentials) -> Result<Self, SourceError> {
        let authorization = match &credentials.authentication {
            None => None,
            Some(SourceAuthentication::Basic { username, password }) => {
                Some(format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.expose_secret()))))
            }
            Some(SourceAuthentication::Bearer(token)) => Some(format!("Bearer {}", token.expose_secret())),
            Some(SourceAuthentication::Key { .. }) => {
                return Err(SourceError::Invalid(format!(
                    "{} takes no ssh key; its Secret needs username and password, or bearerToken",
                    shown(&home)
                )));
            }
        };
        if authorization.is_some() && home.scheme() != "https" {
            return Err(SourceError::Invalid(format!(
                "{} is plain HTTP, by which credentials are never sent; write https://",
                shown(&home)
            )));
        }
        let value = authorization.map(|text| {
            let mut value = HeaderValue::from_str(text.trim()).map_err(|_| {
                SourceError::Invalid(format!("the token for {} has characters that no token has", shown(&home)))
            })?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self { client, authorization: value.transpose()?, home })
    }

    /// Gets what lies at an address. Redirects are followed; any other answer is the caller's to judge.
    pub(super) async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Found, SourceError> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send(Method::GET, &url, headers, None).await?;
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
                return Ok(Found { response, url });
            }
            url = next_address(&url, &response)?;
        }
        Err(SourceError::Unreachable(format!("{} redirects more than {MOST_REDIRECTS} times", shown(&self.home))))
    }

    /// Posts to an address. Redirects are not followed: git's own client follows none here either.
    pub(super) async fn post(&self, url: &Url, headers: &HeaderMap, body: Vec<u8>) -> Result<Found, SourceError> {
        let response = self.send(Method::POST, url, headers, Some(body.into())).await?;
        Ok(Found { response, url: url.clone() })
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Response, SourceError> {
        let mut request = self.client.request(method, url.clone()).headers(headers.clone());
        if let Some(authorization) = self.authorization.as_ref().filter(|_| self.is_home(url)) {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.map_err(|error| no_answer(url, &error))
    }

    fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.home.origin()
    }

    /// What an answer means that is not the one that was hoped for.
    pub(super) fn refusal(&self, found: &Found) -> SourceError {
        let status = found.response.status();
        let number = status.as_u16();
        let address = shown(&found.url);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let problem = match &self.authorization {
                    None => "it wants credentials: name a Secret that has some",
                    Some(_) if self.is_home(&found.url) => {
                        "it refuses the credentials that it was given: check that they are valid and may read there"
                    }
                    Some(_) => {
                        "it wants credentials, and those of the source are for the host that redirected to it: write the address that it is at now"
                    }
                };
                SourceError::Denied(format!("{address} answered {number}: {problem}"))
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => SourceError::NotFound(format!(
                "there is nothing at {address} ({number}), or nothing that {} may see",
                if self.authorization.is_some() { "these credentials" } else { "a visitor without credentials" }
            )),
            StatusCode::TOO_MANY_REQUESTS => {
                SourceError::Unreachable(format!("{address} was asked too often ({number})"))
            }
            _ if status.is_server_error() => {
                SourceError::Unreachable(format!("{address} answered {number}, a fault of the server's"))
            }
            _ => SourceError::Invalid(format!("{address} answered {number}, which means nothing for a source")),
        }
    }
}

fn next_address(url: &Url, response: &Response) -> Result<Url, SourceError> {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let next = location
        .and_then(|location| url.join(location).ok())
        .ok_or_else(|| SourceError::Unreachable(format!("{} redirects to something that is no address", shown(url))))?;
    let is_kept_safe = next.scheme() == "https" || (next.scheme() == "http" && url.scheme() == "http");
    let has_user = !next.username().is_empty() || next.password().is_some();
    if !is_kept_safe || has_user {
        return Err(SourceError::Denied(format!(
            "{} redirects to {}, which is not followed: only addresses with https:// and without a user are",
            shown(url),
            shown(&next)
        )));
    }
    Ok(next)
}

/// What it means that a request had no answer, or not a whole one.
pub(super) fn no_answer(url: &Url, error: &reqwest::Error) -> SourceError {
    let cause = innermost(error);
    if is_about_certificate(error) {
        return SourceError::CertificateUnknown(format!(
            "the certificate of {} is not trusted: {cause}; where the authority is your own, put its certificate into the key ca.crt of the source's Secret",
            shown(url)
        ));
    }
    SourceError::Unreachable(format!("{} does not answer: {cause}", shown(url)))
}

/// The innermost cause says what happened; those around it, only that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it said nothing for too long".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    quoted(&cause.to_string())
}

fn is_about_certificate(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if matches!(current.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        // An `io::Error` passes over what it wraps and gives that one's source as its own.
        cause = match current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => current.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(home: &str, authentication: SourceAuthentication) -> Result<Visit, SourceError> {
        let credentials = SourceCredentials { authentication: Some(authentication), ..SourceCredentials::default() };
        let client = client(Vec::new(), &SourceLimits::default()).unwrap();
        Visit::new(client, home.parse().unwrap(), &credentials)
    }

    #[test]
    fn credentials_are_for_exactly_one_server() {
        let visit = visit("https://host/a", SourceAuthentication::Bearer("t".into())).unwrap();
        assert!(visit.is_home(&"https://host:443/b".parse().unwrap()));
        for other in ["https://host:8443/", "http://host/", "https://host.evil.com/", "https://evil.com/host"] {
            assert!(!visit.is_home(&other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn credentials_are_not_sent_by_plain_http() {
        let basic = SourceAuthentication::Basic { username: "me".to_owned(), password: "canary".into() };
        let Err(SourceError::Invalid(sentence)) = visit("http://host/a", basic) else { panic!("it is refused") };
        assert!(sentence.contains("plain HTTP") && !sentence.contains("canary"), "{sentence}");
    }

    #[test]
    fn an_ssh_key_is_nothing_for_a_web_server() {
        let key = SourceAuthentication::Key { identity: "canary".into(), password: None };
        assert!(matches!(visit("https://host/a", key), Err(SourceError::Invalid(_))));
    }
}
