//! What is asked of a registry directly: which image it holds under a tag.

mod ambient;
mod answer;
mod authorizations;
mod challenge;
mod client;
mod clients;
mod conversation;
mod credentials;
mod deletion;
mod endpoint;
mod google_identity;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod metadata_server;
mod sizes;
#[cfg(test)]
mod tests;
mod user_config;

use std::sync::Arc;

use async_trait::async_trait;
use longshore_crds::RegistrySettings;

use crate::app::{Credentials, ImageReference, RegistryError, RemoteImage, TagDeletion};

#[cfg(any(test, feature = "testing"))]
pub use ambient::NoAmbientCredentials;
pub use ambient::{AmbientCredentials, FirstOf, renewed};
pub use client::OciRegistry;
pub use credentials::{CredentialsError, NamedFor, credentials_for};
pub use google_identity::GoogleIdentity;
pub use user_config::UserConfig;

/// A client of registries.
#[async_trait]
pub trait Registry: Send + Sync {
    /// What the registry holds under a reference; `None` when it holds nothing there.
    async fn look_up(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<RemoteImage>, RegistryError>;

    /// How many bytes all manifests of an index lead to, each blob once; `None` where that cannot be learnt. It takes a
    /// request for each manifest.
    async fn index_size(&self, _index: &ImageReference, _credentials: Option<&Credentials>) -> Option<u64> {
        None
    }

    /// The client that reaches registries as an engine's administrators have set it; `None` where settings make no
    /// difference.
    ///
    /// # Errors
    /// A sentence that names the setting that cannot be.
    fn with_settings(&self, _settings: &[RegistrySettings]) -> Result<Option<Arc<dyn Registry>>, String> {
        Ok(None)
    }

    /// What the registry has against giving out a reference, asked once more because somebody was refused in words that
    /// do not tell enough; `None` when it gives it out.
    async fn objection(&self, reference: &ImageReference, credentials: Option<&Credentials>) -> Option<RegistryError>;

    /// Takes a tag away, and no other one but those that may go along with it. One that is gone is well.
    ///
    /// # Assumptions
    /// Whoever asks has just seen that the tag holds the digest. Registries know no deletion on a condition, so one that
    /// somebody moves in that moment goes as well.
    async fn delete_tag(&self, tag: &TagDeletion, credentials: Option<&Credentials>) -> Result<(), RegistryError>;

    /// Why an engine must not be given these credentials for the registry: it wants them sent to another host, and
    /// engines send them wherever it says. `None` where nothing is known against it.
    async fn leak(&self, _reference: &ImageReference, _credentials: &Credentials) -> Option<RegistryError> {
        None
    }
}
