//! Engines in memory by their endpoints.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use longshore_crds::ContainerEngine;

use crate::engine::memory::MemoryEngine;
use crate::engine::{Engine, EngineError, Engines};

/// The engines that there are. Clones are the same collection.
#[derive(Clone, Default)]
pub struct MemoryEngines {
    by_endpoint: Arc<Mutex<BTreeMap<String, MemoryEngine>>>,
}

impl MemoryEngines {
    /// These engines.
    pub fn of<'a>(engines: impl IntoIterator<Item = &'a MemoryEngine>) -> Self {
        let pairs = engines.into_iter().map(|engine| (engine.endpoint(), engine.clone()));
        Self { by_endpoint: Arc::new(Mutex::new(pairs.collect())) }
    }

    /// Puts an engine where a `ContainerEngine` with this endpoint finds it, as a machine that is replaced does.
    pub fn put(&self, endpoint: &str, engine: &MemoryEngine) {
        let mut engines = self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        engines.insert(endpoint.to_owned(), engine.clone());
    }
}

#[async_trait]
impl Engines for MemoryEngines {
    async fn connect(&self, engine: &ContainerEngine) -> Result<Arc<dyn Engine>, EngineError> {
        let endpoint = &engine.spec.endpoint;
        let engines = self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        match engines.get(endpoint) {
            Some(engine) => Ok(Arc::new(engine.clone())),
            None => Err(EngineError::Unreachable {
                endpoint: endpoint.clone(),
                message: "no such file or directory".to_owned(),
            }),
        }
    }
}
