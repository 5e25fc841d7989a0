//! The resources of standalone mode: what files hold and what the folder of state remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use longshore_crds::{
    ContainerApp, ContainerAppRevision, ContainerAppSpec, ContainerAppStatus, ContainerEngine, ContainerEngineSpec,
    SourceKind, Tombstone,
};

use super::files::{LoadedApp, Manifests};
use super::state::{StateError, StateFolder, Tenure};
use super::{Endpoint, Project};
use crate::reconcile::{AppKey, ArtifactState, ConfigMapData, Event, FINALIZER, ResourceError, Resources, SecretData};

/// The name of the engine that every app uses which names none.
pub const DEFAULT_ENGINE: &str = "default";

/// On a remembered app: the address of the engine that its containers and images are on.
const ENGINE_ENDPOINT: &str = "longshore.dev/engine-endpoint";

/// The resources of one project.
///
/// # Assumptions
/// Calls do short reads and writes of one small file, so they are done in place.
pub struct FileResources {
    project: Project,
    state: StateFolder,
    manifests: Manifests,
    endpoint: Endpoint,
    apps: Mutex<BTreeMap<AppKey, Entry>>,
}

struct Entry {
    app: ContainerApp,
    folder: PathBuf,
    images: Images,
    /// Absent for an app that is only looked at.
    #[expect(dead_code, reason = "it is held, not read")]
    tenure: Option<Tenure>,
}

impl Entry {
    fn new(mut app: ContainerApp, folder: PathBuf) -> Self {
        app.metadata.resource_version = Some("1".to_owned());
        Self { app, folder, images: Images::Go, tenure: None }
    }
}

/// An app that is to be removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaving {
    /// Its namespace and name, as far as they are known.
    pub key: AppKey,
    /// Its UID, by which what it has made is known.
    pub uid: String,
}

/// What becomes of the images of an app that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// They are removed too.
    Go,
    /// They stay, and it stays remembered which they are.
    Stay,
}

impl FileResources {
    /// The resources of a project. The engine `default` is the one of the files, or else the one at this endpoint.
    pub fn new(project: Project, state: StateFolder, manifests: Manifests, endpoint: Endpoint) -> Self {
        Self { project, state, manifests, endpoint, apps: Mutex::new(BTreeMap::new()) }
    }

    /// The project.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The names of the engines that the files describe, and of the default one.
    pub fn engine_names(&self) -> BTreeSet<String> {
        let in_files = self.manifests.engines.keys().cloned();
        in_files.chain([DEFAULT_ENGINE.to_owned()]).collect()
    }

    /// The apps of the files.
    pub fn in_files(&self) -> Vec<AppKey> {
        self.manifests.apps.keys().cloned().collect()
    }

    /// The apps that an earlier run has left behind and that are not in the files.
    pub fn left_behind(&self) -> Result<Vec<AppKey>, StateError> {
        let remembered = self.state.read_all()?;
        let keys = remembered.iter().map(key_of);
        Ok(keys.filter(|key| !self.manifests.apps.contains_key(key)).collect())
    }

    /// Makes the apps of the files known without taking care of them: they can be looked at, and nothing is written.
    pub fn look_at(&self, keys: &[AppKey], now: Timestamp) -> Result<(), StateError> {
        for key in keys {
            if let Some(loaded) = self.manifests.apps.get(key) {
                let app = self.continued(key, loaded, now)?;
                self.insert(key, Entry::new(app, loaded.folder.clone()));
            }
        }
        Ok(())
    }

    /// Takes apps of the files into this process's care, so that they can be reconciled.
    pub fn take(&self, keys: &[AppKey], now: Timestamp) -> Result<(), StateError> {
        for key in keys {
            if let Some(loaded) = self.manifests.apps.get(key) {
                let tenure = self.state.take(key)?;
                let mut app = self.continued(key, loaded, now)?;
                self.stay_where_it_is(key, &app)?;
                if let Some(endpoint) = self.endpoint_of(&app) {
                    app.annotations_mut().insert(ENGINE_ENDPOINT.to_owned(), endpoint);
                }
                self.state.write(key, &app)?;
                let entry = Entry::new(app, loaded.folder.clone());
                self.insert(key, Entry { tenure: Some(tenure), ..entry });
            }
        }
        Ok(())
    }

    /// Takes an app into this process's care in order to remove what it has made. One that is neither in the files nor
    /// remembered needs only to have labelled something on an engine.
    pub fn take_away(&self, leaving: &Leaving, images: Images, now: Timestamp) -> Result<(), StateError> {
        let key = &leaving.key;
        let tenure = self.state.take(key)?;
        let (mut app, folder) = match (self.manifests.apps.get(key), self.state.read(key)?) {
            (Some(loaded), _) => (self.continued(key, loaded, now)?, loaded.folder.clone()),
            (None, Some(remembered)) => (remembered, PathBuf::new()),
            (None, None) => (tombstone(key), PathBuf::new()),
        };
        self.stay_where_it_is(key, &app)?;
        app.metadata.uid = Some(leaving.uid.clone());
        app.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        app.metadata.deletion_timestamp = Some(Time(now));
        let entry = Entry { tenure: Some(tenure), images, ..Entry::new(app, folder) };
        self.insert(key, entry);
        Ok(())
    }

    /// An app as it is now; `None` when it is not, or not any more, in this process's care.
    pub fn current(&self, key: &AppKey) -> Option<ContainerApp> {
        self.apps().get(key).map(|entry| entry.app.clone())
    }

    /// The engine of this name, if the files or the defaults know it.
    pub fn engine_named(&self, name: &str) -> Option<ContainerEngine> {
        let in_files = self.manifests.engines.get(name).cloned();
        in_files.or_else(|| (name == DEFAULT_ENGINE).then(|| self.endpoint.as_engine()))
    }

    fn insert(&self, key: &AppKey, entry: Entry) {
        self.apps().insert(key.clone(), entry);
    }

    /// The app of the files with what is remembered of it. Another spec is another generation.
    fn continued(&self, key: &AppKey, loaded: &LoadedApp, now: Timestamp) -> Result<ContainerApp, StateError> {
        let mut app = loaded.app.clone();
        let remembered = self.state.read(key)?;
        let old = remembered.as_ref().map(|old| &old.metadata);
        let is_unchanged = remembered.as_ref().is_some_and(|old| old.spec == app.spec);
        let generation = old.and_then(|metadata| metadata.generation).unwrap_or(0);
        app.metadata.generation = Some(if is_unchanged { generation } else { generation + 1 });
        app.metadata.finalizers = old.and_then(|metadata| metadata.finalizers.clone());
        app.metadata.creation_timestamp =
            old.and_then(|metadata| metadata.creation_timestamp.clone()).or(Some(Time(now)));
        app.metadata.uid = Some(self.project.uid_of(key));
        app.status = remembered.and_then(|old| old.status);
        Ok(app)
    }

    /// Refuses to look for an app on another engine than the one that it was brought up on, unless it moves from one that
    /// the files describe to another: what is there would be left running, and said to be gone.
    fn stay_where_it_is(&self, key: &AppKey, app: &ContainerApp) -> Result<(), StateError> {
        let is_elsewhere = self.state.read(key)?.and_then(|remembered| {
            let made_something = !remembered.finalizers().is_empty() || claimed(&remembered);
            let endpoint = remembered.annotations().get(ENGINE_ENDPOINT).cloned()?;
            let is_known = self.endpoint_of(&remembered).is_some_and(|known| known == endpoint);
            let moves = is_known && remembered.spec.engine != app.spec.engine;
            (made_something && !moves && self.endpoint_of(app)? != endpoint).then_some(endpoint)
        });
        match is_elsewhere {
            None => Ok(()),
            Some(endpoint) => Err(StateError::Elsewhere { app: key.clone(), endpoint, file: self.state.file(key) }),
        }
    }

    fn endpoint_of(&self, app: &ContainerApp) -> Option<String> {
        self.engine_named(&app.spec.engine).map(|engine| engine.spec.endpoint)
    }

    /// Changes an app and remembers it. It is a conflict when it was changed since `seen`.
    fn change(&self, seen: &ContainerApp, change: impl FnOnce(&mut ContainerApp)) -> Result<(), ResourceError> {
        let key = key_of(seen);
        let mut apps = self.apps();
        let Some(entry) = apps.get_mut(&key) else {
            return Err(ResourceError::Conflict);
        };
        if entry.app.metadata.resource_version != seen.metadata.resource_version {
            return Err(ResourceError::Conflict);
        }
        let mut app = entry.app.clone();
        change(&mut app);
        app.metadata.resource_version = Some(next_version(&app.metadata));
        self.state.write(&key, &app).map_err(|error| unavailable(&error))?;
        entry.app = app;
        Ok(())
    }

    fn apps(&self) -> MutexGuard<'_, BTreeMap<AppKey, Entry>> {
        // Every change replaces an entry as a whole, so what a panicking thread leaves is sound.
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Resources for FileResources {
    async fn app(&self, key: &AppKey) -> Result<Option<ContainerApp>, ResourceError> {
        Ok(self.current(key))
    }

    /// Those of this project's files, and those that any project remembers.
    async fn others(&self, app: &ContainerApp) -> Result<Vec<ContainerApp>, ResourceError> {
        let in_files = self.manifests.apps.values().map(|loaded| loaded.app.clone());
        let this = key_of(app);
        let remembered = self.state.apps_of_every_project().map_err(|error| unavailable(&error))?;
        let others = in_files.filter(|other| key_of(other) != this);
        Ok(others.chain(remembered.into_iter().filter(|other| other.uid() != app.uid())).collect())
    }

    async fn engine(&self, name: &str) -> Result<Option<ContainerEngine>, ResourceError> {
        Ok(self.engine_named(name))
    }

    /// Nobody asks for it: without a controller that would come back to an engine, an app is not given up.
    async fn write_tombstones(
        &self,
        engine: &ContainerEngine,
        _tombstones: Vec<Tombstone>,
    ) -> Result<(), ResourceError> {
        let message = format!("the engine {} has no place for tombstones: it is a file", engine.name_any());
        Err(ResourceError::Unavailable(message))
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<SecretData>, ResourceError> {
        let key = (namespace.to_owned(), name.to_owned());
        Ok(self.manifests.secrets.get(&key).cloned())
    }

    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMapData>, ResourceError> {
        let key = (namespace.to_owned(), name.to_owned());
        Ok(self.manifests.config_maps.get(&key).cloned())
    }

    async fn artifact(&self, _kind: SourceKind, _namespace: &str, _name: &str) -> Result<ArtifactState, ResourceError> {
        Ok(ArtifactState::NoCluster)
    }

    fn context_root(&self, key: &AppKey) -> Option<PathBuf> {
        self.apps().get(key).map(|entry| entry.folder.clone())
    }

    async fn hold(&self, app: &ContainerApp) -> Result<(), ResourceError> {
        self.change(app, |app| {
            app.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        })
    }

    async fn release(&self, app: &ContainerApp) -> Result<(), ResourceError> {
        let key = key_of(app);
        let mut apps = self.apps();
        let claims = apps.get(&key).filter(|entry| entry.images == Images::Stay).and_then(claims);
        match claims {
            // What went into the images that stay is worth knowing as long as they do.
            Some(claims) => self.state.write(&key, &claims),
            None => self.state.remove_revisions(&key).and_then(|()| self.state.remove(&key)),
        }
        .map_err(|error| unavailable(&error))?;
        apps.remove(&key);
        Ok(())
    }

    async fn write_status(&self, app: &ContainerApp, status: &ContainerAppStatus) -> Result<(), ResourceError> {
        self.change(app, |app| app.status = Some(status.clone()))
    }

    async fn revisions(&self, app: &ContainerApp) -> Result<Vec<ContainerAppRevision>, ResourceError> {
        self.state.revisions(&key_of(app)).map_err(|error| unavailable(&error))
    }

    async fn write_revision(&self, app: &ContainerApp, revision: &ContainerAppRevision) -> Result<(), ResourceError> {
        let (key, name) = (key_of(app), revision.name_any());
        // Whoever does not look after the app any more must not write beside whoever does.
        if self.current(&key).is_none() {
            return Err(ResourceError::Conflict);
        }
        let there = self.state.revision(&key, &name).map_err(|error| unavailable(&error))?;
        let mut revision = revision.clone();
        let made = there.and_then(|there| there.metadata.creation_timestamp);
        revision.metadata.creation_timestamp = made.or_else(|| Some(Time(Timestamp::now())));
        self.state.write_revision(&key, &name, &revision).map_err(|error| unavailable(&error))
    }

    async fn remove_revision(&self, app: &ContainerApp, name: &str) -> Result<(), ResourceError> {
        self.state.remove_revision(&key_of(app), name).map_err(|error| unavailable(&error))
    }

    async fn publish(&self, app: &ContainerApp, event: Event) {
        tracing::debug!(app = %key_of(app), reason = %event.reason, note = %event.note, "event");
    }
}

impl Endpoint {
    fn as_engine(&self) -> ContainerEngine {
        let spec = ContainerEngineSpec {
            endpoint: self.as_str().to_owned(),
            tls_secret_ref: None,
            allowed_namespaces: None,
            host_ports: None,
            max_concurrent_builds: None,
            registries: Vec::new(),
        };
        ContainerEngine::new(DEFAULT_ENGINE, spec)
    }
}

/// As much of an app as its removal needs: who it was.
fn tombstone(key: &AppKey) -> ContainerApp {
    let spec = ContainerAppSpec {
        engine: DEFAULT_ENGINE.to_owned(),
        suspend: false,
        image: longshore_crds::Image {
            name: key.name.clone(),
            tags: Vec::new(),
            pull_policy: None,
            digest: None,
            interval: None,
            platform: None,
            pull_secrets: Vec::new(),
            build: None,
        },
        push: Vec::new(),
        run: None,
        deletion_policy: longshore_crds::DeletionPolicy::Delete,
        revision_history_limit: 0,
        progress_deadline_seconds: 600,
        rollback_to: None,
    };
    let mut app = ContainerApp::new(&key.name, spec);
    app.metadata.namespace = Some(key.namespace.clone());
    app.metadata.generation = Some(1);
    app
}

/// What has to be remembered of an app whose images stay: which they are, which ones it has pushed, and nothing of its
/// containers. `None` when there are none.
fn claims(entry: &Entry) -> Option<ContainerApp> {
    let ContainerAppStatus { local_references, remote_references, .. } = entry.app.status.clone()?;
    if local_references.is_empty() {
        return None;
    }
    let mut app = entry.app.clone();
    app.metadata.deletion_timestamp = None;
    app.metadata.finalizers = None;
    app.status = Some(ContainerAppStatus {
        observed_generation: -1,
        local_references,
        remote_references,
        ..ContainerAppStatus::default()
    });
    Some(app)
}

fn claimed(app: &ContainerApp) -> bool {
    app.status.as_ref().is_some_and(|status| !status.local_references.is_empty())
}

fn key_of(app: &ContainerApp) -> AppKey {
    AppKey { namespace: app.namespace().unwrap_or_default(), name: app.name_any() }
}

fn next_version(metadata: &ObjectMeta) -> String {
    let version = metadata.resource_version.as_deref().and_then(|version| version.parse().ok());
    (version.unwrap_or(0_u64) + 1).to_string()
}

fn unavailable(error: &StateError) -> ResourceError {
    ResourceError::Unavailable(error.to_string())
}

#[cfg(test)]
#[path = "resources_tests.rs"]
mod tests;
