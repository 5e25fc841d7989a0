//! The engine's events: hints to look.

use std::collections::HashMap;

use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::EventsOptionsBuilder;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::connection::Connection;
use crate::app::{ContainerId, labels};
use crate::engine::{EngineError, EngineEvent, EventSubject};

/// What is worth a look. The engine keeps few events and drops those of slow readers, so that the rest, above all the
/// `exec_*` that every health check makes, is left out there and not here.
const ACTIONS: &[&str] = &[
    "create",
    "delete",
    "destroy",
    "die",
    "disconnect",
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
    let filters = HashMap::from([("type", vec!["container", "image", "network"]), ("event", ACTIONS.to_vec())]);
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
    let id = actor.id.unwrap_or_default();
    let action = message.action.unwrap_or_default();
    EngineEvent {
        owner_uid: attributes.remove(labels::OWNER_UID),
        subject: match message.typ {
            Some(EventMessageTypeEnum::IMAGE) => {
                image_subject(&action, attributes.remove("name").unwrap_or_default(), id)
            }
            Some(EventMessageTypeEnum::NETWORK) => match attributes.remove("container") {
                Some(container) => EventSubject::Disconnected(ContainerId(container)),
                None => EventSubject::Network(attributes.remove("name").unwrap_or_default()),
            },
            _ => EventSubject::Container(ContainerId(id)),
        },
        action,
    }
}

/// A pull or a push has the reference for its ID, and the repository for its name. Everything else has the image's ID,
/// and for its name the reference, or the ID again. Only a tag says of the two that one points at the other.
fn image_subject(action: &str, name: String, id: String) -> EventSubject {
    // An ID would read as a tag of a repository that is called sha256.
    let is_id = |text: &str| text.starts_with("sha256:");
    let image = id.parse().ok().filter(|_| action == "tag");
    let subject = if is_id(&id) { name } else { id };
    match (subject.parse(), image) {
        (Ok(reference), Some(image)) if !is_id(&subject) => EventSubject::Tagged(reference, image),
        (Ok(reference), None) if !is_id(&subject) => EventSubject::Reference(reference),
        _ => EventSubject::Image(subject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ImageReference;

    fn event(json: &str) -> EngineEvent {
        from_message(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_containers_event_names_its_owner() {
        let json = r#"{"Type":"container","Action":"die","Actor":{"ID":"f00","Attributes":
            {"name":"my-app","exitCode":"0","longshore.dev/owner-uid":"uid-1"}},"scope":"local","time":1,"timeNano":1}"#;
        let expected = EngineEvent {
            owner_uid: Some("uid-1".to_owned()),
            action: "die".to_owned(),
            subject: EventSubject::Container(ContainerId("f00".to_owned())),
        };
        assert_eq!(event(json), expected);
    }

    #[test]
    fn a_networks_event_is_about_the_network_or_who_has_left_it() {
        let network = |action: &str, attributes: &str| {
            event(&format!(
                r#"{{"Type":"network","Action":"{action}","Actor":{{"ID":"0f1","Attributes":{attributes}}}}}"#
            ))
            .subject
        };
        let left = network("disconnect", r#"{"container":"f00","name":"net","type":"bridge"}"#);
        assert_eq!(left, EventSubject::Disconnected(ContainerId("f00".to_owned())));
        assert_eq!(network("destroy", r#"{"name":"net","type":"bridge"}"#), EventSubject::Network("net".to_owned()));
    }

    #[test]
    fn an_images_event_is_about_a_reference_or_an_id() {
        let id = "sha256:0d3300874769cbafa3830ad4506f74c10aebf10c11ecf7838361ed49fe16ab55";
        let image = |action: &str, actor: &str, name: &str| {
            let json = format!(
                r#"{{"Type":"image","Action":"{action}","Actor":{{"ID":"{actor}","Attributes":{{"name":"{name}"}}}}}}"#
            );
            event(&json).subject
        };
        let reference: ImageReference = "node-app:0.1".parse().unwrap();
        let tagged = EventSubject::Tagged(reference.clone(), id.parse().unwrap());
        assert_eq!(image("tag", id, "node-app:0.1"), tagged);
        assert_eq!(image("untag", id, "node-app:0.1"), EventSubject::Reference(reference.clone()));
        assert_eq!(image("pull", "node-app:0.1", "node-app"), EventSubject::Reference(reference));
        assert_eq!(image("untag", id, id), EventSubject::Image(id.to_owned()));
    }
}
