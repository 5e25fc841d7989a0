//! Where a behaviour is played, and how it is cleaned up.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use longshore::app::{
    Attachment, Container, ContainerId, ContainerSpec, Credentials, EngineImageId, Image, ImageReference, PublishedPort,
};
use longshore::build::{ContextReader, DockerfileSource, ReadContext};
use longshore::engine::{BuildReport, BuildRequest, CreateContainer, Engine, EngineError, Progress, ProgressSink};
use longshore_crds::{Protocol, RestartPolicy};

/// How long something may take that must happen; not how long it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a suite needs of an engine and the world around it.
pub struct Fixture {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// A small image with a shell, which the engine can pull without credentials.
    pub base_image: String,
    /// A host and a path in a registry that wants credentials; references are made below it.
    pub repository: String,
    /// The credentials that it wants.
    pub credentials: Credentials,
    /// The host of a registry that tells everyone what it has and what it has not.
    pub open_registry: String,
    /// The host of a registry that does not answer.
    pub dead_registry: String,
    /// Lets time pass on an engine whose clock stands still.
    pub pass_time: Box<dyn Fn(Duration) + Send + Sync>,
}

/// One run of one behaviour, with names of its own.
pub struct Scene {
    /// What the suite was given.
    pub fixture: Fixture,
    prefix: String,
}

/// Plays a behaviour and cleans up behind it, whether it holds or not.
pub(super) async fn play<Play>(fixture: Fixture, behaviour: impl FnOnce(Arc<Scene>) -> Play)
where
    Play: Future<Output = ()>,
{
    let scene = Arc::new(Scene { fixture, prefix: format!("contract-{:016x}", rand::random::<u64>()) });
    let outcome = AssertUnwindSafe(behaviour(Arc::clone(&scene))).catch_unwind().await;
    scene.clean_up().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

impl Scene {
    /// The engine.
    pub fn engine(&self) -> &dyn Engine {
        self.fixture.engine.as_ref()
    }

    /// A name that nobody else has.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// A reference on the engine that nobody else has.
    pub fn reference(&self, tag: &str) -> ImageReference {
        format!("{}:{tag}", self.prefix).parse().expect("a reference")
    }

    /// A reference in the registry that nobody else has.
    pub fn remote_reference(&self, tag: &str) -> ImageReference {
        format!("{}/{}:{tag}", self.fixture.repository, self.prefix).parse().expect("a reference")
    }

    /// A reference that nothing is behind, in the registry that tells everyone what it has not.
    pub fn missing_reference(&self) -> ImageReference {
        format!("{}/{}:missing", self.fixture.open_registry, self.prefix).parse().expect("a reference")
    }

    /// The base image, which is pulled when it is not there.
    pub async fn base_image(&self) -> Image {
        let reference: ImageReference = self.fixture.base_image.parse().expect("a reference");
        if let Some(image) = self.image(&reference).await {
            return image;
        }
        let pulled = self.engine().pull_image(&reference, None, None, ignored()).await;
        pulled.expect("the base image can be pulled");
        self.image(&reference).await.expect("what was pulled is there")
    }

    /// The image that a reference points at.
    pub async fn image(&self, reference: &ImageReference) -> Option<Image> {
        let images = self.engine().list_images().await.expect("the images");
        images.into_iter().find(|image| image.has(reference))
    }

    /// Makes a container of the base image, with the owner's UID that [`Scene::name`] gives for `owner`.
    pub async fn create(&self, name: &str, spec: ContainerSpec) -> ContainerId {
        let image = self.base_image().await.id;
        let created = self.try_create(name, image, spec).await;
        created.expect("a container")
    }

    /// As [`Scene::create`], in a network, where others find it by a name.
    pub async fn create_in(&self, network: &str, alias: &str, name: &str, spec: ContainerSpec) -> ContainerId {
        let attachment = Attachment { network: self.name(network), alias: alias.to_owned() };
        let request = CreateContainer {
            name: self.name(name),
            image: self.base_image().await.id,
            labels: BTreeMap::new(),
            spec,
            attachment: Some(attachment),
        };
        self.engine().create_container(&request).await.expect("a container")
    }

    /// As [`Scene::create`], of any image, and it may fail.
    pub async fn try_create(
        &self,
        name: &str,
        image: EngineImageId,
        spec: ContainerSpec,
    ) -> Result<ContainerId, EngineError> {
        let request = CreateContainer {
            name: self.name(name),
            image,
            labels: BTreeMap::from([(longshore::app::labels::OWNER_UID.to_owned(), self.name("owner"))]),
            spec,
            attachment: None,
        };
        self.engine().create_container(&request).await
    }

    /// Makes a container and starts it.
    pub async fn run(&self, name: &str, spec: ContainerSpec) -> ContainerId {
        let id = self.create(name, spec).await;
        self.engine().start_container(&id).await.expect("a start");
        id
    }

    /// A container with its detail.
    pub async fn inspect(&self, id: &ContainerId) -> Container {
        let inspected = self.engine().inspect_container(id).await.expect("an inspection");
        inspected.expect("a container")
    }

    /// A container, as the list of all has it.
    pub async fn listed(&self, id: &ContainerId) -> Option<Container> {
        let containers = self.engine().list_containers().await.expect("the containers");
        containers.into_iter().find(|container| container.id == *id)
    }

    /// Looks at a container until it is as it must become.
    pub async fn until(&self, id: &ContainerId, is_so: impl Fn(&Container) -> bool) -> Container {
        let looking = async {
            loop {
                let container = self.inspect(id).await;
                if is_so(&container) {
                    return container;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                (self.fixture.pass_time)(Duration::from_millis(50));
            }
        };
        let found = tokio::time::timeout(PATIENCE, looking).await;
        found.expect("the container becomes as it must")
    }

    /// Builds an image of these files, which has this reference.
    pub async fn build(&self, tag: &str, files: &[(&str, &str)]) -> BuildReport {
        let built = self.try_build(|| self.build_request(tag, files), ignored()).await;
        built.expect("a build")
    }

    /// Builds what is asked for. [`EngineError::Other`] is for what passes by itself, and tried again as a reconciler
    /// would: the classic builder of an engine with containerd's image store trips over any image that somebody removes
    /// while it looks through its cache, and here many build and remove at once.
    pub async fn try_build(
        &self,
        request: impl Fn() -> BuildRequest,
        progress: ProgressSink,
    ) -> Result<BuildReport, EngineError> {
        let mut tries = 10;
        loop {
            tries -= 1;
            match self.engine().build_image(request(), Arc::clone(&progress)).await {
                Err(EngineError::Other(_)) if tries > 0 => {}
                outcome => return outcome,
            }
        }
    }

    /// A build of these files.
    pub fn build_request(&self, tag: &str, files: &[(&str, &str)]) -> BuildRequest {
        BuildRequest::new(context_of(files), self.reference(tag), self.name("context"))
    }

    /// A Dockerfile's text, whose `FROM` is the base image.
    pub fn dockerfile(&self, instructions: &str) -> String {
        format!("FROM {}\n{instructions}\n", self.fixture.base_image)
    }

    async fn clean_up(&self) {
        let containers = self.engine().list_containers().await.unwrap_or_default();
        let ours = |name: &str| name.starts_with(&self.prefix);
        for container in containers.iter().filter(|container| ours(&container.name)) {
            let _ = self.engine().stop_container(&container.id, Duration::ZERO).await;
            let _ = self.engine().remove_container(&container.id).await;
        }
        let networks = self.engine().list_networks().await.unwrap_or_default();
        for network in networks.iter().filter(|network| ours(&network.name)) {
            let _ = self.engine().remove_network(&network.id).await;
        }
        let volumes = self.engine().list_volumes().await.unwrap_or_default();
        for volume in volumes.iter().filter(|volume| ours(&volume.name)) {
            let _ = self.engine().remove_volume(&volume.name).await;
        }
        let images = self.engine().list_images().await.unwrap_or_default();
        let references = images.iter().flat_map(|image| &image.references);
        for reference in references.filter(|reference| reference.path().contains(&self.prefix)) {
            let _ = self.engine().remove_image(reference).await;
        }
    }
}

/// A container that does what a shell's script says.
pub(super) fn script(script: &str) -> ContainerSpec {
    ContainerSpec {
        command: ["sh", "-c"].map(str::to_owned).to_vec(),
        args: vec![script.to_owned()],
        restart_policy: RestartPolicy::Never,
        grace_period: Duration::from_secs(1),
        ..ContainerSpec::default()
    }
}

/// A container that runs until it is stopped.
pub(super) fn server() -> ContainerSpec {
    script("sleep 3600")
}

/// A container that runs until it is stopped, with this port.
pub(super) fn server_on(port: PublishedPort) -> ContainerSpec {
    ContainerSpec { ports: vec![port.into()], ..server() }
}

/// A port of the host that nobody listens on.
pub(super) fn free_port() -> PublishedPort {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    PublishedPort {
        host_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        host_port: listener.local_addr().expect("an address").port(),
        container_port: 80,
        protocol: Protocol::Tcp,
    }
}

/// For a call whose progress does not matter.
pub(super) fn ignored() -> ProgressSink {
    Arc::new(|_| {})
}

/// Keeps the progress of a call.
pub(super) fn kept() -> (ProgressSink, Arc<Mutex<Vec<Progress>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let sink: ProgressSink = Arc::new(move |progress| sink.lock().expect("the progress").push(progress));
    (sink, told)
}

/// Files as the context of a build.
pub fn context_of(files: &[(&str, &str)]) -> Arc<ReadContext> {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let dockerfile = DockerfileSource::InContext("Dockerfile".to_owned());
    let read = ContextReader::default().read_files(files, &dockerfile);
    Arc::new(read.unwrap_or_else(|error| panic!("{error}")))
}
