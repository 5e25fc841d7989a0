//! The rules of an API server for the resources in memory.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::ResourceExt;
use longshore_crds::{
    ContainerApp, ContainerAppRevision, ContainerAppStatus, ContainerEngine, ContainerEngineStatus, Tombstone,
};
use tokio::sync::mpsc;

use super::ResourceOperation;
use crate::app::owner_uid_of;
use crate::reconcile::{AppKey, ConfigMapData, Event, FINALIZER, ResourceError, SecretData};

/// A namespace and a name.
type Name = (String, String);

/// Everything that an API server would hold.
#[derive(Default)]
pub(super) struct State {
    pub(super) context_root: Option<PathBuf>,
    pub(super) events: Vec<(AppKey, Event)>,
    pub(super) writes: Vec<String>,
    pub(super) revision_lists: usize,
    /// By namespace and name.
    revisions: BTreeMap<Name, ContainerAppRevision>,
    apps: BTreeMap<AppKey, ContainerApp>,
    /// Why a resource cannot be understood.
    spoiled: BTreeMap<AppKey, String>,
    engines: BTreeMap<String, ContainerEngine>,
    secrets: BTreeMap<Name, SecretData>,
    config_maps: BTreeMap<Name, ConfigMapData>,
    failures: BTreeMap<ResourceOperation, VecDeque<ResourceError>>,
    watchers: Vec<mpsc::UnboundedSender<AppKey>>,
    /// How many changes and how many resources there ever were.
    versions: u64,
    uids: u64,
}

impl State {
    pub(super) fn apply(&mut self, wanted: &ContainerApp, now: Timestamp) -> ContainerApp {
        let key =
            AppKey { namespace: wanted.namespace().unwrap_or_else(|| "default".to_owned()), name: wanted.name_any() };
        let was_spoiled = self.spoiled.remove(&key).is_some();
        let old = self.apps.get(&key);
        let mut app = match old {
            Some(old) => old.clone(),
            None => self.created(&key, wanted, now),
        };
        if app.spec != wanted.spec {
            app.spec = wanted.spec.clone();
            app.metadata.generation = app.metadata.generation.map(|generation| generation + 1);
        }
        app.metadata.annotations.clone_from(&wanted.metadata.annotations);
        app.metadata.labels.clone_from(&wanted.metadata.labels);
        if was_spoiled || self.apps.get(&key) != Some(&app) {
            self.store(&key, app);
        }
        self.get(&key).unwrap_or_else(|| wanted.clone())
    }

    pub(super) fn delete(&mut self, key: &AppKey, now: Timestamp) {
        let Some(mut app) = self.get(key) else {
            return;
        };
        if app.finalizers().is_empty() {
            self.remove(key);
        } else if app.metadata.deletion_timestamp.is_none() {
            app.metadata.deletion_timestamp = Some(Time(now));
            app.metadata.deletion_grace_period_seconds = Some(0);
            // The mark counts as a change of what is wanted (apiserver's `rest.BeforeDelete`).
            app.metadata.generation = app.metadata.generation.map(|generation| generation + 1);
            self.store(key, app);
        }
    }

    /// Puts a resource as it is, as one writes who may write everything.
    #[cfg(test)]
    pub(super) fn force(&mut self, app: ContainerApp) {
        self.store(&key_of(&app), app);
    }

    pub(super) fn spoil(&mut self, key: &AppKey, message: &str) {
        if let Some(app) = self.get(key) {
            self.spoiled.insert(key.clone(), message.to_owned());
            self.store(key, app);
        }
    }

    pub(super) fn get(&self, key: &AppKey) -> Option<ContainerApp> {
        self.apps.get(key).cloned()
    }

    pub(super) fn keys(&self) -> Vec<AppKey> {
        self.apps.keys().cloned().collect()
    }

    /// A resource as one who must understand it reads it.
    pub(super) fn read(&self, key: &AppKey) -> Result<Option<ContainerApp>, ResourceError> {
        match (self.get(key), self.spoiled.get(key)) {
            (Some(app), Some(message)) => Err(ResourceError::Invalid { message: message.clone(), app: Box::new(app) }),
            (app, _) => Ok(app),
        }
    }

    pub(super) fn hold(&mut self, app: &ContainerApp) -> Result<(), ResourceError> {
        let key = key_of(app);
        let mut current = self.same(app).ok_or(ResourceError::Conflict)?;
        if current.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(());
        }
        if current.metadata.deletion_timestamp.is_some() {
            return Err(ResourceError::Forbidden(format!(
                "no new finalizers can be added to {key}: it is being deleted"
            )));
        }
        current.finalizers_mut().push(FINALIZER.to_owned());
        self.store(&key, current);
        Ok(())
    }

    pub(super) fn release(&mut self, app: &ContainerApp) {
        let key = key_of(app);
        let Some(mut current) = self.same(app) else {
            return;
        };
        let before = current.finalizers().len();
        current.finalizers_mut().retain(|finalizer| finalizer != FINALIZER);
        if current.finalizers().is_empty() && current.metadata.deletion_timestamp.is_some() {
            self.remove(&key);
        } else if current.finalizers().len() != before {
            self.store(&key, current);
        }
    }

    pub(super) fn write_status(
        &mut self,
        app: &ContainerApp,
        status: &ContainerAppStatus,
    ) -> Result<(), ResourceError> {
        let current = self.same(app).ok_or(ResourceError::Conflict)?;
        if current.metadata.resource_version != app.metadata.resource_version {
            return Err(ResourceError::Conflict);
        }
        if current.status.as_ref() != Some(status) {
            let status = Some(status.clone());
            self.store(&key_of(app), ContainerApp { status, ..current });
        }
        Ok(())
    }

    pub(super) fn others(&self, key: &AppKey) -> Vec<ContainerApp> {
        self.apps.iter().filter(|(other, _)| *other != key).map(|(_, app)| app.clone()).collect()
    }

    pub(super) fn revisions(&self, key: &AppKey) -> Vec<ContainerAppRevision> {
        let all = self.revisions.iter();
        let of_the_app = all.filter(|((namespace, _), each)| *namespace == key.namespace && each.spec.app == key.name);
        of_the_app.map(|(_, revision)| revision.clone()).collect()
    }

    pub(super) fn write_revision(
        &mut self,
        app: &ContainerApp,
        revision: &ContainerAppRevision,
    ) -> Result<(), ResourceError> {
        let name = (app.namespace().unwrap_or_default(), revision.name_any());
        if let Some(there) = self.revisions.get(&name) {
            if !is_owned(there, app) {
                return Err(ResourceError::Conflict);
            }
            if there.spec != revision.spec {
                return Err(ResourceError::Unavailable("what went into a revision never changes".to_owned()));
            }
        }
        self.revisions.insert(name, revision.clone());
        Ok(())
    }

    pub(super) fn remove_revision(&mut self, app: &ContainerApp, name: &str) {
        let name = (app.namespace().unwrap_or_default(), name.to_owned());
        if self.revisions.get(&name).is_some_and(|revision| is_owned(revision, app)) {
            self.revisions.remove(&name);
        }
    }

    pub(super) fn put_engine(&mut self, engine: ContainerEngine) {
        self.engines.insert(engine.name_any(), engine);
    }

    pub(super) fn remove_engine(&mut self, name: &str) {
        self.engines.remove(name);
    }

    pub(super) fn engine(&self, name: &str) -> Option<ContainerEngine> {
        self.engines.get(name).cloned()
    }

    /// As an API server does it: a conflict when the engine was changed in the meantime.
    pub(super) fn write_tombstones(
        &mut self,
        seen: &ContainerEngine,
        tombstones: Vec<Tombstone>,
    ) -> Result<(), ResourceError> {
        match self.engines.get_mut(&seen.name_any()) {
            Some(engine) if engine.status == seen.status => {
                engine.status = Some(ContainerEngineStatus { tombstones, ..engine.status.clone().unwrap_or_default() });
                Ok(())
            }
            _ => Err(ResourceError::Conflict),
        }
    }

    pub(super) fn put_secret(&mut self, namespace: &str, name: &str, secret: SecretData) {
        self.secrets.insert((namespace.to_owned(), name.to_owned()), secret);
    }

    pub(super) fn remove_secret(&mut self, namespace: &str, name: &str) {
        self.secrets.remove(&(namespace.to_owned(), name.to_owned()));
    }

    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<SecretData> {
        self.secrets.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    pub(super) fn put_config_map(&mut self, namespace: &str, name: &str, config_map: ConfigMapData) {
        self.config_maps.insert((namespace.to_owned(), name.to_owned()), config_map);
    }

    pub(super) fn remove_config_map(&mut self, namespace: &str, name: &str) {
        self.config_maps.remove(&(namespace.to_owned(), name.to_owned()));
    }

    pub(super) fn config_map(&self, namespace: &str, name: &str) -> Option<ConfigMapData> {
        self.config_maps.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    pub(super) fn fail_next(&mut self, operation: ResourceOperation, error: ResourceError) {
        self.failures.entry(operation).or_default().push_back(error);
    }

    /// The failure that a test wants of this call.
    pub(super) fn failure(&mut self, operation: ResourceOperation) -> Result<(), ResourceError> {
        let failure = self.failures.get_mut(&operation).and_then(VecDeque::pop_front);
        failure.map_or(Ok(()), Err)
    }

    pub(super) fn watch(&mut self) -> mpsc::UnboundedReceiver<AppKey> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.watchers.push(sender);
        receiver
    }

    /// What there is of a resource now, when it is still the same one.
    fn same(&self, app: &ContainerApp) -> Option<ContainerApp> {
        self.get(&key_of(app)).filter(|current| current.uid() == app.uid())
    }

    fn created(&mut self, key: &AppKey, wanted: &ContainerApp, now: Timestamp) -> ContainerApp {
        self.uids += 1;
        let mut app = ContainerApp::new(&key.name, wanted.spec.clone());
        app.metadata = ObjectMeta {
            name: Some(key.name.clone()),
            namespace: Some(key.namespace.clone()),
            uid: Some(format!("00000000-0000-4000-8000-{:012x}", self.uids)),
            generation: Some(1),
            creation_timestamp: Some(Time(now)),
            ..ObjectMeta::default()
        };
        app.status = Some(ContainerAppStatus { observed_generation: -1, ..ContainerAppStatus::default() });
        app
    }

    fn store(&mut self, key: &AppKey, mut app: ContainerApp) {
        self.versions += 1;
        app.metadata.resource_version = Some(self.versions.to_string());
        self.apps.insert(key.clone(), app);
        self.tell(key);
    }

    fn remove(&mut self, key: &AppKey) {
        self.apps.remove(key);
        self.spoiled.remove(key);
        self.tell(key);
    }

    fn tell(&mut self, key: &AppKey) {
        self.watchers.retain(|watcher| watcher.send(key.clone()).is_ok());
    }
}

fn is_owned(revision: &ContainerAppRevision, app: &ContainerApp) -> bool {
    owner_uid_of(&revision.metadata).is_some_and(|owner| Some(owner) == app.metadata.uid.as_deref())
}

pub(super) fn key_of(app: &ContainerApp) -> AppKey {
    AppKey { namespace: app.namespace().unwrap_or_default(), name: app.name_any() }
}
