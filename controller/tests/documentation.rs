//! Every command that the documents show is one that the command line takes.

use std::path::{Path, PathBuf};

use clap::Parser;
use longshore::cli::CommandLine;

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "docs/standalone.md",
    "docs/reference.md",
    "examples/hello-world/README.md",
    "examples/node-app/README.md",
    "examples/node-app-path/README.md",
    "examples/node-app-push/README.md",
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
