//! The stores of all engines that resources use, each with its watch.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use longshore_crds::{ContainerEngine, ContainerEngineSpec};
use tokio::sync::Mutex;

use super::base_image_store::BaseImageStore;
use super::build_queue::DEFAULT_LIMIT;
use super::engine_store::EngineStore;
use super::remote_store::RemoteStore;
use super::{Reconciler, watch};
use crate::engine::{EngineError, Engines};
use crate::registry::{AmbientCredentials, Registry};

/// The engines in use, by their names.
pub(super) struct EngineStores {
    engines: Arc<dyn Engines>,
    registry: Arc<dyn Registry>,
    ambient: Arc<dyn AmbientCredentials>,
    stores: Mutex<HashMap<String, (ContainerEngineSpec, Arc<EngineStore>)>>,
}

impl EngineStores {
    pub(super) fn new(
        engines: Arc<dyn Engines>,
        registry: Arc<dyn Registry>,
        ambient: Arc<dyn AmbientCredentials>,
    ) -> Self {
        Self { engines, registry, ambient, stores: Mutex::default() }
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
        let registry = self.registry.with_settings(&engine.spec.registries).map_err(EngineError::Other)?;
        let registry = registry.unwrap_or_else(|| Arc::clone(&self.registry));
        let remotes = RemoteStore::new(registry, Arc::clone(&self.ambient));
        let base_images = BaseImageStore::new(Arc::clone(&self.ambient));
        let connected = self.engines.connect(engine).await?;
        let store = Arc::new(EngineStore::new(connected, remotes, base_images, concurrent_builds(&engine.spec)));
        tokio::spawn(watch::watch(Weak::clone(reconciler), name.to_owned(), Arc::downgrade(&store)));
        stores.insert(name.to_owned(), (engine.spec.clone(), Arc::clone(&store)));
        Ok(store)
    }
}

fn concurrent_builds(spec: &ContainerEngineSpec) -> usize {
    spec.max_concurrent_builds.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT)
}
