//! The lab: the real components that tests run against. `tests/lab/lab env` prints where they are.

use std::path::Path;
use std::sync::Arc;

use longshore::app::{BuilderKind, Credentials};
use longshore::build::{ContextReader, ContextSource, DockerfileSource};
use longshore::engine::docker::DockerEngine;
use longshore::engine::{BuildRequest, Engine};

use crate::engine_contract::Fixture;
use crate::{LabEngine, lab_variable};

/// The engine at the endpoint that this variable holds.
pub fn engine(variable_name: &str) -> DockerEngine {
    let endpoint = lab_variable(variable_name);
    DockerEngine::connect(&endpoint, None).unwrap_or_else(|error| panic!("{error}"))
}

/// Builds a folder with an engine of the lab, as Longshore does, and gives the image this reference.
pub async fn build_folder(engine: LabEngine, root: &Path, dockerfile: &str, reference: &str) {
    let source = ContextSource::Folder(root.to_owned());
    let dockerfile = DockerfileSource::InContext(dockerfile.to_owned());
    let context = ContextReader::default().read(source, dockerfile).await.unwrap_or_else(|error| panic!("{error}"));
    let request = BuildRequest::new(Arc::new(context), reference.parse().expect("it is a reference"), reference);
    let built = self::engine(engine.variable()).build_image(request, Arc::new(|_| {})).await;
    built.unwrap_or_else(|error| panic!("{} did not build {reference}: {error}", engine.component()));
}

/// A fixture of an engine of the lab that builds with this builder.
pub fn fixture(variable_name: &str, builder: BuilderKind) -> Fixture {
    Fixture {
        engine: Arc::new(engine(variable_name).with_builder(builder)),
        base_image: "busybox:latest".to_owned(),
        repository: "gcr.io/longshore-contract".to_owned(),
        credentials: Credentials {
            host: "gcr.io".to_owned(),
            username: lab_variable("LONGSHORE_LAB_GCR_USER"),
            password: lab_variable("LONGSHORE_LAB_GCR_PASSWORD").into(),
        },
        open_registry: lab_variable("LONGSHORE_LAB_HUB"),
        // Nothing listens on the port for "discard".
        dead_registry: "127.0.0.1:9".to_owned(),
        // The time of a real engine passes by itself.
        pass_time: Box::new(|_| ()),
    }
}
