//! Whether a container that runs is ready: by its health check, and by having stayed up.

use std::time::Duration;

use jiff::Timestamp;

use super::container::Situation;
use crate::app::{Container, Health, HealthReport, Reason};

/// How long a container that replaces another, and has no health check, stays up until it counts as ready where the
/// spec does not say so.
const SETTLING: Duration = Duration::from_secs(1);

/// How long a container that the engine has restarted must stay up to be held for steady: it is what the engine itself
/// goes by (moby's `restartmanager`).
const STEADY: Duration = Duration::from_secs(10);

/// How often a container is looked at that becomes healthy at some time, though its engine tells.
const STARTING_LOOK: Duration = Duration::from_secs(5);

/// How a container stands that runs.
pub(super) enum Readiness {
    /// It is ready.
    Ready,
    /// It may become so.
    NotYet {
        /// The word for it.
        reason: Reason,
        /// What is waited for.
        message: String,
        /// When it is worth another look.
        look_again: Duration,
    },
    /// It is not well, as a phrase after "because".
    Failed(String),
    /// The engine has restarted it just now: whether it stays up has to be seen.
    KeepsEnding,
}

impl Situation<'_> {
    /// How a container of ours stands that runs. One that replaces another has the progress deadline to become healthy.
    pub(super) fn readiness(&self, container: &Container, replaces: bool) -> Readiness {
        let name = &container.name;
        let health = container.detail.as_ref().and_then(|detail| detail.health.as_ref());
        let up = up_for(container, self.now);
        let has_restarted = container.detail.as_ref().is_some_and(|detail| detail.restarts > 0);
        if has_restarted && up.is_some_and(|up| up < STEADY) {
            return Readiness::KeepsEnding;
        }
        match health {
            Some(report) if report.health == Health::Unhealthy => return Readiness::Failed(failed_check(report)),
            Some(report) if report.health == Health::Starting => {
                let deadline = self.desired.progress_deadline;
                if replaces && up.is_some_and(|up| up >= deadline) {
                    return Readiness::Failed(format!("it has not become healthy within {deadline:?}"));
                }
                return Readiness::NotYet {
                    reason: Reason::BecomingReady,
                    message: format!("{name} has started and is not healthy yet{}", last_check(report)),
                    look_again: report.interval.min(STARTING_LOOK),
                };
            }
            _ => {}
        }
        let by_default = if replaces && health.is_none() { SETTLING } else { Duration::ZERO };
        let asked = self.run.rollout.min_ready.unwrap_or(by_default);
        // An engine whose clock is ahead of ours shortens the wait to nothing rather than making it endless.
        match asked.checked_sub(up.unwrap_or(asked)).filter(|wait| !wait.is_zero()) {
            None => Readiness::Ready,
            Some(wait) => Readiness::NotYet {
                // That a container has settled is a moment's matter, and needs no word of its own.
                reason: self.run.rollout.min_ready.map_or(Reason::Starting, |_| Reason::BecomingReady),
                message: format!("{name} has started, and is ready once it has been up for {asked:?}"),
                look_again: wait,
            },
        }
    }
}

/// How long the container has been up; `None` when its start is not known or lies ahead.
fn up_for(container: &Container, now: Timestamp) -> Option<Duration> {
    let started_at = container.detail.as_ref()?.started_at?;
    Duration::try_from(now.duration_since(started_at)).ok()
}

/// What is said of a health check that has failed too often.
pub(super) fn failed_check(report: &HealthReport) -> String {
    let times = if report.failing_streak == 1 { "once" } else { &format!("{} times in a row", report.failing_streak) };
    match report.last.as_str() {
        "" => format!("its health check has failed {times}"),
        last => format!("its health check has failed {times}, last with {last}"),
    }
}

fn last_check(report: &HealthReport) -> String {
    match report.last.as_str() {
        "" => format!(": its health is checked every {:?}", report.interval),
        last => format!(": its last health check ended with {last}"),
    }
}
