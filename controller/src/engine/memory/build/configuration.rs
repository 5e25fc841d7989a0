//! What instructions of a Dockerfile change in an image's configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::dockerfile::{Instruction, expand};
use super::super::program::words;
use super::Built;
use crate::app::HealthCheck;

/// An instruction that changes only the configuration.
pub(super) fn set(instruction: &Instruction, built: &mut Built) {
    let text = &instruction.rest;
    built.image.history.push(format!("{} {}", instruction.keyword, expand(text, &built.variables)));
    match instruction.keyword.as_str() {
        // The variables in a command are the shell's, which knows their values when the container runs.
        "CMD" => {
            built.image.command = exec_form(text);
            built.has_command = true;
        }
        "ENTRYPOINT" => {
            built.image.entrypoint = exec_form(text);
            // An entry point does away with a command that comes from the base.
            if !built.has_command {
                built.image.command.clear();
            }
        }
        "HEALTHCHECK" => built.image.health_check = health_check(text),
        "ENV" => {
            let pairs = pairs(text, &built.variables);
            built.variables.extend(pairs.clone());
            built.image.env.extend(pairs);
        }
        "LABEL" => built.image.labels.extend(pairs(text, &built.variables)),
        _ => {}
    }
}

/// A command in its exec form; the shell form is a script for `/bin/sh -c`.
fn exec_form(text: &str) -> Vec<String> {
    let shell_form = || ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
    serde_json::from_str(text).unwrap_or_else(|_| shell_form())
}

/// `--interval=5s --retries=2 CMD …`; none for `NONE`. What is not given is as Docker has it.
fn health_check(text: &str) -> Option<HealthCheck> {
    let (options, command) = text.split_once("CMD")?;
    let option = |name: &str| {
        let flag = format!("--{name}=");
        options.split_whitespace().find_map(|word| word.strip_prefix(&flag).map(str::to_owned))
    };
    let duration =
        |name: &str, default| option(name).and_then(|text| longshore_crds::parse_duration(&text)).unwrap_or(default);
    let thirty = Duration::from_secs(30);
    Some(HealthCheck {
        command: exec_form(command.trim()),
        interval: duration("interval", thirty),
        timeout: duration("timeout", thirty),
        start_period: duration("start-period", Duration::ZERO),
        retries: option("retries").and_then(|retries| retries.parse().ok()).unwrap_or(3),
    })
}

/// The pairs in `KEY=value KEY2="another value"`, or the one in the old form `KEY value`. What a variable holds is one
/// value, whatever blanks are in it.
fn pairs(text: &str, variables: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let pairs = match text.split_once(char::is_whitespace) {
        Some((key, value)) if !key.contains('=') => vec![(key.to_owned(), value.trim().to_owned())],
        _ => words(text)
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    };
    let expanded = pairs.iter().map(|(key, value)| (expand(key, variables), expand(value, variables)));
    expanded.collect()
}
