//! A build whose call is dropped ends at the engine too: an edit of a resource cancels a build that it makes useless.

use std::sync::Arc;

use longshore::app::BuilderKind;
use longshore::engine::docker::DockerEngine;
use longshore::engine::{BuildRequest, Engine, ProgressSink};
use longshore_tests::engine_contract::context_of;
use longshore_tests::{LabEngine, eventually, unique_name};

#[tokio::test]
async fn engine20_ends_a_build_of_buildkit() {
    a_dropped_build_ends_at_the_engine(LabEngine::Engine20, BuilderKind::BuildKit).await;
}

#[tokio::test]
async fn engine20_ends_a_build_of_the_classic_builder() {
    a_dropped_build_ends_at_the_engine(LabEngine::Engine20, BuilderKind::Classic).await;
}

#[tokio::test]
async fn engine29_ends_a_build_of_buildkit() {
    a_dropped_build_ends_at_the_engine(LabEngine::Engine29, BuilderKind::BuildKit).await;
}

#[tokio::test]
async fn engine29_ends_a_build_of_the_classic_builder() {
    a_dropped_build_ends_at_the_engine(LabEngine::Engine29, BuilderKind::Classic).await;
}

async fn a_dropped_build_ends_at_the_engine(engine: LabEngine, builder: BuilderKind) {
    let docker =
        DockerEngine::connect(&engine.endpoint(), None).expect("the address of an engine").with_builder(builder);
    let name = unique_name("dropped-build");
    let request = request_of_a_long_build(&name);
    let silent: ProgressSink = Arc::new(|_| {});
    let build = tokio::spawn(async move { docker.build_image(request, silent).await });

    eventually("the step runs", async || is_running(&name)).await;
    build.abort();
    eventually("the step has ended", async || !is_running(&name)).await;

    let image = format!("{name}:latest");
    assert!(!engine.images().contains(&image), "{image} was built");
}

/// A build with a step that takes an hour and has this name in its command line.
fn request_of_a_long_build(name: &str) -> BuildRequest {
    let dockerfile = format!("FROM busybox:latest\nRUN sleep 3600 && echo {name}\n");
    let context = context_of(&[("Dockerfile", &dockerfile)]);
    BuildRequest::new(context, name.parse().expect("a reference"), name)
}

/// Whether a shell with this name in its command line runs on this machine, where the lab's engines run as well.
fn is_running(name: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("the processes of this machine");
    processes.flatten().filter_map(|process| std::fs::read(process.path().join("cmdline")).ok()).any(|command_line| {
        let command_line = String::from_utf8_lossy(&command_line);
        command_line.contains("sleep 3600") && command_line.contains(name) && command_line.starts_with("/bin/sh")
    })
}
