use super::*;
use crate::app::{ContainerState, Digest, EngineImageId};

#[tokio::test]
async fn a_name_is_taken_until_its_container_is_removed() {
    let world = World::old_engine();
    let id = world.create("app", "server", spec()).await;
    let other = world.create("other", "server", spec()).await;
    let request = CreateContainer {
        name: "app".to_owned(),
        image: world.inspect(&id).await.image,
        labels: BTreeMap::new(),
        spec: spec(),
        attachment: None,
    };
    let taken = Err(EngineError::NameTaken("app".to_owned()));
    assert_eq!(world.engine.create_container(&request).await, taken);
    assert_eq!(world.engine.rename_container(&other, "app").await, Err(EngineError::NameTaken("app".to_owned())));

    world.engine.remove_container(&id).await.unwrap();
    world.engine.rename_container(&other, "app").await.unwrap();
    assert_eq!(world.inspect(&other).await.name, "app");
}

#[tokio::test]
async fn a_name_that_docker_refuses_is_refused() {
    let world = World::old_engine();
    let id = world.create("app", "server", spec()).await;
    for name in ["", "a", "-app", "my app", "my/app"] {
        let result = world.engine.rename_container(&id, name).await;
        assert!(matches!(result, Err(EngineError::Other(_))), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_container_of_an_image_that_is_not_there_is_not_made() {
    let world = World::old_engine();
    let request = CreateContainer {
        name: "app".to_owned(),
        image: EngineImageId(Digest::of("nothing")),
        labels: BTreeMap::new(),
        spec: spec(),
        attachment: None,
    };
    let result = world.engine.create_container(&request).await;
    assert!(matches!(result, Err(EngineError::NotFound(_))), "{result:?}");
    assert_eq!(world.engine.containers(), []);
}

#[tokio::test]
async fn a_container_is_created_runs_and_is_stopped() {
    let world = World::old_engine();
    let id = world.create("app", "server", spec()).await;
    let created = world.inspect(&id).await;
    assert_eq!(created.state, ContainerState::Created);
    assert_eq!(created.detail.unwrap().started_at, None);

    world.clock.advance(Duration::from_secs(1));
    world.engine.start_container(&id).await.unwrap();
    let running = world.inspect(&id).await;
    assert_eq!(running.state, ContainerState::Running);
    assert_eq!(running.networks["bridge"].address.as_deref(), Some("172.17.0.2"));
    let detail = running.detail.unwrap();
    assert_eq!(detail.started_at, Some(world.clock.now()));

    world.clock.advance(Duration::from_secs(1));
    world.engine.stop_container(&id, GRACE).await.unwrap();
    let stopped = world.inspect(&id).await;
    assert_eq!(stopped.state, ContainerState::Exited);
    assert_eq!(stopped.networks["bridge"].address, None);
    assert_eq!(stopped.detail.unwrap().finished_at, Some(world.clock.now()));
}

#[tokio::test]
async fn what_is_already_so_is_no_error() {
    let world = World::old_engine();
    let id = world.start("app", "server", spec()).await;
    world.engine.start_container(&id).await.unwrap();
    world.engine.rename_container(&id, "app").await.unwrap();
    world.engine.stop_container(&id, GRACE).await.unwrap();
    world.engine.stop_container(&id, GRACE).await.unwrap();
    world.engine.remove_container(&id).await.unwrap();
    world.engine.remove_container(&id).await.unwrap();
    world.engine.stop_container(&id, GRACE).await.unwrap();
    assert_eq!(world.engine.inspect_container(&id).await, Ok(None));
    let start = world.engine.start_container(&id).await;
    assert!(matches!(start, Err(EngineError::NotFound(_))), "{start:?}");
}

#[tokio::test]
async fn a_program_that_heeds_no_signal_is_killed_and_one_that_does_says_how_it_ended() {
    let world = World::old_engine();
    let deaf = world.start("deaf", "sleep 999", spec()).await;
    let polite = world.start("polite", "trap 'exit 0' TERM; sleep 999 & wait", spec()).await;
    world.engine.stop_container(&deaf, GRACE).await.unwrap();
    world.engine.stop_container(&polite, GRACE).await.unwrap();
    assert_eq!(world.detail(&deaf).await.exit_code, 137);
    assert_eq!(world.detail(&polite).await.exit_code, 0);
}

#[tokio::test]
async fn a_running_container_is_not_removed() {
    let world = World::old_engine();
    let id = world.start("app", "server", spec()).await;
    assert!(is_conflict(&world.engine.remove_container(&id).await));
    world.engine.pause_by_hand("app").unwrap();
    assert!(is_conflict(&world.engine.remove_container(&id).await));
    assert_eq!(world.inspect(&id).await.state, ContainerState::Paused);
}

#[tokio::test]
async fn a_program_ends_when_its_time_has_come() {
    let world = World::old_engine();
    let id = world.start("app", "sleep 5; exit 3", spec()).await;
    world.clock.advance(Duration::from_secs(4));
    assert_eq!(world.inspect(&id).await.state, ContainerState::Running);
    let started = world.detail(&id).await.started_at.unwrap();
    world.clock.advance(Duration::from_mins(1));
    let ended = world.inspect(&id).await;
    assert_eq!(ended.state, ContainerState::Exited);
    let detail = ended.detail.unwrap();
    assert_eq!(detail.exit_code, 3);
    assert_eq!(detail.finished_at, Some(started + Duration::from_secs(5)));
}

#[tokio::test]
async fn a_crash_is_restarted_as_the_policy_says() {
    let world = World::old_engine();
    let cases = [
        ("always", RestartPolicy::Always, "exit 0", ContainerState::Restarting),
        ("failed", RestartPolicy::OnFailure, "exit 1", ContainerState::Restarting),
        ("done", RestartPolicy::OnFailure, "exit 0", ContainerState::Exited),
        ("never", RestartPolicy::Never, "exit 1", ContainerState::Exited),
    ];
    for (name, policy, script, expected) in cases {
        let id = world.start(name, script, spec_with(policy)).await;
        assert_eq!(world.inspect(&id).await.state, expected, "{name}");
    }
}

#[tokio::test]
async fn the_backoff_doubles_up_to_a_minute() {
    let world = World::old_engine();
    let id = world.start("app", "exit 1", spec_with(RestartPolicy::Always)).await;
    let first = world.detail(&id).await;
    assert_eq!(first.restarts, 1, "it is counted when it is decided on");
    world.clock.advance(Duration::from_millis(99));
    assert_eq!(world.detail(&id).await, first);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.detail(&id).await.restarts, 2);
    world.clock.advance(Duration::from_millis(200));
    assert_eq!(world.detail(&id).await.restarts, 3);
    world.clock.advance(Duration::from_hours(1));
    let in_the_first_hour = world.detail(&id).await.restarts;
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.detail(&id).await.restarts, in_the_first_hour + 1);
}

#[tokio::test]
async fn a_restarting_container_holds_its_name_but_neither_address_nor_ports() {
    let world = World::old_engine();
    let spec = ContainerSpec { ports: vec![port("0.0.0.0", 8080).into()], ..spec_with(RestartPolicy::Always) };
    let id = world.start("app", "sleep 1; exit 1", spec).await;
    assert_eq!(world.inspect(&id).await.ports, [port("0.0.0.0", 8080)]);
    world.clock.advance(Duration::from_secs(1));
    let waiting = world.inspect(&id).await;
    assert_eq!(waiting.state, ContainerState::Restarting);
    assert_eq!(waiting.ports, []);
    assert_eq!(waiting.networks["bridge"].address, None);
    assert!(is_conflict(&world.engine.remove_container(&id).await));
}

#[tokio::test]
async fn what_someone_stops_or_kills_is_not_restarted() {
    let world = World::old_engine();
    let stopped = world.start("stopped", "server", spec_with(RestartPolicy::Always)).await;
    let killed = world.start("killed", "server", spec_with(RestartPolicy::Always)).await;
    let looping = world.start("looping", "exit 3", spec_with(RestartPolicy::Always)).await;
    world.engine.stop_container(&stopped, GRACE).await.unwrap();
    world.engine.kill_by_hand("killed").unwrap();
    world.engine.stop_container(&looping, GRACE).await.unwrap();
    world.clock.advance(Duration::from_mins(10));
    for id in [&stopped, &killed, &looping] {
        assert_eq!(world.inspect(id).await.state, ContainerState::Exited);
    }
    assert_eq!(world.detail(&looping).await.exit_code, 3, "it had ended by itself");
}

#[tokio::test]
async fn a_start_by_someone_counts_restarts_anew() {
    let world = World::old_engine();
    let id = world.start("app", "server", spec_with(RestartPolicy::Always)).await;
    world.engine.crash("app", 1).unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.detail(&id).await.restarts, 1);
    world.engine.stop_container(&id, GRACE).await.unwrap();
    world.engine.start_container(&id).await.unwrap();
    assert_eq!(world.detail(&id).await.restarts, 0);
}

#[tokio::test]
async fn a_program_that_is_missing_leaves_the_container_created() {
    let world = World::old_engine();
    let image = world.engine.load(&reference("base"), &MemoryImage::new("base"));
    let request = CreateContainer {
        name: "app".to_owned(),
        image,
        labels: BTreeMap::new(),
        spec: ContainerSpec { command: vec!["/missing/server".to_owned()], ..spec() },
        attachment: None,
    };
    let id = world.engine.create_container(&request).await.unwrap();
    let result = world.engine.start_container(&id).await;
    assert!(matches!(result, Err(EngineError::Other(_))), "{result:?}");
    let container = world.inspect(&id).await;
    assert_eq!(container.state, ContainerState::Created);
    assert_eq!(container.detail.unwrap().exit_code, 127);
}

#[tokio::test]
async fn an_entry_point_of_its_own_does_away_with_the_images_command() {
    let world = World::old_engine();
    let image = MemoryImage {
        entrypoint: vec!["/entry".to_owned()],
        command: vec!["serve".to_owned()],
        env: [("PATH".to_owned(), "/bin".to_owned())].into(),
        ..MemoryImage::new("base")
    };
    let image = world.engine.load(&reference("base"), &image);
    let make = async |name: &str, command: &[&str], args: &[&str]| {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let request = CreateContainer {
            name: name.to_owned(),
            image: image.clone(),
            labels: BTreeMap::new(),
            spec: ContainerSpec {
                command: words(command),
                args: words(args),
                env: [("MODE".to_owned(), "test".to_owned())].into(),
                ..spec()
            },
            attachment: None,
        };
        let id = world.engine.create_container(&request).await.unwrap();
        world.detail(&id).await
    };
    let plain = make("plain", &[], &[]).await;
    assert_eq!((plain.command, plain.args), (vec!["/entry".to_owned()], vec!["serve".to_owned()]));
    assert_eq!(plain.env.len(), 2);
    let own_arguments = make("own-arguments", &[], &["check"]).await;
    assert_eq!(own_arguments.command, ["/entry"]);
    assert_eq!(own_arguments.args, ["check"]);
    let own_command = make("own-command", &["/other"], &[]).await;
    assert_eq!(own_command.command, ["/other"]);
    assert_eq!(own_command.args, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_shows_everyones_containers_without_detail_and_the_newest_first() {
    let world = World::old_engine();
    world.start("first", "exit 0", spec()).await;
    world.engine.run_by_hand("second", &reference("image-of-first"), &[]).unwrap();
    let listed = world.engine.list_containers().await.unwrap();
    let names: Vec<&str> = listed.iter().map(|container| container.name.as_str()).collect();
    assert_eq!(names, ["second", "first"]);
    assert!(listed.iter().all(|container| container.detail.is_none()));
}

#[tokio::test]
async fn ids_are_never_used_again() {
    let world = World::old_engine();
    let first = world.create("app", "server", spec()).await;
    world.engine.remove_container(&first).await.unwrap();
    let second = world.create("app", "server", spec()).await;
    assert_ne!(first, second);
}
