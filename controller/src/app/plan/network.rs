//! The network of a namespace: made before the first container that is to be in it, and removed after the last one.

use super::container::{ContainerPlan, Situation};
use super::{Observed, step};
use crate::app::{Action, Block, Container, ContainerState, Desired, Network, Owner, Part, Reason, Step, labels};

/// The steps that make the network where it is missing, or the block of one that is another's.
pub(super) fn plan(desired: &Desired, observed: &Observed) -> Result<Vec<Step>, Block> {
    let owner = &desired.owner;
    let name = owner.network_name();
    let (mut ours, foreign): (Vec<&Network>, Vec<&Network>) =
        observed.networks.iter().filter(|network| network.name == name).partition(|network| owner.has_network(network));
    if let Some(foreign) = foreign.first() {
        return Err(conflict(foreign));
    }
    ours.sort_by_key(|network| (network.created_at, &network.id));
    let steps = match ours.split_first() {
        None => {
            let cause = format!("the namespace {} has no network on the engine yet", owner.namespace);
            vec![step(Action::CreateNetwork { name }, cause)]
        }
        // An engine before 25 lets two have one name, and takes no container into either of them then.
        Some((_, surplus)) => surplus.iter().map(|network| remove(network, "an older one has its name")).collect(),
    };
    Ok(steps)
}

/// The way of a container that is right, but is not in its network or has none to start in; `None` when all is well.
pub(super) fn put_right<'a>(situation: &Situation<'a>, container: &'a Container) -> Option<ContainerPlan<'a>> {
    let network = situation.desired.owner.network_name();
    let is_in_it = is_in(container, &network, situation.observed);
    if is_in_it && container.state == ContainerState::Running {
        return None;
    }
    let mut steps = match plan(situation.desired, situation.observed) {
        Ok(steps) => steps,
        Err(block) => return Some(ContainerPlan::blocked(Some(container), block)),
    };
    if !is_in_it {
        let cause = format!("it is not connected to the network {network}");
        let (id, name) = (container.id.clone(), container.name.clone());
        steps.push(step(Action::ConnectNetwork { id, container: name, network }, cause));
    }
    let first = steps.first()?;
    let refused = situation.observed.attempts.block(&first.action, situation.now);
    Some(refused.map_or_else(
        || ContainerPlan::working(Some(container), steps),
        |block| ContainerPlan::blocked(Some(container), block),
    ))
}

/// A network that was made anew under the name is another one than that which a container has been in.
fn is_in(container: &Container, network: &str, observed: &Observed) -> bool {
    container.networks.get(network).is_some_and(|place| {
        let of_this_name = || observed.networks.iter().filter(|found| found.name == network);
        place.network_id.as_ref().is_none_or(|id| of_this_name().any(|found| found.id == *id))
    })
}

/// What removes the network when nothing but this owner's own containers needs it. An engine does not let go of one that
/// somebody is in whom nobody sees: that is tried once, and keeps no resource from its end.
pub(super) fn removal(owner: &Owner, observed: &Observed, cause: &str) -> Vec<Step> {
    let name = owner.network_name();
    let needs_it = |container: &Container| owner.is_neighbour_of(container) || container.networks.contains_key(&name);
    if observed.containers.iter().any(|container| !owner.made(&container.labels) && needs_it(container)) {
        return Vec::new();
    }
    let ours = observed.networks.iter().filter(|network| owner.has_network(network));
    let steps = ours.map(|network| remove(network, cause));
    steps.filter(|step| observed.attempts.failure(&step.action).is_none()).collect()
}

fn remove(network: &Network, cause: &str) -> Step {
    step(Action::RemoveNetwork { id: network.id.clone(), name: network.name.clone() }, cause)
}

fn conflict(network: &Network) -> Block {
    let label = |label: &str| network.labels.get(label).map(String::as_str);
    let whose = match (label(labels::INSTANCE), label(labels::NAMESPACE)) {
        (Some(instance), Some(namespace)) => format!("the namespace {namespace} of the installation {instance}"),
        _ => "somebody who is not Longshore".to_owned(),
    };
    let name = &network.name;
    let message = format!("the network {name} was made by {whose}: remove it with docker network rm {name}");
    Block::waiting(Part::Container, Reason::NetworkConflict, message)
}
