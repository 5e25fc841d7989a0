//! What is asked of a registry directly: which image it holds under a tag.

mod answer;
mod challenge;
mod client;
mod credentials;
mod endpoint;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

use crate::app::{Credentials, ImageReference, RemoteImage};

pub use client::OciRegistry;
pub use credentials::{CredentialsError, credentials_for};

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
