//! A Docker Engine, through its HTTP API.

mod build;
mod build_classic;
mod build_trace;
mod containers;
mod errors;
mod events;
mod images;
mod transfer;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use futures::stream::BoxStream;

use super::{
    BuildReport, BuildRequest, CreateContainer, Engine, EngineError, EngineEvent, LogChunk, LogOptions, ProgressSink,
};
use crate::app::{
    BuilderKind, Container, ContainerId, Credentials, EngineImageId, EngineInfo, Image, ImageReference, ImageStore,
};
pub use transport::TlsKeys;
use transport::Transport;

/// Where Docker Engines listen when nobody says otherwise.
pub const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";

/// How long an engine may take to begin an answer. Pushes and builds answer at once and then stream.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The oldest engines' API that knows BuildKit (Docker Engine 18.09).
const FIRST_API_WITH_BUILDKIT: (u32, u32) = (1, 39);

/// A Docker Engine. Clones share their connections.
#[derive(Clone)]
pub struct DockerEngine {
    docker: Docker,
    transport: Transport,
    endpoint: Arc<str>,
    /// What the addresses of requests begin with.
    base: Arc<str>,
    builder: Option<BuilderKind>,
}

impl DockerEngine {
    /// The engine at `unix:///…` or `tcp://…`; with keys, over mutual TLS. Whether it answers shows at the first call.
    pub fn connect(endpoint: &str, keys: Option<&TlsKeys>) -> Result<Self, EngineError> {
        let unusable = || {
            EngineError::Other(format!("\"{endpoint}\" is not the address of an engine: write unix:///… or tcp://…"))
        };
        let (scheme, address) = endpoint.split_once("://").ok_or_else(unusable)?;
        let (transport, client_address) = match (scheme, keys) {
            ("unix", _) => (Transport::unix(address.into()), "http://localhost".to_owned()),
            ("tcp" | "http", None) => (Transport::tcp(), format!("http://{address}")),
            ("tcp" | "https", Some(keys)) => (Transport::tls(keys)?, format!("https://{address}")),
            _ => return Err(unusable()),
        };
        let version = bollard::API_DEFAULT_VERSION;
        let way = transport.clone();
        let docker = Docker::connect_with_custom_transport(
            move |request| way.request(request),
            Some(client_address.as_str()),
            TIMEOUT.as_secs(),
            version,
        )
        .map_err(|_| unusable())?
        .with_request_modifier(transfer::with_url_safe_credentials);
        Ok(Self { docker, transport, endpoint: endpoint.into(), base: client_address.into(), builder: None })
    }

    /// The same engine, made to build with this builder.
    #[must_use]
    pub fn building_with(self, builder: BuilderKind) -> Self {
        Self { builder: Some(builder), ..self }
    }

    fn error(&self, error: bollard::errors::Error) -> EngineError {
        errors::engine_error(&self.endpoint, error)
    }
}

#[async_trait]
impl Engine for DockerEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let version = self.docker.version().await.map_err(|error| self.error(error))?;
        let info = self.docker.info().await.map_err(|error| self.error(error))?;
        let api_version = version.api_version.unwrap_or_default();
        let is_docker = version.components.iter().flatten().any(|component| component.name == "Engine");
        let has_buildkit = is_docker && parse_version(&api_version) >= FIRST_API_WITH_BUILDKIT;
        let uses_containerd =
            info.driver_status.iter().flatten().flatten().any(|word| word.starts_with("io.containerd.snapshotter"));
        Ok(EngineInfo {
            id: info.id.unwrap_or_default(),
            version: version.version.unwrap_or_default(),
            api_version,
            image_store: if uses_containerd { ImageStore::Containerd } else { ImageStore::GraphDriver },
            builder: self.builder.unwrap_or(if has_buildkit { BuilderKind::BuildKit } else { BuilderKind::Classic }),
        })
    }

    async fn list_containers(&self) -> Result<Vec<Container>, EngineError> {
        self.containers().await
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<Option<Container>, EngineError> {
        self.container(id).await
    }

    async fn create_container(&self, request: &CreateContainer) -> Result<ContainerId, EngineError> {
        self.create(request).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.start(id).await
    }

    async fn stop_container(&self, id: &ContainerId, grace_period: Duration) -> Result<(), EngineError> {
        self.stop(id, grace_period).await
    }

    async fn rename_container(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        self.rename(id, name).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.remove(id).await
    }

    fn logs(&self, id: &ContainerId, options: &LogOptions) -> BoxStream<'static, Result<LogChunk, EngineError>> {
        self.container_logs(id, options)
    }

    async fn list_images(&self) -> Result<Vec<Image>, EngineError> {
        self.images().await
    }

    async fn pull_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        self.pull(reference, credentials, &progress).await
    }

    async fn build_image(&self, request: BuildRequest, progress: ProgressSink) -> Result<BuildReport, EngineError> {
        match self.info().await?.builder {
            BuilderKind::BuildKit => self.build_with_buildkit(request, &progress).await,
            BuilderKind::Classic => self.build_with_classic_builder(request, &progress).await,
        }
    }

    async fn tag_image(&self, image: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError> {
        self.tag(image, reference).await
    }

    async fn push_image(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: ProgressSink,
    ) -> Result<(), EngineError> {
        self.push(reference, credentials, &progress).await
    }

    async fn remove_image(&self, reference: &ImageReference) -> Result<(), EngineError> {
        self.untag(reference).await
    }

    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        self.event_stream()
    }
}

/// `1.41` as numbers; an unreadable version is older than any.
fn parse_version(text: &str) -> (u32, u32) {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}
