//! A controller builds for months in one process: a build leaves no connection to its engine behind. Alone in its
//! file, since it counts the connections of the whole process.

use std::sync::Arc;

use longshore::engine::docker::DockerEngine;
use longshore::engine::{BuildRequest, Engine};
use longshore_tests::engine_contract::context_of;
use longshore_tests::{LabEngine, eventually, unique_name};

#[tokio::test]
async fn builds_leave_no_connection_behind() {
    for engine in [LabEngine::Engine20, LabEngine::Engine29] {
        let docker = DockerEngine::connect(&engine.endpoint(), None).expect("the address of an engine");
        let before = open_sockets();
        for _ in 0..3 {
            let request = request(&unique_name("connections"));
            let reference = request.reference.clone();
            docker.build_image(request, Arc::new(|_| {})).await.expect("a build");
            docker.remove_image(&reference).await.expect("a removal");
        }
        eventually("the connections are closed", async || open_sockets() <= before).await;
    }
}

fn request(name: &str) -> BuildRequest {
    let dockerfile = format!("FROM busybox:latest\nLABEL name={name}\n");
    let context = context_of(&[("Dockerfile", &dockerfile)]);
    BuildRequest::new(context, name.parse().expect("a reference"), name)
}

fn open_sockets() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("the open files of this process");
    open.flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}
