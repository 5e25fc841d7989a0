//! Builds, through the commands that a person types: `longshore up`, `history`, `logs --build`, and `kubectl` in a
//! cluster. On both engines, each behaviour with names of its own.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::process::Command;

use longshore_tests::{LabEngine, StandaloneProject, registry_secret};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Makes a test of each behaviour, which is played on both engines side by side.
macro_rules! on_both_engines {
    ($($behaviour:ident;)*) => {
        mod on_both_engines {
            $(#[test]
            fn $behaviour() {
                crate::side_by_side(|engine, runtime| runtime.block_on(super::$behaviour(engine)));
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

/// Plays a behaviour on each engine. The builds are the engines' work, which need not wait for one another.
fn side_by_side(behaviour: impl Fn(LabEngine, Runtime) + Sync) {
    let on = |engine| behaviour(engine, Runtime::new().unwrap());
    std::thread::scope(|scope| {
        for engine in [LabEngine::Engine20, LabEngine::Engine29] {
            // A failure names the thread.
            let thread = std::thread::Builder::new().name(engine.component().to_owned());
            thread.spawn_scoped(scope, move || on(engine)).unwrap();
        }
    });
}

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

/// A Secret with this password of the lab's gcr.io.
fn gcr_secret(password: &str) -> Value {
    serde_json::from_str(&registry_secret("gcr", password)).unwrap()
}

/// Makes an engine forget what it has cached of this step, which is no other test's.
fn forget_step(engine: LabEngine, step: &str) {
    let endpoint = engine.endpoint();
    let ask = |arguments: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--unix-socket", endpoint.trim_start_matches("unix://")]).args(arguments);
        serde_json::from_slice::<Value>(&curl.output().unwrap().stdout).unwrap()
    };
    let usage = ask(&["http://engine/v1.41/system/df"]);
    let cached = usage["BuildCache"].as_array().unwrap();
    let ids: Vec<&str> = cached
        .iter()
        .filter(|record| record["Description"].as_str().is_some_and(|text| text.contains(step)))
        .map(|record| record["ID"].as_str().unwrap())
        .collect();
    assert!(!ids.is_empty(), "nothing is cached of {step}");
    for id in ids {
        let filters = format!("filters={}", json!({"id": {id: true}}));
        let prune = ["--get", "--request", "POST", "--data", "all=true", "--data-urlencode", &filters];
        let pruned = ask(&[&prune[..], &["http://engine/v1.41/build/prune"]].concat());
        assert_eq!(pruned["CachesDeleted"], json!([id]), "{pruned}");
    }
}

/// Whether a shell with these words in its command line runs on this machine, where the lab's engines run as well.
fn a_step_runs(words: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes.flatten().filter_map(|process| std::fs::read(process.path().join("cmdline")).ok()).any(|command_line| {
        let command_line = String::from_utf8_lossy(&command_line);
        command_line.contains(words) && command_line.starts_with("/bin/sh")
    })
}
