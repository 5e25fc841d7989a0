//! What is set beyond image and ports, on everything in memory: a walk over specs, and deaths on the way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::app::labels;
use crate::reconcile::ConfigMapData;
use crate::testing::Draw;

/// How many walks there are, each in a world of its own, and how many times each changes the spec.
const WALKS: u64 = 20;
const TRANSITIONS: usize = 500;

/// An app of `node:6` with this section.
pub(super) fn app(run: &Value) -> ContainerApp {
    serde_json::from_value(json!({
        "apiVersion": "longshore.dev/v1alpha1",
        "kind": "ContainerApp",
        "metadata": {"name": "my-app", "namespace": "default"},
        "spec": {"image": {"name": "node", "tags": ["6"]}, "run": run},
    }))
    .unwrap()
}

fn world() -> World {
    let world = World::new(ImageStore::Containerd);
    world.resources.put_config_map("default", "settings", settings("info"));
    world
}

fn settings(level: &str) -> ConfigMapData {
    ConfigMapData { data: [("LEVEL".to_owned(), level.as_bytes().to_vec())].into() }
}

/// Each spec is what the one container was made for; the same spec is the same container's hash again, whatever was in
/// between, and another one another; a spec that cannot be changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn walks_over_specs_lead_to_what_each_of_them_asks() {
    let walks = (1..=WALKS).map(|seed| tokio::spawn(walk(seed)));
    for walked in futures::future::join_all(walks).await {
        walked.unwrap();
    }
}

async fn walk(seed: u64) {
    let world = world();
    let process = world.process(&CrashPlan::none());
    let mut draw = Draw::from_seed(seed);
    let mut hash_of: BTreeMap<String, String> = BTreeMap::new();
    let mut earlier: Vec<Value> = Vec::new();
    for number in 0..TRANSITIONS {
        // Often back to one that was before.
        let run = match earlier.len() {
            0 => draw.run(),
            _ if draw.one_of(3) > 0 => draw.run(),
            count => earlier[usize::try_from(draw.one_of(u64::try_from(count).unwrap())).unwrap()].clone(),
        };
        world.resources.apply(&app(&run));
        settle(&process, &world.key, &world.clock).await;
        let containers = world.engine.containers();
        let [container] = containers.as_slice() else {
            panic!("walk {seed}, {number}: {run}: {containers:?}");
        };
        assert_eq!(
            (container.name.as_str(), container.state),
            ("my-app", ContainerState::Running),
            "walk {seed}, {number}: {run}"
        );
        let detail = container.detail.as_ref().unwrap();
        let ports: Vec<u64> = detail.asked_ports.iter().filter_map(|port| port.host_port.map(u64::from)).collect();
        let asked: Vec<u64> =
            run["ports"].as_array().into_iter().flatten().filter_map(|port| port["hostPort"].as_u64()).collect();
        assert_eq!(ports, asked, "walk {seed}, {number}: {run}");
        let level = detail.env.get("LEVEL").map(String::as_str);
        assert_eq!(level, (!run["envFrom"].is_null()).then_some("info"), "walk {seed}, {number}: {run}");
        let hash = container.labels[labels::SPEC_HASH].clone();
        let before = hash_of.insert(run.to_string(), hash.clone());
        assert!(before.is_none_or(|before| before == hash), "walk {seed}, {number}: {run}");
        if number.is_multiple_of(100) {
            let id = container.id.clone();
            let impossible = json!({"containerName": "my-app", "resources": {"limits": {"memory": "1Mi"}}});
            world.resources.apply(&app(&impossible));
            // It is looked at again, in case that helps.
            settle_until(&process, &world.key, &world.clock, Duration::from_secs(10)).await;
            assert_eq!(world.engine.containers()[0].id, id, "walk {seed}, {number}: {run}");
            assert_eq!(world.ready().1, "InvalidSpec", "walk {seed}, {number}");
        }
        earlier.push(run);
        earlier.truncate(64);
    }
    // What differs in meaning differs in its hash. Only a volume that is mounted nowhere means nothing.
    let hashes: std::collections::BTreeSet<&String> = hash_of.values().collect();
    assert!(hashes.len() > hash_of.len() * 9 / 10, "{} hashes of {} specs", hashes.len(), hash_of.len());
    let volumes: Vec<String> = world.engine.volumes().into_iter().map(|volume| volume.name).collect();
    assert_eq!(volumes, ["my-app.data"]);
}

fn with_everything(level: &str) -> Value {
    json!({
        "containerName": "my-app",
        "ports": [{"hostPort": 4000, "containerPort": 80}],
        "env": [{"name": "LEVEL", "value": level}],
        "volumes": [
            {"name": "files", "configMap": {"name": "settings"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        ],
        "volumeMounts": [{"name": "files", "mountPath": "/etc/app"}, {"name": "data", "mountPath": "/data"}],
    })
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_container_with_volumes() {
    let scenario = async |plan: &CrashPlan| {
        let world = world();
        world.resources.apply(&app(&with_everything("info")));
        world.live(plan).await;
        world
    };
    dies_at_every_effect(scenario, |world, case| {
        let containers = world.engine.containers();
        assert_eq!(containers.len(), 1, "{case}");
        assert_eq!(containers[0].state, ContainerState::Running, "{case}");
        let volumes = world.engine.volumes();
        assert_eq!(volumes.len(), 1, "{case}");
        assert_eq!(volumes[0].labels.get(labels::NAME).map(String::as_str), Some("my-app"), "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_changes_replaces_the_container_and_the_event_names_its_key() {
    let world = world();
    world.resources.apply(&app(&with_everything("info")));
    world.live(&CrashPlan::none()).await;
    let before = world.engine.container("my-app").unwrap().id;
    world.resources.put_config_map("default", "settings", settings("debug"));
    world.live(&CrashPlan::none()).await;
    assert_ne!(world.engine.container("my-app").unwrap().id, before);
    let notes: Vec<String> = world.resources.events(&world.key).into_iter().map(|event| event.note).collect();
    let cause = "the key LEVEL of the ConfigMap settings at /etc/app/LEVEL has changed";
    assert!(notes.iter().any(|note| note.contains(cause)), "{notes:?}");
    assert!(!notes.iter().any(|note| note.contains("debug")), "{notes:?}");
}

#[tokio::test]
async fn a_volume_outlives_its_resource() {
    let world = world();
    for _ in 0..2 {
        world.resources.apply(&app(&with_everything("info")));
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.ready().1, "Running");
        world.resources.delete(&world.key);
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.engine.containers(), []);
        assert_eq!(world.engine.volumes().len(), 1);
    }
}
