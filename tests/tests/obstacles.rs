//! What stands in a resource's way: each obstacle gives its condition, reason and sentence, leaves everything else
//! working, and is forgotten when it is gone. In a cluster, with the rights that the chart gives.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use longshore_tests::{LabEngine, Place, corrupt, eventually, kubectl, lab_variable, registry_secret, unique_name};
use serde_json::{Value, json};

fn sleeper() -> Value {
    json!({
        "image": {"name": "busybox"},
        "run": {"command": ["sleep", "3600"], "terminationGracePeriodSeconds": 0},
    })
}

fn built_from(dockerfile: &str) -> Value {
    let name = unique_name("built");
    json!({"image": {"name": name, "build": {"context": {"inline": {"Dockerfile": dockerfile}}}}})
}

async fn a_foreign_container_of_the_name_is_left_alone(engine: LabEngine) {
    Place::with(engine, async |place| {
        let name = place.container("web");
        engine.docker(&["run", "--detach", "--name", &name, "busybox", "sleep", "3600"]).unwrap();
        let id = || engine.docker(&["inspect", "--format", "{{.Id}} {{.State.Running}}", &name]);
        let before = id().unwrap();
        place.apply("web", sleeper());
        let message = place.not_ready_for("web", "NameConflict").await;
        assert!(message.contains(&name) && message.contains("not Longshore's"), "{message}");
        assert!(place.is("web", "Reconciling") && !place.is("web", "Stalled"));
        assert_eq!(id().unwrap(), before);
        engine.remove_by_hand(&name);
        place.ready("web").await;
    })
    .await;
}

async fn an_image_that_does_not_exist_is_named_and_others_go_on(engine: LabEngine) {
    Place::with(engine, async |place| {
        place.apply("web", json!({"image": {"name": "gcr.io/my-project/nothing-here"}, "run": {}}));
        place.apply("good", sleeper());
        let failed = async || {
            let ready = place.condition("web", "Ready").unwrap_or_default();
            ready["status"] == "False"
                && ["AuthenticationRequired", "ManifestUnknown"].contains(&ready["reason"].as_str().unwrap_or(""))
        };
        eventually("the pull has failed", failed).await;
        let message = place.condition("web", "Ready").unwrap()["message"].to_string();
        assert!(message.contains("gcr.io/my-project/nothing-here:latest"), "{message}");
        place.ready("good").await;
        place.apply("web", sleeper());
        place.ready("web").await;
    })
    .await;
}

async fn a_failing_step_stalls_with_its_exit_code_and_an_edit_helps(engine: LabEngine) {
    Place::with(engine, async |place| {
        place.apply("web", built_from("FROM busybox\nRUN echo almost there && exit 7\n"));
        let message = place.not_ready_for("web", "BuildFailed").await;
        assert!(message.contains("exit 7") && message.contains('7'), "{message}");
        assert!(place.is("web", "Stalled") && !place.is("web", "Reconciling"));
        let path = "jsonpath={.status.build.failure}";
        let failure = kubectl(&["--namespace", &place.namespace, "get", "capp", "web", "-o", path], "").unwrap();
        assert!(failure.contains("\"exitCode\":7") && failure.contains("almost there"), "{failure}");
        place.apply("web", built_from("FROM busybox\nRUN echo better\n"));
        place.ready("web").await;
        assert!(!place.is("web", "Stalled"));
    })
    .await;
}

async fn a_denied_push_says_so_while_the_container_runs_and_recovers(engine: LabEngine) {
    Place::with(engine, async |place| {
        let secret = |password: &str| {
            let manifest = registry_secret("gcr", password);
            kubectl(&["--namespace", &place.namespace, "apply", "-f", "-"], &manifest).unwrap();
        };
        secret("wrong");
        let mut spec = built_from("FROM busybox\nRUN echo pushed\nCMD [\"sleep\", \"3600\"]\n");
        let to = format!("gcr.io/my-project/{}", unique_name("denied"));
        spec["push"] = json!([{"to": to, "secretRef": {"name": "gcr"}}]);
        spec["run"] = json!({"terminationGracePeriodSeconds": 0});
        place.apply("web", spec);
        let message = place.not_ready_for("web", "AuthenticationRequired").await;
        assert!(message.contains(&to) && !message.contains("wrong"), "{message}");
        assert!(place.is("web", "Running") && place.is("web", "Stalled"));
        secret(&lab_variable("LONGSHORE_LAB_GCR_PASSWORD"));
        place.ready("web").await;
    })
    .await;
}

async fn a_taken_port_names_its_holder_and_is_taken_once_free(engine: LabEngine, port: u16) {
    Place::with(engine, async |place| {
        let holder = place.container("holder");
        let publish = format!("{port}:80");
        engine
            .docker(&["run", "--detach", "--name", &holder, "--publish", &publish, "busybox", "sleep", "3600"])
            .unwrap();
        let mut spec = sleeper();
        spec["run"]["ports"] = json!([{"hostPort": port, "containerPort": 80}]);
        place.apply("web", spec);
        let message = place.not_ready_for("web", "PortConflict").await;
        assert!(message.contains(&port.to_string()) && message.contains(&holder), "{message}");
        engine.remove_by_hand(&holder);
        place.ready("web").await;
    })
    .await;
}

async fn a_port_of_another_process_is_told_and_taken_once_free(engine: LabEngine) {
    let listener = std::net::TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    Place::with(engine, async |place| {
        let mut spec = sleeper();
        spec["run"]["ports"] = json!([{"hostPort": port, "containerPort": 80}]);
        place.apply("web", spec);
        let message = place.not_ready_for("web", "PortConflict").await;
        assert!(message.contains(&port.to_string()), "{message}");
        drop(listener);
        place.ready("web").await;
        let ports = engine.docker(&["port", &place.container("web")]).unwrap();
        assert!(ports.contains(&format!("0.0.0.0:{port}")), "{ports}");
    })
    .await;
}

macro_rules! on_both_engines {
    ($($behaviour:ident $(($first:expr, $second:expr))?;)*) => {
        mod engine_20 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                super::$behaviour(super::LabEngine::Engine20 $(, $first)?).await;
            })*
        }
        mod engine_29 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                super::$behaviour(super::LabEngine::Engine29 $(, $second)?).await;
            })*
        }
    };
}

on_both_engines! {
    a_foreign_container_of_the_name_is_left_alone;
    an_image_that_does_not_exist_is_named_and_others_go_on;
    a_failing_step_stalls_with_its_exit_code_and_an_edit_helps;
    a_denied_push_says_so_while_the_container_runs_and_recovers;
    a_taken_port_names_its_holder_and_is_taken_once_free(18020, 18029);
    a_port_of_another_process_is_told_and_taken_once_free;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unparsable_resource_is_stalled_alone() {
    Place::with(LabEngine::Engine29, async |place| {
        place.apply("good", sleeper());
        place.apply("broken", sleeper());
        place.ready("broken").await;
        let stored_at = format!("/registry/longshore.dev/containerapps/{}/broken", place.namespace);
        corrupt(&stored_at, |app| {
            app["spec"]["run"]["ports"] = json!("not a list");
            app["metadata"]["generation"] = json!(2);
        });
        // The stored object was changed past the API server; a change that it sees wakes the controller.
        let annotate = ["--namespace", &place.namespace, "annotate", "capp", "good", "look=now"];
        kubectl(&annotate, "").unwrap();
        place.not_ready_for("broken", "InvalidSpec").await;
        assert!(place.is("broken", "Stalled"));
        place.engine.remove_by_hand(&place.container("good"));
        eventually("the good one is back", || async { place.engine.containers().contains(&place.container("good")) })
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_down_at_the_start_is_used_when_it_comes_up() {
    let folder = std::env::temp_dir().join(unique_name("engine-socket"));
    std::fs::create_dir_all(&folder).unwrap();
    let socket = folder.join("docker.sock");
    let endpoint = format!("unix://{}", socket.display());
    Place::with_endpoint(LabEngine::Engine20, &endpoint, async |place| {
        place.apply("web", sleeper());
        let message = place.not_ready_for("web", "EngineUnavailable").await;
        assert!(message.contains(&endpoint), "{message}");
        assert!(place.is("web", "Reconciling"));
        // The engine comes up: its socket is there.
        let real = place.engine.endpoint();
        std::os::unix::fs::symlink(real.trim_start_matches("unix://"), &socket).unwrap();
        place.ready("web").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(place.engine.containers().contains(&place.container("web")));
    })
    .await;
    std::fs::remove_dir_all(folder).unwrap();
}
