//! What the engine in memory promises, in the words of the engines' contract.

mod builds;
mod containers;
mod faults;
mod health;
mod images;
mod logs;
mod ports;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use longshore_crds::{Protocol, RestartPolicy};

use super::{MemoryEngine, TestClock};
use crate::app::{
    Container, ContainerDetail, ContainerId, ContainerSpec, ImageReference, ImageStore, PublishedPort, WantedPort,
};
use crate::build::{ContextReader, DockerfileSource};
use crate::engine::{BuildRequest, CreateContainer, Engine, EngineError, Progress, ProgressSink};
use crate::registry::memory::{MemoryImage, MemoryRegistry};

const GRACE: Duration = Duration::from_secs(10);

const BOTH: [ImageStore; 2] = [ImageStore::GraphDriver, ImageStore::Containerd];

/// An engine, its clock, and the registries that it reaches.
struct World {
    engine: MemoryEngine,
    clock: TestClock,
    registry: MemoryRegistry,
}

fn world(kind: ImageStore) -> World {
    let (clock, registry) = (TestClock::default(), MemoryRegistry::default());
    World { engine: MemoryEngine::new(kind, &clock, &registry), clock, registry }
}

impl World {
    fn old_engine() -> Self {
        world(ImageStore::GraphDriver)
    }

    /// A container of an image with this script.
    async fn create(&self, name: &str, script: &str, spec: ContainerSpec) -> ContainerId {
        let image = MemoryImage::new("base").with_script(script);
        let id = self.engine.load(&reference(&format!("image-of-{name}")), &image);
        let request =
            CreateContainer { name: name.to_owned(), image: id, labels: BTreeMap::new(), spec, attachment: None };
        self.engine.create_container(&request).await.unwrap()
    }

    async fn start(&self, name: &str, script: &str, spec: ContainerSpec) -> ContainerId {
        let id = self.create(name, script, spec).await;
        self.engine.start_container(&id).await.unwrap();
        id
    }

    async fn inspect(&self, id: &ContainerId) -> Container {
        self.engine.inspect_container(id).await.unwrap().unwrap()
    }

    async fn detail(&self, id: &ContainerId) -> ContainerDetail {
        self.inspect(id).await.detail.unwrap()
    }
}

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

fn spec() -> ContainerSpec {
    ContainerSpec { restart_policy: RestartPolicy::Never, grace_period: GRACE, ..ContainerSpec::default() }
}

fn spec_with(restart_policy: RestartPolicy) -> ContainerSpec {
    ContainerSpec { restart_policy, ..spec() }
}

fn spec_publishing(ports: &[PublishedPort]) -> ContainerSpec {
    ContainerSpec { ports: ports.iter().copied().map(WantedPort::from).collect(), ..spec() }
}

fn port(address: &str, host_port: u16) -> PublishedPort {
    PublishedPort { host_ip: address.parse().unwrap(), host_port, container_port: 80, protocol: Protocol::Tcp }
}

fn silent() -> ProgressSink {
    Arc::new(|_| ())
}

/// A sink, and what it was told.
fn recorder() -> (ProgressSink, Arc<std::sync::Mutex<Vec<Progress>>>) {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let written = Arc::clone(&told);
    let sink: ProgressSink = Arc::new(move |progress| written.lock().unwrap().push(progress));
    (sink, told)
}

/// A build of these files.
fn build_of(files: &[(&str, &str)], tag: &str) -> BuildRequest {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let dockerfile = DockerfileSource::InContext("Dockerfile".to_owned());
    let context = ContextReader::default().read_files(files, &dockerfile).unwrap();
    BuildRequest::new(Arc::new(context), reference(tag), "longshore/test")
}

/// What a log holds, the lines of the standard error marked.
async fn text_of(engine: &MemoryEngine, id: &ContainerId, options: &crate::engine::LogOptions) -> String {
    let chunks: Vec<_> = engine.logs(id, options).collect().await;
    chunks
        .into_iter()
        .map(|chunk| {
            let chunk = chunk.unwrap();
            let text = String::from_utf8(chunk.bytes.to_vec()).unwrap();
            if chunk.is_stderr { format!("! {text}") } else { text }
        })
        .collect()
}

fn is_conflict<T>(result: &Result<T, EngineError>) -> bool {
    matches!(result, Err(EngineError::Conflict(_)))
}
