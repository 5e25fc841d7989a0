//! The facts of a status: the image, the destinations and the container, as they were observed.

use longshore_crds::{BaseImageStatus, ContainerAppStatus, ContainerStatus, ImageStatus, PushStatus};

use super::{Telling, time};
use crate::app::plan::{Observed, PushState, Remote, RunState};
use crate::app::{Container, ContainerState, Desired, Image, ImageSource, Plan, labels};

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
        source: telling.source.clone(),
        base_images: base_images(desired),
    })
}

fn base_images(desired: &Desired) -> Vec<BaseImageStatus> {
    let Ok(ImageSource::Build(build)) = &desired.source else {
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

pub(super) fn container(
    desired: &Desired,
    plan: &Plan,
    telling: &Telling,
    old: &ContainerAppStatus,
) -> Option<ContainerStatus> {
    desired.run.as_ref()?;
    match (&plan.container, &plan.run) {
        (Some(container), _) => Some(container_status(container, telling, old)),
        // A one-shot that is done stays done when somebody removes its container.
        (None, RunState::Completed) => old.container.clone(),
        // The name is remembered, so that its absence can be told as such.
        (None, _) => old.container.as_ref().map(|before| ContainerStatus {
            name: before.name.clone(),
            state: "gone".to_owned(),
            ..ContainerStatus::default()
        }),
    }
}

fn container_status(container: &Container, telling: &Telling, old: &ContainerAppStatus) -> ContainerStatus {
    let detail = container.detail.clone().unwrap_or_default();
    let has_ended = container.state == ContainerState::Exited;
    let id = container.id.to_string();
    let earlier_tail = || old.container.as_ref().filter(|before| before.id == id)?.log_tail.clone();
    ContainerStatus {
        name: container.name.clone(),
        state: container.state.to_string(),
        ip: detail.ip,
        ports: container.ports.iter().map(ToString::to_string).collect(),
        started_at: detail.started_at.map(time),
        finished_at: has_ended.then_some(detail.finished_at).flatten().map(time),
        exit_code: has_ended.then_some(detail.exit_code),
        restarts: detail.restarts,
        health: detail.health.map(|report| report.health.to_string()),
        log_tail: if has_ended { telling.log_tail.clone().or_else(earlier_tail) } else { None },
        spec_hash: container.spec_hash().unwrap_or_default().to_owned(),
        id,
    }
}
