//! Who holds a host port.

use super::Observed;
use crate::app::{Block, Container, ContainerSpec, Owner, Part, Reason, labels};

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
                name_of(container, owner)
            );
            return Some(Block::waiting(Part::Container, Reason::PortConflict, message));
        }
    }
    None
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
