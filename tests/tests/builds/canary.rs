//! Secrets that Longshore handles, each a value that is nowhere else, are searched for in everything that anyone may
//! read afterwards.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use longshore_tests::{
    GitServer, LabEngine, Place, Repository, SshServer, StandaloneProject, kubectl, lab_variable, unique_name,
};
use serde_json::{Value, json};

use super::{gcr_secret, secret};

on_both_engines! {
    no_secret_is_told_or_kept_without_a_cluster;
}

async fn no_secret_is_told_or_kept_without_a_cluster(engine: LabEngine) {
    let canary = Canary::released(engine);
    let project = StandaloneProject::begin(engine);
    let file = project.app("canary", &canary.spec(&project.name, &project.name), &canary.secrets());
    let said = project.up(&file).well();
    canary.is_not_in("what up says", &said.all());
    let plan = project.run(&["plan", "-f", &file]);
    canary.is_not_in("the plan", &plan.all());

    let log = project.longshore(&["logs", "--build", "canary"]).unwrap();
    assert!(log.contains(&canary.control) && log.contains("***"), "{log}");
    canary.is_not_in("the build's log", &log);
    canary.is_not_in("the history", &project.longshore(&["history", "canary"]).unwrap());
    canary.is_not_in("the container's log", &project.longshore(&["logs", "canary"]).unwrap());
    let state = all_files(&project.state_folder());
    assert!(state.contains(&canary.control), "the build's log is in the state");
    canary.is_not_in("the state", &state);
    canary.is_not_in("the cache", &all_files(&project.folder().join("cache")));

    canary.is_not_on_the_engine(&project.name, &project.name);
    canary.did_its_part();

    // A step that fails with the secret on its lips.
    canary.repository.commit(&[("Dockerfile", &canary.failing())]);
    let mut failing = canary.spec(&project.name, &project.name);
    failing["image"]["build"]["rebuildToken"] = json!("failing");
    let said = project.up(&project.app("canary", &failing, &canary.secrets()));
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    assert!(said.all().contains("***"), "{}", said.all());
    canary.is_not_in("what a failing up says", &said.all());
    canary.is_not_in("the state", &all_files(&project.state_folder()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_or_kept_in_a_cluster() {
    let engine = LabEngine::Engine29;
    Place::with_log(engine, "debug", async |place| {
        let canary = Canary::released(engine);
        for secret in canary.secrets() {
            kubectl(&["--namespace", &place.namespace, "apply", "-f", "-"], &secret.to_string()).unwrap();
        }
        let container = place.container("canary");
        place.apply("canary", canary.spec(&place.namespace, &container));
        place.ready("canary").await;
        let resources = || kubectl(&["--namespace", &place.namespace, "get", "capp,cappr,events", "-o", "yaml"], "");
        let resources_now = resources().unwrap();
        assert!(resources_now.contains(&canary.control), "the build's log is in its revision");
        canary.is_not_in("the resources", &resources_now);
        canary.is_not_on_the_engine(&place.namespace, &container);
        canary.did_its_part();

        canary.repository.commit(&[("Dockerfile", &canary.failing())]);
        let mut failing = canary.spec(&place.namespace, &container);
        failing["image"]["build"]["rebuildToken"] = json!("failing");
        place.apply("canary", failing);
        let sentence = place.not_ready_for("canary", "BuildFailed").await;
        canary.is_not_in("a sentence", &sentence);
        canary.is_not_in("the resources", &resources().unwrap());
        assert!(place.log().contains("DEBUG"), "everything is logged");
        canary.is_not_in("the controller's log", &place.log());
    })
    .await;
}

/// Secrets of every kind, the servers that want them, and a build that uses all of them and prints what it can.
struct Canary {
    engine: LabEngine,
    git: GitServer,
    repository: Repository,
    ssh: SshServer,
    git_password: String,
    build_secret: String,
    registry_password: String,
    /// Is told, or the search would prove nothing.
    control: String,
}

impl Canary {
    fn released(engine: LabEngine) -> Self {
        let git = GitServer::start();
        let git_password = unique_name("git+canary/~");
        git.want_credentials("reader", &git_password);
        let control = unique_name("control");
        let ssh = SshServer::start(engine.host_address(), "#!/bin/sh\necho welcome\n");
        let repository = git.repository(&unique_name("canary"));
        let dockerfile = format!(
            "FROM ssh-client\n\
             COPY known_hosts /root/.ssh/\n\
             RUN --mount=type=secret,id=npm echo {control}-log && cat /run/secrets/npm && echo && base64 /run/secrets/npm\n\
             RUN --mount=type=ssh ssh-add -L && ssh -p {} git@{}\n\
             CMD [\"sh\", \"-c\", \"echo running; sleep 3600\"]\n",
            ssh.port(),
            engine.host_address()
        );
        repository.commit(&[("Dockerfile", &dockerfile), ("known_hosts", &ssh.known_hosts())]);
        Self {
            engine,
            git,
            repository,
            ssh,
            git_password,
            build_secret: unique_name("npm+canary/~"),
            registry_password: lab_variable("LONGSHORE_LAB_GCR_PASSWORD"),
            control,
        }
    }

    /// The same build with a step that prints the secret and fails.
    fn failing(&self) -> String {
        format!(
            "FROM ssh-client\nRUN --mount=type=secret,id=npm echo {}-failing && cat /run/secrets/npm && exit 3\n",
            self.control
        )
    }

    fn spec(&self, image: &str, container: &str) -> Value {
        json!({
            "image": {
                "name": image,
                "pullSecrets": [{"name": "gcr"}],
                "build": {
                    "context": {"git": {
                        "url": self.git.url(&self.repository),
                        "ref": {"branch": "main"},
                        "secretRef": {"name": "git"},
                        "interval": "1s",
                    }},
                    "secrets": [{"id": "npm", "secretKeyRef": {"name": "npm", "key": "token"}}],
                    "ssh": [{"secretRef": {"name": "deploy"}}],
                },
            },
            "push": [{"to": format!("gcr.io/longshore-builds/{image}"), "secretRef": {"name": "gcr"}}],
            "run": {"containerName": container, "terminationGracePeriodSeconds": 0},
        })
    }

    fn secrets(&self) -> Vec<Value> {
        vec![
            secret(
                "git",
                "Opaque",
                &[("username", "reader"), ("password", &self.git_password), ("ca.crt", self.git.authority())],
            ),
            secret("npm", "Opaque", &[("token", &self.build_secret)]),
            secret("deploy", "kubernetes.io/ssh-auth", &[("ssh-privatekey", &self.ssh.private_key())]),
            gcr_secret(&self.registry_password),
        ]
    }

    /// None of the secrets is in this text, as it is or as Base64 writes it.
    #[track_caller]
    fn is_not_in(&self, what: &str, text: &str) {
        let key = self.ssh.private_key();
        // The lines in which the key itself lies: the first are alike in all keys.
        let key_lines: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).skip(2).collect();
        assert!(key_lines.len() >= 2, "the key has lines of its own");
        let user = lab_variable("LONGSHORE_LAB_GCR_USER");
        let pairs = [format!("reader:{}", self.git_password), format!("{user}:{}", self.registry_password)];
        let whole = [&self.git_password, &self.build_secret, &self.registry_password, &pairs[0], &pairs[1], &key];
        let values = whole.into_iter().map(String::as_str).chain(key_lines);
        for value in values {
            assert!(!text.contains(value), "{what} has a secret");
            // Whatever follows the value, so much of its Base64 is the same.
            let encoded = BASE64_STANDARD.encode(&value[..value.len() / 3 * 3]);
            assert!(!text.contains(&encoded), "{what} has a secret in Base64");
        }
    }

    /// None of them is in anything that the engine keeps.
    fn is_not_on_the_engine(&self, image: &str, container: &str) {
        let everything = self.engine.everything_of(image);
        assert!(everything.contains(&self.control), "the step is in the history");
        self.is_not_in("the image", &everything);
        self.is_not_in("the container", &self.engine.docker(&["inspect", container]).unwrap());
    }

    /// Every secret was used, or their absence would prove nothing.
    fn did_its_part(&self) {
        assert!(self.git.requests().iter().any(|request| request.authorization.is_some() && request.status == 200));
        assert_eq!(self.ssh.logins(), 1, "{}", self.ssh.log());
    }
}

/// What is in all files below a folder, with their names.
fn all_files(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.push_str(&path.to_string_lossy());
        if path.is_dir() {
            all.push_str(&all_files(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    all
}
