//! The end of a resource: what it made is removed, and nothing else.

use super::{Observed, network, step};
use crate::app::{Action, Container, ContainerState, Image, ImageReference, Owner, Step};
use std::time::Duration;

/// How much goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The containers and the images.
    Everything,
    /// The containers; images stay.
    Containers,
    /// Nothing: what was made is left as it is.
    Nothing,
}

/// The same steps for another cause than that the resource is deleted.
pub fn because(mut steps: Vec<Step>, cause: &str) -> Vec<Step> {
    for step in &mut steps {
        cause.clone_into(&mut step.cause);
    }
    steps
}

/// The steps that remove what this owner made; none when nothing is left. Its volumes are among it where they were looked
/// for.
pub fn plan_removal(owner: &Owner, observed: &Observed, removal: Removal, grace_period: Duration) -> Vec<Step> {
    let containers = || {
        let ours = observed.containers.iter().filter(|container| owner.made(&container.labels));
        let network = network::removal(owner, observed, "no container of the namespace is left");
        ours.flat_map(|container| remove_container(container, grace_period)).chain(network)
    };
    match removal {
        Removal::Nothing => Vec::new(),
        Removal::Containers => containers().chain(remove_volumes(owner, observed)).collect(),
        Removal::Everything => {
            containers().chain(remove_volumes(owner, observed)).chain(remove_images(owner, observed)).collect()
        }
    }
}

fn remove_container(container: &Container, grace_period: Duration) -> Vec<Step> {
    let (id, name) = (container.id.clone(), container.name.clone());
    let cause = "the resource is deleted";
    let mut steps = Vec::new();
    if matches!(container.state, ContainerState::Running | ContainerState::Restarting | ContainerState::Paused) {
        steps.push(step(Action::StopContainer { id: id.clone(), name: name.clone(), grace_period }, cause));
    }
    if container.state != ContainerState::Removing {
        steps.push(step(Action::RemoveContainer { id, name, gap: None }, cause));
    }
    steps
}

/// After the containers that have them. Without being asked nobody looks for volumes, so that none are there to go.
fn remove_volumes(owner: &Owner, observed: &Observed) -> impl Iterator<Item = Step> {
    let ours = observed.volumes.iter().filter(|volume| owner.has_volume(&volume.labels));
    ours.map(|volume| step(Action::RemoveVolume { name: volume.name.clone() }, "its volumes are to go as well"))
}

/// Public references first, the private tag last: while it is there, the image is known to be ours.
fn remove_images(owner: &Owner, observed: &Observed) -> Vec<Step> {
    let kept = observed.images.iter().filter(|image| image.is_kept_by(owner));
    let mut references: Vec<&ImageReference> = kept
        .flat_map(|image| references_to_remove(owner, observed, image))
        .chain(pulled_without_a_private_tag(owner, observed))
        .collect();
    references.sort_by_key(|reference| owner.keeps(reference));
    references
        .into_iter()
        .map(|reference| step(Action::RemoveImage { reference: reference.clone() }, "the resource is deleted"))
        .collect()
}

/// Ours of the image's references. Where somebody else's container was made from it and nobody else has a reference to
/// it, the engine does not let go of the last one: the public ones stay then, by which it was found.
fn references_to_remove<'a>(owner: &Owner, observed: &'a Observed, image: &'a Image) -> Vec<&'a ImageReference> {
    let is_claimed = |reference: &ImageReference| observed.memory.claims.contains(reference);
    let is_ours = |reference: &&ImageReference| is_claimed(reference) || owner.keeps(reference);
    let tags: Vec<&ImageReference> = image.references.iter().filter(is_ours).collect();
    let others_remain = tags.len() < image.references.len();
    let ours: Vec<&ImageReference> = tags.into_iter().chain(claimed_digests(observed, image)).collect();
    if others_remain || !is_used_by_another(owner, observed, image) {
        return ours;
    }
    let has_public = ours.iter().any(|reference| !owner.keeps(reference));
    ours.into_iter().filter(|reference| has_public && owner.keeps(reference)).collect()
}

/// Whether a container that is not this owner's was made from the image.
fn is_used_by_another(owner: &Owner, observed: &Observed, image: &Image) -> bool {
    observed.containers.iter().any(|container| container.image == image.id && !owner.made(&container.labels))
}

/// A claimed reference whose image nobody keeps: we died, or were deleted, between a pull and its private tag.
fn pulled_without_a_private_tag<'a>(
    owner: &'a Owner,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a ImageReference> {
    let unkept =
        observed.images.iter().filter(|image| !is_private(image) && !is_used_by_another(owner, observed, image));
    unkept.flat_map(|image| {
        let was_pulled = |reference: &&ImageReference| {
            image.manifests.iter().any(|(repository, _)| repository == reference.repository())
        };
        let is_claimed = |reference: &&ImageReference| observed.memory.claims.contains(reference);
        image.references.iter().filter(is_claimed).filter(was_pulled).chain(claimed_digests(observed, image))
    })
}

/// The digests by which this resource has pulled an image. Where a tag of the same repository points at it, that tag is
/// another's, and an engine would take it away with the digest (containerd's store, seen with 29).
pub(super) fn claimed_digests<'a>(
    observed: &'a Observed,
    image: &'a Image,
) -> impl Iterator<Item = &'a ImageReference> {
    let is_tagged_there = |reference: &ImageReference| {
        image.references.iter().any(|tagged| tagged.repository() == reference.repository())
    };
    let claimed = observed.memory.claims.iter().filter(|reference| reference.digest().is_some());
    claimed.filter(move |reference| image.has(reference) && !is_tagged_there(reference))
}

fn is_private(image: &Image) -> bool {
    image.references.iter().any(Owner::is_private)
}
