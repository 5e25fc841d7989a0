//! What is left on an engine that was away, or on purpose, and how it goes.

use super::*;
use crate::app::labels;
use crate::engine::Engine as _;
use crate::testing::crash::CrashPlan;

const STORE: ImageStore = ImageStore::GraphDriver;

async fn applied() -> World {
    let world = World::new(STORE);
    world.resources.apply(&node_app("hello"));
    world.live(&CrashPlan::none()).await;
    world.assert_is_as_asked("applied");
    world
}

fn tombstones(world: &World, engine: &str) -> Vec<String> {
    let tombstones = world.resources.tombstones(engine);
    tombstones.iter().map(|tombstone| format!("{}/{}", tombstone.namespace, tombstone.name)).collect()
}

/// Sweeps as the queue of engines does.
async fn sweep(world: &World, engine: &str) {
    let process = world.process(&CrashPlan::none());
    process.sweep(engine).await.unwrap();
    process.shut_down();
}

fn orphaned(world: &World) -> Vec<String> {
    let events = world.resources.events(&world.key).into_iter();
    events.filter(|event| event.reason == "Orphaned").map(|event| event.note).collect()
}

fn with_volume(policy: &str) -> ContainerApp {
    let mut app = serde_json::to_value(node_app("hello")).unwrap();
    app["spec"]["run"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    app["spec"]["run"]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    app["spec"]["run"]["volumeReclaimPolicy"] = json!(policy);
    serde_json::from_value(app).unwrap()
}

#[tokio::test]
async fn a_resource_on_a_silent_engine_is_let_go_after_a_while_and_swept_when_the_engine_is_back() {
    let world = applied().await;
    world.engine.down();
    world.resources.delete(&world.key);
    let process = world.process(&CrashPlan::none());
    process.reconcile(&world.key).await.unwrap();
    assert!(world.resources.get(&world.key).is_some(), "it is waited for");
    assert_eq!(world.ready().1, "EngineUnavailable");
    world.clock.advance(PATIENCE);
    process.reconcile(&world.key).await.unwrap();
    assert_eq!(world.resources.get(&world.key), None);
    assert_eq!(tombstones(&world, "default"), ["default/my-app"]);
    let note = orphaned(&world).pop().unwrap();
    let images = "the image node-app:0.1, the image gcr.io/my-project/node-app:0.1";
    assert!(
        note.starts_with(&format!("the container my-app, {images} is left on the engine default, since")),
        "{note}"
    );
    assert!(note.ends_with("it is removed when the engine answers again"), "{note}");
    process.shut_down();

    // While it is away, and in another process.
    sweep(&world, "default").await;
    assert_eq!(tombstones(&world, "default"), ["default/my-app"]);
    world.engine.up();
    sweep(&world, "default").await;
    assert_eq!(world.engine.containers(), []);
    assert_eq!(world.engine.images(), []);
    assert_eq!(tombstones(&world, "default"), [""; 0]);
}

#[tokio::test]
async fn another_engine_by_the_name_takes_no_tombstone_away() {
    let world = applied().await;
    world.engine.down();
    world.resources.delete(&world.key);
    world.live(&CrashPlan::none()).await;
    assert_eq!(tombstones(&world, "default"), ["default/my-app"]);
    let tombstones_before = world.resources.tombstones("default");
    // Somebody has pulled there what the owner had claimed on the engine that is meant.
    let claimed = reference("node-app:0.1");
    assert!(tombstones_before[0].local_references.contains(&claimed.to_string()), "{tombstones_before:?}");
    world.registry.put(&claimed, &MemoryImage::new("foreign"));
    world.third.pull_image(&claimed, None, None, Arc::new(|_| {})).await.unwrap();
    world.resources.put_engine("default", &world.third);
    world.resources.set_tombstones("default", tombstones_before);
    sweep(&world, "default").await;
    assert_eq!(tombstones(&world, "default"), ["default/my-app"], "the engine that is meant is still away");
    assert!(world.third.image(&claimed).is_some(), "what is here is somebody else's");
}

#[tokio::test]
async fn a_resource_of_the_same_name_is_another_owner_and_has_the_name_once_the_old_one_is_swept() {
    let world = applied().await;
    world.engine.down();
    world.resources.delete(&world.key);
    world.live(&CrashPlan::none()).await;
    let old = world.engine.containers();
    world.engine.up();
    world.resources.apply(&node_app("hello"));
    let process = world.process(&CrashPlan::none());
    for _ in 0..20 {
        process.reconcile(&world.key).await.unwrap();
        while process.running_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
    let (_, reason, message) = world.ready();
    assert_eq!(reason, "NameConflict", "{message}");
    let holder = "the container my-app of an earlier ContainerApp default/my-app";
    assert!(message.starts_with(&format!("the name my-app is held by {holder}")), "{message}");
    assert_eq!(world.engine.containers(), old, "what the old one left is not adopted");
    process.shut_down();
    sweep(&world, "default").await;
    world.live(&CrashPlan::none()).await;
    assert_ne!(world.engine.containers()[0].labels.get(labels::OWNER_UID), old[0].labels.get(labels::OWNER_UID));
    world.assert_is_as_asked("swept");
}

#[tokio::test]
async fn a_resource_that_is_to_be_orphaned_leaves_everything_though_the_engine_is_silent() {
    for is_silent in [false, true] {
        let world = World::new(STORE);
        let mut app = node_app("hello");
        app.spec.deletion_policy = longshore_crds::DeletionPolicy::Orphan;
        world.resources.apply(&app);
        world.live(&CrashPlan::none()).await;
        let before = (world.engine.containers(), world.engine.images());
        if is_silent {
            world.engine.down();
        }
        world.resources.delete(&world.key);
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.resources.get(&world.key), None);
        assert_eq!((world.engine.containers(), world.engine.images()), before);
        let note = orphaned(&world).pop().unwrap();
        assert!(note.contains("the container my-app"), "{note}");
        assert!(note.ends_with("is left on the engine default, as deletionPolicy: Orphan asks"), "{note}");
        sweep(&world, "default").await;
        assert_eq!(world.engine.containers(), before.0, "nobody sweeps what was left on purpose");
    }
}

#[tokio::test]
async fn a_resource_whose_engine_never_was_is_let_go_at_once() {
    let world = World::new(STORE);
    let mut app = node_app("hello");
    "defualt".clone_into(&mut app.spec.engine);
    world.resources.apply(&app);
    let process = world.process(&CrashPlan::none());
    process.reconcile(&world.key).await.unwrap();
    assert_eq!(world.ready().1, "EngineNotFound");
    world.resources.delete(&world.key);
    process.reconcile(&world.key).await.unwrap();
    assert_eq!(world.resources.get(&world.key), None);
    assert_eq!(orphaned(&world), [""; 0]);
}

#[tokio::test]
async fn volumes_go_with_the_resource_only_where_the_spec_asks_for_it() {
    for (policy, left) in [("Retain", 1), ("Delete", 0)] {
        let world = World::new(STORE);
        world.resources.apply(&with_volume(policy));
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.engine.volumes().len(), 1);
        // A replacement leaves it alone.
        let mut changed = with_volume(policy);
        changed.spec.run.as_mut().unwrap().ports.clear();
        world.resources.apply(&changed);
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.engine.volumes().len(), 1, "{policy}");
        world.resources.delete(&world.key);
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.resources.get(&world.key), None);
        assert_eq!(world.engine.volumes().len(), left, "{policy}");
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_deletion_from_a_silent_engine() {
    let scenario = async |plan: &CrashPlan| {
        let world = applied().await;
        world.engine.down();
        world.resources.delete(&world.key);
        world.live(plan).await;
        world
    };
    dies_at_every_effect(scenario, |world, case| {
        assert_eq!(world.resources.get(&world.key), None, "{case}");
        assert_eq!(tombstones(world, "default"), ["default/my-app"], "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_sweep() {
    let scenario = async |plan: &CrashPlan| {
        let world = applied().await;
        world.engine.down();
        world.resources.delete(&world.key);
        world.live(&CrashPlan::none()).await;
        world.engine.up();
        let process = world.process(plan);
        tokio::select! {
            () = plan.death() => {}
            swept = process.sweep("default") => swept.unwrap(),
        }
        process.shut_down();
        world
    };
    let whole = CrashPlan::none();
    let world = scenario(&whole).await;
    assert_eq!((world.engine.containers(), tombstones(&world, "default")), (Vec::new(), Vec::new()));
    for number in 0..whole.effects().len() {
        for moment in [Moment::Before, Moment::After] {
            let world = scenario(&CrashPlan::at(number, moment)).await;
            sweep(&world, "default").await;
            assert_eq!(world.engine.containers(), [], "{moment:?} {number}");
            assert_eq!(world.engine.images(), [], "{moment:?} {number}");
            assert_eq!(tombstones(&world, "default"), [""; 0], "{moment:?} {number}");
        }
    }
}
