//! Who holds a host port.

use super::Observed;
use crate::app::{Block, Container, ContainerSpec, Owner, Part, Reason};

/// The block that names the holder of a port which the spec asks for; `None` when every port is free. The resource's own
/// containers do not count: they give way.
pub(super) fn conflict(spec: &ContainerSpec, owner: &Owner, observed: &Observed) -> Option<Block> {
    let others = observed.containers.iter().filter(|container| !owner.made(&container.labels));
    for container in others {
        let taken = spec.ports.iter().find(|wanted| container.ports.iter().any(|port| port.collides_with(wanted)));
        if let Some(port) = taken {
            let message = format!(
                "port {} is held by {}: choose another hostPort, or stop that container",
                port.host_port,
                name_of(container)
            );
            return Some(Block::waiting(Part::Container, Reason::PortConflict, message));
        }
    }
    None
}

/// A container in words: by its resource where it has one.
pub(super) fn name_of(container: &Container) -> String {
    match container.resource() {
        Some((namespace, name)) => {
            format!("the container {} of the ContainerApp {namespace}/{name}", container.name)
        }
        None => format!("the container {}, which is not Longshore's", container.name),
    }
}
