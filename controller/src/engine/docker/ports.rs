//! Published ports, between the domain and the three ways in which the engine's API writes them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use bollard::models::{PortBinding, PortMap, PortSummary, PortSummaryTypeEnum};
use longshore_crds::Protocol;

use crate::app::{PublishedPort, WantedPort};

/// The ports that a list of containers shows as published. Those that are only exposed are left out.
pub(super) fn of_summary(ports: &[PortSummary]) -> Vec<PublishedPort> {
    let published = ports.iter().filter_map(|port| {
        Some(PublishedPort {
            host_ip: address(port.ip.as_deref())?,
            host_port: port.public_port.filter(|port| *port != 0)?,
            container_port: port.private_port,
            protocol: match port.typ? {
                PortSummaryTypeEnum::TCP => Protocol::Tcp,
                PortSummaryTypeEnum::UDP => Protocol::Udp,
                PortSummaryTypeEnum::SCTP | PortSummaryTypeEnum::EMPTY => return None,
            },
        })
    });
    sorted(published.collect())
}

/// The published ports of a map such as `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "4000"}]}`.
pub(super) fn of_map(map: &PortMap) -> Vec<PublishedPort> {
    sorted(bindings(map).iter().filter_map(WantedPort::fixed).collect())
}

/// The ports that such a map asks for: without a host port, or with 0, the engine chooses.
pub(super) fn asked(map: &PortMap) -> Vec<WantedPort> {
    sorted(bindings(map))
}

fn bindings(map: &PortMap) -> Vec<WantedPort> {
    let of_key = |(key, bindings): (&String, &Option<Vec<PortBinding>>)| {
        let bindings = bindings.as_deref().unwrap_or_default();
        bindings.iter().filter_map(|binding| of_binding(key, binding)).collect::<Vec<_>>()
    };
    map.iter().flat_map(of_key).collect()
}

fn of_binding(key: &str, binding: &PortBinding) -> Option<WantedPort> {
    let (container_port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
    let host_port: u16 = match binding.host_port.as_deref() {
        None | Some("") => 0,
        Some(text) => text.parse().ok()?,
    };
    Some(WantedPort {
        host_ip: address(binding.host_ip.as_deref())?,
        host_port: (host_port != 0).then_some(host_port),
        container_port: container_port.parse().ok()?,
        protocol: match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        },
    })
}

/// What asks the engine to publish these ports. The address is always written out, also when it is unspecified: for
/// none at all the engine would publish on IPv6 too, which nobody asked for.
pub(super) fn to_map(ports: &[WantedPort]) -> PortMap {
    let mut map: PortMap = HashMap::new();
    for port in ports {
        let bindings = map.entry(key(port)).or_default().get_or_insert_default();
        let host_port = port.host_port.map_or_else(String::new, |port| port.to_string());
        bindings.push(PortBinding { host_ip: Some(port.host_ip.to_string()), host_port: Some(host_port) });
    }
    map
}

/// The container's side of a port, `80/tcp`.
pub(super) fn key(port: &WantedPort) -> String {
    let protocol = match port.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    format!("{}/{protocol}", port.container_port)
}

/// No address means every one, as in `docker run -p 8080:80`.
fn address(text: Option<&str>) -> Option<IpAddr> {
    match text {
        None | Some("") => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        Some(text) => text.parse().ok(),
    }
}

/// Each once, in order.
fn sorted<P: Ord>(mut ports: Vec<P>) -> Vec<P> {
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(host_ip: &str, host_port: u16) -> PublishedPort {
        PublishedPort { host_ip: host_ip.parse().unwrap(), host_port, container_port: 80, protocol: Protocol::Tcp }
    }

    fn listed(ip: Option<&str>, public_port: Option<u16>) -> PortSummary {
        PortSummary { ip: ip.map(str::to_owned), private_port: 80, public_port, typ: Some(PortSummaryTypeEnum::TCP) }
    }

    #[test]
    fn a_port_on_every_address_is_one_of_each_family() {
        let ports = of_summary(&[listed(Some("::"), Some(4000)), listed(Some("0.0.0.0"), Some(4000))]);
        assert_eq!(ports, [port("0.0.0.0", 4000), port("::", 4000)]);
    }

    #[test]
    fn a_port_that_is_only_exposed_is_not_published() {
        assert_eq!(of_summary(&[listed(None, None)]), []);
    }

    #[test]
    fn what_is_asked_for_is_what_is_read_back() {
        let chosen = WantedPort { host_port: None, ..port("::", 1).into() };
        let wanted = [port("127.0.0.1", 4000).into(), chosen, port("::1", 4001).into()];
        assert_eq!(asked(&to_map(&wanted)), wanted);
        assert_eq!(of_map(&to_map(&wanted)), [port("127.0.0.1", 4000), port("::1", 4001)]);
    }
}
