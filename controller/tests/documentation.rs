//! Every command that the documents show is one that the command line takes, and what a user meets is documented:
//! each reason, each option of a build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Parser;
use longshore::cli::CommandLine;
use longshore_crds::custom_resource_definitions;

const DOCUMENTS: [&str; 13] = [
    "README.md",
    "docs/build.md",
    "docs/networks.md",
    "docs/run.md",
    "docs/standalone.md",
    "docs/replacement.md",
    "docs/reference.md",
    "examples/hello-world/README.md",
    "examples/node-app/README.md",
    "examples/node-app-path/README.md",
    "examples/node-app-push/README.md",
    "examples/node-app-secret/README.md",
    "examples/git/README.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The commands that stand after a prompt.
fn shown_commands(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(document)).expect("the document is there");
    let commands = text.lines().filter_map(|line| line.strip_prefix("$ longshore "));
    commands.map(ToOwned::to_owned).collect()
}

#[test]
fn every_command_that_is_shown_is_accepted() {
    let mut shown = 0;
    for document in DOCUMENTS {
        for command in shown_commands(document) {
            let words = std::iter::once("longshore").chain(command.split_whitespace());
            if let Err(error) = CommandLine::try_parse_from(words) {
                panic!("{document}: longshore {command}\n{error}");
            }
            shown += 1;
        }
    }
    assert!(shown > 0, "no document shows a command");
}

#[test]
fn every_file_that_a_shown_command_names_is_there() {
    for document in DOCUMENTS {
        for command in shown_commands(document) {
            let named = command.split_whitespace().filter(|word| word.starts_with("examples/"));
            for file in named {
                assert!(root().join(file).exists(), "{document}: longshore {command}");
            }
        }
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What stands in code spans of a line.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn every_reason_is_documented_and_no_other() {
    let source = read("controller/src/app/reason.rs");
    let words = source.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""));
    let reasons: BTreeSet<&str> = words.map(|(_, word)| word.trim_end_matches("\",")).collect();
    assert!(reasons.contains("BuildFailed") && reasons.len() > 40, "{reasons:?}");

    let reference = read("docs/reference.md");
    let (_, section) = reference.split_once("\n## Reasons\n").expect("a section on reasons");
    let (section, _) = section.split_once("\n## ").expect("a section after it");
    let first_cells = section.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    let documented: BTreeSet<&str> = first_cells.flat_map(code_spans).collect();
    assert_eq!(documented, reasons);
}

#[test]
fn every_option_of_a_build_is_documented() {
    let build = "image/properties/build/properties";
    let sections = ["", "/context/properties", "/context/properties/git/properties/ref/properties"];
    every_field_is_explained("docs/build.md", build, &sections);
}

#[test]
fn every_field_of_run_is_documented() {
    every_field_is_explained("docs/run.md", "run/properties", &[""]);
}

/// The fields of these sections below a field of the spec stand in code spans of a document.
fn every_field_is_explained(document: &str, of: &str, sections: &[&str]) {
    let definitions = custom_resource_definitions();
    let app = definitions.iter().find(|definition| definition.spec.names.kind == "ContainerApp").expect("the CRD");
    let schema = serde_json::to_value(&app.spec.versions[0].schema).expect("a CRD is plain data");
    let guide = read(document);
    let spans: BTreeSet<&str> = guide.lines().flat_map(code_spans).collect();
    for section in sections {
        let path = format!("/openAPIV3Schema/properties/spec/properties/{of}{section}");
        let fields = schema.pointer(&path).and_then(serde_json::Value::as_object);
        for field in fields.unwrap_or_else(|| panic!("{path} has fields")).keys() {
            assert!(spans.contains(field.as_str()), "{document} does not explain {field} of {path}");
        }
    }
}

#[test]
fn every_field_of_a_probe_and_every_strategy_is_documented() {
    let guide = read("docs/replacement.md");
    let spans: BTreeSet<&str> = guide.lines().flat_map(code_spans).collect();
    let definitions = custom_resource_definitions();
    let app = definitions.iter().find(|definition| definition.spec.names.kind == "ContainerApp").expect("the CRD");
    let schema = serde_json::to_value(&app.spec.versions[0].schema).expect("a CRD is plain data");
    let run = "/openAPIV3Schema/properties/spec/properties/run/properties";
    let probe = schema.pointer(&format!("{run}/readinessProbe/properties")).and_then(serde_json::Value::as_object);
    let strategies = schema.pointer(&format!("{run}/strategy/enum")).and_then(serde_json::Value::as_array);
    let fields = probe.expect("a probe has fields").keys().map(String::as_str);
    let strategies = strategies.expect("there are strategies").iter().filter_map(serde_json::Value::as_str);
    for word in fields.chain(strategies).chain(["readinessProbe", "livenessProbe", "minReadySeconds"]) {
        assert!(spans.contains(word), "docs/replacement.md does not explain {word}");
    }
}
