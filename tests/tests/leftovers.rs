//! What becomes of what a resource has made, when it is deleted, moved, or its engine is away: on the real engines, in a
//! cluster with the rights that the chart gives, and without one.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::{ENGINES, EngineDoor, LabEngine, Place, StandaloneProject, eventually, kubectl, unique_name};
use serde_json::{Value, json};

fn sleeper() -> Value {
    json!({
        "image": {"name": "busybox"},
        "run": {"command": ["sleep", "3600"], "terminationGracePeriodSeconds": 0},
    })
}

fn with_volume(policy: &str) -> Value {
    let mut spec = sleeper();
    spec["run"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    spec["run"]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    spec["run"]["volumeReclaimPolicy"] = json!(policy);
    spec
}

fn delete(place: &Place, name: &str) {
    let arguments = ["--namespace", &place.namespace, "delete", "capp", name, "--timeout=60s"];
    kubectl(&arguments, "").unwrap();
}

fn engine_status(name: &str) -> Value {
    let text = kubectl(&["get", "ceng", name, "-o", "json"], "").unwrap();
    let engine: Value = serde_json::from_str(&text).unwrap();
    engine["status"].clone()
}

fn names_in(list: &Value, field: &str) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    entries.map(|entry| entry[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// The notes of the Events with this reason in the place's namespace.
fn events(place: &Place, reason: &str) -> Vec<String> {
    let text = kubectl(&["--namespace", &place.namespace, "get", "events.events.k8s.io", "-o", "json"], "").unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    let events = list["items"].as_array().cloned().unwrap_or_default();
    let meant = events.iter().filter(|event| event["reason"] == reason);
    meant.map(|event| event["note"].as_str().unwrap_or_default().to_owned()).collect()
}

fn has_volume(engine: LabEngine, name: &str) -> bool {
    engine.docker(&["volume", "inspect", name]).is_ok()
}

async fn a_resource_on_a_silent_engine_leaves_a_tombstone_and_is_swept(engine: LabEngine) {
    let door = EngineDoor::to(engine);
    Place::with_endpoint(engine, &door.endpoint(), async |place| {
        place.apply("web", sleeper());
        place.ready("web").await;
        let container = place.container("web");
        door.close();
        delete(place, "web");
        let tombstones = || engine_status(&place.engine_name)["tombstones"].clone();
        assert_eq!(names_in(&tombstones(), "name"), ["web"]);
        assert!(engine.containers().contains(&container));
        eventually("an Event names the orphans", || async {
            events(place, "Orphaned").iter().any(|note| note.contains(&format!("the container {container}")))
        })
        .await;

        // The same name is another owner, and waits for the name until the old one is swept, by whichever process.
        place.controller_dies_and_starts_again();
        place.apply("web", sleeper());
        place.not_ready_for("web", "EngineUnavailable").await;
        let id = || engine.docker(&["inspect", "--format", "{{.Id}}", &container]).unwrap_or_default();
        let old = id();
        door.open();
        eventually("the tombstone is gone", || async { tombstones().is_null() }).await;
        place.ready("web").await;
        assert_ne!(id(), old, "what the old one left was adopted");
    })
    .await;
}

async fn an_orphan_stays_and_is_told(engine: LabEngine) {
    Place::with(engine, async |place| {
        let mut spec = sleeper();
        spec["deletionPolicy"] = json!("Orphan");
        place.apply("web", spec);
        place.ready("web").await;
        let container = place.container("web");
        delete(place, "web");
        assert!(engine.containers().contains(&container));
        eventually("the leftover is told", || async {
            names_in(&engine_status(&place.engine_name)["leftovers"], "container").contains(&container)
        })
        .await;
        let note = events(place, "Orphaned").pop().unwrap_or_default();
        assert!(note.starts_with(&format!("the container {container}")), "{note}");
        engine.remove_by_hand(&container);
        let of_its_namespace = format!("label=longshore.dev/namespace={}", place.namespace);
        let network = engine.docker(&["network", "ls", "--filter", &of_its_namespace, "--quiet"]).unwrap();
        engine.docker(&["network", "rm", network.trim()]).expect("its network stays as well");
    })
    .await;
}

async fn volumes_go_where_the_spec_says_so(engine: LabEngine) {
    Place::with(engine, async |place| {
        for policy in ["Retain", "Delete"] {
            place.apply("web", with_volume(policy));
            place.ready("web").await;
            let volume = format!("{}.web.data", place.namespace);
            assert!(has_volume(engine, &volume));
            delete(place, "web");
            assert_eq!(has_volume(engine, &volume), policy == "Retain", "{policy}");
        }
    })
    .await;
}

/// Without a cluster, and with what another has made beside it.
async fn down_removes_what_the_spec_asks_for_and_nothing_of_others(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let neighbour = StandaloneProject::begin(engine);
    let (name, other) = (unique_name("web"), unique_name("web"));
    let foreign = format!("{name}.cache");
    engine.docker(&["volume", "create", &foreign]).unwrap();
    let file = project.app(&name, &with_volume("Delete"), &[]);
    project.up(&file).well();
    neighbour.up(&neighbour.app(&other, &sleeper(), &[])).well();
    assert!(has_volume(engine, &format!("{name}.data")));
    project.run(&["down", "--all", "--images"]).well();
    assert!(!has_volume(engine, &format!("{name}.data")));
    assert!(has_volume(engine, &foreign));
    assert!(engine.containers().contains(&other));
    engine.docker(&["volume", "rm", &foreign]).unwrap();
}

async fn down_forgets_nothing_while_the_engine_is_away(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let door = EngineDoor::to(engine);
    let name = unique_name("web");
    let file = project.app(&name, &sleeper(), &[]);
    let run = async |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.env("DOCKER_HOST", door.endpoint());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said)
    };
    assert_eq!(run(&["up", "-d", "-f", &file]).await.0, Some(0));
    let remembered = project.status(&name);
    door.close();
    let (code, said) = run(&["down", "--timeout", "2s", "-f", &file]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("{name} not removed: the engine default cannot be used")), "{said}");
    assert!(engine.containers().contains(&name));
    assert_eq!(project.status(&name)["localReferences"], remembered["localReferences"]);
    assert!(!project.status(&name).is_null());
    door.open();
    let (code, said) = run(&["down", "-f", &file]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!engine.containers().contains(&name));
    assert!(project.status(&name).is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_moves_from_one_engine_to_the_other_and_leaves_nothing() {
    let [from, to] = ENGINES;
    Place::with(from, async |place| {
        let second = unique_name("engine");
        let engine = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerEngine",
            "metadata": {"name": second},
            "spec": {"endpoint": to.endpoint()},
        });
        kubectl(&["apply", "-f", "-"], &engine.to_string()).unwrap();
        place.apply("web", sleeper());
        place.ready("web").await;
        let container = place.container("web");
        assert!(from.containers().contains(&container));
        let patch = json!({"spec": {"engine": second}}).to_string();
        let arguments = ["--namespace", &place.namespace, "patch", "capp", "web", "--type=merge", "-p", &patch];
        kubectl(&arguments, "").unwrap();
        eventually("it runs there", || async { to.containers().contains(&container) }).await;
        eventually("it is gone here", || async { !from.containers().contains(&container) }).await;
        eventually("the status says so", || async {
            let status = place.status("web");
            status["engine"]["name"] == second.as_str() && status["formerEngines"].is_null()
        })
        .await;
        place.ready("web").await;
        delete(place, "web");
        assert!(!to.containers().contains(&container));
        kubectl(&["delete", "ceng", &second], "").unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_moves_between_the_engines_that_its_files_describe() {
    let [from, to] = ENGINES;
    let project = StandaloneProject::begin(from);
    let name = unique_name("web");
    let engine = |name: &str, engine: LabEngine| {
        json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerEngine",
            "metadata": {"name": name},
            "spec": {"endpoint": engine.endpoint()},
        })
    };
    let engines = [engine("old", from), engine("new", to)];
    let on = |engine: &str| {
        let mut spec = sleeper();
        spec["engine"] = json!(engine);
        project.app(&name, &spec, &engines)
    };
    project.up(&on("old")).well();
    assert!(from.containers().contains(&name) && !to.containers().contains(&name));
    project.up(&on("new")).well();
    assert!(!from.containers().contains(&name) && to.containers().contains(&name));
    project.run(&["down", "-f", &on("new")]).well();
    assert!(!to.containers().contains(&name));
}

macro_rules! on_both_engines {
    ($($behaviour:ident;)*) => {
        mod engine_20 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                super::$behaviour(super::LabEngine::Engine20).await;
            })*
        }
        mod engine_29 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                super::$behaviour(super::LabEngine::Engine29).await;
            })*
        }
    };
}

on_both_engines! {
    a_resource_on_a_silent_engine_leaves_a_tombstone_and_is_swept;
    an_orphan_stays_and_is_told;
    volumes_go_where_the_spec_says_so;
    down_removes_what_the_spec_asks_for_and_nothing_of_others;
    down_forgets_nothing_while_the_engine_is_away;
}
