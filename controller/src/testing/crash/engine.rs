//! An engine as a process sees it that may die.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use longshore_crds::ContainerEngine;

use super::CrashPlan;
use crate::app::{
    Adjustable, Attachment, Container, ContainerId, Credentials, EngineImageId, EngineInfo, Image, ImageReference,
    ManifestDigest, Network, PrivateTags, Volume,
};
use crate::engine::{
    BuildReport, BuildRequest, CreateContainer, Engine, EngineError, EngineEvent, Engines, LogChunk, LogOptions,
    ProgressSink,
};

pub(super) struct CrashingEngines {
    pub(super) plan: CrashPlan,
    pub(super) engines: Arc<dyn Engines>,
}

#[async_trait]
impl Engines for CrashingEngines {
    async fn connect(&self, engine: &ContainerEngine) -> Result<Arc<dyn Engine>, EngineError> {
        let connected = self.plan.read(self.engines.connect(engine)).await?;
        Ok(self.plan.engine(connected))
    }
}

pub(super) struct CrashingEngine {
    pub(super) plan: CrashPlan,
    pub(super) engine: Arc<dyn Engine>,
}

#[async_trait]
impl Engine for CrashingEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.plan.read(self.engine.info()).await
    }

    async fn list_containers(&self) -> Result<Vec<Container>, EngineError> {
        self.plan.read(self.engine.list_containers()).await
    }

    async fn find_containers(&self, ids: &BTreeSet<ContainerId>) -> Result<Vec<Container>, EngineError> {
        self.plan.read(self.engine.find_containers(ids)).await
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<Option<Container>, EngineError> {
        self.plan.read(self.engine.inspect_container(id)).await
    }

    async fn create_container(&self, request: &CreateContainer) -> Result<ContainerId, EngineError> {
        let name = format!("create container {}", request.name);
        self.plan.effect(name, self.engine.create_container(request)).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        let name = format!("start container {id}");
        self.plan.effect(name, self.engine.start_container(id)).await
    }

    async fn stop_container(&self, id: &ContainerId, grace_period: Duration) -> Result<(), EngineError> {
        let name = format!("stop container {id}");
        let stop = self.engine.stop_container(id, grace_period);
        self.plan.effect(name, stop).await
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        let name = format!("unpause container {id}");
        self.plan.effect(name, self.engine.unpause_container(id)).await
    }

    async fn adjust_container(&self, id: &ContainerId, to: &Adjustable) -> Result<(), EngineError> {
        let name = format!("adjust container {id}");
        self.plan.effect(name, self.engine.adjust_container(id, to)).await
    }

    async fn rename_container(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        let effect = format!("rename container {id} to {name}");
        let rename = self.engine.rename_container(id, name);
        self.plan.effect(effect, rename).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        let name = format!("remove container {id}");
        self.plan.effect(name, self.engine.remove_container(id)).await
    }

    async fn list_volumes(&self) -> Result<Vec<Volume>, EngineError> {
        self.plan.read(self.engine.list_volumes()).await
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        let effect = format!("create volume {name}");
        self.plan.effect(effect, self.engine.create_volume(name, labels)).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let effect = format!("remove volume {name}");
        self.plan.effect(effect, self.engine.remove_volume(name)).await
    }

    async fn list_networks(&self) -> Result<Vec<Network>, EngineError> {
        self.plan.read(self.engine.list_networks()).await
    }

    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        let effect = format!("create network {name}");
        self.plan.effect(effect, self.engine.create_network(name, labels)).await
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        let effect = format!("remove network {id}");
        self.plan.effect(effect, self.engine.remove_network(id)).await
    }

    async fn connect_container(&self, id: &ContainerId, attachment: &Attachment) -> Result<(), EngineError> {
        let effect = format!("connect container {id} to network {}", attachment.network);
        self.plan.effect(effect, self.engine.connect_container(id, attachment)).await
    }

    fn logs(&self, id: &ContainerId, options: &LogOptions) -> BoxStream<'static, Result<LogChunk, EngineError>> {
        self.plan.stream(self.engine.logs(id, options))
    }

    async fn list_images(&self) -> Result<Vec<Image>, EngineError> {
        self.plan.read(self.engine.list_images()).await
    }

    async fn list_kept_images(&self, tags: &BTreeSet<PrivateTags>) -> Result<Vec<Image>, EngineError> {
        self.plan.read(self.engine.list_kept_images(tags)).await
    }

    async fn find_image(&self, reference: &ImageReference) -> Result<Option<Image>, EngineError> {
        self.plan.read(self.engine.find_image(reference)).await
    }

    async fn find_image_by_id(&self, id: &EngineImageId) -> Result<Option<Image>, EngineError> {
        self.plan.read(self.engine.find_image_by_id(id)).await
    }

    async fn look_up_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<ManifestDigest>, EngineError> {
        self.plan.read(self.engine.look_up_image(reference, credentials)).await
    }

    async fn has_platform(&self, image: &EngineImageId, platform: &str) -> Result<bool, EngineError> {
        self.plan.read(self.engine.has_platform(image, platform)).await
    }

    async fn pull_image(
        &self,
        reference: &ImageReference,
        platform: Option<&str>,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        let pull = self.engine.pull_image(reference, platform, credentials, progress);
        self.plan.effect(format!("pull image {reference}"), pull).await
    }

    async fn build_image(&self, request: BuildRequest, progress: ProgressSink) -> Result<BuildReport, EngineError> {
        let name = format!("build image {}", request.reference);
        let build = self.engine.build_image(request, progress);
        self.plan.effect(name, build).await
    }

    async fn tag_image(&self, image: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError> {
        let tag = self.engine.tag_image(image, reference);
        self.plan.effect(format!("tag image {reference}"), tag).await
    }

    async fn push_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        let push = self.engine.push_image(reference, credentials, progress);
        self.plan.effect(format!("push image {reference}"), push).await
    }

    async fn remove_image(&self, reference: &ImageReference) -> Result<(), EngineError> {
        let name = format!("remove image {reference}");
        self.plan.effect(name, self.engine.remove_image(reference)).await
    }

    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        self.plan.stream(self.engine.events())
    }
}
