//! The lines that a person reads, report by report.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::app::{ContainerId, EngineImageId, ImageReference, ImageTarget};

fn key() -> AppKey {
    AppKey { namespace: "default".to_owned(), name: "my-app".to_owned() }
}

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

fn step(action: Action) -> Step {
    Step { action, cause: "so it was asked".to_owned() }
}

fn push() -> Step {
    let image = ImageTarget::Present(EngineImageId(crate::app::Digest::of("image")));
    step(Action::PushImage { reference: reference("gcr.io/my-project/node-app:0.2"), image })
}

fn pull() -> Step {
    step(Action::PullImage { reference: reference("hello-world"), platform: None })
}

/// The lines for these reports in turn, as they are printed.
fn printed(reports: &[Report<'_>]) -> Vec<String> {
    let teller = Teller::default();
    reports
        .iter()
        .flat_map(|report| teller.lines(&key(), *report))
        .map(|line| line.of("my-app").trim_end().to_owned())
        .collect()
}

fn status(ready: &str, reason: &str, is_stalled: bool) -> ContainerAppStatus {
    let condition = |type_: &str, status: &str| {
        json!({"type": type_, "status": status, "reason": reason, "message": "so it is",
               "lastTransitionTime": "2026-11-01T00:00:00Z"})
    };
    let stalled: Vec<Value> = is_stalled.then(|| condition("Stalled", "True")).into_iter().collect();
    let conditions: Vec<Value> = [condition("Ready", ready)].into_iter().chain(stalled).collect();
    serde_json::from_value(json!({"observedGeneration": 1, "conditions": conditions})).unwrap()
}

#[test]
fn a_long_step_is_told_when_it_begins_and_when_it_ends() {
    let step = pull();
    assert_eq!(
        printed(&[Report::StepStarted(&step), Report::StepDone(&step, Duration::from_millis(1_500))]),
        ["my-app  pull    image hello-world:latest, because so it was asked", "my-app  pull    done  1.5s"]
    );
}

#[test]
fn a_short_step_is_told_once() {
    let step = step(Action::RemoveContainer { id: ContainerId("1".to_owned()), name: "my-app".to_owned(), gap: None });
    assert_eq!(
        printed(&[Report::StepStarted(&step), Report::StepDone(&step, Duration::from_millis(100))]),
        ["my-app  remove  container my-app, because so it was asked  0.1s"]
    );
}

#[test]
fn private_tags_are_not_told() {
    let step = step(Action::RemoveImage { reference: reference("longshore.local/shop/uid:built-v1") });
    assert_eq!(printed(&[Report::StepDone(&step, Duration::ZERO)]), [""; 0]);
}

#[test]
fn the_steps_of_a_build_are_told_when_they_are_done_after_the_size_of_the_context() {
    let step = step(Action::TagImage { image: ImageTarget::Pending, reference: reference("a") });
    let build_step = |state| Progress::BuildStep { number: 2, total: 4, name: "WORKDIR /app".to_owned(), state };
    let reports = [
        Progress::ContextSent { bytes: 500 },
        Progress::ContextSent { bytes: 1_200 },
        build_step(StepState::Started),
        build_step(StepState::Cached),
        build_step(StepState::Done { duration: Duration::from_millis(300) }),
    ];
    let reports: Vec<Report<'_>> = reports.iter().map(|progress| Report::Progress(&step, progress)).collect();
    assert_eq!(
        printed(&reports),
        [
            "my-app  build   context of 1.20 kB sent",
            "my-app  tag     => [2/4] WORKDIR /app  CACHED",
            "my-app  tag     => [2/4] WORKDIR /app  0.3s",
        ]
    );
}

#[test]
fn layers_are_told_when_they_have_arrived_or_were_there() {
    let step = push();
    let layer = |state| Progress::Layer { id: "5f70bf18a086".to_owned(), state };
    let reports = [
        layer(LayerState::Transferring { current: 1, total: None }),
        layer(LayerState::Other("Waiting".to_owned())),
        layer(LayerState::Exists),
        layer(LayerState::Done),
    ];
    let reports: Vec<Report<'_>> = reports.iter().map(|progress| Report::Progress(&step, progress)).collect();
    assert_eq!(
        printed(&reports),
        [
            "my-app  push    gcr.io/my-project/node-app:0.2  5f70bf18a086  already there",
            "my-app  push    gcr.io/my-project/node-app:0.2  5f70bf18a086  pushed"
        ]
    );
}

#[test]
fn what_is_waited_for_is_told_once_and_again_after_work() {
    let (waits, works) = (status("False", "PortConflict", false), status("False", "Starting", false));
    assert_eq!(
        printed(&[Report::Status(&waits), Report::Status(&waits), Report::Status(&works), Report::Status(&waits)]),
        ["my-app  waits   so it is (PortConflict)"; 2]
    );
}

#[test]
fn the_end_of_it_is_told() {
    let (ready, stalled) = (status("True", "Running", false), status("False", "BuildFailed", true));
    assert_eq!(
        printed(&[Report::Status(&ready), Report::Status(&stalled)]),
        ["my-app  ready   so it is", "my-app  stalled so it is (BuildFailed)"]
    );
}

#[test]
fn a_step_that_fails_is_told_with_its_sentence() {
    let step = push();
    assert_eq!(
        printed(&[Report::StepFailed(&step, "the registry refuses the push")]),
        ["my-app  push    FAILED: the registry refuses the push"]
    );
}
