//! What a build runs may log in somewhere with the key that its client holds: seen with docker's own client, since
//! other tests lean on it.

use std::fs;

use longshore_tests::{LabEngine, SshServer, unique_name};

const GREETING: &str = "You have logged in from a build";

fn a_build_logs_in(engine: LabEngine) {
    let server = SshServer::start(engine.host_address(), &format!("#!/bin/sh\necho '{GREETING}'\n"));
    let context = tempfile::tempdir().expect("a folder");
    let dockerfile = format!(
        "FROM ssh-client\nCOPY known_hosts /root/.ssh/\n\
         RUN --mount=type=ssh ssh-add -L && ssh -p {} git@{} | grep -qx '{GREETING}'\n",
        server.port(),
        engine.host_address(),
    );
    fs::write(context.path().join("Dockerfile"), dockerfile).expect("the Dockerfile is written");
    fs::write(context.path().join("known_hosts"), server.known_hosts()).expect("the server's key is written");
    let root = context.path().to_str().expect("the path is text");

    let without = engine.build(&[root]);
    assert!(without.is_err() && server.logins() == 0, "{}", server.log());

    let image = unique_name("logged-in");
    let key = format!("default={}", server.private_key_file().display());
    engine.build(&["--ssh", &key, "--tag", &image, root]).unwrap_or_else(|problem| panic!("{problem}"));
    engine.docker(&["rmi", &image]).expect("the image is removed");
    assert_eq!(server.logins(), 1, "{}", server.log());
}

#[test]
fn from_a_build_on_docker_20() {
    a_build_logs_in(LabEngine::Engine20);
}

#[test]
fn from_a_build_on_docker_29() {
    a_build_logs_in(LabEngine::Engine29);
}
