//! Pushes, through the commands that a person types, with credentials from wherever they may lie. On both engines, each
//! behaviour with names of its own.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use longshore_tests::{ENGINES, MetadataServer, StandaloneProject, digest_in_registry, lab_variable};
use serde_json::{Value, json};

mod google;
mod leaks;
mod passwords;
mod unchanged;

/// An app that is built and pushed to the lab's gcr.io; its file.
fn pushed_app(project: &StandaloneProject, secret: Option<&Value>) -> String {
    pushed_to("gcr.io", project, secret)
}

fn pushed_to(host: &str, project: &StandaloneProject, secret: Option<&Value>) -> String {
    let mut push = json!({"to": format!("{host}/longshore-pushes/{}", project.name)});
    if secret.is_some() {
        push["secretRef"] = json!({"name": "registry"});
    }
    let dockerfile = format!("FROM busybox\nLABEL made-for={}\n", project.name);
    let build = json!({"context": {"inline": {"Dockerfile": dockerfile}}});
    let spec = json!({"image": {"name": project.name, "build": build}, "push": [push]});
    project.app("pushed", &spec, secret.map(std::slice::from_ref).unwrap_or_default())
}

/// The registry holds what the status says, and the condition says so too.
fn assert_is_pushed(project: &StandaloneProject, said: &str) {
    let held = digest_in_registry(&format!("longshore-pushes/{}", project.name), "latest");
    let status = project.status("pushed");
    assert_eq!(status["push"][0]["digest"].as_str(), held.as_deref(), "{said}\n{status}");
    assert!(held.is_some(), "{said}");
    assert_eq!(project.condition("pushed", "Pushed")["status"], "True", "{status}");
}

fn login() -> (String, String) {
    (lab_variable("LONGSHORE_LAB_GCR_USER"), lab_variable("LONGSHORE_LAB_GCR_PASSWORD"))
}

/// The user of the project has logged in to the lab's gcr.io.
fn log_in(project: &StandaloneProject) {
    let (username, password) = login();
    let config = json!({"auths": {"gcr.io": {"username": username, "password": password}}});
    project.file("docker/config.json", &config.to_string());
}

/// A Secret with the lab's user and this password.
fn basic_auth(password: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth", "metadata": {"name": "registry"},
        "stringData": {"username": login().0, "password": password},
    })
}

/// A credential helper that writes down for which registry it was asked, and then does this.
fn helper(project: &StandaloneProject, script: &str) {
    let asked = project.folder().join("asked");
    let text = format!("#!/bin/sh\nread -r host\necho \"$1 $host\" >>{}\n{script}\n", asked.display());
    let program = project.file("programs/docker-credential-of-the-test", &text);
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    project.file("docker/config.json", &json!({"credHelpers": {"gcr.io": "of-the-test"}}).to_string());
}

/// `up`, with the project's programs on the path.
fn up_with_helpers(project: &StandaloneProject, arguments: &[&str]) -> Output {
    let path = format!("{}:{}", project.folder().join("programs").display(), std::env::var("PATH").unwrap());
    project.command(arguments).env("PATH", path).output().unwrap()
}

/// Where a project's image goes, without the host.
fn repository_of(project: &StandaloneProject) -> String {
    format!("longshore-pushes/{}", project.name)
}

/// An app that is built and pushed here, with this beside `to`.
fn pushed_with(host: &str, project: &StandaloneProject, beside: &Value, others: &[Value]) -> String {
    let mut push = json!({"to": format!("{host}/{}", repository_of(project))});
    push.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
    let dockerfile = format!("FROM busybox\nLABEL made-for={}\n", project.name);
    let build = json!({"context": {"inline": {"Dockerfile": dockerfile}}});
    project.app("pushed", &json!({"image": {"name": project.name, "build": build}, "push": [push]}), others)
}

/// An app `pulled` that runs what was pushed here, with these Secrets.
fn pulling_app(host: &str, project: &StandaloneProject, secrets: &[Value]) -> String {
    let names: Vec<Value> = secrets.iter().map(|secret| json!({"name": secret["metadata"]["name"]})).collect();
    let image = json!({
        "name": format!("{host}/{}", repository_of(project)), "pullPolicy": "Always", "pullSecrets": names,
    });
    let run = json!({"containerName": project.name, "command": ["sleep", "600"], "terminationGracePeriodSeconds": 1});
    project.app("pulled", &json!({"image": image, "run": run}), secrets)
}

/// The digest by which the running container's image is known in the registry's repository, as the engine has it.
fn digest_that_runs(project: &StandaloneProject) -> String {
    let container = ["inspect", "--format", "{{.Image}}", &project.name];
    let image = project.engine.docker(&container).unwrap();
    let digests = ["image", "inspect", "--format", "{{join .RepoDigests \"\\n\"}}", image.trim()];
    let digests = project.engine.docker(&digests).unwrap();
    let prefix = format!("gcr.io/{}@", repository_of(project));
    let own = digests.lines().find_map(|line| line.strip_prefix(&prefix));
    own.unwrap_or_else(|| panic!("{prefix} is not in {digests}")).to_owned()
}

/// The digest that another client reads at the registry.
fn digest_for_skopeo(project: &StandaloneProject) -> String {
    let (username, password) = login();
    let image = format!("docker://gcr.io/{}:latest", repository_of(project));
    let mut skopeo = Command::new(lab_variable("LONGSHORE_LAB_SKOPEO"));
    skopeo.args(["inspect", "--format", "{{.Digest}}", "--creds", &format!("{username}:{password}"), &image]);
    let output = skopeo.env("SSL_CERT_FILE", lab_variable("LONGSHORE_LAB_CA_BUNDLE")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The image goes to `gcr.io` and comes back from there, each time with what its Secret has, and it is one image all
/// the way: in the status, at the registry, and in the container that runs.
fn goes_and_comes_back(project: &StandaloneProject, secret: &Value, up: impl Fn(&str) -> Output) {
    let of_a_push = json!({"secretRef": {"name": secret["metadata"]["name"]}});
    let (beside, secrets) = if secret.is_null() { (json!({}), vec![]) } else { (of_a_push, vec![secret.clone()]) };
    let output = up(&pushed_with("gcr.io", project, &beside, &secrets));
    assert!(output.status.success(), "{}", text(&output));
    assert_is_pushed(project, &text(&output));
    let digest = project.status("pushed")["push"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(digest_for_skopeo(project), digest);

    // Not what was built, but what comes from the registry.
    project.run(&["down", "--all", "--images"]).well();
    let output = up(&pulling_app("gcr.io", project, &secrets));
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(digest_that_runs(project), digest);
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

#[test]
fn a_push_takes_what_the_user_has_logged_in_with() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        log_in(&project);
        let said = project.up(&pushed_app(&project, None)).well();
        assert_is_pushed(&project, &said.all());
        assert!(!said.all().contains(&login().1));
    }
}

#[test]
fn a_push_takes_what_the_users_helper_has_for_that_registry_and_asks_it_once() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let (username, password) = login();
        helper(
            &project,
            &format!("echo '{}'", json!({"ServerURL": "gcr.io", "Username": username, "Secret": password})),
        );
        let output = up_with_helpers(&project, &["up", "-d", "-f", &pushed_app(&project, None)]);
        assert!(output.status.success(), "{}", text(&output));
        assert_is_pushed(&project, &text(&output));
        assert_eq!(fs::read_to_string(project.folder().join("asked")).unwrap(), "get gcr.io\n");
    }
}

#[test]
fn a_helper_that_fails_holds_the_push_up_and_is_named() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        helper(&project, "echo canary; echo canary >&2; exit 1");
        let output = up_with_helpers(&project, &["up", "-d", "--timeout", "5s", "-f", &pushed_app(&project, None)]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let pushed = project.condition("pushed", "Pushed");
        assert_eq!(pushed["reason"], "CredentialsUnavailable", "{pushed}");
        let sentence = pushed["message"].as_str().unwrap();
        assert!(sentence.contains("docker-credential-of-the-test") && sentence.contains("gcr.io"), "{sentence}");
        assert!(!text(&output).contains("canary") && !project.status("pushed").to_string().contains("canary"));
        assert_eq!(project.condition("pushed", "Built")["status"], "True");
    }
}

#[test]
fn a_push_takes_a_user_name_and_a_password_from_its_secret() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let (_, password) = login();
        let said = project.up(&pushed_app(&project, Some(&basic_auth(&password)))).well();
        assert_is_pushed(&project, &said.all());
        assert!(!said.all().contains(&password));
    }
}

#[test]
fn a_secret_that_is_named_is_what_counts_and_not_what_the_user_has() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        log_in(&project);
        let file = pushed_app(&project, Some(&basic_auth("wrong")));
        let said = project.run(&["up", "-d", "--timeout", "10s", "-f", &file]);
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        assert_eq!(project.condition("pushed", "Pushed")["reason"], "AuthenticationRequired", "{}", said.all());
    }
}

#[test]
fn a_push_to_googles_registries_takes_the_identity_of_the_machine() {
    for (engine, host) in ENGINES.into_iter().zip(["gcr.io", "us-docker.pkg.dev"]) {
        let project = StandaloneProject::begin(engine);
        let (_, token) = login();
        let machine = MetadataServer::start(&token, 60);
        let file = pushed_to(host, &project, None);
        let output =
            project.command(&["up", "-d", "-f", &file]).env("GCE_METADATA_HOST", &machine.host).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert_is_pushed(&project, &text(&output));
        assert!(!text(&output).contains(&token));
        assert!(machine.tokens() > 0);
    }
}

#[test]
fn a_registry_that_is_not_googles_never_has_the_machine_asked() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let machine = MetadataServer::start("canary", 60);
        let file = pushed_to(&lab_variable("LONGSHORE_LAB_HUB"), &project, None);
        let output =
            project.command(&["up", "-d", "-f", &file]).env("GCE_METADATA_HOST", &machine.host).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(machine.tokens(), 0);
    }
}
