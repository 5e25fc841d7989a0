//! The destinations in registries.

use jiff::Timestamp;

use super::image::{Target, tag};
use super::{Observed, Remote, step};
use crate::app::{
    Action, Block, Desired, Destination, Image, ImageReference, ManifestDigest, Part, Reason, RegistryError, Step,
};

/// How a destination stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushState {
    /// The registry holds the image.
    Held(ManifestDigest),
    /// The registry held the image when it was last asked, and cannot be asked now, for this reason.
    HeldWhenLastAsked(ManifestDigest, RegistryError),
    /// It does not hold it yet.
    Missing,
}

impl PushState {
    /// Whether the image is there, as far as is known.
    pub fn is_held(&self) -> bool {
        !matches!(self, Self::Missing)
    }
}

#[derive(Default)]
pub(super) struct PushPlan {
    pub(super) steps: Vec<Step>,
    pub(super) blocks: Vec<Block>,
    pub(super) states: Vec<(ImageReference, PushState)>,
}

pub(super) fn plan(desired: &Desired, observed: &Observed, target: Option<Target<'_>>, now: Timestamp) -> PushPlan {
    let mut plan = PushPlan::default();
    for destination in &desired.destinations {
        let state = target
            .and_then(Target::present)
            .and_then(|image| held(image, observed, &destination.reference))
            .unwrap_or(PushState::Missing);
        if let (PushState::Missing, Some(target)) = (&state, target) {
            match steps(desired, observed, destination, target, now) {
                Ok(steps) => plan.steps.extend(steps),
                Err(block) => plan.blocks.push(block),
            }
        }
        plan.states.push((destination.reference.clone(), state));
    }
    plan
}

/// How the registry holds this image under the reference; `None` when it does not, or nobody knows.
fn held(image: &Image, observed: &Observed, reference: &ImageReference) -> Option<PushState> {
    match observed.remotes.get(reference)? {
        Remote::Holds(remote) if image.is(remote) => Some(PushState::Held(remote.manifest.clone())),
        Remote::Holds(_) | Remote::Nothing => None,
        Remote::Unknown(why) => {
            let known = observed.memory.pushed.get(reference)?.digest.as_ref()?.parse().ok()?;
            let was_this_image = observed.memory.image.as_ref() == Some(&image.id);
            was_this_image.then(|| PushState::HeldWhenLastAsked(known, why.clone()))
        }
    }
}

fn steps(
    desired: &Desired,
    observed: &Observed,
    destination: &Destination,
    target: Target<'_>,
    now: Timestamp,
) -> Result<Vec<Step>, Block> {
    destination.credentials.as_ref().map_err(Clone::clone)?;
    let reference = &destination.reference;
    let push = Action::PushImage { reference: reference.clone(), image: target.in_a_step() };
    if let Some(block) = observed.attempts.block(&push, now) {
        return Err(block);
    }
    let tag = tag(desired, observed, target, reference)
        .map_err(|message| Block::waiting(Part::Push, Reason::TagConflict, message))?;
    let cause = match observed.remotes.get(reference) {
        Some(Remote::Holds(remote)) => format!("the registry holds {} there", remote.manifest.0.short()),
        _ => "the registry does not hold the image there".to_owned(),
    };
    Ok(tag.into_iter().chain([step(push, cause)]).collect())
}
