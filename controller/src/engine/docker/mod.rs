//! Docker Engine, and what speaks its API: seen with 20.10 (graph driver) and 29 (containerd's image store).

mod adjust;
mod body;
mod build;
mod connection;
mod containers;
mod distribution;
mod endpoint;
mod events;
mod failure;
mod folders;
mod health;
mod host_process;
mod images;
mod info;
mod json_lines;
mod logs;
mod networks;
mod ports;
mod severable;
mod tls;
mod transfer;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::Mutex;

use super::{
    BuildReport, BuildRequest, CreateContainer, Engine, EngineError, EngineEvent, LogChunk, LogOptions, ProgressSink,
};
use crate::app::{
    Adjustable, Attachment, BuilderKind, Container, ContainerId, Credentials, EngineImageId, EngineInfo, Image,
    ImageReference, ManifestDigest, Network, PrivateTags, Volume,
};
use connection::Connection;
use endpoint::Endpoint;

pub use endpoint::default_endpoint;
pub use tls::{TlsError, TlsMaterial};

/// A Docker Engine.
///
/// # Guarantees
/// A call that is dropped closes its connection, which cancels a build or a pull at the engine.
///
/// # Caveats
/// The engine's answers are read without a version of the API in the request, in the newest form that it has.
pub struct DockerEngine {
    connection: Connection,
    builder: Option<BuilderKind>,
    /// What it was when it was last asked: an engine changes its image store only by a restart.
    known: Mutex<Option<EngineInfo>>,
    /// Held while a network is made.
    makes_a_network: Mutex<()>,
}

impl DockerEngine {
    /// The engine at `unix:///path` or `tcp://host:port`; with `tls`, over mutual TLS. Nothing is sent yet.
    pub fn connect(endpoint: &str, tls: Option<&TlsMaterial>) -> Result<Self, EngineError> {
        Ok(Self {
            connection: Connection::new(Endpoint::parse(endpoint)?, tls)?,
            builder: None,
            known: Mutex::default(),
            makes_a_network: Mutex::default(),
        })
    }

    /// The same engine, building with this builder whatever the engine offers.
    #[must_use]
    pub fn with_builder(self, builder: BuilderKind) -> Self {
        Self { builder: Some(builder), ..self }
    }

    /// What the engine was when it was last asked. Who comes while it is being asked waits for that answer, since the
    /// question costs newer engines some tens of milliseconds.
    async fn known_info(&self) -> Result<EngineInfo, EngineError> {
        let mut known = self.known.lock().await;
        match &*known {
            Some(info) => Ok(info.clone()),
            None => Ok(known.insert(self.ask_for_info().await?).clone()),
        }
    }

    async fn ask_for_info(&self) -> Result<EngineInfo, EngineError> {
        let mut info = info::info(&self.connection).await?;
        info.builder = self.builder.unwrap_or(info.builder);
        Ok(info)
    }
}

#[async_trait]
impl Engine for DockerEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let mut known = self.known.lock().await;
        Ok(known.insert(self.ask_for_info().await?).clone())
    }

    async fn list_containers(&self) -> Result<Vec<Container>, EngineError> {
        containers::list(&self.connection).await
    }

    async fn find_containers(&self, ids: &BTreeSet<ContainerId>) -> Result<Vec<Container>, EngineError> {
        containers::find(&self.connection, ids).await
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<Option<Container>, EngineError> {
        containers::inspect(&self.connection, id).await
    }

    async fn create_container(&self, request: &CreateContainer) -> Result<ContainerId, EngineError> {
        containers::create(&self.connection, request).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        containers::start(&self.connection, id).await
    }

    async fn stop_container(&self, id: &ContainerId, grace_period: Duration) -> Result<(), EngineError> {
        containers::stop(&self.connection, id, grace_period).await
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        adjust::unpause(&self.connection, id).await
    }

    async fn adjust_container(&self, id: &ContainerId, to: &Adjustable) -> Result<(), EngineError> {
        adjust::adjust(&self.connection, id, to).await
    }

    async fn rename_container(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        containers::rename(&self.connection, id, name).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        containers::remove(&self.connection, id).await
    }

    async fn list_volumes(&self) -> Result<Vec<Volume>, EngineError> {
        volumes::list(&self.connection).await
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        volumes::create(&self.connection, name, labels).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        volumes::remove(&self.connection, name).await
    }

    async fn list_networks(&self) -> Result<Vec<Network>, EngineError> {
        networks::list(&self.connection).await
    }

    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        let _turn = self.makes_a_network.lock().await;
        networks::create(&self.connection, name, labels).await
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        networks::remove(&self.connection, id).await
    }

    async fn connect_container(&self, id: &ContainerId, attachment: &Attachment) -> Result<(), EngineError> {
        networks::connect(&self.connection, id, attachment).await
    }

    fn logs(&self, id: &ContainerId, options: &LogOptions) -> BoxStream<'static, Result<LogChunk, EngineError>> {
        logs::logs(&self.connection, id, options)
    }

    async fn list_images(&self) -> Result<Vec<Image>, EngineError> {
        let (info, mut listed, containers) =
            futures::try_join!(self.known_info(), images::list(&self.connection), self.list_containers())?;
        let used: BTreeSet<String> = containers.into_iter().map(|container| container.image.to_string()).collect();
        // Somebody has moved or taken away the last reference of an image that is used: there are few of those.
        for id in used.iter().filter(|id| listed.iter().all(|image| image.id != **id)).collect::<Vec<_>>() {
            listed.extend(images::inspect(&self.connection, id).await?);
        }
        let images = listed.into_iter().filter_map(|image| images::from_summary(image, info.image_store));
        let is_named = |image: &Image| !image.references.is_empty() || !image.manifests.is_empty();
        Ok(images.filter(|image| is_named(image) || used.contains(&image.id.to_string())).collect())
    }

    async fn list_kept_images(&self, tags: &BTreeSet<PrivateTags>) -> Result<Vec<Image>, EngineError> {
        let patterns: Vec<String> = tags.iter().map(PrivateTags::pattern).collect();
        if patterns.is_empty() {
            return Ok(Vec::new());
        }
        let (info, listed) =
            futures::try_join!(self.known_info(), images::list_by_reference(&self.connection, &patterns))?;
        Ok(listed.into_iter().filter_map(|image| images::from_summary(image, info.image_store)).collect())
    }

    async fn find_image(&self, reference: &ImageReference) -> Result<Option<Image>, EngineError> {
        let name = reference.for_engine();
        let (info, found) = futures::try_join!(self.known_info(), images::inspect(&self.connection, &name))?;
        match found {
            Some(image) => {
                let listed = images::as_listed_alone(&self.connection, image, reference).await?;
                Ok(images::from_summary(listed, info.image_store))
            }
            None => Ok(None),
        }
    }

    async fn find_image_by_id(&self, id: &EngineImageId) -> Result<Option<Image>, EngineError> {
        let name = id.to_string();
        let (info, found) = futures::try_join!(self.known_info(), images::inspect(&self.connection, &name))?;
        Ok(found.and_then(|image| images::from_summary(image, info.image_store)))
    }

    async fn look_up_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<ManifestDigest>, EngineError> {
        distribution::look_up(&self.connection, reference, credentials).await
    }

    async fn has_platform(&self, image: &EngineImageId, platform: &str) -> Result<bool, EngineError> {
        images::has_platform(&self.connection, image, platform).await
    }

    async fn pull_image(
        &self,
        reference: &ImageReference,
        platform: Option<&str>,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        transfer::pull(&self.connection, reference, platform, credentials, &progress).await
    }

    async fn build_image(&self, request: BuildRequest, progress: ProgressSink) -> Result<BuildReport, EngineError> {
        let info = self.known_info().await?;
        let builder = self.builder.unwrap_or(info.builder);
        build::build(&self.connection, &EngineInfo { builder, ..info }, request, &progress).await
    }

    async fn tag_image(&self, image: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError> {
        images::tag(&self.connection, image, reference).await
    }

    async fn push_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        transfer::push(&self.connection, reference, credentials, &progress).await
    }

    async fn remove_image(&self, reference: &ImageReference) -> Result<(), EngineError> {
        images::remove(&self.connection, reference).await
    }

    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        events::events(&self.connection)
    }
}
