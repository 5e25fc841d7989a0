//! The resources of a cluster, read from and written to its API server.

use std::path::PathBuf;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use longshore_crds::{
    ContainerApp, ContainerAppRevision, ContainerAppStatus, ContainerEngine, ContainerEngineStatus, SourceKind,
    Tombstone,
};
use serde_json::Value;

use super::errors::{is_gone, resource_error, words};
use super::events::Publisher;
use super::finalizer;
use super::flux;
use super::guard::{Guarded, parse, read_app};
use super::revisions::Revisions;
use super::status_patch::apply_status;
use crate::reconcile::{AppKey, ArtifactState, ConfigMapData, Event, ResourceError, Resources, SecretData};

/// The resources of a cluster.
///
/// # Guarantees
/// A resource is read by GET each time, not from the watch's cache: whoever has written a status or a finalizer sees it
/// at the next read. Secrets and ConfigMaps are only ever read by GET, one at a time and by name.
///
/// # Caveats
/// [`hold`](Resources::hold) makes a new version of the resource: read it again before writing its status.
pub struct KubeResources {
    client: Client,
    publisher: Publisher,
    /// The only namespace that is looked at, where it is not every one.
    namespace: Option<String>,
}

impl KubeResources {
    /// The resources that this client may see.
    pub fn new(client: Client) -> Self {
        Self { publisher: Publisher::new(client.clone()), client, namespace: None }
    }

    /// Those of one namespace only, where one is named.
    #[must_use]
    pub fn within(mut self, namespace: Option<String>) -> Self {
        self.namespace = namespace;
        self
    }

    /// Untyped, so that an object that the types refuse can be read, held, released and written to as well.
    fn apps(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &ApiResource::erase::<ContainerApp>(&()))
    }

    fn apps_beside(&self, app: &ContainerApp) -> Api<DynamicObject> {
        self.apps(&app.namespace().unwrap_or_default())
    }
}

#[async_trait]
impl Resources for KubeResources {
    /// One that cannot be understood is [`ResourceError::Invalid`], except while it is deleted: then what can be
    /// understood is returned, or its deletion would never end.
    async fn app(&self, key: &AppKey) -> Result<Option<ContainerApp>, ResourceError> {
        let found = self.apps(&key.namespace).get_opt(&key.name).await;
        let Some(object) = found.map_err(|error| resource_error(&format!("read the ContainerApp {key}"), &error))?
        else {
            return Ok(None);
        };
        match read_app(as_value(object)?) {
            Guarded::Understood(app) => Ok(Some(*app)),
            Guarded::Broken { remains, .. } if remains.metadata.deletion_timestamp.is_some() => Ok(Some(*remains)),
            Guarded::Broken { message, remains } => Err(ResourceError::Invalid { message, app: remains }),
        }
    }

    async fn others(&self, app: &ContainerApp) -> Result<Vec<ContainerApp>, ResourceError> {
        let resource = ApiResource::erase::<ContainerApp>(&());
        let apps: Api<DynamicObject> = match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let listed = apps.list(&ListParams::default()).await;
        let listed = listed.map_err(|error| resource_error("list the ContainerApps", &error))?;
        let others = listed.items.into_iter().filter(|other| other.metadata.uid != app.metadata.uid);
        others
            .map(|object| match read_app(as_value(object)?) {
                Guarded::Understood(other) => Ok(*other),
                Guarded::Broken { remains, .. } => Ok(*remains),
            })
            .collect()
    }

    async fn engine(&self, name: &str) -> Result<Option<ContainerEngine>, ResourceError> {
        let engines: Api<DynamicObject> =
            Api::all_with(self.client.clone(), &ApiResource::erase::<ContainerEngine>(&()));
        let found = engines.get_opt(name).await;
        found
            .map_err(|error| resource_error(&format!("read the ContainerEngine {name}"), &error))?
            .map(|object| {
                parse(&as_value(object)?).map_err(|message| {
                    ResourceError::Unavailable(format!("the ContainerEngine {name} cannot be understood: {message}"))
                })
            })
            .transpose()
    }

    async fn write_tombstones(
        &self,
        engine: &ContainerEngine,
        tombstones: Vec<Tombstone>,
    ) -> Result<(), ResourceError> {
        let resource = ApiResource::erase::<ContainerEngine>(&());
        let engines: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        // What a server-side apply leaves out is taken away: the whole status is written.
        let status = ContainerEngineStatus { tombstones, ..engine.status.clone().unwrap_or_default() };
        let written = apply_status(&engines, &resource, &engine.metadata, &status).await;
        written.map_err(|error| {
            resource_error(&format!("write the status of the ContainerEngine {}", engine.name_any()), &error)
        })
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<SecretData>, ResourceError> {
        let found = Api::<Secret>::namespaced(self.client.clone(), namespace).get_opt(name).await;
        let secret = found.map_err(|error| resource_error(&format!("read the Secret {namespace}/{name}"), &error))?;
        Ok(secret.map(|secret| SecretData {
            kind: secret.type_.unwrap_or_else(|| "Opaque".to_owned()),
            data: secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect(),
        }))
    }

    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMapData>, ResourceError> {
        let found = Api::<ConfigMap>::namespaced(self.client.clone(), namespace).get_opt(name).await;
        let config_map =
            found.map_err(|error| resource_error(&format!("read the ConfigMap {namespace}/{name}"), &error))?;
        Ok(config_map.map(|config_map| {
            let text = config_map.data.unwrap_or_default();
            let binary = config_map.binary_data.unwrap_or_default();
            let text = text.into_iter().map(|(key, value)| (key, value.into_bytes()));
            let binary = binary.into_iter().map(|(key, value)| (key, value.0));
            ConfigMapData { data: text.chain(binary).collect() }
        }))
    }

    async fn artifact(&self, kind: SourceKind, namespace: &str, name: &str) -> Result<ArtifactState, ResourceError> {
        flux::artifact(&self.client, kind, namespace, name).await
    }

    fn context_root(&self, _key: &AppKey) -> Option<PathBuf> {
        None
    }

    async fn hold(&self, app: &ContainerApp) -> Result<(), ResourceError> {
        finalizer::hold(&self.apps_beside(app), &app.metadata).await
    }

    async fn release(&self, app: &ContainerApp) -> Result<(), ResourceError> {
        finalizer::release(&self.apps_beside(app), &app.metadata).await
    }

    async fn write_status(&self, app: &ContainerApp, status: &ContainerAppStatus) -> Result<(), ResourceError> {
        let resource = ApiResource::erase::<ContainerApp>(&());
        let written = apply_status(&self.apps_beside(app), &resource, &app.metadata, status).await;
        written.map_err(|error| {
            // One that is gone has changed as much as can be: the next read tells.
            if is_gone(&error) {
                return ResourceError::Conflict;
            }
            resource_error(&format!("write the status of the ContainerApp {}", app.name_any()), &error)
        })
    }

    async fn revisions(&self, app: &ContainerApp) -> Result<Vec<ContainerAppRevision>, ResourceError> {
        Revisions::of(app, &self.client).list().await
    }

    async fn write_revision(&self, app: &ContainerApp, revision: &ContainerAppRevision) -> Result<(), ResourceError> {
        Revisions::of(app, &self.client).write(revision).await
    }

    async fn remove_revision(&self, app: &ContainerApp, name: &str) -> Result<(), ResourceError> {
        Revisions::of(app, &self.client).remove(name).await
    }

    async fn publish(&self, app: &ContainerApp, event: Event) {
        self.publisher.publish(app, &event).await;
    }
}

fn as_value(object: DynamicObject) -> Result<Value, ResourceError> {
    serde_json::to_value(object).map_err(|error| {
        ResourceError::Unavailable(format!(
            "cannot read the answer of the API server: {}",
            words(&kube::Error::SerdeError(error))
        ))
    })
}
