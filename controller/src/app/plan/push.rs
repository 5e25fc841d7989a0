//! The destinations in registries.

use jiff::Timestamp;
use longshore_crds::Drift;

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
    /// The registry held the image, somebody has moved the tag since, and it is not to be put back.
    Moved {
        /// What it held.
        from: ManifestDigest,
        /// What it holds now; `None` when the tag was taken away.
        to: Option<ManifestDigest>,
    },
    /// It does not hold it yet.
    Missing,
}

impl PushState {
    /// Whether the image is there, as far as is known.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_) | Self::HeldWhenLastAsked(..))
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
    let mut tags = Vec::new();
    for destination in &desired.destinations {
        let state = target
            .and_then(Target::present)
            .and_then(|image| standing(image, observed, destination))
            .unwrap_or(PushState::Missing);
        match (&state, target) {
            (PushState::Missing, Some(target)) => match steps(desired, observed, destination, target, now) {
                Ok((tag, push)) => {
                    tags.extend(tag);
                    plan.steps.push(push);
                }
                Err(block) => plan.blocks.push(block),
            },
            (PushState::Moved { from, to }, _) => plan.blocks.push(moved(destination, from, to.as_ref())),
            _ => {}
        }
        plan.states.push((destination.reference.clone(), state));
    }
    // In front, so that the pushes can begin together.
    plan.steps.splice(..0, tags);
    plan
}

/// How the registry holds this image under the reference; `None` when it is to be pushed, or nobody knows.
fn standing(image: &Image, observed: &Observed, destination: &Destination) -> Option<PushState> {
    let reports = destination.rules.drift == Drift::Report;
    let before = Before::of(image, observed, &destination.reference);
    match observed.remotes.get(&destination.reference)? {
        Remote::Holds(remote) if image.is(remote) => Some(PushState::Held(remote.manifest.clone())),
        Remote::Holds(remote) => {
            let from = before.filter(|_| reports)?.held;
            Some(PushState::Moved { from, to: Some(remote.manifest.clone()) })
        }
        Remote::Nothing => Some(PushState::Moved { from: before.filter(|_| reports)?.held, to: None }),
        Remote::Unknown(why) => match before? {
            Before { held, has_moved: false, .. } => Some(PushState::HeldWhenLastAsked(held, why.clone())),
            Before { held, to, .. } => reports.then_some(PushState::Moved { from: held, to }),
        },
    }
}

/// What the old status tells of a destination of this very image.
struct Before {
    held: ManifestDigest,
    has_moved: bool,
    to: Option<ManifestDigest>,
}

impl Before {
    fn of(image: &Image, observed: &Observed, reference: &ImageReference) -> Option<Self> {
        let known = observed.memory.pushed.get(reference)?;
        let was_this_image = observed.memory.image.as_ref() == Some(&image.id);
        let held = known.digest.as_ref().filter(|_| was_this_image)?.parse().ok()?;
        let to = known.drifted_to.as_ref();
        let has_moved = to.is_some() || known.missing;
        Some(Self { held, has_moved, to: to.and_then(|digest| digest.parse().ok()) })
    }
}

fn moved(destination: &Destination, from: &ManifestDigest, to: Option<&ManifestDigest>) -> Block {
    let holds = to.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let message = format!(
        "{} held {from} and holds {holds} now, and the push's drift is Report: put the tag back, give this image \
         another tag, or set drift to Restore",
        destination.reference
    );
    let block = Block::terminal(Part::Push, Reason::TagMoved, message);
    Block { look_again: destination.rules.interval, ..block }
}

fn steps(
    desired: &Desired,
    observed: &Observed,
    destination: &Destination,
    target: Target<'_>,
    now: Timestamp,
) -> Result<(Option<Step>, Step), Block> {
    destination.credentials.as_ref().map_err(Clone::clone)?;
    let reference = &destination.reference;
    if destination.rules.immutable_tags {
        may_take(destination, observed, target)?;
    }
    may_be_asked(destination, observed)?;
    let push = Action::PushImage { reference: reference.clone(), image: target.in_a_step() };
    if let Some(block) = observed.attempts.block(&push, now) {
        return Err(block);
    }
    let tag = tag(desired, observed, target, reference)
        .map_err(|message| Block::waiting(Part::Push, Reason::TagConflict, message))?;
    Ok((tag, step(push, cause(observed, target, reference))))
}

/// Whether a tag may be taken that must never be overwritten: the registry says that it holds nothing there.
fn may_take(destination: &Destination, observed: &Observed, target: Target<'_>) -> Result<(), Block> {
    let reference = &destination.reference;
    let block = match observed.remotes.get(reference) {
        // What is not built yet may turn out to be what is there.
        Some(Remote::Holds(remote)) if target.present().is_some() => {
            let message = format!(
                "{reference} holds {} already, which is another image, and the push's immutableTags is true: give this \
                 image a tag that was never used, in image.tags or in the push's tags",
                remote.manifest
            );
            Block::terminal(Part::Push, Reason::TagImmutable, message)
        }
        Some(Remote::Unknown(why)) => {
            let message = format!("whether {reference} is free, as immutableTags wants it, cannot be known: {why}");
            let block = Block::waiting(Part::Push, why.kind.reason(), message);
            return Err(Block { is_terminal: why.retry().is_for_a_person(), ..block });
        }
        _ => return Ok(()),
    };
    Err(Block { look_again: destination.rules.interval, ..block })
}

/// Whether a registry has not asked to be left alone. Until when that was is known by whoever keeps its answer: as long as
/// it is kept, the wait goes on.
fn may_be_asked(destination: &Destination, observed: &Observed) -> Result<(), Block> {
    let Some(Remote::Unknown(why)) = observed.remotes.get(&destination.reference) else { return Ok(()) };
    let Some(wait) = why.retry_after else { return Ok(()) };
    let message = format!("{} is not pushed before its registry may be asked again: {why}", destination.reference);
    let block = Block::waiting(Part::Push, why.kind.reason(), message);
    Err(Block { look_again: block.look_again.min(wait), ..block })
}

fn cause(observed: &Observed, target: Target<'_>, reference: &ImageReference) -> String {
    let before = target.present().and_then(|image| Before::of(image, observed, reference));
    match (observed.remotes.get(reference), before) {
        (Some(Remote::Holds(remote)), Some(before)) => {
            format!("somebody has moved the tag from {} to {}", before.held.0.short(), remote.manifest.0.short())
        }
        (Some(Remote::Holds(remote)), None) => format!("the registry holds {} there", remote.manifest.0.short()),
        (Some(Remote::Nothing), Some(before)) => {
            format!("the registry held {} there and holds nothing now", before.held.0.short())
        }
        _ => "the registry does not hold the image there".to_owned(),
    }
}
