//! Resources as a process sees them that may die.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use kube::ResourceExt;
use longshore_crds::{ContainerApp, ContainerAppRevision, ContainerAppStatus, ContainerEngine, SourceKind, Tombstone};

use super::CrashPlan;
use crate::reconcile::{AppKey, ArtifactState, ConfigMapData, Event, ResourceError, Resources, SecretData};

pub(super) struct CrashingResources {
    pub(super) plan: CrashPlan,
    pub(super) resources: Arc<dyn Resources>,
}

#[async_trait]
impl Resources for CrashingResources {
    async fn app(&self, key: &AppKey) -> Result<Option<ContainerApp>, ResourceError> {
        self.plan.read(self.resources.app(key)).await
    }

    async fn others(&self, app: &ContainerApp) -> Result<Vec<ContainerApp>, ResourceError> {
        self.plan.read(self.resources.others(app)).await
    }

    async fn engine(&self, name: &str) -> Result<Option<ContainerEngine>, ResourceError> {
        self.plan.read(self.resources.engine(name)).await
    }

    async fn write_tombstones(
        &self,
        engine: &ContainerEngine,
        tombstones: Vec<Tombstone>,
    ) -> Result<(), ResourceError> {
        let name = format!("write tombstones of {}", engine.name_any());
        self.plan.effect(name, self.resources.write_tombstones(engine, tombstones)).await
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<SecretData>, ResourceError> {
        self.plan.read(self.resources.secret(namespace, name)).await
    }

    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMapData>, ResourceError> {
        self.plan.read(self.resources.config_map(namespace, name)).await
    }

    async fn artifact(&self, kind: SourceKind, namespace: &str, name: &str) -> Result<ArtifactState, ResourceError> {
        self.plan.read(self.resources.artifact(kind, namespace, name)).await
    }

    fn context_root(&self, key: &AppKey) -> Option<PathBuf> {
        self.resources.context_root(key)
    }

    async fn hold(&self, app: &ContainerApp) -> Result<(), ResourceError> {
        self.plan.effect(of("hold", app), self.resources.hold(app)).await
    }

    async fn release(&self, app: &ContainerApp) -> Result<(), ResourceError> {
        self.plan.effect(of("release", app), self.resources.release(app)).await
    }

    async fn write_status(&self, app: &ContainerApp, status: &ContainerAppStatus) -> Result<(), ResourceError> {
        let write = self.resources.write_status(app, status);
        self.plan.effect(of("write status of", app), write).await
    }

    async fn revisions(&self, app: &ContainerApp) -> Result<Vec<ContainerAppRevision>, ResourceError> {
        self.plan.read(self.resources.revisions(app)).await
    }

    async fn write_revision(&self, app: &ContainerApp, revision: &ContainerAppRevision) -> Result<(), ResourceError> {
        let name = format!("write revision {}", revision.name_any());
        self.plan.effect(name, self.resources.write_revision(app, revision)).await
    }

    async fn remove_revision(&self, app: &ContainerApp, name: &str) -> Result<(), ResourceError> {
        let effect = format!("remove revision {name}");
        self.plan.effect(effect, self.resources.remove_revision(app, name)).await
    }

    async fn publish(&self, app: &ContainerApp, event: Event) {
        self.plan.read(self.resources.publish(app, event)).await;
    }
}

fn of(verb: &str, app: &ContainerApp) -> String {
    format!("{verb} {}/{}", app.namespace().unwrap_or_default(), app.name_any())
}
