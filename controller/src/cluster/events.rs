//! Events on resources, as `kubectl describe` shows them.

use std::hash::{DefaultHasher, Hash, Hasher};

use kube::runtime::events::{Event as KubeEvent, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use longshore_crds::ContainerApp;
use tracing::warn;

use super::errors::words;
use crate::reconcile::{Event, EventKind};

/// The longest note and reason that the API server takes, in bytes (events.k8s.io/v1).
const LONGEST_NOTE: usize = 1024;
const LONGEST_REASON: usize = 128;

/// The name under which we report.
const CONTROLLER: &str = "longshore";

/// The one recorder of this process: it counts repetitions instead of making new Events.
pub(super) struct Publisher {
    recorder: Recorder,
}

impl Publisher {
    pub(super) fn new(client: Client) -> Self {
        Self { recorder: Recorder::new(client, Reporter::from(CONTROLLER)) }
    }

    /// Tells. What cannot be told is logged: an Event is never a reason to fail.
    pub(super) async fn publish(&self, app: &ContainerApp, event: &Event) {
        let subject = app.object_ref(&());
        if let Err(error) = self.recorder.publish(&to_kube(event), &subject).await {
            warn!(
                namespace = subject.namespace,
                name = subject.name,
                reason = event.reason,
                "an Event could not be published: {}",
                words(&error)
            );
        }
    }
}

fn to_kube(event: &Event) -> KubeEvent {
    KubeEvent {
        type_: match event.kind {
            EventKind::Normal => EventType::Normal,
            EventKind::Warning => EventType::Warning,
        },
        reason: shortened(&event.reason, LONGEST_REASON),
        note: Some(shortened(&event.note, LONGEST_NOTE)),
        action: action(event),
        secondary: None,
    }
}

/// The recorder takes two Events for the same when all but their notes are, and keeps the older note. A mark of the note
/// in the action, which nobody is shown, keeps what differs apart.
fn action(event: &Event) -> String {
    let mut hasher = DefaultHasher::new();
    event.note.hash(&mut hasher);
    format!("Reconcile-{:016x}", hasher.finish())
}

fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let ellipsis = "…";
    let end = text.floor_char_boundary(longest - ellipsis.len());
    format!("{}{ellipsis}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(note: &str) -> Event {
        Event { kind: EventKind::Warning, reason: "NameConflict".to_owned(), note: note.to_owned() }
    }

    #[test]
    fn a_long_note_is_cut_at_a_characters_end() {
        let note = to_kube(&event(&"ü".repeat(1000))).note.unwrap();
        assert!(note.len() <= LONGEST_NOTE, "{}", note.len());
        assert!(note.len() > LONGEST_NOTE - 4, "{}", note.len());
        assert!(note.ends_with("ü…"));
    }

    #[test]
    fn a_note_that_fits_is_told_whole() {
        assert_eq!(to_kube(&event("the port is taken")).note.as_deref(), Some("the port is taken"));
    }

    #[test]
    fn the_same_reason_with_another_note_is_another_event() {
        assert_ne!(to_kube(&event("port 80")).action, to_kube(&event("port 81")).action);
        assert_eq!(to_kube(&event("port 80")).action, to_kube(&event("port 80")).action);
    }
}
