//! Host ports: which that are published are the ones that are asked for, and who is in the way.

use std::net::IpAddr;

use super::*;

fn at(address: &str, host_port: u16) -> PublishedPort {
    let host_ip: IpAddr = address.parse().unwrap();
    PublishedPort { host_ip, ..port(host_port) }
}

fn wanting(ports: &[WantedPort]) -> Desired {
    let mut desired = wanted();
    if let Some(Ok(spec)) = desired.run.as_mut().map(|run| run.container.as_mut()) {
        spec.ports = ports.to_vec();
    }
    desired
}

fn chosen() -> WantedPort {
    WantedPort { host_port: None, ..port(1).into() }
}

#[test]
fn whichever_port_the_engine_has_chosen_is_right() {
    let desired = wanting(&[chosen()]);
    let mut observed = everything_well(&desired);
    for number in [32768, 40000] {
        observed.containers[0].ports = vec![port(number)];
        assert_eq!(actions(&plan(&desired, &observed, now())), [""; 0]);
    }
    observed.containers[0].ports.clear();
    let without = plan(&desired, &observed, now());
    assert_eq!(
        without.steps[0].cause,
        "no port is published, 0.0.0.0->80/tcp at a port that the engine chooses is asked for"
    );
}

#[test]
fn a_port_that_nobody_asks_for_is_a_reason_to_replace() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].ports.push(port(5000));
    let plan = plan(&desired, &observed, now());
    assert_eq!(plan.steps[0].cause, "port 5000 is published, no port is asked for");
    assert!(actions(&plan)[0].starts_with("create container"));
}

#[test]
fn a_port_that_the_engine_is_to_choose_is_held_by_nobody() {
    let mut observed = everything_well(&wanted());
    observed.containers = vec![foreign_container("web", &[32768])];
    assert_eq!(plan(&wanting(&[chosen()]), &observed, now()).blocks, []);
}

#[test]
fn the_holder_of_a_port_is_named_by_address_and_protocol() {
    let udp = PublishedPort { protocol: Protocol::Udp, ..port(53) };
    for (held, asked, told) in [
        (at("127.0.0.1", 4000), port(4000), Some("port 4000 is held by")),
        (port(4000), at("127.0.0.1", 4000), Some("port 4000 of 127.0.0.1 is held by")),
        (at("::", 4000), at("::1", 4000), Some("port 4000 of ::1 is held by")),
        (udp, udp, Some("UDP port 53 is held by")),
        (at("::", 4000), port(4000), None),
        (udp, port(53), None),
    ] {
        let mut observed = everything_well(&wanted());
        let mut holder = foreign_container("web", &[]);
        holder.ports = vec![held];
        observed.containers = vec![holder];
        let plan = plan(&wanting(&[asked.into()]), &observed, now());
        let message = plan.blocks.first().map(|block| block.message.as_str());
        match (message, told) {
            (Some(message), Some(told)) => assert!(message.starts_with(told), "{message}"),
            (message, told) => assert_eq!(message, told, "{held} {asked}"),
        }
    }
}

#[test]
fn what_was_stopped_for_its_ports_is_not_started_again() {
    let desired = wanted();
    // It runs without its ports, or was made for others.
    for asked in [port(4000), port(5000)] {
        let mut observed = everything_well(&desired);
        observed.containers[0].state = ContainerState::Exited;
        observed.containers[0].ports.clear();
        observed.containers[0].detail.as_mut().unwrap().asked_ports = vec![asked.into()];
        let mut next = observed.containers[0].clone();
        next.id = ContainerId("next".to_owned());
        next.name = "my-app.next".to_owned();
        next.state = ContainerState::Created;
        next.detail.as_mut().unwrap().asked_ports = vec![port(4000).into()];
        observed.containers.push(next);
        assert_eq!(
            actions(&plan(&desired, &observed, now())),
            [
                "rename container my-app to my-app.previous",
                "rename container my-app.next to my-app",
                "start container my-app",
            ]
        );
    }
}
