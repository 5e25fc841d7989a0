//! Which superseded tags are deleted at their registries, and the record of what was pushed there.
//!
//! The record is in the app's status and not in its revisions: `keep` and `revisionHistoryLimit` are different numbers,
//! and a revision that is removed must not take along what is still to be deleted elsewhere. A tag is claimed before it
//! is pushed, as the references on the engine are, so that a process that dies after the push has not forgotten it. Who
//! loses the status loses the record: then nothing is deleted that was pushed before.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::push::{PushPlan, PushState};
use super::{Observed, Remote, step};
use crate::app::{
    Action, Desired, ImageReference, ImageTarget, ManifestDigest, PushedTag, Reason, Repository, Step, TagDeletion,
};

/// How many superseded tags are remembered at most. Only a registry that deletes nothing lets them become so many; the
/// oldest are forgotten then.
const MOST_REMEMBERED: usize = 256;

/// What is to be deleted at registries once everything is as it should be.
#[derive(Default)]
pub(super) struct RemoteRetention {
    pub(super) steps: Vec<Step>,
    /// When to look again, because a step has failed before.
    pub(super) look_again: Option<Duration>,
}

/// The superseded tags of which it has to be known what they hold; none while something in their repository is not yet
/// as it should be, or cannot be deleted now.
pub fn superseded(desired: &Desired, observed: &Observed, now: Timestamp) -> Vec<ImageReference> {
    let tags = remembered(desired, observed);
    let unresolved = tags.iter().filter(|tag| tag.digest.is_none() && !is_wanted(desired, &tag.reference));
    let unresolved = unresolved.map(|tag| tag.reference.clone());
    let in_repository = |(repository, keep)| {
        let beyond = beyond(desired, observed, &tags, repository, keep);
        if block(observed, &beyond, now).is_some() { Vec::new() } else { beyond }
    };
    let beyond = kept(desired).into_iter().flat_map(in_repository);
    unresolved.chain(beyond.map(|tag| tag.reference.clone())).collect()
}

/// The record as it is to be in the status from now on.
pub(super) fn record(desired: &Desired, observed: &Observed, push: &PushPlan, now: Timestamp) -> Vec<PushedTag> {
    let mut tags = remembered(desired, observed);
    claim_pushes(desired, push, &mut tags);
    note_what_is_held(push, &mut tags);
    tags.retain_mut(|tag| {
        if is_wanted(desired, &tag.reference) {
            tag.superseded_at = None;
            return true;
        }
        tag.superseded_at = tag.superseded_at.or(Some(now));
        is_still_ours(desired, observed, tag)
    });
    forget_the_oldest(tags)
}

/// The deletions, the oldest image first.
pub(super) fn plan(desired: &Desired, observed: &Observed, tags: &[PushedTag], now: Timestamp) -> RemoteRetention {
    let mut retention = RemoteRetention::default();
    for (repository, keep) in kept(desired) {
        let beyond = beyond(desired, observed, tags, repository, keep);
        if let Some(wait) = block(observed, &beyond, now) {
            retention.look_again = retention.look_again.into_iter().chain([wait]).min();
            continue;
        }
        let may_go: Vec<(&ImageReference, &ManifestDigest)> =
            beyond.into_iter().filter_map(|tag| may_go(desired, observed, tag)).collect();
        let cause = match keep {
            1 => format!("it is superseded, and 1 superseded image is kept in {repository}"),
            _ => format!("it is superseded, and {keep} superseded images are kept in {repository}"),
        };
        let steps = may_go.iter().rev().map(|(reference, digest)| {
            let along = may_go.iter().filter(|(other, held)| held == digest && other != reference);
            let along = along.map(|(other, _)| (*other).clone()).collect();
            let (reference, digest) = ((*reference).clone(), (*digest).clone());
            step(Action::DeleteTag { tag: TagDeletion { reference, digest, along } }, cause.clone())
        });
        retention.steps.extend(steps);
    }
    retention
}

/// The repositories in which superseded images are counted, and how many of them are kept.
fn kept(desired: &Desired) -> BTreeMap<&Repository, usize> {
    let mut kept = BTreeMap::new();
    for destination in &desired.destinations {
        if let Some(keep) = destination.rules.keep {
            let most = kept.entry(destination.reference.repository()).or_insert(keep);
            *most = keep.max(*most);
        }
    }
    kept
}

fn is_wanted(desired: &Desired, reference: &ImageReference) -> bool {
    desired.destinations.iter().any(|destination| destination.reference == *reference)
}

/// What the old status tells of what was pushed: the record, and what was pushed before `keep` was asked for.
fn remembered(desired: &Desired, observed: &Observed) -> Vec<PushedTag> {
    let memory = &observed.memory;
    let recorded = |reference: &ImageReference| memory.pushed_tags.iter().any(|tag| tag.reference == *reference);
    let pushed = memory.pushed.iter().filter(|(reference, status)| {
        status.pushed_at.is_some() && status.drifted_to.is_none() && !status.missing && !recorded(reference)
    });
    let pushed = pushed.filter_map(|(reference, status)| {
        let digest = status.digest.as_ref()?.parse().ok()?;
        Some(PushedTag { digest: Some(digest), ..PushedTag::claimed(reference.clone()) })
    });
    let all = memory.pushed_tags.iter().cloned().chain(pushed);
    let kept = kept(desired);
    all.filter(|tag| kept.contains_key(tag.reference.repository())).collect()
}

/// What is about to be pushed will be ours, whatever the tag holds now.
fn claim_pushes(desired: &Desired, push: &PushPlan, tags: &mut Vec<PushedTag>) {
    for step in &push.steps {
        let Action::PushImage { reference, image: ImageTarget::Present(_) } = &step.action else { continue };
        if desired.keeps_superseded(reference) {
            tags.retain(|tag| tag.reference != *reference);
            tags.push(PushedTag::claimed(reference.clone()));
        }
    }
}

fn note_what_is_held(push: &PushPlan, tags: &mut [PushedTag]) {
    for (reference, state) in &push.states {
        if let PushState::Held(digest) = state {
            let claimed = tags.iter_mut().filter(|tag| tag.reference == *reference && tag.digest.is_none());
            claimed.for_each(|tag| tag.digest = Some(digest.clone()));
        }
    }
}

/// Whether a superseded tag still holds what was pushed, as far as is known. What was claimed and never read back is ours
/// when it holds an image that we keep.
fn is_still_ours(desired: &Desired, observed: &Observed, tag: &mut PushedTag) -> bool {
    let is_shared = failure_of(observed, tag) == Some(Reason::TagShared);
    let remote = match observed.remotes.get(&tag.reference) {
        Some(Remote::Holds(remote)) => remote,
        Some(Remote::Nothing) => return false,
        Some(Remote::Unknown(_)) | None => return !is_shared,
    };
    if tag.digest.is_none() {
        let ours = observed.images.iter().filter(|image| image.is_kept_by(&desired.owner));
        tag.digest = ours.into_iter().any(|image| image.is(remote)).then(|| remote.manifest.clone());
    }
    !is_shared && tag.digest.as_ref() == Some(&remote.manifest)
}

fn forget_the_oldest(tags: Vec<PushedTag>) -> Vec<PushedTag> {
    let superseded = tags.iter().filter(|tag| tag.superseded_at.is_some()).count();
    let mut too_many = superseded.saturating_sub(MOST_REMEMBERED);
    let mut by_age: Vec<PushedTag> = tags;
    by_age.sort_by_key(|tag| tag.superseded_at.unwrap_or(Timestamp::MAX));
    by_age.retain(|tag| {
        let goes = tag.superseded_at.is_some() && too_many > 0;
        too_many -= usize::from(goes);
        !goes
    });
    by_age
}

/// A superseded image.
#[derive(Default)]
struct Image<'a> {
    tags: Vec<&'a PushedTag>,
    /// Since when no tag of it is asked for. Within a second the place in the record tells what came later.
    superseded_at: Option<(Timestamp, usize)>,
}

/// The tags of a repository whose images are superseded beyond those that are kept, the newest first. None while it is
/// not known what is held by the tags that are asked for there: one may need the same image.
fn beyond<'a>(
    desired: &Desired,
    observed: &Observed,
    tags: &'a [PushedTag],
    repository: &Repository,
    keep: usize,
) -> Vec<&'a PushedTag> {
    let wanted = desired.destinations.iter().filter(|destination| destination.reference.repository() == repository);
    let held = wanted.map(|destination| match observed.remotes.get(&destination.reference) {
        Some(Remote::Holds(remote)) => Some(&remote.manifest),
        _ => None,
    });
    let Some(held) = held.collect::<Option<BTreeSet<&ManifestDigest>>>() else {
        return Vec::new();
    };
    let mut images: BTreeMap<&ManifestDigest, Image<'_>> = BTreeMap::new();
    for (position, tag) in tags.iter().enumerate().filter(|(_, tag)| tag.reference.repository() == repository) {
        if let Some(digest) = tag.digest.as_ref().filter(|digest| !held.contains(digest)) {
            let image = images.entry(digest).or_default();
            let age = (tag.superseded_at.unwrap_or(Timestamp::MAX), position);
            image.superseded_at = image.superseded_at.max(Some(age));
            image.tags.push(tag);
        }
    }
    let mut images: Vec<Image<'_>> = images.into_values().collect();
    images.sort_by_key(|image| Reverse(image.superseded_at));
    let beyond = images.into_iter().skip(keep).flat_map(|image| image.tags);
    beyond.filter(|tag| !is_wanted(desired, &tag.reference)).collect()
}

/// The tag and what it holds, when nobody needs either.
fn may_go<'a>(
    desired: &Desired,
    observed: &Observed,
    tag: &'a PushedTag,
) -> Option<(&'a ImageReference, &'a ManifestDigest)> {
    let (reference, digest) = (&tag.reference, tag.digest.as_ref()?);
    let holds_it = |remote: &Remote| matches!(remote, Remote::Holds(held) if held.manifest == *digest);
    let is_there = observed.remotes.get(reference).is_some_and(holds_it);
    let is_own_image = [Some(&desired.image), desired.pull_reference().as_ref()]
        .into_iter()
        .flatten()
        .chain(&desired.tags)
        .any(|named| named == reference || is_pinned_to(named, reference, digest));
    let is_own_base = observed.memory.base_images.iter().any(|(base, held)| {
        base == reference || (base.repository() == reference.repository() && *held == digest.to_string())
    });
    let is_used = observed.uses.as_ref().is_none_or(|uses| uses.contain(reference, digest));
    (is_there && !is_own_image && !is_own_base && !is_used).then_some((reference, digest))
}

fn is_pinned_to(named: &ImageReference, reference: &ImageReference, digest: &ManifestDigest) -> bool {
    named.repository() == reference.repository() && named.digest() == Some(digest)
}

/// How long nothing is deleted in a repository, where a deletion has failed there. What keeps one tag from going keeps
/// the others as well, so it is met once.
fn block(observed: &Observed, tags: &[&PushedTag], now: Timestamp) -> Option<Duration> {
    let failed = tags.iter().filter(|tag| failure_of(observed, tag).is_some_and(|reason| reason != Reason::TagShared));
    let blocks = failed.filter_map(|tag| observed.attempts.block(&deletion_of(tag)?, now));
    blocks.map(|block| block.look_again).min()
}

fn failure_of(observed: &Observed, tag: &PushedTag) -> Option<Reason> {
    observed.attempts.failure(&deletion_of(tag)?).map(|failure| failure.reason)
}

/// What was attempted, which does not depend on what may go along.
fn deletion_of(tag: &PushedTag) -> Option<Action> {
    let (reference, digest) = (tag.reference.clone(), tag.digest.clone()?);
    Some(Action::DeleteTag { tag: TagDeletion { reference, digest, along: BTreeSet::new() } })
}
