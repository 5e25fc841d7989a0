//! The engine's contract, kept by the engine in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};

use super::container::MemoryContainer;
use super::state::State;
use super::{MemoryEngine, Operation, logs};
use crate::app::{
    Adjustable, Attachment, BuilderKind, Container, ContainerId, Credentials, EngineImageId, EngineInfo, Image,
    ImageReference, ImageStore, ManifestDigest, Network, PrivateTags, Volume,
};
use crate::engine::{
    BuildReport, BuildRequest, CreateContainer, Engine, EngineError, EngineEvent, LogChunk, LogOptions, ProgressSink,
};

#[async_trait]
impl Engine for MemoryEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.enter(Operation::Info, "").await?;
        let (version, api_version) = match self.kind {
            ImageStore::GraphDriver => ("20.10.24", "1.41"),
            ImageStore::Containerd => ("29.0.0", "1.56"),
        };
        Ok(EngineInfo {
            id: self.id.to_string(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            image_store: self.kind,
            builder: BuilderKind::BuildKit,
        })
    }

    async fn list_containers(&self) -> Result<Vec<Container>, EngineError> {
        self.enter(Operation::ListContainers, "").await?;
        Ok(self.look(|state| state.containers().map(MemoryContainer::listed).collect()))
    }

    async fn find_containers(&self, ids: &BTreeSet<ContainerId>) -> Result<Vec<Container>, EngineError> {
        self.enter(Operation::FindContainers, "").await?;
        let found =
            |state: &State| ids.iter().filter_map(|id| state.container(id)).map(MemoryContainer::listed).collect();
        Ok(self.look(found))
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<Option<Container>, EngineError> {
        self.enter(Operation::InspectContainer, &id.0).await?;
        Ok(self.look(|state| state.container(id).map(MemoryContainer::inspected)))
    }

    async fn create_container(&self, request: &CreateContainer) -> Result<ContainerId, EngineError> {
        self.enter(Operation::CreateContainer, &request.name).await?;
        let now = self.clock.now();
        let result = self.change(|state| state.create(request, now));
        self.leave(Operation::CreateContainer, result)
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.enter(Operation::StartContainer, &self.name_of(id)).await?;
        let now = self.clock.now();
        let result = self.change(|state| state.start(id, now));
        self.leave(Operation::StartContainer, result)
    }

    async fn stop_container(&self, id: &ContainerId, _grace_period: Duration) -> Result<(), EngineError> {
        self.enter(Operation::StopContainer, &self.name_of(id)).await?;
        let now = self.clock.now();
        self.change(|state| state.stop(id, now));
        self.leave(Operation::StopContainer, Ok(()))
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.enter(Operation::UnpauseContainer, &self.name_of(id)).await?;
        let result = self.change(|state| state.unpause(id));
        self.leave(Operation::UnpauseContainer, result)
    }

    async fn adjust_container(&self, id: &ContainerId, to: &Adjustable) -> Result<(), EngineError> {
        self.enter(Operation::AdjustContainer, &self.name_of(id)).await?;
        let result = self.change(|state| state.adjust(id, to));
        self.leave(Operation::AdjustContainer, result)
    }

    async fn rename_container(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        let subject = format!("{} to {name}", self.name_of(id));
        self.enter(Operation::RenameContainer, &subject).await?;
        let result = self.change(|state| state.rename(id, name));
        self.leave(Operation::RenameContainer, result)
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.enter(Operation::RemoveContainer, &self.name_of(id)).await?;
        let result = self.change(|state| state.remove(id));
        self.leave(Operation::RemoveContainer, result)
    }

    async fn list_volumes(&self) -> Result<Vec<Volume>, EngineError> {
        self.enter(Operation::ListVolumes, "").await?;
        Ok(self.look(State::listed_volumes))
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        self.enter(Operation::CreateVolume, name).await?;
        self.change(|state| state.create_volume(name, labels));
        self.leave(Operation::CreateVolume, Ok(()))
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        self.enter(Operation::RemoveVolume, name).await?;
        let result = self.change(|state| state.remove_volume(name));
        self.leave(Operation::RemoveVolume, result)
    }

    async fn list_networks(&self) -> Result<Vec<Network>, EngineError> {
        self.enter(Operation::ListNetworks, "").await?;
        Ok(self.networks())
    }

    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        self.enter(Operation::CreateNetwork, name).await?;
        let now = self.clock.now();
        let result = self.change(|state| state.create_network(name, labels, now));
        self.leave(Operation::CreateNetwork, result)
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        let name = self.networks().into_iter().find(|network| network.id == id).map(|network| network.name);
        self.enter(Operation::RemoveNetwork, &name.unwrap_or_else(|| id.to_owned())).await?;
        let result = self.change(|state| state.remove_network(id));
        self.leave(Operation::RemoveNetwork, result)
    }

    async fn connect_container(&self, id: &ContainerId, attachment: &Attachment) -> Result<(), EngineError> {
        let subject = format!("{} to network {}", self.name_of(id), attachment.network);
        self.enter(Operation::ConnectContainer, &subject).await?;
        let result = self.change(|state| state.connect(id, attachment));
        self.leave(Operation::ConnectContainer, result)
    }

    fn logs(&self, id: &ContainerId, options: &LogOptions) -> BoxStream<'static, Result<LogChunk, EngineError>> {
        logs::read(self.clone(), id.clone(), options.clone())
    }

    async fn list_images(&self) -> Result<Vec<Image>, EngineError> {
        self.enter(Operation::ListImages, "").await?;
        Ok(self.look(State::listed_images))
    }

    async fn list_kept_images(&self, tags: &BTreeSet<PrivateTags>) -> Result<Vec<Image>, EngineError> {
        self.enter(Operation::ListKeptImages, "").await?;
        let mut images = self.look(super::state::State::listed_images);
        for image in &mut images {
            image.references.retain(|reference| tags.iter().any(|tags| tags.contain(reference)));
        }
        images.retain(|image| !image.references.is_empty());
        Ok(images)
    }

    async fn find_image(&self, reference: &ImageReference) -> Result<Option<Image>, EngineError> {
        self.enter(Operation::FindImage, &reference.to_string()).await?;
        Ok(self.image(reference))
    }

    async fn find_image_by_id(&self, id: &EngineImageId) -> Result<Option<Image>, EngineError> {
        self.enter(Operation::FindImage, &id.to_string()).await?;
        Ok(self.images().into_iter().find(|image| image.id == *id))
    }

    async fn look_up_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<ManifestDigest>, EngineError> {
        self.enter(Operation::LookUpImage, &reference.to_string()).await?;
        self.look_up(reference, credentials)
    }

    async fn has_platform(&self, image: &EngineImageId, platform: &str) -> Result<bool, EngineError> {
        self.enter(Operation::FindImage, &image.to_string()).await?;
        Ok(self.look(|state| state.images.has_platform(image, platform)))
    }

    async fn pull_image(
        &self,
        reference: &ImageReference,
        platform: Option<&str>,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        self.enter(Operation::PullImage, &reference.to_string()).await?;
        let result = self.pull(reference, platform, credentials, &progress);
        self.leave(Operation::PullImage, result)
    }

    async fn build_image(&self, request: BuildRequest, progress: ProgressSink) -> Result<BuildReport, EngineError> {
        let result = self.build(request, &progress).await;
        self.leave(Operation::BuildImage, result)
    }

    async fn tag_image(&self, image: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError> {
        self.enter(Operation::TagImage, &reference.to_string()).await?;
        let result = self.change(|state| {
            state.images.tag(image, reference)?;
            state.events.tell_of_tag(reference, image);
            Ok(())
        });
        self.leave(Operation::TagImage, result)
    }

    async fn push_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        self.enter(Operation::PushImage, &reference.to_string()).await?;
        let result = self.push(reference, credentials, &progress);
        self.leave(Operation::PushImage, result)
    }

    async fn remove_image(&self, reference: &ImageReference) -> Result<(), EngineError> {
        self.enter(Operation::RemoveImage, &reference.to_string()).await?;
        let result = self.change(|state| state.untag(reference));
        self.leave(Operation::RemoveImage, result)
    }

    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        self.faults().count(Operation::Events, "");
        let failure = match self.unreachable() {
            Some(error) => Some(error),
            None => self.faults().take_failure(Operation::Events),
        };
        match failure {
            Some(error) => stream::once(std::future::ready(Err(error))).boxed(),
            None => self.look(|state| state.events.listen()),
        }
    }
}

impl MemoryEngine {
    /// The beginning of every call: it is counted, waits at its gate, and fails where it shall.
    pub(super) async fn enter(&self, operation: Operation, subject: &str) -> Result<(), EngineError> {
        self.answers()?;
        self.faults().count(operation, subject);
        let gate = self.faults().gate(operation);
        if let Some(gate) = gate {
            let mut cancellation = Cancellation::of(self, operation, subject);
            gate.pass().await;
            cancellation.rule_out();
        }
        self.answers()?;
        let failure = self.faults().take_failure(operation);
        failure.map_or(Ok(()), Err)
    }

    /// The end of every call that changes something: the answer may be lost.
    fn leave<T>(&self, operation: Operation, result: Result<T, EngineError>) -> Result<T, EngineError> {
        let value = result?;
        let lost = self.faults().take_lost_answer(operation);
        lost.map_or(Ok(value), Err)
    }

    fn answers(&self) -> Result<(), EngineError> {
        self.unreachable().map_or(Ok(()), Err)
    }

    fn unreachable(&self) -> Option<EngineError> {
        self.is_down()
            .then(|| EngineError::Unreachable { endpoint: self.endpoint(), message: "connection refused".to_owned() })
    }

    /// The name by which the log of calls knows a container; its ID when it is gone.
    fn name_of(&self, id: &ContainerId) -> String {
        self.look(|state| state.container(id).map_or_else(|| id.0.clone(), |container| container.name.clone()))
    }
}

/// Notes a call that is dropped while this lives.
pub(super) struct Cancellation<'a> {
    engine: &'a MemoryEngine,
    /// The call; `None` once it can be cancelled no more.
    call: Option<String>,
}

impl<'a> Cancellation<'a> {
    pub(super) fn of(engine: &'a MemoryEngine, operation: Operation, subject: &str) -> Self {
        Self { engine, call: operation.verb().map(|verb| format!("{verb} {subject}")) }
    }

    /// The call has come so far that it ends.
    pub(super) fn rule_out(&mut self) {
        self.call = None;
    }
}

impl Drop for Cancellation<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.engine.faults().cancelled.push(call);
        }
    }
}
