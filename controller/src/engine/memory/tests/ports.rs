use super::*;
use crate::app::ContainerState;

#[tokio::test]
async fn a_taken_port_refuses_the_start_and_leaves_the_container_created() {
    for kind in BOTH {
        let world = world(kind);
        world.start("holder", "server", spec_publishing(&[port("0.0.0.0", 8080)])).await;
        let id = world.create("app", "server", spec_publishing(&[port("0.0.0.0", 8080)])).await;
        let Err(EngineError::PortTaken(message)) = world.engine.start_container(&id).await else {
            panic!("the port is taken");
        };
        assert!(message.contains("Bind for 0.0.0.0:8080 failed"), "{message}");
        let container = world.inspect(&id).await;
        assert_eq!(container.state, ContainerState::Created);
        assert_eq!(container.ports, []);
        let detail = container.detail.unwrap();
        assert_eq!((detail.exit_code, detail.error), (128, message));
        assert_eq!(detail.started_at, None);
        assert_eq!(detail.asked_ports, [port("0.0.0.0", 8080).into()]);
    }
}

#[tokio::test]
async fn a_process_outside_of_containers_takes_ports_too() {
    let world = World::old_engine();
    world.engine.occupy(port("0.0.0.0", 8080));
    let id = world.create("app", "server", spec_publishing(&[port("127.0.0.1", 8080)])).await;
    let refused = world.engine.start_container(&id).await;
    assert!(matches!(refused, Err(EngineError::PortTaken(_))), "{refused:?}");
    world.engine.vacate(&port("0.0.0.0", 8080));
    world.engine.start_container(&id).await.unwrap();
    assert_eq!(world.inspect(&id).await.ports, [port("127.0.0.1", 8080)]);
}

#[tokio::test]
async fn ports_on_addresses_that_do_not_overlap_live_side_by_side() {
    let world = World::old_engine();
    world.start("one", "server", spec_publishing(&[port("127.0.0.1", 8080)])).await;
    world.start("two", "server", spec_publishing(&[port("127.0.0.2", 8080)])).await;
    let all = world.create("all", "server", spec_publishing(&[port("0.0.0.0", 8080)])).await;
    let refused = world.engine.start_container(&all).await;
    assert!(matches!(refused, Err(EngineError::PortTaken(_))), "{refused:?}");
}

#[tokio::test]
async fn a_container_that_ends_lets_its_ports_go() {
    let world = World::old_engine();
    let first = world.start("first", "server", spec_publishing(&[port("0.0.0.0", 8080)])).await;
    world.engine.stop_container(&first, GRACE).await.unwrap();
    world.start("second", "server", spec_publishing(&[port("0.0.0.0", 8080)])).await;
    let refused = world.engine.start_container(&first).await;
    assert!(matches!(refused, Err(EngineError::PortTaken(_))), "{refused:?}");
    let container = world.inspect(&first).await;
    assert_eq!(container.state, ContainerState::Exited);
    assert_eq!(container.detail.unwrap().exit_code, 137, "its last run had left it");
}

#[tokio::test]
async fn with_the_old_engine_a_start_that_failed_at_a_port_may_be_repeated() {
    let world = world(ImageStore::GraphDriver);
    let id = start_at_a_port_that_was_taken(&world).await;
    assert_eq!(world.inspect(&id).await.ports, [port("0.0.0.0", 8080)]);
}

#[tokio::test]
async fn with_the_new_engine_a_start_that_failed_at_a_port_costs_the_container_its_ports() {
    let world = world(ImageStore::Containerd);
    let id = start_at_a_port_that_was_taken(&world).await;
    assert_eq!(world.inspect(&id).await.state, ContainerState::Running);
    assert_eq!(world.inspect(&id).await.ports, []);

    world.engine.stop_container(&id, GRACE).await.unwrap();
    world.engine.start_container(&id).await.unwrap();
    assert_eq!(world.inspect(&id).await.ports, [], "not even from then on");
}

async fn start_at_a_port_that_was_taken(world: &World) -> ContainerId {
    world.engine.occupy(port("0.0.0.0", 8080));
    let id = world.create("app", "server", spec_publishing(&[port("0.0.0.0", 8080)])).await;
    world.engine.start_container(&id).await.unwrap_err();
    world.engine.vacate(&port("0.0.0.0", 8080));
    world.engine.start_container(&id).await.unwrap();
    id
}

#[tokio::test]
async fn a_restart_at_a_port_that_was_taken_meanwhile_fails_for_good() {
    let world = World::old_engine();
    let spec = ContainerSpec { ports: vec![port("0.0.0.0", 8080).into()], ..spec_with(RestartPolicy::Always) };
    let id = world.start("app", "server", spec).await;
    world.engine.crash("app", 1).unwrap();
    world.engine.occupy(port("0.0.0.0", 8080));
    world.clock.advance(Duration::from_secs(1));
    let container = world.inspect(&id).await;
    assert_eq!(container.state, ContainerState::Exited);
    assert!(container.detail.unwrap().error.contains("address already in use"));
}

#[tokio::test]
async fn each_start_gets_another_port_where_none_is_named() {
    let world = World::old_engine();
    let spec = ContainerSpec { ports: vec![WantedPort { host_port: None, ..port("0.0.0.0", 1).into() }], ..spec() };
    let id = world.start("app", "server", spec).await;
    let first = world.inspect(&id).await.ports;
    world.engine.stop_container(&id, GRACE).await.unwrap();
    world.engine.start_container(&id).await.unwrap();
    let second = world.inspect(&id).await.ports;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
}

#[tokio::test]
async fn no_port_that_somebody_holds_is_chosen() {
    let world = World::old_engine();
    world.engine.occupy(port("127.0.0.1", 32768));
    world.start("holder", "server", spec_publishing(&[port("0.0.0.0", 32769)])).await;
    let spec = ContainerSpec { ports: vec![WantedPort { host_port: None, ..port("0.0.0.0", 1).into() }], ..spec() };
    let id = world.start("app", "server", spec).await;
    assert_eq!(world.inspect(&id).await.ports, [port("0.0.0.0", 32770)]);
}
