//! Whom the credentials of a registry never reach: neither what Longshore sends counts alone, nor what an engine sends
//! that was given them.

use longshore_tests::registry_front::{Fault, Kind, SeenRequest};
use longshore_tests::{LabEngine, MetadataServer, RegistryFront, StandaloneProject};
use serde_json::{Value, json};

use super::{ENGINES, pushed_with, repository_of};

/// The user has logged in to this registry, with a name and a password of this project alone.
fn log_in_to(host: &str, project: &StandaloneProject) -> RegistryFront {
    let front = RegistryFront::of(&repository_of(project));
    front.register(&project.name, "canary");
    let config = json!({"auths": {host: {"username": project.name, "password": "canary"}}});
    project.file("docker/config.json", &config.to_string());
    front
}

/// What was shown of the project's user to others than this host.
fn shown_elsewhere(host: &str, project: &StandaloneProject) -> Vec<SeenRequest> {
    RegistryFront::requests_of(&project.name).into_iter().filter(|seen| seen.host != host).collect()
}

fn up(project: &StandaloneProject, machine: &MetadataServer, file: &str) -> std::process::Output {
    let mut command = project.command(&["up", "-d", "--timeout", "6s", "-f", file]);
    command.env("GCE_METADATA_HOST", &machine.host).output().unwrap()
}

/// A resource that wants something of this registry: a push, its image, or its base image.
fn wishes(project: &StandaloneProject, host: &str, repository: &str) -> Vec<String> {
    let image = format!("{host}/{repository}");
    let build = json!({"context": {"inline": {"Dockerfile": format!("FROM {image}\n")}}});
    let push = json!({"name": project.name, "build": {"context": {"inline": {"Dockerfile": "FROM busybox\n"}}}});
    [
        ("pushed", json!({"image": push, "push": [{"to": image}]})),
        ("pulled", json!({"image": {"name": image, "pullPolicy": "Always"}, "run": {"containerName": project.name}})),
        ("based", json!({"image": {"name": project.name, "build": build}})),
    ]
    .iter()
    .map(|(name, spec): &(&str, Value)| project.app(name, spec, &[]))
    .collect()
}

#[test]
fn no_other_registry_is_shown_what_is_for_gcr_io() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let _front = log_in_to("gcr.io", &project);
        let machine = MetadataServer::with_tokens_of(&project.name, 60, 60);
        for (host, repository) in [
            ("gcr.io.evil.test", repository_of(&project)),
            ("evil.test", format!("gcr.io/{}", repository_of(&project))),
        ] {
            let seen = RegistryFront::of(&repository);
            for file in wishes(&project, host, &repository) {
                assert!(!up(&project, &machine, &file).status.success(), "{file}");
            }
            assert!(seen.requests().iter().any(|request| request.host == host), "{host} was asked at all");
        }
        assert_eq!(shown_elsewhere("gcr.io", &project), [], "{engine:?}");
        assert_eq!(machine.tokens(), 0);
    }
}

#[test]
fn a_redirect_to_another_host_takes_no_credentials_along() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let front = log_in_to("gcr.io", &project);
        let machine = MetadataServer::start("", 60);
        // Something is there to be pulled.
        assert!(up(&project, &machine, &pushed_with("gcr.io", &project, &json!({}), &[])).status.success());
        let elsewhere = format!("https://evil.test/v2/{}/manifests/latest", repository_of(&project));
        front.play(Fault::redirect(&elsewhere).on(Kind::Manifests).at("gcr.io"));
        for file in wishes(&project, "gcr.io", &repository_of(&project)) {
            up(&project, &machine, &file);
        }
        assert!(front.requests().iter().any(|seen| seen.host == "evil.test"), "the redirect is followed");
        assert_eq!(shown_elsewhere("gcr.io", &project), [], "{engine:?}");
    }
}

/// `realm.gcr.io` names the token server of `evil.test`. An engine that was given credentials would send them there, so
/// it is given none.
#[test]
fn a_realm_on_another_host_is_shown_nothing() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let _front = log_in_to("realm.gcr.io", &project);
        let machine = MetadataServer::start("", 60);
        for file in wishes(&project, "realm.gcr.io", &repository_of(&project)) {
            let output = up(&project, &machine, &file);
            assert!(!output.status.success(), "{}", super::text(&output));
        }
        let pushed = project.condition("pushed", "Pushed");
        assert!(pushed["message"].as_str().unwrap().contains("evil.test, which is another host"), "{pushed}");
        assert_eq!(shown_elsewhere("realm.gcr.io", &project), [], "{engine:?}");
        assert_engine_would_have_sent_them(engine);
    }
}

/// Else what was seen above would prove nothing.
fn assert_engine_would_have_sent_them(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let _front = log_in_to("realm.gcr.io", &project);
    let folder = project.folder().join("docker");
    let image = format!("realm.gcr.io/{}:latest", repository_of(&project));
    engine.docker(&["--config", folder.to_str().unwrap(), "pull", &image]).unwrap_err();
    assert_ne!(shown_elsewhere("realm.gcr.io", &project), [], "{engine:?}");
}
