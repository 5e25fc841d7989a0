//! The kinds that a file may hold, their schemas, and what is made of each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::CustomResourceExt;
use kube::core::cel::{CompiledSchema, ValidationErrors, Validator, compile_schema};
use longshore_crds::{ContainerApp, ContainerEngine, GROUP, VERSION};
use serde_json::{Value, json};

use super::problem::Problem;
use super::schema::{self, SECRET};
use super::words;
use super::yaml::{Document, Node};
use crate::reconcile::{ConfigMapData, SecretData};

/// A kind that standalone mode reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    ContainerApp,
    ContainerEngine,
    Secret,
    ConfigMap,
}

const KINDS: [Kind; 4] = [Kind::ContainerApp, Kind::ContainerEngine, Kind::Secret, Kind::ConfigMap];

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ContainerApp => "ContainerApp",
            Self::ContainerEngine => "ContainerEngine",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }

    fn api_version(self) -> String {
        match self {
            Self::ContainerApp | Self::ContainerEngine => format!("{GROUP}/{VERSION}"),
            Self::Secret | Self::ConfigMap => "v1".to_owned(),
        }
    }

    /// Whether its objects lie in namespaces.
    pub(super) fn is_namespaced(self) -> bool {
        self != Self::ContainerEngine
    }

    fn schema(self) -> &'static Value {
        &SCHEMAS[&self]
    }
}

/// What kind a document is of; `None` for one that is somebody else's.
pub(super) fn kind_of(document: &Document) -> Result<Option<Kind>, Problem> {
    let root = &document.root;
    let problem = |path: &str, message: String| Problem {
        place: document.place(root.locate(path)),
        message: format!("{path}: {message}"),
    };
    let names = KINDS.map(Kind::name);
    let text_of = |path: &str, example: &str| {
        let text = root.get(path).and_then(Node::text);
        text.ok_or_else(|| problem(path, format!("is missing and must be given, such as {example}")))
    };
    let api_version = text_of("apiVersion", &format!("{GROUP}/{VERSION}"))?;
    let kind = text_of("kind", Kind::ContainerApp.name())?;
    let is_our_group = api_version.split('/').next() == Some(GROUP);
    match KINDS.into_iter().find(|known| known.name() == kind) {
        Some(known) if known.api_version() == api_version => Ok(Some(known)),
        Some(known) => Err(problem(
            "apiVersion",
            format!("\"{api_version}\" does not have the kind {kind}; write {}", known.api_version()),
        )),
        None if is_our_group => Err(problem(
            "kind",
            match words::closest(kind, names) {
                Some(meant) => format!("\"{kind}\" is not a kind of {GROUP}; did you mean {meant}?"),
                None => format!("\"{kind}\" is not a kind of {GROUP}; its kinds are ContainerApp and ContainerEngine"),
            },
        )),
        None => Ok(None),
    }
}

/// What is wrong with a document of this kind by the rules of its schema.
pub(super) fn check(kind: Kind, document: &Document, source: &str) -> Vec<Problem> {
    schema::check(kind.schema(), document, source)
}

/// Whether an object of this kind, with its defaults, follows the rules of its CRD.
pub(super) fn follow_rules(kind: Kind, object: &Value) -> Result<(), ValidationErrors> {
    RULES.get(&kind).map_or(Ok(()), |rules| Validator::new().validate_compiled(rules, object, None))
}

/// The values of a Secret; `stringData` wins, as in the API server.
pub(super) fn secret_data(document: &Document) -> Result<SecretData, Vec<Problem>> {
    let mut data = decoded(document, "data")?;
    data.extend(plain(document, "stringData"));
    let kind = document.root.get("type").and_then(Node::text).unwrap_or("Opaque").to_owned();
    Ok(SecretData { kind, data })
}

/// The values of a ConfigMap.
pub(super) fn config_map_data(document: &Document) -> Result<ConfigMapData, Vec<Problem>> {
    let mut data = decoded(document, "binaryData")?;
    data.extend(plain(document, "data"));
    Ok(ConfigMapData { data })
}

fn plain(document: &Document, field: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = document.root.get(field).map(Node::entries).unwrap_or_default();
    let text = |node: &Node| node.text().unwrap_or_default().as_bytes().to_vec();
    entries.iter().map(|entry| (entry.key.clone(), text(&entry.value))).collect()
}

fn decoded(document: &Document, field: &str) -> Result<BTreeMap<String, Vec<u8>>, Vec<Problem>> {
    let mut data = BTreeMap::new();
    let mut problems = Vec::new();
    for entry in document.root.get(field).map(Node::entries).unwrap_or_default() {
        // Long values are often broken into lines.
        let text: String = entry.value.text().unwrap_or_default().split_whitespace().collect();
        match STANDARD.decode(text) {
            Ok(bytes) => drop(data.insert(entry.key.clone(), bytes)),
            Err(_) => problems.push(Problem {
                place: document.place(entry.value.location),
                message: format!("{field}.{}: the value is not base64; encode it, or {}", entry.key, plainly(field)),
            }),
        }
    }
    if problems.is_empty() { Ok(data) } else { Err(problems) }
}

fn plainly(field: &str) -> &'static str {
    if field == "data" { "write it plainly under stringData" } else { "write it plainly under data" }
}

static SCHEMAS: LazyLock<BTreeMap<Kind, Value>> = LazyLock::new(|| {
    KINDS
        .into_iter()
        .map(|kind| {
            let mut schema = match kind {
                Kind::ContainerApp => schema_of::<ContainerApp>(),
                Kind::ContainerEngine => schema_of::<ContainerEngine>(),
                Kind::Secret => secret_schema(),
                Kind::ConfigMap => config_map_schema(),
            };
            let properties = &mut schema["properties"];
            properties["apiVersion"] = json!({"type": "string"});
            properties["kind"] = json!({"type": "string"});
            properties["metadata"] = metadata_schema();
            // Whoever exports an object from a cluster has its status in the file; it says nothing here.
            properties["status"] = json!({});
            schema["required"] = match kind {
                Kind::ContainerApp | Kind::ContainerEngine => json!(["metadata", "spec"]),
                Kind::Secret | Kind::ConfigMap => json!(["metadata"]),
            };
            (kind, schema)
        })
        .collect()
});

/// To compile the rules takes far longer than to follow them, and there are many resources of a kind.
static RULES: LazyLock<BTreeMap<Kind, CompiledSchema>> = LazyLock::new(|| {
    let with_rules = [Kind::ContainerApp, Kind::ContainerEngine];
    with_rules.into_iter().map(|kind| (kind, compile_schema(kind.schema()))).collect()
});

fn schema_of<T: CustomResourceExt>() -> Value {
    let version = T::crd().spec.versions.into_iter().next();
    let schema = version.and_then(|version| version.schema).and_then(|schema| schema.open_api_v3_schema);
    serde_json::to_value(schema).expect("a schema is plain data")
}

/// `ObjectMeta`, with the rules for what is used here. The rest is what an export from a cluster contains.
fn metadata_schema() -> Value {
    let texts = json!({"type": "object", "nullable": true, "additionalProperties": {"type": "string"}});
    let mut schema = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {
                "type": "string", "minLength": 1, "maxLength": 253, "pattern": words::OBJECT_NAME,
                "description": "The name of the object, unique in its namespace",
            },
            "namespace": {"type": "string", "minLength": 1, "maxLength": 63, "pattern": words::NAMESPACE, "nullable": true},
            "labels": texts,
            "annotations": texts,
        },
    });
    for exported in [
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ] {
        schema["properties"][exported] = json!({});
    }
    schema
}

fn secret_schema() -> Value {
    let values = json!({
        "type": "object", "nullable": true, "propertyNames": {"pattern": words::DATA_KEY},
        "additionalProperties": {"type": "string", SECRET: true},
    });
    json!({"type": "object", "properties": {
        "type": {"type": "string", "nullable": true},
        "immutable": {"type": "boolean", "nullable": true},
        "data": values,
        "stringData": values,
    }})
}

fn config_map_schema() -> Value {
    let values = json!({
        "type": "object", "nullable": true, "propertyNames": {"pattern": words::DATA_KEY},
        "additionalProperties": {"type": "string"},
    });
    json!({"type": "object", "properties": {
        "immutable": {"type": "boolean", "nullable": true},
        "data": values,
        "binaryData": values,
    }})
}
