//! What instructions of a Dockerfile change in an image's configuration.

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
            let pairs = pairs(&text);
            built.variables.extend(pairs.clone());
            built.image.env.extend(pairs);
        }
        "LABEL" => built.image.labels.extend(pairs(&text)),
        _ => {}
    }
}

/// A command in its exec form; the shell form is a script for `/bin/sh -c`.
fn exec_form(text: &str) -> Vec<String> {
    let shell_form = || ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
    serde_json::from_str(text).unwrap_or_else(|_| shell_form())
}

/// The pairs in `KEY=value KEY2="another value"`, or the one in the old form `KEY value`.
fn pairs(text: &str) -> Vec<(String, String)> {
    match text.split_once(char::is_whitespace) {
        Some((key, value)) if !key.contains('=') => vec![(key.to_owned(), value.trim().to_owned())],
        _ => words(text)
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}
