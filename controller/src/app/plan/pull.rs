//! The image that is pulled: by its tag, by the digest that is asked for, or by the one that its tag has at the registry.

use jiff::Timestamp;
use longshore_crds::PullPolicy;

use super::image::{ImagePlan, coming, keep, present, private_reference};
use super::{Observed, Remote, step};
use crate::app::{Action, Block, Desired, Image, ImageReference, ImageTarget, ManifestDigest, Part, Pull, Reason};

pub(super) fn plan<'a>(desired: &Desired, pull: &Pull, observed: &'a Observed, now: Timestamp) -> ImagePlan<'a> {
    let trouble = desired.followed(pull).and_then(|reference| trouble(reference, observed));
    match trouble {
        Some(trouble) if pull.digest.is_none() => ImagePlan::blocked(trouble),
        source_trouble => ImagePlan { source_trouble, ..wanted(desired, pull, observed, now) },
    }
}

/// Why it is not known what the registry holds under a tag.
fn trouble(reference: &ImageReference, observed: &Observed) -> Option<Block> {
    let (reason, message) = match observed.followed.as_ref() {
        Some(Remote::Holds(_)) => return None,
        Some(Remote::Unknown(why)) => (why.kind.reason(), format!("{reference} cannot be looked up: {why}")),
        Some(Remote::Nothing) => {
            (Reason::ManifestUnknown, format!("the registry {} does not hold {reference}", reference.host()))
        }
        None => (Reason::RegistryUnavailable, format!("{reference} was not looked up yet")),
    };
    Some(Block::waiting(Part::Image, reason, message))
}

fn wanted<'a>(desired: &Desired, pull: &Pull, observed: &'a Observed, now: Timestamp) -> ImagePlan<'a> {
    let (Some(private), Some(action)) = (private_reference(desired), desired.pull_action()) else {
        unreachable!("a pull has a key")
    };
    let may_be_it = |image: &&Image| pull.digest.as_ref().is_none_or(|digest| is_known_as(image, desired, digest));
    if let Some(image) = observed.image(&private).filter(may_be_it) {
        return present(image);
    }
    let reference = desired.pulled_reference(pull);
    if let Some(image) = on_the_engine(pull, &reference, observed) {
        let cause = match moved(desired, pull, observed) {
            _ if observed.memory.claims.contains(&reference) => "the image is kept for this resource".to_owned(),
            Some(moved) => format!("{moved}, which is on the engine already"),
            None => format!("{} is on the engine already, so it is not pulled", desired.image),
        };
        return keep(image, private, &cause);
    }
    if pull.policy == PullPolicy::Never {
        return ImagePlan::blocked(never(desired, pull));
    }
    if let Some(block) = observed.attempts.block(&action, now) {
        return ImagePlan::blocked(block);
    }
    let cause = moved(desired, pull, observed).unwrap_or_else(|| format!("{} is not on the engine", desired.image));
    let mut plan = coming(step(action, cause));
    plan.steps.push(step(
        Action::TagImage { image: ImageTarget::Pending, reference: private },
        "the image is kept for this resource",
    ));
    plan
}

/// Whether an image under our private tag can be what has this digest. A graph driver's store forgets digests with the
/// last tag of a repository: where it knows none, the private tag is believed.
fn is_known_as(image: &Image, desired: &Desired, digest: &ManifestDigest) -> bool {
    let nothing_is_known = image.target.is_none() && image.digests_in(&desired.repository).next().is_none();
    nothing_is_known || image.has_digest(digest)
}

/// What is there and can be taken: of the platform that is asked for, and the same by its digest where one counts.
fn on_the_engine<'a>(pull: &Pull, reference: &ImageReference, observed: &'a Observed) -> Option<&'a Image> {
    let candidates = candidates(reference, &observed.images);
    candidates.into_iter().find(|image| pull.platform.is_none() || observed.of_platform.contains(&image.id))
}

/// The images that are what a reference names, for whatever platform.
pub fn candidates<'a>(reference: &ImageReference, images: &'a [Image]) -> Vec<&'a Image> {
    let is_it = |image: &&Image| match reference.digest() {
        Some(digest) => image.has_digest(digest),
        None => image.has(reference),
    };
    images.iter().filter(is_it).collect()
}

/// `node-app:0.2 moved a1b2c3d4e5f6 → c3d4e5f6a1b2`, where a tag is followed that had another digest.
fn moved(desired: &Desired, pull: &Pull, observed: &Observed) -> Option<String> {
    let reference = desired.followed(pull)?;
    let now = pull.digest.as_ref()?;
    let image = desired.image_before(observed)?;
    let before = image.digests_in(&desired.repository).chain(&image.target).next().filter(|before| *before != now)?;
    Some(format!("{reference} moved {} → {}", before.0.short(), now.0.short()))
}

fn never(desired: &Desired, pull: &Pull) -> Block {
    let platform = pull.platform.as_ref().map_or_else(String::new, |platform| format!(" for {platform}"));
    let message = format!(
        "{} is not on the engine {}{platform} and pullPolicy is Never: bring the image there, or use IfNotPresent",
        desired.image, desired.engine
    );
    Block::waiting(Part::Image, Reason::ImageNotFound, message)
}
