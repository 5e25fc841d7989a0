//! The contract of resources, kept by the resources in memory.

use std::path::PathBuf;

use async_trait::async_trait;
use kube::ResourceExt;
use longshore_crds::{ContainerApp, ContainerAppRevision, ContainerAppStatus, ContainerEngine, SourceKind, Tombstone};

use super::state::key_of;
use super::{MemoryResources, ResourceOperation};
use crate::reconcile::{AppKey, ArtifactState, ConfigMapData, Event, ResourceError, Resources, SecretData};

#[async_trait]
impl Resources for MemoryResources {
    async fn app(&self, key: &AppKey) -> Result<Option<ContainerApp>, ResourceError> {
        let mut state = self.state();
        state.failure(ResourceOperation::App)?;
        state.read(key)
    }

    async fn others(&self, app: &ContainerApp) -> Result<Vec<ContainerApp>, ResourceError> {
        let mut state = self.state();
        state.failure(ResourceOperation::Others)?;
        Ok(state.others(&key_of(app)))
    }

    async fn engine(&self, name: &str) -> Result<Option<ContainerEngine>, ResourceError> {
        let mut state = self.state();
        state.failure(ResourceOperation::Engine)?;
        Ok(state.engine(name))
    }

    async fn write_tombstones(
        &self,
        engine: &ContainerEngine,
        tombstones: Vec<Tombstone>,
    ) -> Result<(), ResourceError> {
        let mut state = self.state();
        state.writes.push(format!("write tombstones of {}", engine.name_any()));
        state.write_tombstones(engine, tombstones)
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<SecretData>, ResourceError> {
        let mut state = self.state();
        state.failure(ResourceOperation::Secret)?;
        Ok(state.secret(namespace, name))
    }

    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMapData>, ResourceError> {
        let mut state = self.state();
        state.failure(ResourceOperation::ConfigMap)?;
        Ok(state.config_map(namespace, name))
    }

    async fn artifact(&self, _kind: SourceKind, _namespace: &str, _name: &str) -> Result<ArtifactState, ResourceError> {
        Ok(ArtifactState::NoCluster)
    }

    fn context_root(&self, _key: &AppKey) -> Option<PathBuf> {
        self.state().context_root.clone()
    }

    async fn hold(&self, app: &ContainerApp) -> Result<(), ResourceError> {
        let mut state = self.state();
        state.writes.push(format!("hold {}", key_of(app)));
        state.failure(ResourceOperation::Hold)?;
        state.hold(app)
    }

    async fn release(&self, app: &ContainerApp) -> Result<(), ResourceError> {
        let mut state = self.state();
        state.writes.push(format!("release {}", key_of(app)));
        state.failure(ResourceOperation::Release)?;
        state.release(app);
        Ok(())
    }

    async fn write_status(&self, app: &ContainerApp, status: &ContainerAppStatus) -> Result<(), ResourceError> {
        let mut state = self.state();
        state.writes.push(format!("write status of {}", key_of(app)));
        state.failure(ResourceOperation::WriteStatus)?;
        state.write_status(app, status)
    }

    async fn revisions(&self, app: &ContainerApp) -> Result<Vec<ContainerAppRevision>, ResourceError> {
        let mut state = self.state();
        state.revision_lists += 1;
        state.failure(ResourceOperation::Revisions)?;
        Ok(state.revisions(&key_of(app)))
    }

    async fn write_revision(&self, app: &ContainerApp, revision: &ContainerAppRevision) -> Result<(), ResourceError> {
        let mut state = self.state();
        state.writes.push(format!("write revision {}", revision.name_any()));
        state.failure(ResourceOperation::WriteRevision)?;
        state.write_revision(app, revision)
    }

    async fn remove_revision(&self, app: &ContainerApp, name: &str) -> Result<(), ResourceError> {
        let mut state = self.state();
        state.writes.push(format!("remove revision {name}"));
        state.failure(ResourceOperation::RemoveRevision)?;
        state.remove_revision(app, name);
        Ok(())
    }

    async fn publish(&self, app: &ContainerApp, event: Event) {
        self.state().events.push((key_of(app), event));
    }
}
