//! The rules of a structural schema, as the API server enforces them, with messages for people.
//!
//! A JSON Schema library knows neither `nullable`, nor list types, nor that a field which is not in the schema is a
//! mistake, nor places in a file; what structural schemas use of JSON Schema is the small part below
//! (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>).

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::{Map, Value};
use serde_saphyr::Location;

use super::problem::Problem;
use super::words;
use super::yaml::{Content, Document, Entry, Node, written};

/// On a schema of ours: the value is a secret and is never quoted.
pub(super) const SECRET: &str = "x-longshore-secret";

/// What has no `type`, but may be a whole number or a text.
const INT_OR_STRING: &str = "integer or string";

/// What is wrong with a document by this schema.
pub(super) fn check(schema: &Value, document: &Document, source: &str) -> Vec<Problem> {
    let mut checker = Checker { document, source, problems: Vec::new() };
    checker.check(&document.root, schema, "");
    checker.problems
}

struct Checker<'a> {
    document: &'a Document,
    source: &'a str,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn refuse(&mut self, location: Location, path: &str, message: &str) {
        let message = if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") };
        self.problems.push(Problem { place: self.document.place(location), message });
    }

    fn check(&mut self, node: &Node, schema: &Value, path: &str) {
        let kind =
            if schema["x-kubernetes-int-or-string"] == true { Some(INT_OR_STRING) } else { schema["type"].as_str() };
        match (&node.content, kind) {
            (Content::Null, _) => self.check_absence(node, schema, path),
            (Content::Text(text), Some(INT_OR_STRING)) => self.check_text(node, text, schema, path),
            (Content::Number(number), Some(INT_OR_STRING)) if number.as_u64().is_some() => {}
            (Content::Map(entries), Some("object")) => self.check_object(node, entries, schema, path),
            (Content::List(elements), Some("array")) => self.check_array(node, elements, schema, path),
            (Content::Text(text), Some("string")) => self.check_text(node, text, schema, path),
            (Content::Number(number), Some("integer" | "number")) => {
                let is_whole = number.as_i64().is_some() || schema["type"] == "number";
                if is_whole {
                    self.check_range(node, number.as_f64().unwrap_or_default(), schema, path);
                } else {
                    self.refuse_kind(node, schema, path);
                }
            }
            (Content::Bool(_), Some("boolean")) | (_, None) => {}
            _ => self.refuse_kind(node, schema, path),
        }
    }

    /// A key without a value: the default is taken, as the API server does, or it is a mistake.
    fn check_absence(&mut self, node: &Node, schema: &Value, path: &str) {
        let may_be_absent = schema["nullable"] == true || schema.get("default").is_some();
        if !may_be_absent && schema.get("type").is_some() {
            let wanted = wanted(schema);
            self.refuse(node.location, path, &format!("has no value, {wanted} is wanted"));
        }
    }

    fn refuse_kind(&mut self, node: &Node, schema: &Value, path: &str) {
        let found = self.value(node, schema).unwrap_or_else(|| "this".to_owned());
        let remedy = match (&node.content, schema["type"].as_str()) {
            (Content::Number(_) | Content::Bool(_), Some("string")) if schema[SECRET] == true => {
                "; put it in quotes".to_owned()
            }
            (Content::Number(_), None) => format!("; put it in quotes: \"{found}\""),
            (Content::Number(_) | Content::Bool(_), Some("string")) => {
                format!("; put it in quotes: \"{found}\"")
            }
            (Content::Text(text), Some("integer" | "number" | "boolean"))
                if serde_json::from_str::<Value>(text).is_ok() =>
            {
                "; write it without quotes".to_owned()
            }
            (Content::Map(_) | Content::Text(_) | Content::Number(_), Some("array")) => {
                "; begin each of its elements with a -".to_owned()
            }
            _ => String::new(),
        };
        let message = format!("{found} is {} where {} is wanted{remedy}", node.kind(), wanted(schema));
        self.refuse(node.location, path, &message);
    }

    /// The value as it stands in the file, unless nobody may see it.
    fn value(&self, node: &Node, schema: &Value) -> Option<String> {
        if schema[SECRET] == true { None } else { written(node, self.source) }
    }

    fn check_object(&mut self, node: &Node, entries: &[Entry], schema: &Value, path: &str) {
        let nothing = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&nothing);
        for entry in entries {
            let path = join(path, &entry.key);
            if let Some(property) = properties.get(&entry.key) {
                self.check(&entry.value, property, &path);
            } else if let Some(any) = schema.get("additionalProperties") {
                self.check_key(entry, schema, &path);
                self.check(&entry.value, any, &path);
            } else if schema["x-kubernetes-preserve-unknown-fields"] != true {
                self.refuse_unknown(entry, properties, &path);
            }
        }
        self.check_required(node, schema, properties, path);
        let count = if properties.is_empty() { entries.len() } else { 0 };
        self.check_count(node, count, ("minProperties", "maxProperties", "entries"), schema, path);
    }

    /// Schemas of custom resources cannot say this; ours for Secrets and ConfigMaps can.
    fn check_key(&mut self, entry: &Entry, schema: &Value, path: &str) {
        if let Some(pattern) = schema.pointer("/propertyNames/pattern").and_then(Value::as_str)
            && !matches(pattern, &entry.key)
        {
            let message = format!("\"{}\" is not allowed; {}", entry.key, words::meaning_of(pattern));
            self.refuse(entry.key_location, path, &message);
        }
    }

    fn refuse_unknown(&mut self, entry: &Entry, properties: &Map<String, Value>, path: &str) {
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let remedy = match words::closest(&entry.key, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("allowed are {}", words::list(&known)),
        };
        self.refuse(entry.key_location, path, &format!("there is no such field; {remedy}"));
    }

    fn check_required(&mut self, node: &Node, schema: &Value, properties: &Map<String, Value>, path: &str) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if node.get(name).is_none() {
                let description = properties.get(name).and_then(|property| property["description"].as_str());
                let holds = description.map(|text| format!("; it holds: {}", first_sentence(text)));
                let message = format!("is missing and must be given{}", holds.unwrap_or_default());
                self.refuse(node.location, &join(path, name), &message);
            }
        }
    }

    fn check_array(&mut self, node: &Node, elements: &[Node], schema: &Value, path: &str) {
        for (index, element) in elements.iter().enumerate() {
            self.check(element, &schema["items"], &format!("{path}[{index}]"));
        }
        self.check_count(node, elements.len(), ("minItems", "maxItems", "elements"), schema, path);
        match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => {
                self.refuse_duplicates(elements, path, |element| Some(element.to_json().to_string()));
            }
            Some("map") => {
                let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                self.refuse_duplicates(elements, path, |element| identity(element, &keys, &schema["items"]));
            }
            _ => {}
        }
    }

    fn refuse_duplicates(&mut self, elements: &[Node], path: &str, identity: impl Fn(&Node) -> Option<String>) {
        let identities: Vec<Option<String>> = elements.iter().map(identity).collect();
        for (index, own) in identities.iter().enumerate().filter(|(_, identity)| identity.is_some()) {
            if let Some(earlier) = identities[..index].iter().position(|other| other == own) {
                let value = own.as_deref().unwrap_or_default();
                let message = format!("{value} is given by {path}[{earlier}] already; remove one of the two");
                self.refuse(elements[index].location, &format!("{path}[{index}]"), &message);
            }
        }
    }

    fn check_text(&mut self, node: &Node, text: &str, schema: &Value, path: &str) {
        let value = self.value(node, schema).unwrap_or_else(|| "the value".to_owned());
        let allowed: Vec<&str> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !allowed.is_empty() && !allowed.contains(&text) {
            self.refuse(node.location, path, &format!("{value} is not allowed; allowed are {}", words::list(&allowed)));
        }
        self.check_count(node, text.chars().count(), ("minLength", "maxLength", "characters"), schema, path);
        if let Some(pattern) = schema["pattern"].as_str()
            && !text.is_empty()
            && !matches(pattern, text)
        {
            self.refuse(node.location, path, &format!("{value} is not allowed; {}", words::meaning_of(pattern)));
        }
    }

    fn check_range(&mut self, node: &Node, number: f64, schema: &Value, path: &str) {
        let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
        let is_within = least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
        if is_within {
            return;
        }
        let allowed = match (least, most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("{least} and more"),
            (_, most) => format!("{} and less", most.unwrap_or_default()),
        };
        let value = self.value(node, schema).unwrap_or_default();
        self.refuse(node.location, path, &format!("{value} is out of range; allowed are {allowed}"));
    }

    fn check_count(
        &mut self,
        node: &Node,
        count: usize,
        (minimum, maximum, unit): (&str, &str, &str),
        schema: &Value,
        path: &str,
    ) {
        let limit = |name: &str| schema[name].as_u64().and_then(|limit| usize::try_from(limit).ok());
        if let Some(most) = limit(maximum).filter(|most| count > *most) {
            self.refuse(node.location, path, &format!("has {count} {unit}; at most {most} are allowed"));
        }
        if let Some(least) = limit(minimum).filter(|least| count < *least) {
            self.refuse(node.location, path, &format!("has {count} {unit}; at least {least} must be given"));
        }
    }
}

/// What tells one element of a list of the type `map` from another: the values of its keys, defaults filled in.
/// An element that lacks a key is wrong for another reason.
fn identity(element: &Node, keys: &[&str], schema: &Value) -> Option<String> {
    let value_of = |key: &&str| {
        let given = element.get(key).map(Node::to_json);
        let value = given.or_else(|| schema["properties"][key].get("default").cloned())?;
        Some(format!("{key} {value}"))
    };
    let values: Option<Vec<String>> = keys.iter().map(value_of).collect();
    let values = values?;
    let (last, others) = values.split_last()?;
    Some(if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) })
}

fn wanted(schema: &Value) -> &'static str {
    match schema["type"].as_str() {
        None if schema["x-kubernetes-int-or-string"] == true => "a whole number or a text",
        Some("string") => "a text",
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("boolean") => "true or false",
        Some("array") => "a list",
        _ => "a group of fields",
    }
}

/// To compile a pattern takes far longer than to match it, and many resources have the same fields.
static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);

fn matches(pattern: &str, text: &str) -> bool {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    // The schemas are ours, and a test compiles every pattern in them.
    let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}

fn first_sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.split(". ").next().unwrap_or(&line).trim_end_matches('.').to_owned()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
