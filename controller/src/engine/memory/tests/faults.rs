use super::super::Operation;
use super::*;
use crate::engine::{EngineEvent, EventSubject};

fn broken() -> EngineError {
    EngineError::Other("out of disk".to_owned())
}

#[tokio::test]
async fn an_engine_that_is_down_answers_nothing_and_its_containers_run_on() {
    let world = World::old_engine();
    world.start("app", "server", spec()).await;
    world.engine.down();
    let down = world.engine.list_containers().await;
    assert!(matches!(down, Err(EngineError::Unreachable { .. })), "{down:?}");
    let events: Vec<_> = world.engine.events().collect().await;
    assert!(matches!(events.as_slice(), [Err(EngineError::Unreachable { .. })]), "{events:?}");
    world.engine.up();
    assert_eq!(world.engine.list_containers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_connection_that_is_lost_ends_the_events() {
    let world = World::old_engine();
    let events = world.engine.events();
    world.engine.down();
    assert_eq!(events.collect::<Vec<_>>().await, []);
}

#[tokio::test]
async fn a_failure_on_request_has_no_effect_and_happens_once() {
    let world = World::old_engine();
    let id = world.create("app", "server", spec()).await;
    world.engine.fail_next(Operation::RemoveContainer, broken());
    assert_eq!(world.engine.remove_container(&id).await, Err(broken()));
    assert!(world.engine.container("app").is_some());
    world.engine.remove_container(&id).await.unwrap();
    assert!(world.engine.container("app").is_none());
}

#[tokio::test]
async fn an_answer_that_is_lost_has_its_effect() {
    let world = World::old_engine();
    let id = world.create("app", "server", spec()).await;
    world.engine.lose_next_answer(Operation::RemoveContainer, broken());
    assert_eq!(world.engine.remove_container(&id).await, Err(broken()));
    assert!(world.engine.container("app").is_none());
}

#[tokio::test]
async fn a_call_that_is_dropped_at_its_gate_has_no_effect() {
    let world = World::old_engine();
    world.engine.load(&reference("app"), &MemoryImage::new("app"));
    let gate = world.engine.close_gate(Operation::PushImage);
    let engine = world.engine.clone();
    let push = tokio::spawn(async move { engine.push_image(&reference("app"), None, silent()).await });
    gate.reached().await;
    push.abort();
    assert!(push.await.unwrap_err().is_cancelled());
    assert_eq!(gate.waiting(), 0);
    gate.open();
    assert_eq!(world.engine.cancelled(), ["push image app:latest"]);
    assert_eq!(world.registry.tagged(&reference("app")), None);
}

#[tokio::test]
async fn a_gate_that_opens_lets_the_call_go_on() {
    let world = World::old_engine();
    world.engine.load(&reference("app"), &MemoryImage::new("app"));
    let gate = world.engine.close_gate(Operation::PushImage);
    let engine = world.engine.clone();
    let push = tokio::spawn(async move { engine.push_image(&reference("app"), None, silent()).await });
    gate.reached().await;
    assert_eq!(world.registry.tagged(&reference("app")), None);
    gate.open();
    push.await.unwrap().unwrap();
    assert!(world.registry.tagged(&reference("app")).is_some());
    assert_eq!(world.engine.cancelled(), Vec::<String>::new());
}

#[tokio::test]
async fn calls_are_counted_and_named_and_those_by_hand_are_not() {
    let world = World::old_engine();
    let id = world.start("app", "server", spec()).await;
    world.engine.rename_container(&id, "other").await.unwrap();
    world.engine.list_containers().await.unwrap();
    world.engine.kill_by_hand("other").unwrap();
    let expected = ["create container app", "start container app", "rename container app to other"];
    assert_eq!(world.engine.mutations(), expected);
    assert_eq!(world.engine.reads(), 1);
}

#[tokio::test]
async fn events_name_the_owner_and_may_be_lost() {
    let world = World::old_engine();
    let image = world.engine.load(&reference("app"), &MemoryImage::new("app"));
    let request = CreateContainer {
        name: "app".to_owned(),
        image,
        labels: [("longshore.dev/owner-uid".to_owned(), "1234".to_owned())].into(),
        spec: spec(),
        attachment: None,
    };
    let mut events = world.engine.events();
    let id = world.engine.create_container(&request).await.unwrap();
    world.engine.set_events_lost(true);
    world.engine.start_container(&id).await.unwrap();
    world.engine.set_events_lost(false);
    world.engine.remove_by_hand("app").unwrap();

    let app = EventSubject::Container(id.clone());
    let mut actions = Vec::new();
    while actions.last().is_none_or(|last| last != "destroy") {
        let EngineEvent { owner_uid, action, subject } = events.next().await.unwrap().unwrap();
        assert_eq!((owner_uid.as_deref(), subject), (Some("1234"), app.clone()));
        actions.push(action);
    }
    assert_eq!(actions, ["create", "kill", "die", "destroy"]);
}
