//! Registries as a process sees them that may die.

use std::sync::Arc;

use async_trait::async_trait;

use super::CrashPlan;
use crate::app::{Credentials, ImageReference, RegistryError, RemoteImage, TagDeletion};
use crate::registry::Registry;

pub(super) struct CrashingRegistry {
    pub(super) plan: CrashPlan,
    pub(super) registry: Arc<dyn Registry>,
}

#[async_trait]
impl Registry for CrashingRegistry {
    async fn look_up(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<RemoteImage>, RegistryError> {
        self.plan.read(self.registry.look_up(reference, credentials)).await
    }

    async fn objection(&self, reference: &ImageReference, credentials: Option<&Credentials>) -> Option<RegistryError> {
        self.plan.read(self.registry.objection(reference, credentials)).await
    }

    async fn delete_tag(&self, tag: &TagDeletion, credentials: Option<&Credentials>) -> Result<(), RegistryError> {
        let name = format!("delete tag {}", tag.reference);
        self.plan.effect(name, self.registry.delete_tag(tag, credentials)).await
    }

    async fn leak(&self, reference: &ImageReference, credentials: &Credentials) -> Option<RegistryError> {
        self.plan.read(self.registry.leak(reference, credentials)).await
    }
}
