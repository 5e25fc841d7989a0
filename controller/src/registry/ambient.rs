//! Credentials that no resource names: those of whoever runs the program.

use async_trait::async_trait;

use crate::app::Credentials;

/// Where credentials come from when no Secret has any for a registry.
#[async_trait]
pub trait AmbientCredentials: Send + Sync {
    /// Those for exactly this host, written as in an image reference; `None` when there are none.
    ///
    /// # Errors
    /// A sentence that says why there may be some that cannot be had. It quotes nothing secret.
    async fn for_host(&self, host: &str) -> Result<Option<Credentials>, String>;
}

/// There are none: what no Secret is for is asked for anonymously.
pub struct NoAmbientCredentials;

#[async_trait]
impl AmbientCredentials for NoAmbientCredentials {
    async fn for_host(&self, _host: &str) -> Result<Option<Credentials>, String> {
        Ok(None)
    }
}
