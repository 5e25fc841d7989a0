//! The engine's events: hints to look.

use std::collections::HashMap;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::connection::Connection;
use crate::app::labels;
use crate::engine::{EngineError, EngineEvent};

/// What is worth a look. The engine keeps few events and drops those of slow readers, so that the rest, above all the
/// `exec_*` that every health check makes, is left out there and not here.
const ACTIONS: &[&str] = &[
    "create",
    "delete",
    "destroy",
    "die",
    "health_status",
    "import",
    "kill",
    "load",
    "oom",
    "pause",
    "pull",
    "push",
    "rename",
    "restart",
    "start",
    "stop",
    "tag",
    "unpause",
    "untag",
    "update",
];

pub(super) fn events(connection: &Connection) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
    let filters = HashMap::from([("type", vec!["container", "image"]), ("event", ACTIONS.to_vec())]);
    let options = EventsOptionsBuilder::default().filters(&filters).build();
    let endpoint = connection.endpoint().to_owned();
    connection
        .patient()
        .events(Some(options))
        .map(move |event| match event {
            Ok(message) => Ok(from_message(message)),
            Err(error) => Err(super::failure::Failure::from(error).into_error(&endpoint)),
        })
        .boxed()
}

/// A container's labels are among the attributes of its events.
fn from_message(message: EventMessage) -> EngineEvent {
    let actor = message.actor.unwrap_or_default();
    let mut attributes = actor.attributes.unwrap_or_default();
    EngineEvent {
        owner_uid: attributes.remove(labels::OWNER_UID),
        action: message.action.unwrap_or_default(),
        subject: attributes.remove("name").or(actor.id).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &str) -> EngineEvent {
        from_message(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_containers_event_names_its_owner() {
        let json = r#"{"Type":"container","Action":"die","Actor":{"ID":"f00","Attributes":
            {"name":"my-app","exitCode":"0","longshore.dev/owner-uid":"uid-1"}},"scope":"local","time":1,"timeNano":1}"#;
        let expected =
            EngineEvent { owner_uid: Some("uid-1".to_owned()), action: "die".to_owned(), subject: "my-app".to_owned() };
        assert_eq!(event(json), expected);
    }

    #[test]
    fn an_event_without_a_name_is_about_an_id() {
        let json = r#"{"Type":"image","Action":"untag","Actor":{"ID":"sha256:f00","Attributes":{}}}"#;
        assert_eq!(event(json).subject, "sha256:f00");
        assert_eq!(event(json).owner_uid, None);
    }
}
