//! A controller builds for months in one process: a build leaves no connection to its engine behind. Alone in its
//! file, since it counts the connections of the whole process.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use longshore::engine::docker::DockerEngine;
use longshore::engine::{BuildRequest, Engine};
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
    let mut header = tar::Header::new_gnu();
    header.set_size(dockerfile.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "Dockerfile", dockerfile.as_bytes()).expect("an archive in memory");
    let archive = Bytes::from(archive.into_inner().expect("an archive in memory"));
    BuildRequest {
        context: futures::stream::iter([Ok(archive)]).boxed(),
        dockerfile: "Dockerfile".to_owned(),
        target: None,
        args: BTreeMap::new(),
        labels: BTreeMap::new(),
        reference: name.parse().expect("a reference"),
    }
}

fn open_sockets() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("the open files of this process");
    open.flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}
