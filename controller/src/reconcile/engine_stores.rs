//! The stores of all engines that resources use, each with its watch.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use longshore_crds::{ContainerEngine, ContainerEngineSpec};
use tokio::sync::Mutex;

use super::build_queue::DEFAULT_LIMIT;
use super::engine_store::EngineStore;
use super::{Reconciler, watch};
use crate::engine::{EngineError, Engines};

/// The engines in use, by their names.
pub(super) struct EngineStores {
    engines: Arc<dyn Engines>,
    stores: Mutex<HashMap<String, (ContainerEngineSpec, Arc<EngineStore>)>>,
}

impl EngineStores {
    pub(super) fn new(engines: Arc<dyn Engines>) -> Self {
        Self { engines, stores: Mutex::default() }
    }

    /// The store of this engine; a new one when its spec has changed.
    pub(super) async fn get(
        &self,
        name: &str,
        engine: &ContainerEngine,
        reconciler: &Weak<Reconciler>,
    ) -> Result<Arc<EngineStore>, EngineError> {
        let mut stores = self.stores.lock().await;
        if let Some((spec, store)) = stores.get(name)
            && *spec == engine.spec
        {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(EngineStore::new(self.engines.connect(engine).await?, concurrent_builds(&engine.spec)));
        tokio::spawn(watch::watch(Weak::clone(reconciler), name.to_owned(), Arc::downgrade(&store)));
        stores.insert(name.to_owned(), (engine.spec.clone(), Arc::clone(&store)));
        Ok(store)
    }
}

fn concurrent_builds(spec: &ContainerEngineSpec) -> usize {
    spec.max_concurrent_builds.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT)
}
