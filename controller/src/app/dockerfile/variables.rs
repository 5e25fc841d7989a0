//! Variables in a Dockerfile.

use std::collections::BTreeMap;

/// A word with the values of its variables, without quotes: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`
/// and the two without a colon. A variable without a value is empty.
pub(super) fn expand(word: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (reference, tail) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((inner, tail)) => (inner, tail),
            None => after.split_at(after.find(|part: char| !is_part_of_a_name(part)).unwrap_or(after.len())),
        };
        expanded.push_str(&value(reference, variables));
        rest = tail;
    }
    expanded.push_str(rest);
    expanded.replace(['"', '\''], "")
}

fn is_part_of_a_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The value of what stands between the braces.
fn value(reference: &str, variables: &BTreeMap<String, String>) -> String {
    let end = reference.find(|part: char| !is_part_of_a_name(part)).unwrap_or(reference.len());
    let (name, modifier) = reference.split_at(end);
    let value = variables.get(name);
    let (value, modifier) = match modifier.strip_prefix(':') {
        Some(modifier) => (value.filter(|value| !value.is_empty()), modifier),
        None => (value, modifier),
    };
    match (modifier.strip_prefix('-'), modifier.strip_prefix('+')) {
        (Some(default), _) => value.cloned().unwrap_or_else(|| expand(default, variables)),
        (_, Some(other)) if value.is_some() => expand(other, variables),
        (_, Some(_)) => String::new(),
        (None, None) => value.cloned().unwrap_or_default(),
    }
}
