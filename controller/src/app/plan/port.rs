//! Who holds a host port.

use std::net::{IpAddr, Ipv4Addr};

use longshore_crds::Protocol;

use super::Observed;
use crate::app::{Block, Container, ContainerSpec, Owner, Part, PublishedPort, Reason, WantedPort, labels};

/// The block that names the holder of a port which the spec asks for; `None` when every port is free. The resource's own
/// containers do not count: they give way.
pub(super) fn conflict(spec: &ContainerSpec, owner: &Owner, observed: &Observed) -> Option<Block> {
    let wanted: Vec<PublishedPort> = spec.ports.iter().filter_map(WantedPort::fixed).collect();
    let others = observed.containers.iter().filter(|container| !owner.made(&container.labels));
    for container in others {
        let is_held = |wanted: &&PublishedPort| container.ports.iter().any(|port| port.collides_with(wanted));
        if let Some(port) = wanted.iter().find(is_held) {
            let message = format!(
                "{} is held by {}: choose another hostPort, or stop that container",
                in_words(port),
                name_of(container, owner)
            );
            return Some(Block::waiting(Part::Container, Reason::PortConflict, message));
        }
    }
    None
}

/// `port 8080`, `UDP port 53 of 127.0.0.1`.
fn in_words(port: &PublishedPort) -> String {
    let protocol = match port.protocol {
        Protocol::Tcp => "port",
        Protocol::Udp => "UDP port",
    };
    match port.host_ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => format!("{protocol} {}", port.host_port),
        address => format!("{protocol} {} of {address}", port.host_port),
    }
}

/// A container in words: by its resource where it has one, and by the project or installation where that is not ours.
pub(super) fn name_of(container: &Container, owner: &Owner) -> String {
    let Some((namespace, name)) = container.resource() else {
        return format!("the container {}, which is not Longshore's", container.name);
    };
    let is_of_our_name = (namespace, name) == (owner.namespace.as_str(), owner.name.as_str());
    let earlier = is_of_our_name && container.belongs_to(&owner.instance);
    let which = if earlier { "an earlier ContainerApp" } else { "the ContainerApp" };
    let resource = format!("the container {} of {which} {namespace}/{name}", container.name);
    match container.labels.get(labels::INSTANCE) {
        Some(instance) if instance != owner.instance.as_str() => {
            format!("{resource} of another project or installation, {instance}")
        }
        _ => resource,
    }
}
