//! One connection for each engine, shared by all resources.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use longshore_crds::ContainerEngine;

use super::docker::{DockerEngine, TlsMaterial};
use super::{Engine, EngineError, Engines};
use crate::app::Digest;
use crate::reconcile::Resources;

/// Connections to Docker Engines.
///
/// Engines of the same endpoint and certificates are one connection. When the content of a TLS Secret changes, the
/// next call for its engine connects anew.
pub struct EnginePool {
    resources: Arc<dyn Resources>,
    namespace: String,
    connections: Mutex<HashMap<String, Pooled>>,
}

struct Pooled {
    certificates: Option<Digest>,
    engine: Arc<dyn Engine>,
}

impl EnginePool {
    /// A pool that reads TLS Secrets from this namespace, the controller's own.
    pub fn new(resources: Arc<dyn Resources>, namespace: impl Into<String>) -> Self {
        Self { resources, namespace: namespace.into(), connections: Mutex::new(HashMap::new()) }
    }

    /// The certificates of an engine, where it names a Secret. An engine that is not reached for want of its Secret
    /// is not reached: it is tried again like one that does not answer.
    async fn certificates(&self, engine: &ContainerEngine) -> Result<Option<TlsMaterial>, EngineError> {
        let Some(reference) = &engine.spec.tls_secret_ref else {
            return Ok(None);
        };
        let name = format!("the TLS Secret {}/{}", self.namespace, reference.name);
        let unreachable =
            |message: String| EngineError::Unreachable { endpoint: engine.spec.endpoint.clone(), message };
        let secret = self
            .resources
            .secret(&self.namespace, &reference.name)
            .await
            .map_err(|error| unreachable(format!("{name} cannot be read: {error}")))?
            .ok_or_else(|| unreachable(format!("{name} does not exist")))?;
        TlsMaterial::from_secret(&secret.data).map(Some).map_err(|error| unreachable(format!("{name}: {error}")))
    }
}

#[async_trait]
impl Engines for EnginePool {
    async fn connect(&self, engine: &ContainerEngine) -> Result<Arc<dyn Engine>, EngineError> {
        let endpoint = &engine.spec.endpoint;
        let material = self.certificates(engine).await?;
        let certificates = material.as_ref().map(TlsMaterial::digest);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pooled) = connections.get(endpoint)
            && pooled.certificates == certificates
        {
            return Ok(Arc::clone(&pooled.engine));
        }
        let engine: Arc<dyn Engine> = Arc::new(DockerEngine::connect(endpoint, material.as_ref())?);
        let pooled = Pooled { certificates, engine: Arc::clone(&engine) };
        connections.insert(endpoint.clone(), pooled);
        Ok(engine)
    }
}
