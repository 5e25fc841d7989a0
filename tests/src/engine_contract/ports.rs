//! Host ports: those that the engine chooses, several at once, UDP, IPv6, and addresses that the host does not have.

use std::time::Duration;

use longshore::app::{ContainerSpec, ContainerState, PublishedPort, WantedPort};
use longshore::engine::EngineError;
use longshore_crds::Protocol;

use super::scene::{Fixture, free_port, play, server};

fn publishing(ports: &[WantedPort]) -> ContainerSpec {
    ContainerSpec { ports: ports.to_vec(), ..server() }
}

fn chosen(container_port: u16) -> WantedPort {
    WantedPort { host_port: None, container_port, ..free_port().into() }
}

fn at(address: &str, port: PublishedPort) -> PublishedPort {
    PublishedPort { host_ip: address.parse().expect("an address"), ..port }
}

/// What was asked for stays known beside what was chosen. A new start may choose another one.
pub async fn a_port_that_is_not_named_is_chosen_and_told(fixture: Fixture) {
    play(fixture, async |scene| {
        let asked = [chosen(80), WantedPort { protocol: Protocol::Udp, ..chosen(53) }];
        let id = scene.run("app", publishing(&asked)).await;
        let running = scene.inspect(&id).await;
        let told: Vec<_> =
            running.ports.iter().map(|port| (port.container_port, port.protocol, port.host_ip)).collect();
        assert!(told.contains(&(80, Protocol::Tcp, asked[0].host_ip)), "{told:?}");
        assert!(told.contains(&(53, Protocol::Udp, asked[0].host_ip)), "{told:?}");
        assert_eq!(told.len(), 2);
        assert!(running.ports.iter().all(|port| port.host_port >= 1024), "{:?}", running.ports);
        assert_eq!(scene.listed(&id).await.expect("the container").ports, running.ports);
        let mut made = running.detail.expect("a detail").asked_ports;
        made.sort_by_key(|port| std::cmp::Reverse(port.container_port));
        assert_eq!(made, asked);

        assert_eq!(scene.engine().stop_container(&id, Duration::ZERO).await, Ok(()));
        assert_eq!(scene.inspect(&id).await.ports, []);
        assert_eq!(scene.engine().start_container(&id).await, Ok(()));
        assert_eq!(scene.inspect(&id).await.ports.len(), 2);
    })
    .await;
}

/// Beside one that is named, for the same port of the container.
pub async fn a_port_is_published_several_times(fixture: Fixture) {
    play(fixture, async |scene| {
        let (one, two) = (free_port(), free_port());
        let udp = PublishedPort { protocol: Protocol::Udp, ..one };
        let id = scene.run("app", publishing(&[one.into(), two.into(), udp.into(), chosen(80)])).await;
        let published = scene.inspect(&id).await.ports;
        assert!([one, two, udp].iter().all(|port| published.contains(port)), "{published:?}");
        assert_eq!(published.len(), 4);
    })
    .await;
}

/// Every address of IPv4 and every address of IPv6 are two; each of them alone is no more than it says.
pub async fn each_family_of_addresses_has_ports_of_its_own(fixture: Fixture) {
    play(fixture, async |scene| {
        let port = free_port();
        let (all, six, own) = (at("0.0.0.0", port), at("::", port), at("::1", port));
        let four = scene.run("four", publishing(&[all.into()])).await;
        let other = scene.run("six", publishing(&[six.into()])).await;
        assert_eq!(scene.inspect(&four).await.ports, [all]);
        assert_eq!(scene.inspect(&other).await.ports, [six]);
        assert_eq!(scene.listed(&other).await.expect("the container").ports, [six]);

        let late = scene.create("late", publishing(&[own.into()])).await;
        let refused = scene.engine().start_container(&late).await;
        assert!(
            matches!(&refused, Err(EngineError::PortTaken(why)) if why.contains(&port.host_port.to_string())),
            "{refused:?}"
        );
        assert_eq!(scene.engine().stop_container(&other, Duration::ZERO).await, Ok(()));
        let alone = scene.run("alone", publishing(&[own.into()])).await;
        assert_eq!(scene.inspect(&alone).await.ports, [own]);
    })
    .await;
}

/// Addresses that are kept for documentation are no host's.
pub async fn an_address_that_the_host_does_not_have_is_told(fixture: Fixture) {
    play(fixture, async |scene| {
        for (name, address) in [("four", "192.0.2.77"), ("six", "2001:db8::77")] {
            let id = scene.create(name, publishing(&[at(address, free_port()).into()])).await;
            let Err(EngineError::AddressNotFound(message)) = scene.engine().start_container(&id).await else {
                panic!("an address that is not there refuses the start");
            };
            assert!(message.contains(address), "{message}");
            let left = scene.inspect(&id).await;
            assert_eq!((left.state, left.ports.len()), (ContainerState::Created, 0));
            assert_ne!(left.detail.expect("a detail").exit_code, 0);
        }
    })
    .await;
}
