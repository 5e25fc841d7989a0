//! What an engine does with networks of containers.

use std::collections::BTreeMap;

use futures::future::join_all;
use longshore::app::{Attachment, ContainerState, Network};
use longshore::engine::EngineError;

use super::scene::{Fixture, Scene, free_port, play, server, server_on};

/// Who comes second finds what is there.
pub async fn a_network_is_made_once_and_keeps_its_labels(fixture: Fixture) {
    play(fixture, async |scene| {
        for owner in ["first", "second"] {
            let labels = BTreeMap::from([("owner".to_owned(), owner.to_owned())]);
            assert_eq!(scene.engine().create_network(&scene.name("net"), &labels).await, Ok(()));
            let networks = networks_of(&scene).await;
            assert_eq!(networks.len(), 1);
            assert_eq!(networks[0].labels.get("owner").map(String::as_str), Some("first"));
        }
        for _ in ["it is there", "it is gone"] {
            let networks = networks_of(&scene).await;
            let id = networks.first().map_or("gone", |network| &network.id);
            assert_eq!(scene.engine().remove_network(id).await, Ok(()));
        }
        assert_eq!(networks_of(&scene).await, []);
    })
    .await;
}

/// Engines before 25 would make several.
pub async fn a_network_that_many_ask_for_at_once_is_one(fixture: Fixture) {
    play(fixture, async |scene| {
        let (name, labels) = (scene.name("net"), BTreeMap::new());
        let made = join_all((0..8).map(|_| scene.engine().create_network(&name, &labels))).await;
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        assert_eq!(networks_of(&scene).await.len(), 1);
    })
    .await;
}

/// It is not in the engine's default network too.
pub async fn a_container_is_made_in_its_network_alone(fixture: Fixture) {
    play(fixture, async |scene| {
        make_network(&scene).await;
        let id = scene.create_in("net", "app", "app", server()).await;
        let created = scene.inspect(&id).await.networks;
        assert_eq!(created.keys().collect::<Vec<_>>(), [&scene.name("net")]);
        assert_eq!(created[&scene.name("net")].address, None);
        scene.engine().start_container(&id).await.expect("a start");
        let running = scene.inspect(&id).await.networks;
        assert_eq!(running.keys().collect::<Vec<_>>(), [&scene.name("net")]);
        let place = &running[&scene.name("net")];
        assert!(place.address.is_some(), "{place:?}");
        assert_eq!(place.network_id, networks_of(&scene).await.first().map(|network| network.id.clone()));
        let listed = scene.listed(&id).await.expect("it is listed");
        assert_eq!(listed.networks, running);
    })
    .await;
}

/// While it runs, with the network that it has; who asks again changes nothing.
pub async fn a_container_is_connected_and_keeps_its_ports(fixture: Fixture) {
    play(fixture, async |scene| {
        make_network(&scene).await;
        let port = free_port();
        let id = scene.run("app", server_on(port)).await;
        for _ in ["once", "and again"] {
            assert_eq!(scene.engine().connect_container(&id, &attachment(&scene)).await, Ok(()));
            let connected = scene.inspect(&id).await;
            assert_eq!(connected.state, ContainerState::Running);
            assert_eq!(connected.ports, [port]);
            assert_eq!(connected.networks.keys().collect::<Vec<_>>(), [&"bridge".to_owned(), &scene.name("net")]);
            assert!(connected.networks[&scene.name("net")].address.is_some());
        }
    })
    .await;
}

/// One that does not run does not hold it.
pub async fn a_network_with_a_running_container_is_not_removed(fixture: Fixture) {
    play(fixture, async |scene| {
        make_network(&scene).await;
        let id = scene.create_in("net", "app", "app", server()).await;
        scene.engine().start_container(&id).await.expect("a start");
        let network = networks_of(&scene).await.remove(0).id;
        let removed = scene.engine().remove_network(&network).await;
        assert!(matches!(removed, Err(EngineError::Conflict(_))), "{removed:?}");
        scene.engine().stop_container(&id, std::time::Duration::ZERO).await.expect("a stop");
        assert_eq!(scene.engine().remove_network(&network).await, Ok(()));
    })
    .await;
}

/// One that was in the network before does not start without it, nor in another of its name, until it is connected.
pub async fn a_container_is_connected_to_a_network_that_was_made_anew(fixture: Fixture) {
    play(fixture, async |scene| {
        make_network(&scene).await;
        let id = scene.create_in("net", "app", "app", server()).await;
        scene.engine().start_container(&id).await.expect("a start");
        scene.engine().stop_container(&id, std::time::Duration::ZERO).await.expect("a stop");
        let old = networks_of(&scene).await.remove(0).id;
        assert_eq!(scene.engine().remove_network(&old).await, Ok(()));
        assert!(scene.engine().start_container(&id).await.is_err());
        make_network(&scene).await;
        assert!(scene.engine().start_container(&id).await.is_err());
        let place = scene.inspect(&id).await.networks.remove(&scene.name("net")).expect("it remembers");
        assert_eq!(place.network_id, Some(old));
        assert_eq!(scene.engine().connect_container(&id, &attachment(&scene)).await, Ok(()));
        assert_eq!(scene.engine().start_container(&id).await, Ok(()));
    })
    .await;
}

async fn make_network(scene: &Scene) {
    assert_eq!(scene.engine().create_network(&scene.name("net"), &BTreeMap::new()).await, Ok(()));
}

fn attachment(scene: &Scene) -> Attachment {
    Attachment { network: scene.name("net"), alias: "app".to_owned() }
}

async fn networks_of(scene: &Scene) -> Vec<Network> {
    let networks = scene.engine().list_networks().await.expect("the networks");
    networks.into_iter().filter(|network| network.name == scene.name("net")).collect()
}
