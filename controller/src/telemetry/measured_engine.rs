//! Engines whose calls are counted and timed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::BoxStream;
use longshore_crds::ContainerEngine;

use super::metrics::{Metrics, Outcome};
use crate::app::{
    Adjustable, Attachment, Container, ContainerId, Credentials, EngineImageId, EngineInfo, Image, ImageReference,
    ManifestDigest, Network, PrivateTags, Volume,
};
use crate::engine::{
    BuildReport, BuildRequest, CreateContainer, Engine, EngineError, EngineEvent, Engines, LogChunk, LogOptions,
    ProgressSink,
};

/// Engines that count and time their calls, each otherwise as it is.
pub struct MeasuredEngines {
    inner: Arc<dyn Engines>,
    metrics: Arc<Metrics>,
}

impl MeasuredEngines {
    /// These engines, measured.
    pub fn new(inner: Arc<dyn Engines>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

#[async_trait]
impl Engines for MeasuredEngines {
    async fn connect(&self, engine: &ContainerEngine) -> Result<Arc<dyn Engine>, EngineError> {
        let inner = self.inner.connect(engine).await?;
        Ok(Arc::new(MeasuredEngine { inner, metrics: Arc::clone(&self.metrics) }))
    }
}

struct MeasuredEngine {
    inner: Arc<dyn Engine>,
    metrics: Arc<Metrics>,
}

impl MeasuredEngine {
    async fn measured<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let begun = Instant::now();
        let answer = answer.await;
        let outcome = match &answer {
            Ok(_) => Outcome::Done,
            Err(EngineError::Unreachable { .. }) => Outcome::Unreachable,
            Err(_) => Outcome::Failed,
        };
        self.metrics.engine_called(call, outcome, begun.elapsed());
        answer
    }
}

#[async_trait]
impl Engine for MeasuredEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.measured("info", self.inner.info()).await
    }

    async fn list_containers(&self) -> Result<Vec<Container>, EngineError> {
        self.measured("list_containers", self.inner.list_containers()).await
    }

    async fn find_containers(&self, ids: &BTreeSet<ContainerId>) -> Result<Vec<Container>, EngineError> {
        self.measured("find_containers", self.inner.find_containers(ids)).await
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<Option<Container>, EngineError> {
        self.measured("inspect_container", self.inner.inspect_container(id)).await
    }

    async fn create_container(&self, request: &CreateContainer) -> Result<ContainerId, EngineError> {
        self.measured("create_container", self.inner.create_container(request)).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.measured("start_container", self.inner.start_container(id)).await
    }

    async fn stop_container(&self, id: &ContainerId, grace_period: Duration) -> Result<(), EngineError> {
        self.measured("stop_container", self.inner.stop_container(id, grace_period)).await
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.measured("unpause_container", self.inner.unpause_container(id)).await
    }

    async fn adjust_container(&self, id: &ContainerId, to: &Adjustable) -> Result<(), EngineError> {
        self.measured("adjust_container", self.inner.adjust_container(id, to)).await
    }

    async fn rename_container(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        self.measured("rename_container", self.inner.rename_container(id, name)).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.measured("remove_container", self.inner.remove_container(id)).await
    }

    async fn list_volumes(&self) -> Result<Vec<Volume>, EngineError> {
        self.measured("list_volumes", self.inner.list_volumes()).await
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        self.measured("create_volume", self.inner.create_volume(name, labels)).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        self.measured("remove_volume", self.inner.remove_volume(name)).await
    }

    async fn list_networks(&self) -> Result<Vec<Network>, EngineError> {
        self.measured("list_networks", self.inner.list_networks()).await
    }

    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        self.measured("create_network", self.inner.create_network(name, labels)).await
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        self.measured("remove_network", self.inner.remove_network(id)).await
    }

    async fn connect_container(&self, id: &ContainerId, attachment: &Attachment) -> Result<(), EngineError> {
        self.measured("connect_container", self.inner.connect_container(id, attachment)).await
    }

    fn logs(&self, id: &ContainerId, options: &LogOptions) -> BoxStream<'static, Result<LogChunk, EngineError>> {
        self.inner.logs(id, options)
    }

    async fn list_images(&self) -> Result<Vec<Image>, EngineError> {
        self.measured("list_images", self.inner.list_images()).await
    }

    async fn list_kept_images(&self, tags: &BTreeSet<PrivateTags>) -> Result<Vec<Image>, EngineError> {
        self.measured("list_kept_images", self.inner.list_kept_images(tags)).await
    }

    async fn find_image(&self, reference: &ImageReference) -> Result<Option<Image>, EngineError> {
        self.measured("find_image", self.inner.find_image(reference)).await
    }

    async fn find_image_by_id(&self, id: &EngineImageId) -> Result<Option<Image>, EngineError> {
        self.measured("find_image_by_id", self.inner.find_image_by_id(id)).await
    }

    async fn look_up_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<ManifestDigest>, EngineError> {
        self.measured("look_up_image", self.inner.look_up_image(reference, credentials)).await
    }

    async fn has_platform(&self, image: &EngineImageId, platform: &str) -> Result<bool, EngineError> {
        self.measured("has_platform", self.inner.has_platform(image, platform)).await
    }

    async fn pull_image(
        &self,
        reference: &ImageReference,
        platform: Option<&str>,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        self.measured("pull_image", self.inner.pull_image(reference, platform, credentials, progress)).await
    }

    async fn build_image(&self, request: BuildRequest, progress: ProgressSink) -> Result<BuildReport, EngineError> {
        self.measured("build_image", self.inner.build_image(request, progress)).await
    }

    async fn tag_image(&self, image: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError> {
        self.measured("tag_image", self.inner.tag_image(image, reference)).await
    }

    async fn push_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        self.measured("push_image", self.inner.push_image(reference, credentials, progress)).await
    }

    async fn remove_image(&self, reference: &ImageReference) -> Result<(), EngineError> {
        self.measured("remove_image", self.inner.remove_image(reference)).await
    }

    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        self.inner.events()
    }
}
