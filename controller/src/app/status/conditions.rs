//! The conditions, as metav1 and kstatus have them.
//!
//! kstatus (<https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus>): `Reconciling` and `Stalled` are
//! "abnormal-true": they are present when they are true and absent when they are not. `Ready` is always there.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use longshore_crds::ContainerAppStatus;

use super::verdict::{State, Verdict, part};
use super::{Outlook, Telling, time};
use crate::app::{Desired, ImageSource, Part, Reason};

/// The longest message of a condition, in bytes, that the API server takes (metav1.Condition).
const LONGEST_MESSAGE: usize = 32768;

pub(super) fn conditions(
    old: &ContainerAppStatus,
    telling: &Telling,
    verdict: &Verdict,
    outlook: Outlook<'_>,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |type_: &str, status: &str, reason: Reason, message: &str| {
        dated(old, new_condition(type_, status, reason, message, telling.generation, now))
    };
    let (reason, message) = (verdict.reason, verdict.message.as_str());
    let mut conditions = Vec::new();
    match verdict.state {
        State::Ready => conditions.push(condition("Ready", "True", reason, message)),
        State::Reconciling => {
            conditions.push(condition("Ready", "False", reason, message));
            conditions.push(condition("Reconciling", "True", reason, message));
        }
        State::Stalled => {
            conditions.push(condition("Ready", "False", reason, message));
            conditions.push(condition("Stalled", "True", reason, message));
        }
    }
    match outlook {
        Outlook::Planned { desired, observed, plan } => {
            for each in parts_of(desired) {
                let (status, reason, message) = part(each, desired, observed, plan, telling);
                conditions.push(condition(each.condition(), status, reason, &message));
            }
        }
        Outlook::Blocked(block) => {
            // What an engine that does not answer would say is not known; what a spec forbids is not so.
            let status = if block.reason == Reason::EngineUnavailable { "Unknown" } else { "False" };
            let kept = old
                .conditions
                .iter()
                .filter(|condition| is_a_part(&condition.type_) && condition.type_ != block.part.condition());
            conditions.extend(kept.cloned());
            conditions.push(condition(block.part.condition(), status, block.reason, &block.message));
        }
        Outlook::Deleting { .. } => {}
    }
    conditions
}

const PARTS: [Part; 4] = [Part::Source, Part::Image, Part::Push, Part::Container];

fn is_a_part(type_: &str) -> bool {
    PARTS.iter().any(|part| part.condition() == type_)
}

fn parts_of(desired: &Desired) -> Vec<Part> {
    let is_pulled = matches!(desired.source, Ok(ImageSource::Pull { .. }));
    let has = |part: &Part| match part {
        Part::Source => !desired.tags.is_empty(),
        Part::Image => !desired.tags.is_empty() || is_pulled,
        Part::Push => !desired.destinations.is_empty(),
        Part::Container => desired.run.is_some(),
    };
    PARTS.into_iter().filter(has).collect()
}

fn new_condition(
    type_: &str,
    status: &str,
    reason: Reason,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.as_str().to_owned(),
        message: shortened(message, LONGEST_MESSAGE),
        observed_generation: Some(generation),
        last_transition_time: time(now),
    }
}

/// The time of a condition moves only when its status does. Those from which deadlines are counted begin anew with a
/// new generation.
fn dated(old: &ContainerAppStatus, mut condition: Condition) -> Condition {
    let before = old.conditions.iter().find(|before| before.type_ == condition.type_);
    if let Some(before) = before {
        let counts_a_deadline = matches!(condition.type_.as_str(), "Reconciling" | "Stalled");
        let is_same_generation = before.observed_generation == condition.observed_generation;
        if before.status == condition.status && (is_same_generation || !counts_a_deadline) {
            condition.last_transition_time = before.last_transition_time.clone();
        }
    }
    condition
}

/// The text, cut at a character's end so that it has at most so many bytes.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let ellipsis = "…";
    let mut end = longest - ellipsis.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ellipsis}", &text[..end])
}
