//! A container that ends: how often it is tried, how long it may take, and when it comes back. None of it is part of what a
//! container is made of, but for the tries that the engine makes: a change here replaces nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{RestartPolicy, Run};

use super::run::refused;
use super::{Block, Schedule, labels};

/// What is asked of a one-shot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneShot {
    /// How often a run that has failed is tried again; without a number as often as the restart policy has it.
    pub backoff_limit: Option<u32>,
    /// How long a run may take from its first start.
    pub active_deadline: Option<Duration>,
    /// How long the container of a run is kept that has ended for good.
    pub kept_for: Option<Duration>,
    /// When it comes back.
    pub schedule: Option<Schedule>,
    /// How late a run may begin.
    pub starting_deadline: Option<Duration>,
}

impl OneShot {
    /// What the run section says of it.
    pub fn of(run: &Run) -> Result<Self, Block> {
        refuse_without_end(run)?;
        refuse_without_schedule(run)?;
        let zone = run.time_zone.as_deref();
        let schedule = run.schedule.as_deref().map(|schedule| Schedule::new(schedule, zone));
        Ok(Self {
            backoff_limit: run.backoff_limit.map(|limit| number("backoffLimit", limit)).transpose()?,
            active_deadline: run
                .active_deadline_seconds
                .map(|time| seconds("activeDeadlineSeconds", time))
                .transpose()?,
            kept_for: run
                .ttl_seconds_after_finished
                .map(|time| seconds("ttlSecondsAfterFinished", i64::from(time)))
                .transpose()?,
            schedule: schedule.transpose().map_err(|error| refused(error.field(), error))?,
            starting_deadline: run
                .starting_deadline_seconds
                .map(|time| seconds("startingDeadlineSeconds", time))
                .transpose()?,
        })
    }

    /// How often the engine itself tries again, where it does and has an end to it.
    pub fn tries_by_the_engine(&self, policy: RestartPolicy) -> Option<u32> {
        self.backoff_limit.filter(|_| policy == RestartPolicy::OnFailure)
    }
}

/// A number of a field that none of these has without its container's end.
fn refuse_without_end(run: &Run) -> Result<(), Block> {
    let fields = [
        ("backoffLimit", run.backoff_limit.is_some()),
        ("activeDeadlineSeconds", run.active_deadline_seconds.is_some()),
        ("ttlSecondsAfterFinished", run.ttl_seconds_after_finished.is_some()),
        ("schedule", run.schedule.is_some()),
    ];
    let set = fields.iter().find(|(_, is_set)| *is_set && run.restart_policy == RestartPolicy::Always);
    set.map_or(Ok(()), |(field, _)| {
        let message = "is for containers that end, and restartPolicy is Always: set that to OnFailure or Never, or leave \
                       this out";
        Err(refused(field, message))
    })
}

fn refuse_without_schedule(run: &Run) -> Result<(), Block> {
    let fields =
        [("timeZone", run.time_zone.is_some()), ("startingDeadlineSeconds", run.starting_deadline_seconds.is_some())];
    let set = fields.iter().find(|(_, is_set)| *is_set && run.schedule.is_none());
    set.map_or(Ok(()), |(field, _)| Err(refused(field, "is for a schedule: leave it out, or write a schedule")))
}

fn number(field: &str, value: i32) -> Result<u32, Block> {
    u32::try_from(value).map_err(|_| refused(field, format!("{value} is no number of tries; write 0 or more")))
}

fn seconds(field: &str, value: i64) -> Result<Duration, Block> {
    let seconds = u64::try_from(value);
    seconds.map(Duration::from_secs).map_err(|_| refused(field, format!("{value} is no time; write 0 or more seconds")))
}

/// Which try of which run a container is. Its labels tell, so that it is known also to a process that has not made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Try {
    /// When the run was due, in whole seconds; without a schedule nothing.
    pub due: Option<Timestamp>,
    /// How many tries of this run have failed before.
    pub failed_before: u32,
    /// When the first try was started; absent for the first.
    pub first_start: Option<Timestamp>,
}

impl Try {
    /// What the labels of a container tell.
    pub fn of(labels: &BTreeMap<String, String>) -> Self {
        Self {
            due: labels.get(labels::DUE).and_then(|text| text.parse().ok()),
            failed_before: labels.get(labels::FAILED_BEFORE).and_then(|text| text.parse().ok()).unwrap_or_default(),
            first_start: labels.get(labels::FIRST_START).and_then(|text| text.parse().ok()),
        }
    }

    /// The labels that tell it; none for the only try of the only run.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let due = self.due.map(|due| (labels::DUE, due.to_string()));
        let failed = (self.failed_before > 0).then(|| (labels::FAILED_BEFORE, self.failed_before.to_string()));
        let start = self.first_start.map(|start| (labels::FIRST_START, start.to_string()));
        let all = [due, failed, start].into_iter().flatten();
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusal(run: &Value) -> String {
        OneShot::of(&serde_json::from_value(run.clone()).unwrap()).unwrap_err().message
    }

    #[test]
    fn what_is_for_containers_that_end_is_refused_for_those_that_do_not() {
        for field in ["backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
            let message = refusal(&json!({field: 3}));
            assert!(message.starts_with(&format!("spec.run.{field}: is for containers that end")), "{message}");
        }
        assert!(refusal(&json!({"schedule": "@daily"})).starts_with("spec.run.schedule: is for containers that end"));
    }

    #[test]
    fn what_is_for_a_schedule_is_refused_without_one() {
        for (field, value) in [("timeZone", json!("Europe/Berlin")), ("startingDeadlineSeconds", json!(60))] {
            let message = refusal(&json!({"restartPolicy": "Never", field: value}));
            assert_eq!(message, format!("spec.run.{field}: is for a schedule: leave it out, or write a schedule"));
        }
    }

    #[test]
    fn a_schedule_that_cannot_be_read_names_its_field() {
        let message = refusal(&json!({"restartPolicy": "Never", "schedule": "* * *"}));
        assert!(message.starts_with("spec.run.schedule: \"* * *\" is no schedule, it has 3 fields: "), "{message}");
        let message = refusal(&json!({"restartPolicy": "Never", "schedule": "@daily", "timeZone": "Berlin"}));
        assert!(message.starts_with("spec.run.timeZone: \"Berlin\" is no time zone"), "{message}");
    }

    #[test]
    fn the_labels_of_a_try_tell_it() {
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let all =
            Try { due: time("2026-11-26T19:00:00Z"), failed_before: 2, first_start: time("2026-11-26T19:00:01Z") };
        assert_eq!(Try::of(&all.labels()), all);
        assert_eq!(all.labels()[labels::DUE], "2026-11-26T19:00:00Z");
        assert!(Try::default().labels().is_empty());
    }
}
