//! What is asked of a registry directly: which image it holds under a tag.

mod ambient;
mod answer;
mod challenge;
mod client;
mod credentials;
mod endpoint;
mod google;
mod google_identity;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(test)]
mod tests;
mod user_config;

use async_trait::async_trait;

use crate::app::{Credentials, ImageReference, RemoteImage};

#[cfg(test)]
pub use ambient::NoAmbientCredentials;
pub use ambient::{AmbientCredentials, FirstOf};
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
}

/// Why a registry could not be asked. The messages are for users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It does not answer, or not now.
    #[error("{0}")]
    Unavailable(String),
    /// It wants credentials, or refuses those that it was given.
    #[error("{0}")]
    Denied(String),
}
