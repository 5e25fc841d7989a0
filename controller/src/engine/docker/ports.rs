//! Published ports, between the domain and the three ways in which the engine's API writes them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bollard::models::{PortBinding, PortMap, PortSummary, PortSummaryTypeEnum};
use longshore_crds::Protocol;

use crate::app::PublishedPort;

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
    normalised(published.collect())
}

/// The ports of a map such as `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "4000"}]}`.
pub(super) fn of_map(map: &PortMap) -> Vec<PublishedPort> {
    let published = map.iter().flat_map(|(key, bindings)| {
        let bindings = bindings.as_deref().unwrap_or_default();
        bindings.iter().filter_map(|binding| of_binding(key, binding))
    });
    normalised(published.collect())
}

fn of_binding(key: &str, binding: &PortBinding) -> Option<PublishedPort> {
    let (container_port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
    Some(PublishedPort {
        host_ip: address(binding.host_ip.as_deref())?,
        host_port: binding.host_port.as_deref()?.parse().ok().filter(|port| *port != 0)?,
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
pub(super) fn to_map(ports: &[PublishedPort]) -> PortMap {
    let mut map: PortMap = HashMap::new();
    for port in ports {
        let bindings = map.entry(key(port)).or_default().get_or_insert_default();
        bindings
            .push(PortBinding { host_ip: Some(port.host_ip.to_string()), host_port: Some(port.host_port.to_string()) });
    }
    map
}

/// The container's side of a port, `80/tcp`.
pub(super) fn key(port: &PublishedPort) -> String {
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

/// One entry for each port, in order.
///
/// A port that is published on every address without saying which, as `docker run -p` does, is listed twice, with
/// `0.0.0.0` and with `::`. It is one port: the entry of `::` goes where that of `0.0.0.0` stands beside it. A resource
/// cannot ask for both itself, since its ports are a map by container port and protocol.
fn normalised(mut ports: Vec<PublishedPort>) -> Vec<PublishedPort> {
    ports.sort_unstable();
    ports.dedup();
    let on_every_ipv4: Vec<PublishedPort> =
        ports.iter().filter(|port| port.host_ip == Ipv4Addr::UNSPECIFIED).copied().collect();
    ports.retain(|port| {
        let ipv4_twin = PublishedPort { host_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), ..*port };
        port.host_ip != Ipv6Addr::UNSPECIFIED || !on_every_ipv4.contains(&ipv4_twin)
    });
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
    fn a_port_on_every_address_is_one_port() {
        let ports = of_summary(&[listed(Some("::"), Some(4000)), listed(Some("0.0.0.0"), Some(4000))]);
        assert_eq!(ports, [port("0.0.0.0", 4000)]);
    }

    #[test]
    fn a_port_on_every_ipv6_address_alone_is_kept() {
        assert_eq!(of_summary(&[listed(Some("::"), Some(4000))]), [port("::", 4000)]);
    }

    #[test]
    fn a_port_that_is_only_exposed_is_not_published() {
        assert_eq!(of_summary(&[listed(None, None)]), []);
    }

    #[test]
    fn what_is_asked_for_is_what_is_read_back() {
        let asked = [port("127.0.0.1", 4000), port("::1", 4001)];
        assert_eq!(of_map(&to_map(&asked)), asked);
    }
}
