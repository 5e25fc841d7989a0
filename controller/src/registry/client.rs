//! The client that asks registries by the distribution protocol.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longshore_crds::RegistrySettings;
use reqwest::{Certificate, Method, StatusCode};

use super::answer;
use super::authorizations::Authorizations;
use super::challenge::Challenge;
use super::clients::{Clients, certificates_in};
use super::conversation::{Conversation, foreign_realm};
use super::endpoint::{Endpoint, Way, is_loopback};
use super::{Registry, deletion};
use crate::app::{Credentials, ImageReference, Purpose, RegistryError, RegistryRequest, RemoteImage, TagDeletion};

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
/// - Other registries are sent them only after their own host asked for them, never after a redirect. What a registry
///   took for a look is shown to it again until it ends or is refused, which saves two requests of three.
/// - A token server on another host gets them only when it is known to be the registry's: `auth.docker.io` for
///   `docker.io`, `gitlab.com` for `registry.gitlab.com`. For any other the look-up is denied.
/// - Google's registries are shown them at once, by HTTPS, which saves two requests of three.
/// - A redirect to another host, port or scheme carries no authorisation, and one to plain HTTP is not followed. What
///   deletes follows no redirect at all.
///
/// # Caveats
/// This is about what this client sends. When an engine pulls or pushes, it is the engine that speaks to the registry:
/// see [`Registry::leak`].
pub struct OciRegistry {
    secure: Clients,
    /// For registries on loopback, and those that are set to be spoken to by plain HTTP.
    plain: Clients,
    /// The authorities that every registry may have a certificate of, beside the system's.
    authorities: Vec<Certificate>,
    /// The registries that are reached in another way than usual, by their hosts.
    unusual: HashMap<String, Unusual>,
    /// What was last found under a reference, so that an unchanged tag is asked for by a `HEAD` request, which Docker
    /// Hub does not count as a pull.
    last_found: Mutex<HashMap<String, RemoteImage>>,
    authorizations: Authorizations,
}

/// How a registry is reached that is not reached as usual.
#[derive(Clone)]
enum Unusual {
    Plain,
    /// With a client that trusts its authorities as well.
    Private(Clients),
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
            secure: Clients::secure(&certificates)?,
            plain: Clients::plain()?,
            authorities: certificates,
            unusual: HashMap::new(),
            last_found: Mutex::default(),
            authorizations: Authorizations::default(),
        })
    }

    /// The way to a registry, and the client that goes it.
    fn way_to(&self, host: &str) -> (Way, &Clients) {
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
                let trusted: Vec<_> = self.authorities.iter().cloned().chain(certificates).collect();
                Clients::secure(&trusted).map(Unusual::Private)
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
        let mut conversation = self.conversation(reference, credentials)?;
        let manifest = conversation.manifest();
        let name = reference.canonical();
        if let Some(last) = self.last(&name) {
            let response = conversation.send(Method::HEAD, &manifest).await?;
            let is_unchanged = response.status() == StatusCode::OK
                && answer::digest_of(response.headers()).as_ref() == Some(&last.manifest);
            if is_unchanged {
                return Ok(last);
            }
        }
        let response = conversation.send(Method::GET, &manifest).await?;
        if response.status() != StatusCode::OK {
            return Err(answer::refusal(response, &conversation.request).await);
        }
        let found = answer::image_in(response, &conversation.request).await?;
        self.remember(name, &found);
        Ok(found)
    }

    /// The beginning of a look.
    pub(super) fn conversation<'a>(
        &'a self,
        reference: &'a ImageReference,
        credentials: Option<&'a Credentials>,
    ) -> Result<Conversation<'a>, RegistryError> {
        let way = self.way_to(reference.host());
        let conversation = Conversation::begin(way, reference, Purpose::LookUp, credentials)?;
        Ok(conversation.with_kept(&self.authorizations))
    }

    /// A look that ends in time.
    async fn look_in_time(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<RemoteImage, RegistryError> {
        let request = || RegistryRequest::new(reference, Purpose::LookUp, credentials);
        in_time(reference.host(), self.look(reference, credentials), request).await
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

    async fn index_size(&self, index: &ImageReference, credentials: Option<&Credentials>) -> Option<u64> {
        tokio::time::timeout(TIMEOUT, self.size_of_index(index, credentials)).await.ok()?
    }

    async fn objection(&self, reference: &ImageReference, credentials: Option<&Credentials>) -> Option<RegistryError> {
        self.look_in_time(reference, credentials).await.err()
    }

    async fn delete_tag(&self, tag: &TagDeletion, credentials: Option<&Credentials>) -> Result<(), RegistryError> {
        let reference = &tag.reference;
        let way = self.way_to(reference.host());
        let conversation = Conversation::begin(way, reference, Purpose::Delete, credentials)?;
        let request = || RegistryRequest::new(reference, Purpose::Delete, credentials);
        in_time(reference.host(), deletion::delete(conversation, tag), request).await
    }

    /// A registry that does not answer here, or not at once, may answer the engine, and is not spoken against.
    async fn leak(&self, reference: &ImageReference, credentials: &Credentials) -> Option<RegistryError> {
        let (way, clients) = self.way_to(reference.host());
        let endpoint = Endpoint::of(reference, way).ok()?;
        let response = clients.asking.get(endpoint.ping()).timeout(PING_TIMEOUT).send().await.ok()?;
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
            authorizations: Authorizations::default(),
        })))
    }
}

/// What comes of something that has to end in time.
async fn in_time<T>(
    host: &str,
    work: impl Future<Output = Result<T, RegistryError>>,
    request: impl FnOnce() -> RegistryRequest,
) -> Result<T, RegistryError> {
    tokio::time::timeout(TIMEOUT, work).await.unwrap_or_else(|_| {
        let message = format!("the registry {host} did not answer within {} seconds", TIMEOUT.as_secs());
        Err(RegistryError::unavailable(message, request()))
    })
}
