//! Reads objects that may not be what their schema promises, so that one of them never stalls the others.
//!
//! An API server keeps what it once accepted: a CRD that was loosened by hand, or an older one, lets through what these
//! types refuse. So the watches ask for metadata only, which cannot fail, and each object is read by itself.

use kube::core::ObjectMeta;
use longshore_crds::{ContainerApp, ContainerAppSpec, DeletionPolicy};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::warn;

/// The longest part of serde's message that is repeated, in bytes: it may quote a whole value.
const LONGEST_MESSAGE: usize = 512;

/// A `ContainerApp` as the API server gave it.
#[derive(Debug)]
pub(super) enum Guarded {
    /// It is what it should be.
    Understood(Box<ContainerApp>),
    /// It is not.
    Broken {
        /// Which field is wrong, and how.
        message: String,
        /// What can be understood of it.
        remains: Box<ContainerApp>,
    },
}

/// Reads a `ContainerApp`. A status that cannot be understood is no reason to refuse it: it is observed anew.
pub(super) fn read_app(mut object: Value) -> Guarded {
    if let Err(message) = parse::<Option<longshore_crds::ContainerAppStatus>>(&object["status"]) {
        warn!(object = %object["metadata"]["name"], "the status cannot be understood and is made anew: {message}");
        object["status"] = Value::Null;
    }
    match parse(&object) {
        Ok(app) => Guarded::Understood(Box::new(app)),
        Err(message) => Guarded::Broken { message, remains: Box::new(remains_of(&object)) },
    }
}

/// Reads any object; the error names the field in words that do not speak of types.
pub(super) fn parse<K: DeserializeOwned>(object: &Value) -> Result<K, String> {
    serde_path_to_error::deserialize(object)
        .map_err(|error| sentence(&error.path().to_string(), &error.inner().to_string()))
}

/// The metadata, the status, and those sections of the spec that can be understood. Enough to tell what is wrong, and
/// to find what has to be removed with the resource.
fn remains_of(object: &Value) -> ContainerApp {
    let mut spec = json!({"image": {"name": "unreadable"}});
    for (field, value) in object["spec"].as_object().into_iter().flatten() {
        let mut candidate = spec.clone();
        candidate[field] = value.clone();
        if parse::<ContainerAppSpec>(&candidate).is_ok() {
            spec = candidate;
        }
    }
    let mut spec: ContainerAppSpec = parse(&spec).expect("every section was tried");
    // Whoever wrote a policy that cannot be read did not ask for the removal.
    let policy = &object["spec"]["deletionPolicy"];
    if !policy.is_null() && parse::<DeletionPolicy>(policy).is_err() {
        spec.deletion_policy = DeletionPolicy::Orphan;
    }
    ContainerApp {
        metadata: parse::<ObjectMeta>(&object["metadata"]).unwrap_or_default(),
        spec,
        status: parse(&object["status"]).unwrap_or_default(),
    }
}

fn sentence(path: &str, message: &str) -> String {
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("{path}.{field}: it is missing, and needed");
    }
    let message = shortened(message);
    let found_and_expected = ["invalid type: ", "invalid value: ", "unknown variant "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
        .and_then(|rest| rest.rsplit_once(", expected "));
    match found_and_expected {
        Some((found, expected)) => format!("{path}: found {found}, where {} is needed", in_words(expected)),
        None => format!("{path}: {message}"),
    }
}

/// What serde calls a type, as a person calls it.
fn in_words(expected: &str) -> &str {
    match expected {
        "i32" => "a whole number between -2147483648 and 2147483647",
        "i64" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "string or map" => "a word",
        "RFC3339" => "a time such as 2026-01-31T12:00:00Z",
        _ if expected.starts_with("struct ") => "a mapping of fields",
        _ => expected,
    }
}

/// The end of a message says what was expected, its middle may quote a long value.
fn shortened(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let head = message.floor_char_boundary(LONGEST_MESSAGE / 2);
    let tail = message.ceil_char_boundary(message.len() - LONGEST_MESSAGE / 2);
    format!("{}…{}", &message[..head], &message[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(spec: &Value) -> Value {
        json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": "web", "namespace": "shop", "uid": "1-2", "resourceVersion": "7"},
            "spec": spec,
        })
    }

    fn broken(spec: &Value) -> (String, ContainerApp) {
        match read_app(object(spec)) {
            Guarded::Broken { message, remains } => (message, *remains),
            Guarded::Understood(app) => panic!("understood: {app:?}"),
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_its_field_and_what_is_needed() {
        let (message, _) = broken(&json!({
            "image": {"name": "web"},
            "run": {"ports": [{"hostPort": "eighty", "containerPort": 80}]},
        }));
        assert_eq!(
            message,
            "spec.run.ports[0].hostPort: found string \"eighty\", where a whole number between -2147483648 and \
             2147483647 is needed"
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        let (message, _) = broken(&json!({"run": {}}));
        assert_eq!(message, "spec.image: it is missing, and needed");
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let (message, _) = broken(&json!({"image": {"name": "web"}, "run": {"restartPolicy": "Sometimes"}}));
        assert_eq!(
            message,
            "spec.run.restartPolicy: found `Sometimes`, where one of `Always`, `OnFailure`, `Never` is needed"
        );
    }

    #[test]
    fn no_message_speaks_of_types_of_the_program() {
        let wrong = [
            json!({"image": 1}),
            json!({"image": {"name": "web"}, "run": 1}),
            json!({"image": {"name": "web"}, "push": 3}),
            json!({"image": {"name": "web"}, "suspend": "yes"}),
            json!({"image": {"name": "web"}, "deletionPolicy": 3}),
            json!(null),
        ];
        for spec in wrong {
            let (message, _) = broken(&spec);
            for word in ["struct", "i32", "i64", "enum", "sequence", "Spec", "unit"] {
                assert!(!message.contains(word), "{message}");
            }
        }
    }

    #[test]
    fn a_long_value_is_not_repeated_whole() {
        let (message, _) = broken(&json!({"image": {"name": "web"}, "suspend": "é".repeat(10_000)}));
        assert!(message.len() < 700, "{}", message.len());
        assert!(message.ends_with("where true or false is needed"), "{message}");
    }

    #[test]
    fn what_can_be_understood_remains() {
        let (_, remains) = broken(&json!({
            "image": {"name": 4}, "engine": "big", "deletionPolicy": "Orphan", "run": {"containerName": "web-1"},
        }));
        assert_eq!(remains.metadata.uid.as_deref(), Some("1-2"));
        assert_eq!(remains.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(remains.spec.engine, "big");
        assert_eq!(remains.spec.deletion_policy, DeletionPolicy::Orphan);
        assert_eq!(remains.spec.run.and_then(|run| run.container_name).as_deref(), Some("web-1"));
    }

    #[test]
    fn an_unreadable_deletion_policy_removes_nothing() {
        let (_, remains) = broken(&json!({"image": {"name": "web"}, "deletionPolicy": "orphan"}));
        assert_eq!(remains.spec.deletion_policy, DeletionPolicy::Orphan);
    }

    #[test]
    fn a_status_that_cannot_be_understood_is_left_out() {
        let mut object = object(&json!({"image": {"name": "web"}}));
        object["status"] = json!({"observedGeneration": "many"});
        match read_app(object) {
            Guarded::Understood(app) => assert_eq!(app.status, None),
            Guarded::Broken { message, .. } => panic!("{message}"),
        }
    }
}
