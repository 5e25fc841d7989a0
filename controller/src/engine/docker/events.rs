//! What happens on an engine.

use std::collections::HashMap;
use std::sync::Arc;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::DockerEngine;
use super::errors::engine_error;
use crate::app::labels;
use crate::engine::{EngineError, EngineEvent};

/// What changes a container or an image. Health checks would fill the stream with `exec_*`, so they are not asked for.
const ACTIONS: [&str; 17] = [
    "create",
    "start",
    "die",
    "stop",
    "kill",
    "oom",
    "pause",
    "unpause",
    "rename",
    "restart",
    "update",
    "destroy",
    "health_status",
    "tag",
    "untag",
    "delete",
    "pull",
];

impl DockerEngine {
    pub(super) fn event_stream(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let filters: HashMap<String, Vec<String>> =
            [("type".to_owned(), words(&["container", "image"])), ("event".to_owned(), words(&ACTIONS))].into();
        let endpoint = Arc::clone(&self.endpoint);
        let events = self.docker.events(Some(EventsOptionsBuilder::default().filters(&filters).build()));
        events.map(move |event| event.map(from_message).map_err(|error| engine_error(&endpoint, error))).boxed()
    }
}

fn from_message(message: EventMessage) -> EngineEvent {
    let actor = message.actor.unwrap_or_default();
    let attributes = actor.attributes.unwrap_or_default();
    EngineEvent {
        owner_uid: attributes.get(labels::OWNER_UID).cloned(),
        action: message.action.unwrap_or_default(),
        subject: attributes.get("name").cloned().or(actor.id).unwrap_or_default(),
    }
}
