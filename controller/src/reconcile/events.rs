//! Which steps and changes are worth an Event, and how they are told.

use longshore_crds::ContainerAppStatus;

use super::{Event, EventKind};
use crate::app::{Action, Failure, Image, Owner, Step};

/// The Event of a step that was done; none where it would be noise. `image` is what a pull has brought.
pub(super) fn of_step(step: &Step, image: Option<&Image>) -> Option<Event> {
    let cause = &step.cause;
    let (reason, note) = match &step.action {
        Action::PullImage { reference, .. } => {
            let repository = reference.repository();
            let digest = image
                .and_then(|image| image.manifests.iter().find(|(holder, _)| holder == repository))
                .map_or_else(String::new, |(_, digest)| format!(", {digest}"));
            ("Pulled", format!("pulled {reference} from {}{digest}: {cause}", reference.host()))
        }
        Action::BuildImage { hash, .. } => ("Built", format!("built the image of the inputs {hash}: {cause}")),
        // Only that an image was found is told: it is why there was no pull or no build.
        Action::TagImage { reference, .. } if Owner::is_private(reference) && cause.contains("already") => {
            ("ImageFound", cause.clone())
        }
        Action::TagImage { reference, .. } if cause.starts_with("somebody") => {
            ("Tagged", format!("tagged {reference}: {cause}"))
        }
        Action::TagImage { .. } => return None,
        Action::PushImage { reference, .. } => ("Pushed", format!("pushed {reference}: {cause}")),
        Action::CreateVolume { name } => ("VolumeCreated", format!("made the volume {name}: {cause}")),
        Action::RemoveVolume { name } => ("VolumeRemoved", format!("removed the volume {name}: {cause}")),
        Action::CreateNetwork { name } => ("NetworkCreated", format!("made the network {name}: {cause}")),
        Action::RemoveNetwork { name, .. } => ("NetworkRemoved", format!("removed the network {name}: {cause}")),
        Action::ConnectNetwork { container, network, .. } => {
            ("Connected", format!("connected the container {container} to the network {network}: {cause}"))
        }
        Action::CreateContainer { name, .. } => ("Created", format!("made the container {name}: {cause}")),
        Action::StartContainer { name, .. } => ("Started", format!("started the container {name}: {cause}")),
        Action::StopContainer { name, .. } => ("Stopped", format!("stopped the container {name}: {cause}")),
        Action::UnpauseContainer { name, .. } => ("Unpaused", format!("unpaused the container {name}: {cause}")),
        Action::AdjustContainer { name, .. } => ("Adjusted", format!("adjusted the container {name}: {cause}")),
        Action::RenameContainer { from, to, .. } if cause.starts_with("somebody") => {
            ("Renamed", format!("renamed the container {from} to {to}: {cause}"))
        }
        Action::RenameContainer { .. } => return None,
        Action::RemoveContainer { gap: Some(gap), name, .. } => {
            let gap = if gap.is_zero() { "no gap".to_owned() } else { format!("a gap of {:.1} s", gap.as_secs_f64()) };
            ("Replaced", format!("replaced the container {name}, with {gap}: {cause}"))
        }
        Action::RemoveContainer { name, .. } => ("Removed", format!("removed the container {name}: {cause}")),
        Action::RemoveImage { reference } if Owner::is_private(reference) => return None,
        Action::RemoveImage { reference } => ("ImageRemoved", format!("removed {reference}: {cause}")),
        Action::DeleteTag { tag } => {
            ("TagDeleted", format!("deleted {}, which held {}: {cause}", tag.reference, tag.digest))
        }
        Action::RecordRevision { .. } | Action::RemoveRevision { .. } => return None,
    };
    Some(Event { kind: EventKind::Normal, reason: reason.to_owned(), note })
}

/// The Event of a step that failed.
pub(super) fn of_failure(failure: &Failure) -> Event {
    Event { kind: EventKind::Warning, reason: failure.reason.to_string(), note: failure.message.clone() }
}

/// The Event of a status that says something new: that the resource has become ready, or what stands in its way.
pub(super) fn of_status(old: Option<&ContainerAppStatus>, new: &ContainerAppStatus) -> Option<Event> {
    let ready_of = |status: &ContainerAppStatus| {
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
        Some((ready.status.clone(), ready.reason.clone(), ready.message.clone()))
    };
    let is_stalled = new.conditions.iter().any(|condition| condition.type_ == "Stalled");
    let (status, reason, message) = ready_of(new)?;
    let before = old.and_then(ready_of);
    let is_new = before.as_ref().is_none_or(|before| (&before.0, &before.1) != (&status, &reason));
    match (status.as_str(), is_new) {
        ("True", true) => Some(Event { kind: EventKind::Normal, reason, note: message }),
        ("False", true) if is_stalled || is_obstacle(&reason) => {
            Some(Event { kind: EventKind::Warning, reason, note: message })
        }
        _ => None,
    }
}

/// Whether a reason speaks of something in the way rather than of work that goes on.
fn is_obstacle(reason: &str) -> bool {
    ["Conflict", "NotFound", "Invalid", "Unavailable", "Unreadable", "CrashLoop", "Unhealthy"]
        .iter()
        .any(|word| reason.contains(word))
}
