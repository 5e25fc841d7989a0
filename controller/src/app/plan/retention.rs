//! What is removed once everything is well: superseded images beyond the limit.

use std::cmp::Reverse;

use super::removal::claimed_digests;
use super::{Observed, step};
use crate::app::{Action, Desired, Image, Step};

/// The steps that remove superseded images of this owner, the oldest beyond the limit. An image that any container
/// uses is left alone.
pub(super) fn plan(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let key = desired.image_key().filter(|_| desired.rollback_to.is_none());
    let Some(current) = key.map(|key| desired.owner.private_reference(&key)) else {
        return Vec::new();
    };
    let mut superseded: Vec<&Image> =
        observed.images.iter().filter(|image| image.is_kept_by(&desired.owner) && !image.has(&current)).collect();
    superseded.sort_by_key(|image| Reverse(image.created_at));
    superseded
        .into_iter()
        .skip(desired.revision_history_limit)
        .filter(|image| !observed.containers.iter().any(|container| container.image == image.id))
        .flat_map(|image| remove(desired, observed, image))
        .collect()
}

fn remove(desired: &Desired, observed: &Observed, image: &Image) -> Vec<Step> {
    let limit = desired.revision_history_limit;
    let is_ours = |reference: &&crate::app::ImageReference| {
        observed.memory.claims.contains(reference) || desired.owner.keeps(reference)
    };
    // The private tag goes last: while it is there, the image is known to be ours.
    let mut references: Vec<_> =
        image.references.iter().filter(is_ours).chain(claimed_digests(observed, image)).collect();
    references.sort_by_key(|reference| desired.owner.keeps(reference));
    references
        .into_iter()
        .map(|reference| {
            let cause = format!("it is superseded, and {limit} superseded images are kept");
            step(Action::RemoveImage { reference: reference.clone() }, cause)
        })
        .collect()
}
