//! The event stream of the engine in memory.

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use crate::app::{ContainerId, EngineImageId, ImageReference};
use crate::engine::{EngineError, EngineEvent, EventSubject};

/// How many events are kept for a slow reader; it never sees those that it missed, as with Docker.
const KEPT: usize = 256;

/// Tells everyone who listens what happens.
pub(super) struct Transmitter {
    sender: broadcast::Sender<EngineEvent>,
    /// Whether every event is lost.
    pub(super) is_mute: bool,
}

impl Default for Transmitter {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(KEPT), is_mute: false }
    }
}

impl Transmitter {
    pub(super) fn tell(&self, owner_uid: Option<String>, action: &str, subject: EventSubject) {
        if self.is_mute {
            return;
        }
        // An error says that nobody listens, which is as good.
        let _ = self.sender.send(EngineEvent { owner_uid, action: action.to_owned(), subject });
    }

    pub(super) fn tell_of_container(&self, owner_uid: Option<String>, action: &str, id: &ContainerId) {
        self.tell(owner_uid, action, EventSubject::Container(id.clone()));
    }

    pub(super) fn tell_of_reference(&self, action: &str, reference: &ImageReference) {
        self.tell(None, action, EventSubject::Reference(reference.clone()));
    }

    pub(super) fn tell_of_tag(&self, reference: &ImageReference, image: &EngineImageId) {
        self.tell(None, "tag", EventSubject::Tagged(reference.clone(), image.clone()));
    }

    pub(super) fn tell_of_image(&self, action: &str, id: &EngineImageId) {
        self.tell(None, action, EventSubject::Image(id.to_string()));
    }

    /// Ends every stream, as a lost connection does.
    pub(super) fn disconnect(&mut self) {
        self.sender = broadcast::Sender::new(KEPT);
    }

    pub(super) fn listen(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        let received = BroadcastStream::new(self.sender.subscribe());
        received.filter_map(|event| std::future::ready(event.ok().map(Ok))).boxed()
    }
}
