//! The engines in use: one connection for each address, shared by all resources.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_crds::ContainerEngine;
use tokio::sync::Mutex;

use super::docker::{DockerEngine, TlsKeys};
use super::{Engine, EngineError, Engines};
use crate::app::Digest;
use crate::reconcile::Resources;

/// Connections to engines, by what they are described by.
pub struct EnginePool {
    resources: Arc<dyn Resources>,
    /// The namespace of the Secrets with the keys for TLS: the controller's own.
    namespace: String,
    engines: Mutex<HashMap<(String, Option<Digest>), Arc<DockerEngine>>>,
}

impl EnginePool {
    /// A pool whose engines' TLS Secrets lie in this namespace.
    pub fn new(resources: Arc<dyn Resources>, namespace: impl Into<String>) -> Self {
        Self { resources, namespace: namespace.into(), engines: Mutex::default() }
    }

    async fn keys(&self, secret: &str) -> Result<TlsKeys, EngineError> {
        let found = self.resources.secret(&self.namespace, secret).await;
        let found = found.map_err(|error| EngineError::Other(error.to_string()))?;
        let Some(mut secret_data) = found else {
            let message =
                format!("the Secret {secret} with the keys for TLS does not exist in the namespace {}", self.namespace);
            return Err(EngineError::NotFound(message));
        };
        let mut take = |key: &str| {
            let missing = || EngineError::NotFound(format!("the Secret {secret} has no key {key}"));
            secret_data.data.remove(key).ok_or_else(missing)
        };
        Ok(TlsKeys { authority: take("ca.crt")?, certificate: take("tls.crt")?, key: take("tls.key")? })
    }
}

#[async_trait]
impl Engines for EnginePool {
    async fn connect(&self, engine: &ContainerEngine) -> Result<Arc<dyn Engine>, EngineError> {
        let keys = match &engine.spec.tls_secret_ref {
            Some(reference) => Some(self.keys(&reference.name).await?),
            None => None,
        };
        let identity = keys.as_ref().map(|keys| Digest::of([&*keys.authority, &keys.certificate, &keys.key].concat()));
        let mut engines = self.engines.lock().await;
        let key = (engine.spec.endpoint.clone(), identity);
        if let Some(connected) = engines.get(&key) {
            return Ok(Arc::clone(connected) as Arc<dyn Engine>);
        }
        let connected = Arc::new(DockerEngine::connect(&engine.spec.endpoint, keys.as_ref())?);
        engines.insert(key, Arc::clone(&connected));
        Ok(connected)
    }
}
