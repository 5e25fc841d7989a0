//! All registries there are, in memory: what the engine in memory pulls from and pushes to.
//!
//! # Guarantees
//! A host holds repositories, a repository holds tags and layers. A layer that the repository holds is not sent again,
//! one that another repository of the host holds is mounted, as in the distribution specification's
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs>.

mod error;
mod host;
mod image;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;

use super::Registry;
use crate::app::{Credentials, ImageReference, Purpose, RegistryError, RegistryRequest, RemoteImage, TagDeletion};

pub(crate) use error::Refusal;
pub use host::Deletes;
pub(crate) use host::{LayerFate, Published};
pub use image::{ManifestFormat, MemoryImage, MemoryLayer};

use host::Host;

/// Registries in memory. Every host exists and is empty and open at first, but for `longshore.local`, which nobody may
/// ever reach. Clones are the same registries.
#[derive(Clone, Default)]
pub struct MemoryRegistry {
    hosts: Arc<Mutex<BTreeMap<String, Host>>>,
}

impl MemoryRegistry {
    /// Puts an image of one platform under a tag, as if someone had pushed it.
    pub fn put(&self, reference: &ImageReference, image: &MemoryImage) -> RemoteImage {
        self.publish(
            reference,
            Published {
                remote: RemoteImage {
                    manifest: image.manifest(ManifestFormat::Oci),
                    config: Some(image.config()),
                    size: Some(image.size()),
                },
                image: image.clone(),
                others: Vec::new(),
            },
        )
    }

    /// Puts an index of several platforms under a tag, one of which is this image.
    pub fn put_index(&self, reference: &ImageReference, image: &MemoryImage) -> RemoteImage {
        self.put_platforms(reference, image, &[])
    }

    /// Puts an index of several platforms under a tag: that of this image, which is the engine's own, and of others.
    pub fn put_platforms(
        &self,
        reference: &ImageReference,
        image: &MemoryImage,
        others: &[MemoryImage],
    ) -> RemoteImage {
        let remote = RemoteImage { manifest: image.index(), config: None, size: None };
        self.publish(reference, Published { remote, image: image.clone(), others: others.to_vec() })
    }

    /// Takes a tag away.
    pub fn remove(&self, reference: &ImageReference) {
        self.with_host(reference.host(), |host| host.remove(reference));
    }

    /// Lets a host refuse everyone but this user.
    pub fn require(&self, host: &str, username: &str, password: &str) {
        self.with_host(host, |host| {
            host.user = Some((username.to_owned(), password.to_owned()));
        });
    }

    /// Lets a host answer to nobody, or to everyone again.
    pub fn set_available(&self, host: &str, is_available: bool) {
        self.with_host(host, |host| host.is_away = !is_available);
    }

    /// Lets a host say this to everyone, in an engine's words, and ask to wait so long; or serve everyone again.
    pub fn refuse(&self, host: &str, refusal: Option<(&str, Option<Duration>)>) {
        self.with_host(host, |host| {
            host.refusal = refusal.map(|(words, retry_after)| (words.to_owned(), retry_after));
        });
    }

    /// Lets a host take whatever is pushed, and show it to nobody; or to everyone again.
    pub fn set_only_takes(&self, host: &str, only_takes: bool) {
        self.with_host(host, |host| host.only_takes = only_takes);
    }

    /// Lets a tag point at what another one points at, as if someone had moved it.
    pub fn copy(&self, from: &ImageReference, to: &ImageReference) {
        self.with_host(from.host(), |host| {
            if let Some(published) = host.published(from).cloned() {
                host.put(to, published);
            }
        });
    }

    /// Lets a host say this to the next so many who want something deleted.
    pub fn fail_deletions(&self, host: &str, times: usize, words: &str) {
        self.with_host(host, |host| host.failing_deletions = vec![words.to_owned(); times]);
    }

    /// How a host deletes tags.
    pub fn set_deletes(&self, host: &str, deletes: Deletes) {
        self.with_host(host, |host| host.deletes = deletes);
    }

    /// The tags of a repository's host that hold something, as references, without a request.
    pub fn tags(&self, host: &str) -> Vec<ImageReference> {
        self.with_host(host, |host| host.tags())
    }

    /// What a tag holds, without a request.
    pub fn tagged(&self, reference: &ImageReference) -> Option<RemoteImage> {
        self.with_host(reference.host(), |host| host.published(reference).map(|published| published.remote.clone()))
    }

    /// How often a host was asked for something, refused requests included.
    pub fn requests(&self, host: &str) -> usize {
        self.with_host(host, |host| host.requests)
    }

    /// How many layers were sent to a host.
    pub fn layers_sent(&self, host: &str) -> usize {
        self.with_host(host, |host| host.layers_sent)
    }

    /// How often a host was shown credentials that were meant for another.
    pub fn misdirected_credentials(&self, host: &str) -> usize {
        self.with_host(host, |host| host.misdirected)
    }

    /// What an engine gets that pulls a reference.
    pub(crate) fn fetch(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Published, Refusal> {
        self.with_host(reference.host(), |host| {
            host.admit(credentials)?;
            if host.only_takes {
                return Err(Refusal::Said("denied: requested access to the resource is denied".to_owned(), None));
            }
            host.published(reference).cloned().ok_or(Refusal::Missing)
        })
    }

    /// Takes what an engine pushes, and tells what became of each layer.
    pub(crate) fn receive(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        published: Published,
    ) -> Result<Vec<LayerFate>, Refusal> {
        self.with_host(reference.host(), |host| {
            host.admit(credentials)?;
            Ok(host.publish(reference, published))
        })
    }

    fn publish(&self, reference: &ImageReference, published: Published) -> RemoteImage {
        let remote = published.remote.clone();
        self.with_host(reference.host(), |host| host.put(reference, published));
        remote
    }

    fn with_host<T>(&self, name: &str, use_it: impl FnOnce(&mut Host) -> T) -> T {
        use_it(self.lock().entry(name.to_owned()).or_insert_with(|| Host::new(name)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Host>> {
        // A test that failed while it held the lock left nothing half done.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn look_up(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<RemoteImage>, RegistryError> {
        match self.fetch(reference, credentials) {
            Ok(published) => Ok(Some(published.remote)),
            Err(Refusal::Missing) => Ok(None),
            Err(refusal) => Err(refusal.into_error(reference, Purpose::LookUp, credentials)),
        }
    }

    async fn delete_tag(&self, tag: &TagDeletion, credentials: Option<&Credentials>) -> Result<(), RegistryError> {
        let reference = &tag.reference;
        self.with_host(reference.host(), |host| {
            host.admit(credentials).map_err(|refusal| refusal.into_error(reference, Purpose::Delete, credentials))?;
            if let Some(words) = host.failing_deletions.pop() {
                return Err(Refusal::Said(words, None).into_error(reference, Purpose::Delete, credentials));
            }
            host.delete(tag).map_err(|kind| {
                let request = RegistryRequest::new(reference, Purpose::Delete, credentials);
                RegistryError::new(kind, format!("{reference} was not deleted"), request)
            })
        })
    }

    async fn objection(&self, reference: &ImageReference, credentials: Option<&Credentials>) -> Option<RegistryError> {
        let refusal = self.fetch(reference, credentials).err()?;
        Some(refusal.into_error(reference, Purpose::LookUp, credentials))
    }
}

/// Whether these are the credentials of this user.
fn belong_to(credentials: &Credentials, (username, password): &(String, String)) -> bool {
    credentials.username == *username && credentials.password.expose_secret() == password
}

#[cfg(test)]
mod tests;
