//! The facts of a status: the image, the destinations and the container, as they were observed.

use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{BaseImageStatus, ContainerAppStatus, ContainerStatus, ImageStatus, PushStatus};

use super::{Telling, time};
use crate::app::plan::{Observed, PushState, Remote, RunState};
use crate::app::{Container, ContainerState, Desired, Image, ImageSource, Plan, Reason, compact, labels};

pub(super) fn image(desired: &Desired, plan: &Plan, telling: &Telling) -> Option<ImageStatus> {
    let image = plan.image.as_ref()?;
    Some(ImageStatus {
        reference: desired.image.to_string(),
        id: Some(image.id.to_string()),
        config_digest: image.config.as_ref().map(ToString::to_string),
        manifest_digest: manifest_digest(desired, plan, image),
        size: Some(image.size),
        created_at: image.created_at.map(time),
        input_hash: image.labels.get(labels::INPUT_HASH).filter(|_| !desired.tags.is_empty()).cloned(),
        // What was read for this spec says nothing of an earlier revision.
        source: telling.source.clone().filter(|_| desired.rollback_to.is_none()),
        base_images: base_images(desired),
    })
}

fn base_images(desired: &Desired) -> Vec<BaseImageStatus> {
    let (Ok(ImageSource::Build(build)), None) = (&desired.source, desired.rollback_to) else {
        return Vec::new();
    };
    let known = build.base_images.iter();
    known
        .map(|(reference, digest)| BaseImageStatus { reference: reference.canonical(), digest: digest.clone() })
        .collect()
}

/// The digest in the first registry that holds the image, else in the repository that it was pulled from.
fn manifest_digest(desired: &Desired, plan: &Plan, image: &Image) -> Option<String> {
    let pushed = plan.pushes.iter().find_map(|(_, state)| match state {
        PushState::Held(digest) | PushState::HeldWhenLastAsked(digest, _) => Some(digest),
        PushState::Moved { .. } | PushState::Missing => None,
    });
    let pulled = || {
        let here = image.manifests.iter().find(|(repository, _)| *repository == desired.repository);
        here.map(|(_, digest)| digest)
    };
    pushed.or_else(pulled).or(image.target.as_ref()).map(ToString::to_string)
}

pub(super) fn pushes(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    telling: &Telling,
    old: &ContainerAppStatus,
) -> Vec<PushStatus> {
    let wanted = |push: &PushStatus| {
        desired.destinations.iter().any(|destination| destination.reference.to_string() == push.reference)
    };
    // Until an image is there to compare with, nothing new can be said.
    if plan.image.is_none() {
        return old.push.iter().filter(|push| wanted(push)).cloned().collect();
    }
    let held = plan.pushes.iter().filter_map(|(reference, state)| {
        let (digest, drifted_to, missing) = match state {
            PushState::Held(digest) | PushState::HeldWhenLastAsked(digest, _) => (digest.to_string(), None, false),
            PushState::Moved { from, to } => (from.to_string(), to.as_ref().map(ToString::to_string), to.is_none()),
            PushState::Missing => return None,
        };
        let found = match observed.remotes.get(reference) {
            Some(Remote::Holds(remote)) if drifted_to.is_none() => remote.size,
            _ => None,
        };
        let reference_text = reference.to_string();
        let before = old
            .push
            .iter()
            .find(|push| push.reference == reference_text && push.digest.as_deref() == Some(digest.as_str()));
        let now_pushed = telling.pushed_at.get(reference).map(|timestamp| time(*timestamp));
        Some(PushStatus {
            reference: reference_text,
            pushed_at: now_pushed.or_else(|| before.and_then(|push| push.pushed_at.clone())),
            size: found.and_then(|size| size.try_into().ok()).or_else(|| before.and_then(|push| push.size)),
            digest: Some(digest),
            drifted_to,
            missing,
        })
    });
    held.collect()
}

/// How often it is told how a container stands that keeps ending: not with every restart.
const KEEPS_ENDING: Duration = Duration::from_secs(60);

pub(super) fn container(
    desired: &Desired,
    plan: &Plan,
    telling: &Telling,
    old: &ContainerAppStatus,
    now: Timestamp,
) -> Option<ContainerStatus> {
    desired.run.as_ref()?;
    match (&plan.container, &plan.run) {
        (Some(container), _) => match told_lately(container, plan, old, now) {
            Some(told) => Some(told.clone()),
            None => Some(container_status(desired, container, plan, telling, old)),
        },
        // A one-shot that is over stays so when its container is removed, and what it has said is still to be read.
        (None, RunState::Completed | RunState::Failed | RunState::OnSchedule { .. }) if has_ended(old) => {
            old.container.clone().map(|before| ContainerStatus { state: ContainerStatus::REMOVED.to_owned(), ..before })
        }
        // The name is remembered, so that its absence can be told as such.
        (None, _) => old.container.as_ref().map(|before| ContainerStatus {
            name: before.name.clone(),
            state: "gone".to_owned(),
            ..ContainerStatus::default()
        }),
    }
}

fn has_ended(old: &ContainerAppStatus) -> bool {
    old.container.as_ref().is_some_and(ContainerStatus::has_ended)
}

/// Whether a container keeps ending, by this plan.
pub fn keeps_ending(plan: &Plan, container: &Container) -> bool {
    let restarts = container.detail.as_ref().map_or(0, |detail| detail.restarts);
    restarts > 0 && plan.blocks.iter().any(|block| block.reason == Reason::CrashLoopBackOff)
}

/// What was told of a container that keeps ending, when that is not long ago or it has not ended since.
pub fn told_lately<'a>(
    container: &Container,
    plan: &Plan,
    old: &'a ContainerAppStatus,
    now: Timestamp,
) -> Option<&'a ContainerStatus> {
    let before = old.container.as_ref().filter(|before| before.id == container.id.0 && before.restarts > 0)?;
    let ended = before.finished_at.as_ref()?.0;
    let is_young = Duration::try_from(now.duration_since(ended)).is_ok_and(|age| age < KEEPS_ENDING);
    let finished_at = container.detail.as_ref().and_then(|detail| detail.finished_at);
    let is_the_same_end = finished_at.is_some_and(|finished_at| time(finished_at).0 == ended);
    ((is_young || is_the_same_end) && keeps_ending(plan, container)).then_some(before)
}

/// Its address in the network of its namespace, or in any other that it is in.
fn address(desired: &Desired, container: &Container) -> Option<String> {
    let ours = container.networks.get(&desired.owner.network_name());
    ours.into_iter().chain(container.networks.values()).find_map(|place| place.address.clone())
}

fn container_status(
    desired: &Desired,
    container: &Container,
    plan: &Plan,
    telling: &Telling,
    old: &ContainerAppStatus,
) -> ContainerStatus {
    let detail = container.detail.clone().unwrap_or_default();
    let keeps_ending = keeps_ending(plan, container);
    let tells_the_end = container.state == ContainerState::Exited || keeps_ending;
    let id = container.id.to_string();
    let before = old.container.as_ref().filter(|before| before.id == id);
    // What runs again shows no more how it had ended.
    let runs_again = keeps_ending && container.state == ContainerState::Running;
    let (exit_code, oom_killed) = match before.filter(|_| runs_again) {
        Some(before) => (before.exit_code, before.oom_killed),
        None => ((!runs_again).then_some(detail.exit_code), detail.oom_killed),
    };
    let liveness = plan.liveness.as_ref().map_or_else(
        || before.map(|before| (before.liveness_restarts, before.liveness_failed_since.clone())),
        |restarts| Some((i64::from(restarts.count), Some(time(restarts.of_run)))),
    );
    let (liveness_restarts, liveness_failed_since) = liveness.filter(|(count, _)| *count > 0).unwrap_or_default();
    ContainerStatus {
        name: container.name.clone(),
        state: container.state.to_string(),
        ip: address(desired, container),
        ports: compact(&container.ports),
        started_at: detail.started_at.map(time),
        finished_at: tells_the_end.then_some(detail.finished_at).flatten().map(time),
        exit_code: tells_the_end.then_some(exit_code).flatten(),
        oom_killed: tells_the_end && oom_killed,
        restarts: detail.restarts,
        health: detail.health.map(|report| report.health.to_string()),
        liveness_restarts,
        liveness_failed_since,
        log_tail: if tells_the_end {
            telling.log_tail.clone().or_else(|| before.and_then(|before| before.log_tail.clone()))
        } else {
            None
        },
        spec_hash: container.spec_hash().unwrap_or_default().to_owned(),
        id,
    }
}
