//! What a status says in which situation, and that kstatus reads it rightly.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::*;
use crate::app::{Part, Reason};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_268_800 + seconds).unwrap()
}

fn telling(generation: i64) -> Telling {
    Telling { engine: "default".to_owned(), generation, ..Telling::default() }
}

fn blocked(old: &ContainerAppStatus, generation: i64, block: &Block, seconds: i64) -> ContainerAppStatus {
    status(old, &telling(generation), Outlook::Blocked(block), at(seconds))
}

fn condition<'a>(status: &'a ContainerAppStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// kstatus's own order of questions: a generation that was not seen, then Stalled, then Reconciling, then Ready.
fn kstatus(status: &ContainerAppStatus, generation: i64) -> &'static str {
    let is_true = |type_: &str| condition(status, type_).is_some_and(|condition| condition.status == "True");
    if status.observed_generation != generation || is_true("Reconciling") {
        "InProgress"
    } else if is_true("Stalled") {
        "Failed"
    } else if is_true("Ready") {
        "Current"
    } else {
        "InProgress"
    }
}

fn waiting() -> Block {
    Block::waiting(Part::Container, Reason::PortConflict, "port 4000 is held by web")
}

#[test]
fn what_someone_else_may_mend_is_in_progress_until_the_deadline_and_failed_after_it() {
    let first = blocked(&ContainerAppStatus::default(), 1, &waiting(), 0);
    assert_eq!(kstatus(&first, 1), "InProgress");
    let in_time = blocked(&first, 1, &waiting(), 599);
    assert_eq!(kstatus(&in_time, 1), "InProgress");
    let overdue = blocked(&in_time, 1, &waiting(), 600);
    assert_eq!(kstatus(&overdue, 1), "Failed");
    // It is looked at again after that, and does not begin to wait anew.
    assert_eq!(kstatus(&blocked(&overdue, 1, &waiting(), 601), 1), "Failed");
}

#[test]
fn an_edit_begins_the_wait_anew() {
    let first = blocked(&ContainerAppStatus::default(), 1, &waiting(), 0);
    let edited = blocked(&first, 2, &waiting(), 590);
    assert_eq!(kstatus(&blocked(&edited, 2, &waiting(), 700), 2), "InProgress");
    assert_eq!(kstatus(&edited, 1), "InProgress", "a status of another generation says nothing");
}

#[test]
fn what_only_an_edit_helps_has_failed_at_once() {
    let block = Block::terminal(Part::Container, Reason::InvalidSpec, "spec.run.ports[0].hostIP: \"x\" is no address");
    let status = blocked(&ContainerAppStatus::default(), 1, &block, 0);
    assert_eq!(kstatus(&status, 1), "Failed");
    let stalled = condition(&status, "Stalled").unwrap();
    assert_eq!((stalled.reason.as_str(), &stalled.message), ("InvalidSpec", &block.message));
    assert_eq!(condition(&status, "Ready").unwrap().message, block.message);
    assert!(condition(&status, "Reconciling").is_none(), "what is not true is absent");
}

#[test]
fn an_engine_that_does_not_answer_leaves_the_container_unknown() {
    let block = Block::waiting(Part::Container, Reason::EngineUnavailable, "the engine does not answer");
    let status = blocked(&ContainerAppStatus::default(), 1, &block, 0);
    assert_eq!(condition(&status, "Running").unwrap().status, "Unknown");
    assert_eq!(condition(&status, "Ready").unwrap().status, "False");
}

#[test]
fn the_same_again_is_the_same_status_so_that_it_is_not_written() {
    let first = blocked(&ContainerAppStatus::default(), 1, &waiting(), 0);
    assert_eq!(blocked(&first, 1, &waiting(), 10), first);
}

#[test]
fn every_condition_bears_the_generation_that_it_speaks_of() {
    let status = blocked(&ContainerAppStatus::default(), 7, &waiting(), 0);
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(7)));
    assert_eq!(status.observed_generation, 7);
}

#[test]
fn a_deletion_is_in_progress_and_says_what_is_left() {
    let observed = Observed::default();
    let outlook = Outlook::Deleting { observed: &observed, steps: &[] };
    let status = status(&ContainerAppStatus::default(), &telling(1), outlook, at(0));
    assert_eq!(kstatus(&status, 1), "InProgress");
    assert_eq!(condition(&status, "Ready").unwrap().reason, "Deleting");
}

#[test]
fn a_message_is_as_long_as_the_api_server_takes_it() {
    let block = Block::terminal(Part::Container, Reason::EngineError, "ä".repeat(40_000));
    let status = blocked(&ContainerAppStatus::default(), 1, &block, 0);
    let message = &condition(&status, "Ready").unwrap().message;
    assert!(message.len() <= 32_768 && message.ends_with('…'), "{} bytes", message.len());
}

#[test]
fn times_are_told_in_whole_seconds() {
    let fine = at(0) + Duration::from_millis(999);
    assert_eq!(time(fine), time(at(0)));
}
