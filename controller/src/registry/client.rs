//! The client that asks registries by the distribution protocol.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longshore_crds::RegistrySettings;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::Registry;
use super::answer::{self, MEDIA_TYPES};
use super::challenge::{Challenge, token_address};
use super::endpoint::{Endpoint, Way, is_loopback};
use crate::app::{
    Credentials, ImageReference, Purpose, RegistryError, RegistryErrorKind, RegistryRequest, RemoteImage,
    is_google_registry,
};

/// How long one look may take in all.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a registry may take to say how it wants requests to be authorised.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How many references' images are remembered; when there are more, all are forgotten and asked for again.
const MOST_REMEMBERED: usize = 4096;

/// A client of any registry that speaks the OCI distribution protocol.
///
/// Registries are asked by HTTPS, and on loopback by plain HTTP, unless they are set otherwise. Certificates are checked against the system's
/// authorities, or those in the files that the environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name, and
/// against extra ones. A proxy is taken from the usual environment variables (`HTTPS_PROXY`, `NO_PROXY`), but never
/// for loopback.
///
/// # Guarantees
/// Credentials are sent to the host that they are for, and to no other:
/// - Credentials for another host than the reference's are not used at all.
/// - Other registries are sent them only after their own host asked for them, never after a redirect.
/// - A token server on another host gets them only when it is known to be the registry's: `auth.docker.io` for
///   `docker.io`, `gitlab.com` for `registry.gitlab.com`. For any other the look-up is denied.
/// - Google's registries are shown them at once, by HTTPS, which saves two requests of three.
/// - A redirect to another host, port or scheme carries no authorisation, and one to plain HTTP is not followed.
///
/// # Caveats
/// This is about what this client sends. When an engine pulls or pushes, it is the engine that speaks to the registry:
/// see [`Registry::leak`].
pub struct OciRegistry {
    secure: Client,
    /// For registries on loopback, and those that are set to be spoken to by plain HTTP.
    plain: Client,
    /// The authorities that every registry may have a certificate of, beside the system's.
    authorities: Vec<Certificate>,
    /// The registries that are reached in another way than usual, by their hosts.
    unusual: HashMap<String, Unusual>,
    /// What was last found under a reference, so that an unchanged tag is asked for by a `HEAD` request, which Docker
    /// Hub does not count as a pull.
    last_found: Mutex<HashMap<String, RemoteImage>>,
}

/// How a registry is reached that is not reached as usual.
#[derive(Clone)]
enum Unusual {
    Plain,
    /// With a client that trusts its authorities as well.
    Private(Client),
}

/// A token server's answer. Servers send one name, or both with the same token.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl OciRegistry {
    /// A client that trusts the certificate authorities in a PEM file as well, when one is named.
    ///
    /// # Errors
    /// A sentence for the user, when the file cannot be read or holds no certificate, or when TLS cannot be set up.
    pub fn trusting_file(file: Option<&Path>) -> Result<Self, String> {
        // Whoever was first has installed one already, and then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = file.map_or_else(|| Ok(Vec::new()), certificates_in)?;
        Ok(Self {
            secure: secure_client(certificates.clone())?,
            plain: client_builder().no_proxy().build().map_err(|error| no_tls(&error))?,
            authorities: certificates,
            unusual: HashMap::new(),
            last_found: Mutex::default(),
        })
    }

    /// The way to a registry, and the client that goes it.
    fn way_to(&self, host: &str) -> (Way, &Client) {
        match self.unusual.get(host) {
            Some(Unusual::Plain) => (Way::Plain, &self.plain),
            Some(Unusual::Private(client)) => (Way::Secure, client),
            None if is_loopback(host) => (Way::Plain, &self.plain),
            None => (Way::Secure, &self.secure),
        }
    }

    fn unusual(&self, settings: &RegistrySettings) -> Result<Unusual, String> {
        let Some(pem) = settings.certificate_authority.as_ref().filter(|_| !settings.plain_http) else {
            return Ok(Unusual::Plain);
        };
        match Certificate::from_pem_bundle(pem.as_bytes()) {
            Ok(certificates) if !certificates.is_empty() => {
                let trusted = self.authorities.iter().cloned().chain(certificates).collect();
                secure_client(trusted).map(Unusual::Private)
            }
            _ => Err(format!(
                "spec.registries: the certificateAuthority of {} holds no certificate in PEM",
                settings.host
            )),
        }
    }

    async fn look(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<RemoteImage, RegistryError> {
        let request = RegistryRequest::new(reference, Purpose::LookUp, credentials);
        let (way, client) = self.way_to(reference.host());
        let endpoint = Endpoint::of(reference, way).map_err(|why| RegistryError::unavailable(why, request.clone()))?;
        let mut conversation = Conversation {
            client,
            manifest: endpoint.manifest(reference),
            endpoint,
            reference,
            request,
            credentials: credentials.filter(|credentials| credentials.host == reference.host()),
            authorization: None,
        };
        if way == Way::Secure && is_google_registry(reference.host()) {
            conversation.authorization = conversation.basic();
        }
        let name = reference.canonical();
        if let Some(last) = self.last(&name) {
            let response = conversation.send(Method::HEAD).await?;
            let is_unchanged = response.status() == StatusCode::OK
                && answer::digest_of(response.headers()).as_ref() == Some(&last.manifest);
            if is_unchanged {
                return Ok(last);
            }
        }
        let response = conversation.send(Method::GET).await?;
        if response.status() != StatusCode::OK {
            return Err(answer::refusal(response, &conversation.request).await);
        }
        let found = answer::image_in(response, &conversation.request).await?;
        self.remember(name, &found);
        Ok(found)
    }

    /// A look that ends in time.
    async fn look_in_time(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<RemoteImage, RegistryError> {
        let looking = tokio::time::timeout(TIMEOUT, self.look(reference, credentials));
        looking.await.unwrap_or_else(|_| {
            let (host, limit) = (reference.host(), TIMEOUT.as_secs());
            let message = format!("the registry {host} did not answer within {limit} seconds");
            Err(RegistryError::unavailable(message, RegistryRequest::new(reference, Purpose::LookUp, credentials)))
        })
    }

    fn last(&self, name: &str) -> Option<RemoteImage> {
        self.remembered().get(name).cloned()
    }

    fn remember(&self, name: String, found: &RemoteImage) {
        let mut remembered = self.remembered();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(name, found.clone());
    }

    /// A panic elsewhere leaves the map as it was: each change to it is a single call.
    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<String, RemoteImage>> {
        self.last_found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Registry for OciRegistry {
    async fn look_up(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<RemoteImage>, RegistryError> {
        match self.look_in_time(reference, credentials).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if error.kind.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn objection(&self, reference: &ImageReference, credentials: Option<&Credentials>) -> Option<RegistryError> {
        self.look_in_time(reference, credentials).await.err()
    }

    /// A registry that does not answer here, or not at once, may answer the engine, and is not spoken against.
    async fn leak(&self, reference: &ImageReference, credentials: &Credentials) -> Option<RegistryError> {
        let (way, client) = self.way_to(reference.host());
        let endpoint = Endpoint::of(reference, way).ok()?;
        let response = client.get(endpoint.ping()).timeout(PING_TIMEOUT).send().await.ok()?;
        match Challenge::of(response.headers())? {
            Challenge::Bearer { realm, .. } if !endpoint.trusts(&realm) => {
                let request = RegistryRequest::new(reference, Purpose::LookUp, Some(credentials));
                Some(foreign_realm(&realm, reference, request))
            }
            Challenge::Bearer { .. } | Challenge::Basic => None,
        }
    }

    fn with_settings(&self, settings: &[RegistrySettings]) -> Result<Option<Arc<dyn Registry>>, String> {
        if settings.is_empty() {
            return Ok(None);
        }
        let unusual = settings.iter().map(|each| Ok((each.host.clone(), self.unusual(each)?)));
        Ok(Some(Arc::new(Self {
            secure: self.secure.clone(),
            plain: self.plain.clone(),
            authorities: self.authorities.clone(),
            unusual: unusual.collect::<Result<_, String>>()?,
            last_found: Mutex::default(),
        })))
    }
}

fn client_builder() -> ClientBuilder {
    Client::builder().user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION"))).connect_timeout(TIMEOUT)
}

/// A client that speaks HTTPS only and trusts these authorities beside the system's.
fn secure_client(authorities: Vec<Certificate>) -> Result<Client, String> {
    let client = client_builder().https_only(true).tls_certs_merge(authorities);
    client.build().map_err(|error| no_tls(&error))
}

fn no_tls(error: &reqwest::Error) -> String {
    let cause = answer::innermost(error);
    format!("registries cannot be asked by HTTPS: {cause}; are the system's certificates installed?")
}

fn certificates_in(file: &Path) -> Result<Vec<Certificate>, String> {
    let path = file.display();
    let pem = std::fs::read(file).map_err(|error| format!("{path} cannot be read: {error}"))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("{path} holds no certificate in PEM")),
    }
}

/// What is said to one registry about one reference.
struct Conversation<'a> {
    client: &'a Client,
    endpoint: Endpoint,
    manifest: Url,
    reference: &'a ImageReference,
    request: RegistryRequest,
    credentials: Option<&'a Credentials>,
    /// What the registry asked for, once it has.
    authorization: Option<HeaderValue>,
}

impl Conversation<'_> {
    /// Asks for the manifest, and again with an authorisation when the registry's own host wants one.
    async fn send(&mut self, method: Method) -> Result<Response, RegistryError> {
        let response = self.send_once(method.clone()).await?;
        let wants_authorization =
            response.status() == StatusCode::UNAUTHORIZED && self.endpoint.is_same_origin(response.url());
        if self.authorization.is_some() || !wants_authorization {
            return Ok(response);
        }
        match Challenge::of(response.headers()) {
            Some(Challenge::Bearer { realm, service }) => {
                self.authorization = Some(self.token(&realm, service.as_deref()).await?);
            }
            Some(Challenge::Basic) if self.credentials.is_some() => self.authorization = self.basic(),
            _ => return Ok(response),
        }
        self.send_once(method).await
    }

    async fn send_once(&self, method: Method) -> Result<Response, RegistryError> {
        let mut request = self.client.request(method, self.manifest.clone()).header(ACCEPT, MEDIA_TYPES);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        self.answer_to(request).await
    }

    async fn answer_to(&self, request: RequestBuilder) -> Result<Response, RegistryError> {
        request.send().await.map_err(|error| {
            let message = answer::no_answer(self.reference.host(), &error);
            let read = RegistryError::read(&message, None, &*message, self.request.clone());
            read.unwrap_or_else(|| self.unavailable(message))
        })
    }

    fn unavailable(&self, message: String) -> RegistryError {
        RegistryError::unavailable(message, self.request.clone())
    }

    /// A token for the repository, for the user whose credentials there are, else for anyone.
    async fn token(&self, realm: &Url, service: Option<&str>) -> Result<HeaderValue, RegistryError> {
        let host = self.reference.host();
        let mut request = self.client.get(token_address(realm, service, self.reference));
        if let Some(credentials) = self.credentials {
            if !self.endpoint.trusts(realm) {
                return Err(foreign_realm(realm, self.reference, self.request.clone()));
            }
            request = request.basic_auth(&credentials.username, Some(credentials.password.expose_secret()));
        }
        let mut response = self.answer_to(request).await?;
        if response.status() != StatusCode::OK {
            return Err(answer::refusal(response, &self.request).await);
        }
        let body = answer::body_of(&mut response, host).await.map_err(|why| self.unavailable(why))?;
        bearer_in(&body).ok_or_else(|| self.unavailable(format!("the token server of {host} answered without a token")))
    }

    fn basic(&self) -> Option<HeaderValue> {
        let credentials = self.credentials?;
        let request = self
            .client
            .get(self.manifest.clone())
            .basic_auth(&credentials.username, Some(credentials.password.expose_secret()));
        request.build().ok()?.headers().get(AUTHORIZATION).cloned()
    }
}

/// The credentials are for the registry's host, and it wants them sent elsewhere.
fn foreign_realm(realm: &Url, reference: &ImageReference, request: RegistryRequest) -> RegistryError {
    let message = format!(
        "{} wants the credentials for {reference} to be sent to {}, which is another host; they are not sent there",
        reference.host(),
        realm.host_str().unwrap_or("an address without a host"),
    );
    RegistryError::new(RegistryErrorKind::AuthenticationRequired, message, request)
}

fn bearer_in(body: &[u8]) -> Option<HeaderValue> {
    let answer: Token = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
