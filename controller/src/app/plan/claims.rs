//! Which public references on the engine are this resource's: those that it made, so that its deletion removes those
//! and no one else's.
//!
//! A claim is written into the status before the step that makes the reference, so a process that dies between the
//! two leaves nothing behind that nobody knows of.

use std::collections::BTreeSet;

use super::Observed;
use crate::app::{Desired, ImageReference, labels};

/// The references that are ours now, and those that the plan is about to make.
pub(super) fn claims(desired: &Desired, observed: &Observed) -> BTreeSet<ImageReference> {
    let wanted = wanted_references(desired);
    let pulled = desired.pull_reference();
    let kept = observed.memory.claims.iter().filter(|reference| match observed.image(reference) {
        // What was just pulled has no private tag yet.
        Some(image) => image.is_kept_by(&desired.owner) || pulled.as_ref() == Some(reference),
        None => wanted.contains(reference),
    });
    let new = wanted.iter().filter(|reference| is_new(desired, observed, reference));
    kept.chain(new).cloned().collect()
}

fn wanted_references(desired: &Desired) -> BTreeSet<ImageReference> {
    let pushed = desired.destinations.iter().map(|destination| destination.reference.clone());
    desired.tags.iter().cloned().chain(pushed).chain(desired.pull_reference()).collect()
}

/// A reference that nothing holds yet will be made by us; one that points at an image which we built and keep was made
/// by us. One that was there before us, such as an image that somebody pulled, is not ours.
fn is_new(desired: &Desired, observed: &Observed, reference: &ImageReference) -> bool {
    match observed.image(reference) {
        None => true,
        Some(image) => image.is_kept_by(&desired.owner) && image.labels.contains_key(labels::INPUT_HASH),
    }
}
