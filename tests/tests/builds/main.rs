//! Builds, through the commands that a person types: `longshore up`, `history`, `logs --build`, and `kubectl` in a
//! cluster. On both engines, each behaviour with names of its own.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::StandaloneProject;
use serde_json::{Value, json};

/// Makes a test of each behaviour on each of the lab's engines.
macro_rules! on_both_engines {
    ($($behaviour:ident;)*) => {
        mod engine_20 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                super::$behaviour(longshore_tests::LabEngine::Engine20).await;
            })*
        }
        mod engine_29 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                super::$behaviour(longshore_tests::LabEngine::Engine29).await;
            })*
        }
    };
}

mod access;
mod base_images;
mod canary;
mod cluster;
mod contexts;
mod dockerfiles;
mod options;
mod store_options;

/// The name of a project's image of this name.
fn image_of(project: &StandaloneProject, name: &str) -> String {
    format!("{}-{name}", project.name)
}

/// Writes an app that is built so and not run; its file.
fn app_of(project: &StandaloneProject, name: &str, build: &Value, others: &[Value]) -> String {
    project.app(name, &json!({"image": {"name": image_of(project, name), "build": build}}), others)
}

/// Brings up an app that is built so; its image.
fn build(project: &StandaloneProject, name: &str, build: &Value) -> String {
    project.up(&app_of(project, name, build, &[])).well();
    image_of(project, name)
}

/// A build of this Dockerfile alone.
fn inline(dockerfile: &str) -> Value {
    json!({"context": {"inline": {"Dockerfile": dockerfile}}})
}

/// What a program in an image prints.
fn in_image(project: &StandaloneProject, image: &str, command: &[&str]) -> String {
    let run = [&["run", "--rm", "--network", "none", image], command].concat();
    project.engine.docker(&run).unwrap_or_else(|error| panic!("{image}: {error}")).trim().to_owned()
}

/// The sentence with which an app will not get ready by itself, when it is brought up.
fn refusal_of(project: &StandaloneProject, name: &str, build: &Value) -> String {
    let said = project.up(&app_of(project, name, build, &[]));
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    let stalled = project.condition(name, "Stalled");
    assert_eq!(stalled["status"], "True", "{}", said.all());
    let sentence = stalled["message"].as_str().unwrap().to_owned();
    assert!(said.result.contains(&sentence), "{}", said.all());
    sentence
}

/// A Secret with this value.
fn secret(name: &str, kind: &str, values: &[(&str, &str)]) -> Value {
    let values: serde_json::Map<String, Value> =
        values.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": name}, "stringData": values})
}

/// Whether a shell with these words in its command line runs on this machine, where the lab's engines run as well.
fn a_step_runs(words: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes.flatten().filter_map(|process| std::fs::read(process.path().join("cmdline")).ok()).any(|command_line| {
        let command_line = String::from_utf8_lossy(&command_line);
        command_line.contains(words) && command_line.starts_with("/bin/sh")
    })
}
