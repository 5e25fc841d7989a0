//! The classic introduction to containers, done by resources in a cluster: on both engines, with the rights that the
//! chart gives.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use longshore_tests::{
    Controller, LabEngine, administrator, answer_on_port, digest_in_registry, eventually, example_never_built,
    install_crds, kubectl, lab_variable, registry_secret,
};
use serde_json::Value;
use tokio::sync::Mutex;

/// The lesson's ports and names are the same on both engines, so one goes after the other.
static ONE_LESSON_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn the_walkthrough_in_a_cluster_on_engine_20() {
    walk_through(LabEngine::Engine20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walkthrough_in_a_cluster_on_engine_29() {
    walk_through(LabEngine::Engine29).await;
}

async fn walk_through(engine: LabEngine) {
    let _turn = ONE_LESSON_AT_A_TIME.lock().await;
    install_crds(&administrator().await).await;
    let lesson = Lesson::begin(engine);

    // 1. Run hello-world: not found locally, pulled, created, run, exits.
    apply(&hello("hello"));
    wait_until_ready("hello");
    let hello_status = status_of("hello");
    assert_eq!(hello_status["container"]["exitCode"], 0);
    assert!(text(&hello_status["container"]["logTail"]).contains("Hello"), "{hello_status}");
    assert_eq!(ready_reason(&hello_status), "Completed");
    let pulled = events_of("hello", "Pulled").await;
    assert!(pulled.contains("from docker.io") && pulled.contains("sha256:"), "{pulled}");

    // 2. Again: now found locally.
    apply(&hello("hello-again"));
    wait_until_ready("hello-again");
    let found = events_of("hello-again", "ImageFound").await;
    assert!(found.contains("is on the engine already, so it is not pulled"), "{found}");

    // 3. What docker images shows is in the status.
    let image = &hello_status["image"];
    assert_eq!(image["reference"], "hello-world:latest");
    let id = engine.docker(&["image", "inspect", "--format", "{{.Id}}", "hello-world"]).unwrap();
    assert_eq!(text(&image["id"]), id.trim());
    assert!(image["size"].as_i64().unwrap() > 0 && image["createdAt"].is_string());

    // 5 to 8. Build and run the first app; the command returns once it is Ready.
    apply_file("examples/node-app/my-app.yaml");
    wait_until_ready("my-app");
    // The container runs; its program needs a moment until it listens.
    eventually("my-app answers", || async { answer_on_port(4000).as_deref() == Some("Hello World") }).await;
    assert!(engine.containers().contains(&"my-app".to_owned()));

    // 9. Its log.
    let log = engine.docker(&["logs", "my-app"]).unwrap();
    assert!(log.contains("Server running at"), "{log}");

    // 10. The second app: the first two steps come from the cache.
    apply(&example_never_built("examples/node-app/my-app-2.yaml"));
    wait_until_ready("my-app-2");
    let build = status_of("my-app-2")["build"].clone();
    assert_eq!((build["steps"].as_i64(), build["cachedSteps"].as_i64()), (Some(3), Some(2)), "{build}");

    // 4 and 11. Both side by side, as kubectl shows them.
    eventually("my-app-2 answers", || async { answer_on_port(8080).as_deref() == Some("Welcome to Cloud") }).await;
    assert_eq!(answer_on_port(4000).as_deref(), Some("Hello World"));
    let table = kubectl(&["get", "capp", "-o", "wide"], "").unwrap();
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    let columns = ["NAME", "READY", "STATUS", "IMAGE", "PORTS", "ENGINE", "AGE", "DIGEST", "CONTAINER", "PUSHED"];
    assert_eq!(header, columns);
    assert!(table.contains("0.0.0.0:8080->80/tcp"), "{table}");

    // What went into each image, and what its build printed, is recorded.
    let revisions = kubectl(&["get", "cappr", "-l", "longshore.dev/name=my-app"], "").unwrap();
    let rows: Vec<Vec<&str>> = revisions.lines().map(|line| line.split_whitespace().collect()).collect();
    let current = status_of("my-app")["currentRevision"].as_i64().unwrap();
    let name = format!("my-app-{current}");
    let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{revisions}"));
    assert_eq!(row[1..5], ["my-app", &current.to_string(), "Succeeded", "node-app:0.1"]);
    let log = kubectl(&["get", "cappr", &name, "-o", "jsonpath={.status.log}"], "").unwrap();
    assert!(log.contains("FROM node:6") && log.contains("ADD . /app"), "{log}");

    // 14 and 15. Tag for gcr.io and push, with credentials.
    kubectl(&["apply", "-f", "-"], &registry_secret("gcr", &lab_variable("LONGSHORE_LAB_GCR_PASSWORD"))).unwrap();
    apply(&example_never_built("examples/node-app-push/my-app-2.yaml"));
    wait_until_ready("my-app-2");
    let push = status_of("my-app-2")["push"][0].clone();
    assert_eq!(push["reference"], "gcr.io/my-project/node-app:0.2");
    assert_eq!(digest_in_registry("my-project/node-app", "0.2").as_deref(), push["digest"].as_str());

    // 18. Removed behind its back, it is back, and the Event says why.
    engine.remove_by_hand("my-app");
    eventually("my-app answers again", || async { answer_on_port(4000).as_deref() == Some("Hello World") }).await;
    let made = events_of("my-app", "Created").await;
    assert!(made.contains("the container my-app is gone, though it should run"), "{made}");
    wait_until_ready("my-app");

    // 19. The same YAML applied a hundred times changes nothing.
    let (versions, containers) = (resource_versions(), lesson.containers_with_ids());
    for _ in 0..100 {
        apply_file("examples/node-app/my-app.yaml");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((resource_versions(), lesson.containers_with_ids()), (versions, containers));

    // 16. Delete the resources: nothing of ours is left, nothing of anyone else's is touched.
    engine.docker(&["run", "--detach", "--name", "somebody-elses", "busybox", "sleep", "600"]).unwrap();
    kubectl(&["delete", "capp", "--all", "--timeout=120s"], "").unwrap();
    assert_eq!(lesson.containers_with_ids(), "");
    assert!(engine.containers().contains(&"somebody-elses".to_owned()));
    let left = engine.images();
    // What another installation has left is not ours.
    let of_the_release = format!("-{}/", lesson.release());
    let ours = |image: &&String| [&*of_the_release, "node-app", "hello-world:"].iter().any(|name| image.contains(name));
    assert_eq!(left.iter().filter(ours).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(left.contains(&"busybox:latest".to_owned()));
}

/// The engine, and a controller that works for the namespace default.
struct Lesson {
    engine: LabEngine,
    controller: Option<Controller>,
}

impl Lesson {
    fn begin(engine: LabEngine) -> Self {
        let specification = serde_json::json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerEngine",
            "metadata": {"name": "default"},
            "spec": {"endpoint": engine.endpoint()},
        });
        apply(&specification.to_string());
        Self { engine, controller: Some(Controller::start("default")) }
    }

    fn release(&self) -> &str {
        self.controller.as_ref().expect("the controller runs").release()
    }

    /// The IDs and names of the release's containers, those that have ended included.
    fn containers_with_ids(&self) -> String {
        let format = "{{.ID}} {{.Names}} {{.Label \"longshore.dev/instance\"}}";
        let listed = self.engine.docker(&["ps", "--all", "--no-trunc", "--format", format]).unwrap();
        // An instance is called by its cluster's ID and its release.
        let of_the_release = format!("-{}", self.release());
        listed.lines().filter(|line| line.ends_with(&of_the_release)).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Lesson {
    fn drop(&mut self) {
        // While the controller still runs: it is what removes the containers.
        let _ = kubectl(&["delete", "capp", "--all", "--timeout=60s"], "");
        self.controller.take();
        // No garbage collector runs in the lab.
        let _ = kubectl(&["delete", "cappr", "--all", "--ignore-not-found"], "");
        let _ = kubectl(&["delete", "ceng", "default", "--ignore-not-found"], "");
        let _ = kubectl(&["delete", "secret", "gcr", "--ignore-not-found"], "");
        self.engine.remove_by_hand("somebody-elses");
    }
}

fn hello(name: &str) -> String {
    format!(
        "{{apiVersion: longshore.dev/v1alpha1, kind: ContainerApp, metadata: {{name: {name}}}, \
         spec: {{image: {{name: hello-world}}, run: {{restartPolicy: Never}}}}}}"
    )
}

fn apply(manifest: &str) {
    kubectl(&["apply", "-f", "-"], manifest).unwrap();
}

fn apply_file(file: &str) {
    kubectl(&["apply", "-f", file], "").unwrap();
}

fn wait_until_ready(name: &str) {
    let resource = format!("capp/{name}");
    let waited = kubectl(&["wait", "--for=condition=Ready", &resource, "--timeout=120s"], "");
    waited.unwrap_or_else(|why| panic!("{why}\n{}", kubectl(&["describe", &resource], "").unwrap_or_default()));
}

fn status_of(name: &str) -> Value {
    let text = kubectl(&["get", "capp", name, "-o", "json"], "").unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["status"].clone()
}

fn ready_reason(status: &Value) -> String {
    let conditions = status["conditions"].as_array().unwrap();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
    text(&ready["reason"]).to_owned()
}

/// The notes of a resource's Events with this reason, once there is one.
async fn events_of(name: &str, reason: &str) -> String {
    let read = || {
        let field = format!("involvedObject.name={name},reason={reason}");
        kubectl(&["get", "events", "--field-selector", &field, "-o", "jsonpath={.items[*].message}"], "").unwrap()
    };
    eventually(&format!("{name} has an Event {reason}"), || async { !read().is_empty() }).await;
    read()
}

fn resource_versions() -> String {
    kubectl(&["get", "capp", "-o", "jsonpath={.items[*].metadata.resourceVersion}"], "").unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
