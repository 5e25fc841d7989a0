//! What an engine does with containers.

use std::collections::BTreeMap;
use std::time::Duration;

use longshore::app::{ContainerId, ContainerSpec, ContainerState, Digest};
use longshore::engine::EngineError;

use super::scene::{Fixture, free_port, play, script, server, server_on};

/// What is asked for is what an inspection shows, and nothing runs yet.
pub async fn a_container_is_made_as_asked(fixture: Fixture) {
    play(fixture, async |scene| {
        let port = free_port();
        let spec = ContainerSpec {
            env: BTreeMap::from([("GREETING".to_owned(), "Hello = World".to_owned())]),
            working_dir: Some("/tmp".to_owned()),
            ..server_on(port)
        };
        let id = scene.create("app", spec.clone()).await;
        let container = scene.inspect(&id).await;
        assert_eq!(container.name, scene.name("app"));
        assert_eq!(container.image, scene.base_image().await.id);
        assert_eq!(container.state, ContainerState::Created);
        assert_eq!(container.ports, []);
        assert_eq!(container.labels.get(longshore::app::labels::OWNER_UID), Some(&scene.name("owner")));
        let detail = container.detail.expect("a detail");
        assert_eq!(detail.asked_ports, [port.into()]);
        assert_eq!((detail.command, detail.args), (spec.command, spec.args));
        assert_eq!(detail.env.get("GREETING").map(String::as_str), Some("Hello = World"));
        assert_eq!((detail.exit_code, detail.error.as_str()), (0, ""));
        assert_eq!((detail.started_at, detail.finished_at), (None, None));

        let listed = scene.listed(&id).await.expect("the container in the list");
        assert_eq!(listed.detail, None);
        assert_eq!(
            (listed.name, listed.image, listed.state, listed.labels),
            (container.name, container.image, container.state, container.labels)
        );
    })
    .await;
}

/// Nobody gets a name that a container has, whatever state it is in.
pub async fn a_name_is_reserved(fixture: Fixture) {
    play(fixture, async |scene| {
        scene.create("taken", server()).await;
        let other = scene.create("other", server()).await;
        let taken = EngineError::NameTaken(scene.name("taken"));

        let image = scene.base_image().await.id;
        let created = scene.try_create("taken", image, server()).await;
        assert_eq!(created, Err(taken.clone()));
        let renamed = scene.engine().rename_container(&other, &scene.name("taken")).await;
        assert_eq!(renamed, Err(taken));
    })
    .await;
}

/// The old name is free as soon as the container has the new one.
pub async fn a_renamed_container_has_its_new_name_alone(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("old", server()).await;
        let renamed = scene.engine().rename_container(&id, &scene.name("new")).await;
        assert_eq!(renamed, Ok(()));
        assert_eq!(scene.inspect(&id).await.name, scene.name("new"));
        scene.create("old", server()).await;
    })
    .await;
}

/// What is already so is no error.
pub async fn renaming_a_container_to_its_own_name_is_well(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.create("app", server()).await;
        let renamed = scene.engine().rename_container(&id, &scene.name("app")).await;
        assert_eq!(renamed, Ok(()));
    })
    .await;
}

/// An engine pulls nothing by itself.
pub async fn an_image_that_is_not_there_makes_no_container(fixture: Fixture) {
    play(fixture, async |scene| {
        let nobodys = Digest::of(scene.name("image")).to_string();
        let created = scene.try_create("app", nobodys.parse().expect("an ID"), server()).await;
        assert!(matches!(created, Err(EngineError::NotFound(_))), "{created:?}");
    })
    .await;
}

/// A port is published while the container runs, once, as it was asked for.
pub async fn a_published_port_is_the_one_that_was_asked_for(fixture: Fixture) {
    play(fixture, async |scene| {
        let port = free_port();
        let id = scene.run("app", server_on(port)).await;
        assert_eq!(scene.inspect(&id).await.ports, [port]);
        assert_eq!(scene.listed(&id).await.expect("the container").ports, [port]);

        let stopped = scene.engine().stop_container(&id, Duration::ZERO).await;
        assert_eq!(stopped, Ok(()));
        assert_eq!(scene.inspect(&id).await.ports, []);
        assert_eq!(scene.listed(&id).await.expect("the container").ports, []);
    })
    .await;
}

/// The one who holds the port keeps it, and the failed start shows in the one who does not.
pub async fn a_taken_port_refuses_the_start_and_leaves_the_container_created(fixture: Fixture) {
    play(fixture, async |scene| {
        let port = free_port();
        let holder = scene.run("holder", server_on(port)).await;
        let late = scene.create("late", server_on(port)).await;
        let Err(EngineError::PortTaken(message)) = scene.engine().start_container(&late).await else {
            panic!("a taken port refuses the start");
        };
        assert!(message.contains(&port.host_port.to_string()), "{message}");

        let late = scene.inspect(&late).await;
        assert_eq!(late.state, ContainerState::Created);
        assert_eq!(late.ports, []);
        assert_ne!(late.detail.expect("a detail").exit_code, 0);
        assert_eq!(scene.inspect(&holder).await.ports, [port]);
    })
    .await;
}

/// What is already so is no error, and the program is not started anew.
pub async fn starting_a_running_container_is_well(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", server()).await;
        let before = scene.inspect(&id).await;
        assert_eq!(scene.engine().start_container(&id).await, Ok(()));
        assert_eq!(scene.inspect(&id).await, before);
        assert_eq!(before.state, ContainerState::Running);
    })
    .await;
}

/// There is nothing to start.
pub async fn starting_a_container_that_is_gone_is_not_found(fixture: Fixture) {
    play(fixture, async |scene| {
        let started = scene.engine().start_container(&nobody()).await;
        assert!(matches!(started, Err(EngineError::NotFound(_))), "{started:?}");
    })
    .await;
}

/// What is already so is no error.
pub async fn stopping_a_stopped_container_is_well(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", server()).await;
        for _ in 0..2 {
            let stopped = scene.engine().stop_container(&id, Duration::ZERO).await;
            assert_eq!(stopped, Ok(()));
            assert_eq!(scene.inspect(&id).await.state, ContainerState::Exited);
        }
    })
    .await;
}

/// What is gone does not run.
pub async fn stopping_a_container_that_is_gone_is_well(fixture: Fixture) {
    play(fixture, async |scene| {
        let stopped = scene.engine().stop_container(&nobody(), Duration::ZERO).await;
        assert_eq!(stopped, Ok(()));
    })
    .await;
}

/// Nothing is ever removed by force.
pub async fn a_running_container_is_not_removed(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", server()).await;
        let removed = scene.engine().remove_container(&id).await;
        assert!(matches!(removed, Err(EngineError::Conflict(_))), "{removed:?}");
        assert_eq!(scene.inspect(&id).await.state, ContainerState::Running);
    })
    .await;
}

/// Removing is done when the container is gone, whoever removed it.
pub async fn removing_a_container_that_is_gone_is_well(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.create("app", server()).await;
        for _ in 0..2 {
            assert_eq!(scene.engine().remove_container(&id).await, Ok(()));
            assert_eq!(scene.listed(&id).await, None);
        }
    })
    .await;
}

/// A program that ended says how and when.
pub async fn an_exit_code_is_told(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", script("exit 3")).await;
        let ended = scene.until(&id, |container| container.state == ContainerState::Exited).await;
        let detail = ended.detail.expect("a detail");
        assert_eq!(detail.exit_code, 3);
        // Not in which order: Docker Engine notes the start of a program that ends at once after its end.
        assert!(detail.started_at.is_some() && detail.finished_at.is_some());
    })
    .await;
}

/// A command that is not in the image is no reason to call the container ended: it never ran.
pub async fn a_missing_program_refuses_the_start_and_leaves_the_container_created(fixture: Fixture) {
    play(fixture, async |scene| {
        let spec = ContainerSpec { command: vec!["/missing/server".to_owned()], args: Vec::new(), ..server() };
        let id = scene.create("app", spec).await;
        let Err(EngineError::Other(message)) = scene.engine().start_container(&id).await else {
            panic!("a missing program refuses the start");
        };
        assert!(message.contains("/missing/server"), "{message}");
        let container = scene.inspect(&id).await;
        assert_eq!(container.state, ContainerState::Created);
        assert_ne!(container.detail.expect("a detail").exit_code, 0);
    })
    .await;
}

/// To have nothing to show is an answer.
pub async fn a_container_that_is_gone_is_not_inspected(fixture: Fixture) {
    play(fixture, async |scene| {
        let inspected = scene.engine().inspect_container(&nobody()).await;
        assert_eq!(inspected, Ok(None));
    })
    .await;
}

/// Asked for by themselves, containers are what the list of all says of them; one that is gone is no error.
pub async fn containers_are_found_as_they_are_listed(fixture: Fixture) {
    play(fixture, async |scene| {
        let (running, created) = (scene.run("running", server()).await, scene.create("created", server()).await);
        scene.create("another", server()).await;
        let wanted = [running.clone(), created.clone(), nobody()].into();
        let mut found = scene.engine().find_containers(&wanted).await.expect("the containers");
        found.sort_by_key(|container| container.id != running);
        let listed = [scene.listed(&running).await, scene.listed(&created).await];
        assert_eq!(found.into_iter().map(Some).collect::<Vec<_>>(), listed);
    })
    .await;
}

/// The ID of no container.
fn nobody() -> ContainerId {
    ContainerId("f".repeat(64))
}
