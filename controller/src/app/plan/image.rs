//! The image: built, pulled or found on the engine, and given its tags.

use jiff::Timestamp;
use longshore_crds::BasePullPolicy;

use super::{Observed, pull, revisions, rollback_to, step};
use crate::app::{
    Action, Block, BuildSpec, Desired, Image, ImageKey, ImageReference, ImageSource, ImageTarget, InputHash, Part,
    Reason, Step, labels,
};

/// How the image stands.
pub(super) struct ImagePlan<'a> {
    pub(super) steps: Vec<Step>,
    pub(super) blocks: Vec<Block>,
    /// Why the image may be older than its source is.
    pub(super) source_trouble: Option<Block>,
    pub(super) standing: Standing<'a>,
}

pub(super) enum Standing<'a> {
    /// The engine holds it under its private tag.
    Present(&'a Image),
    /// The plan's steps bring it.
    Coming,
    /// Nothing can be said before a block is lifted.
    Blocked,
}

impl<'a> ImagePlan<'a> {
    /// The image for the steps that follow; `None` when there will be none for now.
    pub(super) fn target(&self) -> Option<Target<'a>> {
        match self.standing {
            Standing::Present(image) => Some(Target::Present(image)),
            Standing::Coming => Some(Target::Coming),
            Standing::Blocked => None,
        }
    }

    /// The image, when it is there with every tag.
    pub(super) fn finished(&self) -> Option<&'a Image> {
        match self.standing {
            Standing::Present(image) if self.steps.is_empty() && self.blocks.is_empty() => Some(image),
            _ => None,
        }
    }

    pub(super) fn blocked(block: Block) -> Self {
        Self { steps: Vec::new(), blocks: vec![block], source_trouble: None, standing: Standing::Blocked }
    }
}

/// The image that later steps are made for.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// It is there.
    Present(&'a Image),
    /// An earlier step brings it.
    Coming,
}

impl<'a> Target<'a> {
    pub(super) fn present(self) -> Option<&'a Image> {
        match self {
            Self::Present(image) => Some(image),
            Self::Coming => None,
        }
    }

    pub(super) fn in_a_step(self) -> ImageTarget {
        self.present().map_or(ImageTarget::Pending, |image| ImageTarget::Present(image.id.clone()))
    }
}

pub(super) fn plan<'a>(desired: &Desired, observed: &'a Observed, now: Timestamp) -> ImagePlan<'a> {
    let mut plan = match &desired.source {
        _ if desired.rollback_to.is_some() => rollback_to::plan(desired, observed),
        Ok(ImageSource::Build(build)) => built(desired, build, observed, now),
        Ok(ImageSource::Pull(pull)) => pull::plan(desired, pull, observed, now),
        Err(block) => unknown(desired, observed, block),
    };
    if !matches!(plan.standing, Standing::Blocked) {
        let (steps, blocks) = public_tags(desired, observed, &plan);
        plan.steps.extend(steps);
        plan.blocks.extend(blocks);
    }
    plan
}

/// While a source cannot be asked, what was built of it for this very spec is still held for what is wanted.
fn unknown<'a>(desired: &Desired, observed: &'a Observed, block: &Block) -> ImagePlan<'a> {
    let memory = &observed.memory;
    let was_built = was_finished(desired, observed);
    let is_remembered = |image: &&Image| memory.image.as_ref() == Some(&image.id) && image.is_kept_by(&desired.owner);
    match observed.images.iter().find(is_remembered) {
        Some(image) if was_built && block.reason == Reason::SourceUnavailable => {
            ImagePlan { source_trouble: Some(block.clone()), ..present(image) }
        }
        _ => ImagePlan::blocked(block.clone()),
    }
}

pub(super) fn private_reference(desired: &Desired) -> Option<ImageReference> {
    Some(desired.owner.private_reference(&desired.image_key()?))
}

fn built<'a>(desired: &Desired, build: &BuildSpec, observed: &'a Observed, now: Timestamp) -> ImagePlan<'a> {
    let hash = InputHash::of(build);
    let Some(reference) = private_reference(desired) else { unreachable!("a build has a key") };
    let carries_hash =
        |image: &&Image| image.labels.get(labels::INPUT_HASH).is_some_and(|label| label == hash.as_str());
    // Somebody may have moved the private tag: it counts only on an image that carries the hash.
    if let Some(image) = observed.image(&reference).filter(carries_hash) {
        return present(image);
    }
    // What the status speaks of was kept for its inputs, whatever has become of its tags.
    let is_remembered = |image: &&Image| observed.memory.image.as_ref() == Some(&image.id);
    if let Some(image) = observed.images.iter().filter(carries_hash).find(is_remembered) {
        let cause = format!("somebody has removed {reference}, by which the image is kept");
        return keep(image, reference, &cause);
    }
    // The label alone does not tell: whatever is built on an image inherits it.
    let was_built = |image: &&Image| {
        image.references.iter().any(|other| ImageKey::is_of_a_build(other) && other.tag() == reference.tag())
    };
    if let Some(image) = observed.images.iter().filter(carries_hash).find(was_built) {
        return keep(image, reference, "an image with the same inputs is on the engine already");
    }
    if let Err(block) = &build.method.access {
        return ImagePlan::blocked(block.clone());
    }
    let anew = build.method.no_cache || revisions::has_another_token(desired, build, observed);
    let action = Action::BuildImage { hash, reference, pull: must_pull(build, observed), anew };
    match observed.attempts.block(&action, now) {
        Some(block) => ImagePlan::blocked(block),
        None => coming(step(action, cause_of_build(desired, build, observed))),
    }
}

/// Whether the builder must ask registries for base images: the engine holds other ones than count.
fn must_pull(build: &BuildSpec, observed: &Observed) -> bool {
    let is_held = |(reference, digest): (&ImageReference, &String)| {
        observed.image(reference).is_none_or(|image| {
            image.id.to_string() == *digest || image.manifests.iter().any(|(_, held)| held.to_string() == *digest)
        })
    };
    build.method.base_pull_policy == BasePullPolicy::Always || !build.base_images.iter().all(is_held)
}

fn cause_of_build(desired: &Desired, build: &BuildSpec, observed: &Observed) -> String {
    if let Some(cause) = revisions::cause_of_build(desired, build, observed) {
        return cause;
    }
    if observed.images.iter().any(|image| image.is_kept_by(&desired.owner)) {
        "what goes into the build has changed".to_owned()
    } else {
        "no image with these inputs is on the engine".to_owned()
    }
}

pub(super) fn present(image: &Image) -> ImagePlan<'_> {
    ImagePlan { steps: Vec::new(), blocks: Vec::new(), source_trouble: None, standing: Standing::Present(image) }
}

/// An image that is there already gets our private tag.
pub(super) fn keep<'a>(image: &'a Image, private: ImageReference, cause: &str) -> ImagePlan<'a> {
    let action = Action::TagImage { image: ImageTarget::Present(image.id.clone()), reference: private };
    ImagePlan { steps: vec![step(action, cause)], ..present(image) }
}

pub(super) fn coming<'a>(first: Step) -> ImagePlan<'a> {
    ImagePlan { steps: vec![first], blocks: Vec::new(), source_trouble: None, standing: Standing::Coming }
}

fn public_tags(desired: &Desired, observed: &Observed, plan: &ImagePlan<'_>) -> (Vec<Step>, Vec<Block>) {
    let Some(target) = plan.target() else {
        return (Vec::new(), Vec::new());
    };
    let mut steps = Vec::new();
    let mut blocks = Vec::new();
    for reference in &desired.tags {
        match tag(desired, observed, target, reference) {
            Ok(step) => steps.extend(step),
            Err(message) => blocks.push(Block::waiting(Part::Image, Reason::TagConflict, message)),
        }
    }
    (steps, blocks)
}

/// Whether the image has been there with all its tags as they are asked for now.
fn was_finished(desired: &Desired, observed: &Observed) -> bool {
    let built = observed.memory.condition(Part::Image.condition());
    built.is_some_and(|built| built.status == "True" && built.observed_generation == Some(desired.generation))
}

/// The step that lets a public reference on the engine point at our image; none when it does, and the sentence that
/// says whose it is when we may not move it.
pub(super) fn tag(
    desired: &Desired,
    observed: &Observed,
    target: Target<'_>,
    reference: &ImageReference,
) -> Result<Option<Step>, String> {
    let holder = observed.image(reference);
    if let (Some(holder), Target::Present(image)) = (holder, target)
        && holder.id == image.id
    {
        return Ok(None);
    }
    let cause = match holder {
        None if was_finished(desired, observed) => format!("somebody has removed {reference}"),
        None => format!("{reference} does not exist on the engine"),
        Some(holder) if holder.is_kept_by(&desired.owner) || observed.memory.claims.contains(reference) => {
            format!("{reference} still points at {}", holder.id.short())
        }
        Some(holder) => {
            return Err(format!(
                "{reference} on the engine {} points at the image {}, which this resource did not make: use another \
                 tag, or remove it with docker rmi {reference}",
                desired.engine,
                holder.id.short()
            ));
        }
    };
    Ok(Some(step(Action::TagImage { image: target.in_a_step(), reference: reference.clone() }, cause)))
}
