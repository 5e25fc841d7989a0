//! What instructions of a Dockerfile change in an image's configuration.

use std::collections::BTreeMap;

use super::super::dockerfile::{Instruction, expand};
use super::super::program::words;
use super::Built;

/// An instruction that changes only the configuration.
pub(super) fn set(instruction: &Instruction, built: &mut Built) {
    let text = expand(&instruction.rest, &built.variables);
    built.image.history.push(format!("{} {text}", instruction.keyword));
    match instruction.keyword.as_str() {
        "CMD" => {
            built.image.command = exec_form(&text);
            built.has_command = true;
        }
        "ENTRYPOINT" => {
            built.image.entrypoint = exec_form(&text);
            // An entry point does away with a command that comes from the base.
            if !built.has_command {
                built.image.command.clear();
            }
        }
        "ENV" => {
            let pairs = pairs(&instruction.rest, &built.variables);
            built.variables.extend(pairs.clone());
            built.image.env.extend(pairs);
        }
        "LABEL" => built.image.labels.extend(pairs(&instruction.rest, &built.variables)),
        _ => {}
    }
}

/// A command in its exec form; the shell form is a script for `/bin/sh -c`.
fn exec_form(text: &str) -> Vec<String> {
    let shell_form = || ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
    serde_json::from_str(text).unwrap_or_else(|_| shell_form())
}

/// The pairs in `KEY=value KEY2="another value"`, or the one in the old form `KEY value`. Variables are replaced in the
/// values, which stay whole whatever they hold.
fn pairs(text: &str, variables: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let pair = |key: &str, value: &str| (key.to_owned(), expand(value, variables));
    match text.split_once(char::is_whitespace) {
        Some((key, value)) if !key.contains('=') => vec![pair(key, value.trim())],
        _ => words(text).iter().filter_map(|word| word.split_once('=')).map(|(key, value)| pair(key, value)).collect(),
    }
}
