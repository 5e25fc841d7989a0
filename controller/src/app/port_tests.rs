use proptest::prelude::*;

use super::*;

fn published(text: &str) -> PublishedPort {
    let (host, container) = text.split_once("->").unwrap();
    let host: std::net::SocketAddr = host.parse().unwrap();
    let (container_port, protocol) = container.split_once('/').unwrap();
    PublishedPort {
        host_ip: host.ip(),
        host_port: host.port(),
        container_port: container_port.parse().unwrap(),
        protocol: if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp },
    }
}

/// With the host port 0 the engine chooses.
fn wanted(text: &str) -> WantedPort {
    let port = published(text);
    WantedPort { host_port: (port.host_port != 0).then_some(port.host_port), ..port.into() }
}

fn difference(is: &[&str], should: &[&str]) -> Option<String> {
    let is: Vec<_> = is.iter().copied().map(published).collect();
    let should: Vec<_> = should.iter().copied().map(wanted).collect();
    PortDifference::between(&is, &should).map(|difference| difference.to_string())
}

#[test]
fn a_port_is_written_as_engines_write_it() {
    for text in ["0.0.0.0:8080->80/tcp", "[::1]:8080->80/tcp", "127.0.0.1:53->53/udp"] {
        assert_eq!(published(text).to_string(), text);
        assert_eq!(wanted(text).to_string(), text);
    }
}

#[test]
fn ports_that_follow_one_another_are_told_as_one() {
    let told = |ports: &[&str]| compact(&ports.iter().copied().map(published).collect::<Vec<_>>());
    let range = ["0.0.0.0:8001->9001/tcp", "0.0.0.0:8000->9000/tcp", "0.0.0.0:8002->9002/tcp"];
    assert_eq!(told(&range), ["0.0.0.0:8000-8002->9000-9002/tcp"]);
    let apart = ["0.0.0.0:8000->80/tcp", "0.0.0.0:8001->80/tcp", "0.0.0.0:8001->81/udp", "[::]:8001->81/tcp"];
    assert_eq!(told(&apart), apart);
    assert_eq!(told(&["[::]:65534->65534/udp", "[::]:65535->65535/udp"]), ["[::]:65534-65535->65534-65535/udp"]);
    assert_eq!(told(&[]), [""; 0]);
}

#[test]
fn any_port_meets_one_that_the_engine_chooses() {
    assert_eq!(difference(&["0.0.0.0:32768->80/tcp"], &["0.0.0.0:0->80/tcp"]), None);
    let both = ["0.0.0.0:0->80/tcp", "0.0.0.0:8080->80/tcp"];
    assert_eq!(difference(&["0.0.0.0:8080->80/tcp", "0.0.0.0:32768->80/tcp"], &both), None);
    assert!(difference(&["0.0.0.0:8080->80/tcp"], &both).is_some(), "one port does not stand for two");
    for another in ["127.0.0.1:32768->80/tcp", "0.0.0.0:32768->80/udp", "0.0.0.0:32768->81/tcp"] {
        assert!(difference(&[another], &["0.0.0.0:0->80/tcp"]).is_some(), "{another}");
    }
}

#[test]
fn a_difference_names_both_sides() {
    for (is, should, told) in [
        (
            &["0.0.0.0:8080->80/tcp"][..],
            &["0.0.0.0:4000->80/tcp"][..],
            "port 8080 is published, port 4000 is asked for",
        ),
        (&[], &["0.0.0.0:4000->80/tcp"], "no port is published, port 4000 is asked for"),
        (&["0.0.0.0:4000->80/tcp"], &[], "port 4000 is published, no port is asked for"),
        (
            &["0.0.0.0:4000->80/tcp", "0.0.0.0:4001->81/tcp"],
            &["0.0.0.0:5000->80/tcp"],
            "ports 4000-4001 are published, port 5000 is asked for",
        ),
        (
            &["127.0.0.1:4000->80/tcp"],
            &["0.0.0.0:4000->80/tcp"],
            "127.0.0.1:4000->80/tcp is published, 0.0.0.0:4000->80/tcp is asked for",
        ),
        (
            &["0.0.0.0:4000->80/tcp"],
            &["0.0.0.0:4000->81/tcp"],
            "0.0.0.0:4000->80/tcp is published, 0.0.0.0:4000->81/tcp is asked for",
        ),
        (
            &[],
            &["0.0.0.0:0->80/tcp"],
            "no port is published, 0.0.0.0->80/tcp at a port that the engine chooses is asked for",
        ),
    ] {
        assert_eq!(difference(is, should).as_deref(), Some(told));
    }
}

#[test]
fn what_a_container_was_made_for_is_held_against_what_is_asked_for_now() {
    let chosen = wanted("0.0.0.0:0->80/tcp");
    let fixed = wanted("0.0.0.0:4000->80/tcp");
    assert_eq!(PortDifference::of_specs(&[chosen], &[chosen]), None);
    let told = "port 4000 is published, 0.0.0.0->80/tcp at a port that the engine chooses is asked for";
    let told = told.replace("port 4000 is", "0.0.0.0:4000->80/tcp is");
    assert_eq!(PortDifference::of_specs(&[fixed], &[chosen]), Some(told));
}

/// Few of each, so that many meet.
fn any_port() -> impl Strategy<Value = PublishedPort> {
    let addresses = ["0.0.0.0", "127.0.0.1", "127.0.0.2", "::", "::1", "2001:db8::1"];
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    (0..addresses.len(), 1..4_u16, 80..82_u16, protocol).prop_map(
        move |(address, host_port, container_port, protocol)| PublishedPort {
            host_ip: addresses[address].parse().unwrap(),
            host_port,
            container_port,
            protocol,
        },
    )
}

/// The sockets that a host with these addresses would listen on for a port.
fn sockets(port: &PublishedPort) -> Vec<(IpAddr, u16, Protocol)> {
    let host = ["127.0.0.1", "127.0.0.2", "10.0.0.1", "::1", "2001:db8::1", "fe80::1"];
    let addresses = host.iter().map(|address| address.parse::<IpAddr>().unwrap());
    let listens = |address: &IpAddr| match port.host_ip {
        ip if ip.is_unspecified() => ip.is_ipv4() == address.is_ipv4(),
        ip => ip == *address,
    };
    addresses.filter(listens).map(|address| (address, port.host_port, port.protocol)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    /// Two ports collide where a host would have to listen on one socket for both, whichever comes first.
    #[test]
    fn ports_collide_where_they_would_share_a_socket((one, other) in (any_port(), any_port())) {
        let shared = sockets(&one).iter().any(|socket| sockets(&other).contains(socket));
        prop_assert_eq!(one.collides_with(&other), shared);
        prop_assert_eq!(other.collides_with(&one), shared);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What is told as ranges is what is published, each once.
    #[test]
    fn ranges_lose_nothing(ports in proptest::collection::btree_set(any_port(), 0..20)) {
        let ports: Vec<PublishedPort> = ports.into_iter().collect();
        let told: Vec<PublishedPort> = compact(&ports).iter().flat_map(|range| spread(range)).collect();
        let mut sorted = told.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, ports);
    }
}

fn spread(told: &str) -> Vec<PublishedPort> {
    let (host, container) = told.split_once("->").unwrap();
    let (address, host_ports) = host.rsplit_once(':').unwrap();
    let (container_ports, protocol) = container.split_once('/').unwrap();
    let numbers = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        first.parse::<u16>().unwrap()..=last.parse::<u16>().unwrap()
    };
    let pairs = numbers(host_ports).zip(numbers(container_ports));
    pairs.map(|(host, container)| published(&format!("{address}:{host}->{container}/{protocol}"))).collect()
}
