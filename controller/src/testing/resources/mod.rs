//! Resources in memory, with the rules of an API server.

mod api;
mod state;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_crds::{
    ContainerApp, ContainerAppRevision, ContainerEngine, ContainerEngineSpec, ContainerEngineStatus, Tombstone,
};
use tokio::sync::mpsc;

use crate::engine::memory::{MemoryEngine, TestClock};
use crate::reconcile::{AppKey, ConfigMapData, Event, ResourceError, SecretData};

use state::State;

/// Resources in memory. Clones are the same ones.
///
/// # Guarantees
/// As at an API server: a new spec is a new generation; every change is a new `resourceVersion`; a status that was
/// computed from an old one is refused, and one that says nothing new changes nothing; a resource with finalizers is
/// only marked when it is deleted, and gone with its last finalizer; the same name applied again has another UID. No
/// garbage collector runs: the revisions of an app that is gone stay.
#[derive(Clone)]
pub struct MemoryResources {
    state: Arc<Mutex<State>>,
    clock: TestClock,
}

/// A call of [`Resources`](crate::reconcile::Resources) that a test can let fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceOperation {
    /// [`Resources::app`](crate::reconcile::Resources::app).
    App,
    /// [`Resources::others`](crate::reconcile::Resources::others).
    Others,
    /// [`Resources::engine`](crate::reconcile::Resources::engine).
    Engine,
    /// [`Resources::secret`](crate::reconcile::Resources::secret).
    Secret,
    /// [`Resources::config_map`](crate::reconcile::Resources::config_map).
    ConfigMap,
    /// [`Resources::hold`](crate::reconcile::Resources::hold).
    Hold,
    /// [`Resources::release`](crate::reconcile::Resources::release).
    Release,
    /// [`Resources::write_status`](crate::reconcile::Resources::write_status).
    WriteStatus,
    /// [`Resources::revisions`](crate::reconcile::Resources::revisions).
    Revisions,
    /// [`Resources::write_revision`](crate::reconcile::Resources::write_revision).
    WriteRevision,
    /// [`Resources::remove_revision`](crate::reconcile::Resources::remove_revision).
    RemoveRevision,
}

impl MemoryResources {
    /// No resources yet.
    pub fn new(clock: &TestClock) -> Self {
        Self { state: Arc::default(), clock: clock.clone() }
    }

    /// Applies a resource, in the namespace `default` when it names none, and returns it as it is then. Of its
    /// metadata only name, namespace, annotations and labels count; its status does not.
    pub fn apply(&self, app: &ContainerApp) -> ContainerApp {
        self.state().apply(app, self.clock.now())
    }

    /// Deletes a resource: it is gone, or marked while it has finalizers.
    pub fn delete(&self, key: &AppKey) {
        self.state().delete(key, self.clock.now());
    }

    /// Lets a resource be one that cannot be understood, for this reason, until it is applied again.
    pub fn spoil(&self, key: &AppKey, message: &str) {
        self.state().spoil(key, message);
    }

    /// A resource as it is. No call is counted.
    pub fn get(&self, key: &AppKey) -> Option<ContainerApp> {
        self.state().get(key)
    }

    /// The keys of all resources.
    pub fn keys(&self) -> Vec<AppKey> {
        self.state().keys()
    }

    /// Puts a `ContainerEngine` of this name that leads to this engine.
    pub fn put_engine(&self, name: &str, engine: &MemoryEngine) {
        let spec = ContainerEngineSpec {
            endpoint: engine.endpoint(),
            tls_secret_ref: None,
            allowed_namespaces: None,
            host_ports: None,
            max_concurrent_builds: None,
            registries: Vec::new(),
        };
        self.put_container_engine(ContainerEngine::new(name, spec));
    }

    /// Puts a `ContainerEngine`, with whatever policy it has.
    pub fn put_container_engine(&self, engine: ContainerEngine) {
        self.state().put_engine(engine);
    }

    /// The tombstones of a `ContainerEngine`.
    pub fn tombstones(&self, engine: &str) -> Vec<Tombstone> {
        self.state().engine(engine).and_then(|engine| engine.status).unwrap_or_default().tombstones
    }

    /// Gives a `ContainerEngine` these tombstones.
    pub fn set_tombstones(&self, engine: &str, tombstones: Vec<Tombstone>) {
        let mut state = self.state();
        if let Some(mut engine) = state.engine(engine) {
            engine.status = Some(ContainerEngineStatus { tombstones, ..engine.status.unwrap_or_default() });
            state.put_engine(engine);
        }
    }

    /// Takes a `ContainerEngine` away.
    pub fn remove_engine(&self, name: &str) {
        self.state().remove_engine(name);
    }

    /// Puts a Secret.
    pub fn put_secret(&self, namespace: &str, name: &str, secret: SecretData) {
        self.state().put_secret(namespace, name, secret);
    }

    /// Takes a Secret away.
    pub fn remove_secret(&self, namespace: &str, name: &str) {
        self.state().remove_secret(namespace, name);
    }

    /// Puts a ConfigMap.
    pub fn put_config_map(&self, namespace: &str, name: &str, config_map: ConfigMapData) {
        self.state().put_config_map(namespace, name, config_map);
    }

    /// Takes a ConfigMap away.
    pub fn remove_config_map(&self, namespace: &str, name: &str) {
        self.state().remove_config_map(namespace, name);
    }

    /// Gives all resources a folder for `build.context.path`, as the standalone mode does.
    pub fn set_context_root(&self, folder: &Path) {
        self.state().context_root = Some(folder.to_owned());
    }

    /// What was published about a resource, in order.
    pub fn events(&self, key: &AppKey) -> Vec<Event> {
        let state = self.state();
        let published = state.events.iter();
        published.filter(|(about, _)| about == key).map(|(_, event)| event.clone()).collect()
    }

    /// The records of revisions under an app's name, in the order of their numbers.
    pub fn revisions(&self, key: &AppKey) -> Vec<ContainerAppRevision> {
        let mut revisions = self.state().revisions(key);
        revisions.sort_by_key(|revision| revision.spec.revision);
        revisions
    }

    /// How often records of revisions were listed.
    pub fn revision_lists(&self) -> usize {
        self.state().revision_lists
    }

    /// The calls that write, in order, as `write status of default/app`, those that failed included.
    pub fn writes(&self) -> Vec<String> {
        self.state().writes.clone()
    }

    /// Lets the next call of an operation fail, without an effect. Several failures are used up in their order.
    pub fn fail_next(&self, operation: ResourceOperation, error: ResourceError) {
        self.state().fail_next(operation, error);
    }

    /// Hears of every resource that changes from now on, as a watch does.
    pub fn watch(&self) -> mpsc::UnboundedReceiver<AppKey> {
        self.state().watch()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that failed while it held the lock left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
