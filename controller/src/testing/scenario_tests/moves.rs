//! A resource that moves to another engine: the new one first, then the old one goes, and nothing is lost or left.

use super::*;
use crate::app::labels;
use crate::testing::crash::CrashPlan;

const STORE: ImageStore = ImageStore::Containerd;

fn on(engine: &str) -> ContainerApp {
    let mut app = node_app("hello");
    engine.clone_into(&mut app.spec.engine);
    app
}

async fn applied() -> World {
    let world = World::new(STORE);
    world.resources.apply(&on("default"));
    world.live(&CrashPlan::none()).await;
    world.assert_is_as_asked("applied");
    world
}

fn former(world: &World) -> Vec<String> {
    world.status().former_engines.into_iter().map(|engine| engine.name).collect()
}

fn names(engine: &MemoryEngine) -> Vec<String> {
    engine.containers().into_iter().map(|container| container.name).collect()
}

/// Everything is on this engine, and nothing on the others.
fn assert_is_only_on(world: &World, engine: &MemoryEngine, case: &str) {
    for other in [&world.engine, &world.second, &world.third] {
        if other.endpoint() == engine.endpoint() {
            assert_eq!(names(other), ["my-app"], "{case}");
            assert_eq!(other.containers()[0].state, ContainerState::Running, "{case}");
        } else {
            assert_eq!(names(other), [""; 0], "{case}");
            assert_eq!(other.images(), [], "{case}");
        }
    }
    assert_eq!(world.ready().0, "True", "{case}");
    assert_eq!(former(world), [""; 0], "{case}");
}

/// Until the new engine has a container.
async fn begin_to_move(world: &World) {
    world.resources.apply(&on("second"));
    let process = world.process(&CrashPlan::none());
    while names(&world.second).is_empty() {
        process.reconcile(&world.key).await.unwrap();
        tokio::task::yield_now().await;
    }
    process.shut_down();
}

#[tokio::test]
async fn a_resource_that_moves_is_up_on_the_new_engine_before_it_goes_from_the_old_one() {
    let world = applied().await;
    let plan = CrashPlan::none();
    world.resources.apply(&on("second"));
    world.live(&plan).await;
    assert_is_only_on(&world, &world.second, "moved");
    let effects = plan.effects();
    let position = |effect: &str| effects.iter().position(|each| each.starts_with(effect)).unwrap();
    assert!(position("start container") < position("stop container"), "{effects:?}");
    let removed = world.resources.events(&world.key).into_iter().find(|event| event.reason == "Removed").unwrap();
    assert_eq!(removed.note, "removed the container my-app: the resource is on the engine second now");
}

#[tokio::test]
async fn a_move_takes_no_tag_that_somebody_else_has_on_the_new_engine() {
    let world = applied().await;
    let foreign = world.second.load(&reference("node-app:0.1"), &MemoryImage::new("foreign"));
    world.resources.apply(&on("second"));
    let process = world.process(&CrashPlan::none());
    for _ in 0..10 {
        process.reconcile(&world.key).await.unwrap();
        while process.running_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(world.second.image(&reference("node-app:0.1")).unwrap().id, foreign);
    assert_eq!(world.ready().1, "TagConflict", "{}", world.ready().2);
    assert_eq!(names(&world.engine), ["my-app"], "where it was it goes on until the new one is up");
}

#[tokio::test]
async fn two_moves_in_a_row_leave_nothing_on_either_engine() {
    let world = applied().await;
    begin_to_move(&world).await;
    world.resources.apply(&on("third"));
    world.live(&CrashPlan::none()).await;
    assert_is_only_on(&world, &world.third, "moved twice");
}

#[tokio::test]
async fn a_resource_that_moves_back_keeps_the_container_that_it_had() {
    let world = applied().await;
    let id = world.engine.containers()[0].id.clone();
    begin_to_move(&world).await;
    world.resources.apply(&on("default"));
    world.live(&CrashPlan::none()).await;
    assert_is_only_on(&world, &world.engine, "moved back");
    assert_eq!(world.engine.containers()[0].id, id);
}

#[tokio::test]
async fn two_names_of_one_engine_are_one_engine() {
    let world = applied().await;
    let id = world.engine.containers()[0].id.clone();
    world.resources.put_engine("alias", &world.engine);
    world.resources.apply(&on("alias"));
    world.live(&CrashPlan::none()).await;
    assert_is_only_on(&world, &world.engine, "renamed");
    assert_eq!(world.engine.containers()[0].id, id);
}

#[tokio::test]
async fn a_move_from_a_silent_engine_goes_on_and_the_old_one_is_swept_when_it_is_back() {
    let world = applied().await;
    world.engine.down();
    world.resources.apply(&on("second"));
    world.live(&CrashPlan::none()).await;
    assert_eq!(world.ready().0, "True", "{}", world.ready().2);
    assert_eq!(former(&world), [""; 0]);
    assert_eq!(world.resources.tombstones("default").len(), 1);
    world.engine.up();
    world.process(&CrashPlan::none()).sweep("default").await.unwrap();
    assert_is_only_on(&world, &world.second, "swept");
    assert_eq!(world.resources.tombstones("default"), []);
}

#[tokio::test]
async fn a_resource_that_has_come_back_to_an_engine_with_its_tombstone_is_not_swept() {
    let world = applied().await;
    world.engine.down();
    world.resources.apply(&on("second"));
    world.live(&CrashPlan::none()).await;
    world.engine.up();
    world.resources.apply(&on("default"));
    let process = world.process(&CrashPlan::none());
    process.sweep("default").await.unwrap();
    assert_eq!(names(&world.engine), ["my-app"]);
    assert_eq!(world.resources.tombstones("default"), []);
    world.live(&CrashPlan::none()).await;
    assert_is_only_on(&world, &world.engine, "back");
}

#[tokio::test]
async fn a_resource_that_is_deleted_in_the_middle_of_a_move_goes_from_both_engines() {
    let world = applied().await;
    begin_to_move(&world).await;
    world.resources.delete(&world.key);
    world.live(&CrashPlan::none()).await;
    assert_eq!(world.resources.get(&world.key), None);
    for engine in [&world.engine, &world.second] {
        assert_eq!(engine.containers(), []);
        assert_eq!(engine.images(), []);
    }
}

#[tokio::test]
async fn a_move_leaves_what_is_not_its_own_on_the_old_engine() {
    let world = applied().await;
    world.engine.load(&reference("somebody:1"), &MemoryImage::new("somebody"));
    world.engine.run_by_hand("somebody", &reference("somebody:1"), &[]).unwrap();
    world.resources.apply(&on("second"));
    world.live(&CrashPlan::none()).await;
    assert_eq!(names(&world.engine), ["somebody"]);
    assert!(!world.engine.containers()[0].labels.contains_key(labels::OWNER_UID));
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_move() {
    let scenario = async |plan: &CrashPlan| {
        let world = applied().await;
        world.resources.apply(&on("second"));
        world.live(plan).await;
        world
    };
    dies_at_every_effect(scenario, |world, case| assert_is_only_on(world, &world.second, case)).await;
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_move_and_be_followed_by_another_move() {
    let whole = CrashPlan::none();
    let moved = async |plan: &CrashPlan| {
        let world = applied().await;
        world.resources.apply(&on("second"));
        world.live(plan).await;
        world
    };
    moved(&whole).await;
    for (number, effect) in whole.effects().iter().enumerate() {
        for moment in [Moment::Before, Moment::After] {
            let world = moved(&CrashPlan::at(number, moment)).await;
            world.resources.apply(&on("third"));
            world.live(&CrashPlan::none()).await;
            assert_is_only_on(&world, &world.third, &format!("{moment:?} {effect}"));
        }
    }
}
