//! Hears what the reconciler does, counts it and logs it: the reporter of a process that nobody watches.

use std::sync::Arc;

use tracing::{debug, info, warn};

use super::metrics::Metrics;
use crate::reconcile::{AppKey, EventKind, Report, Reporter};

/// A reporter that counts and logs.
pub struct Observer {
    metrics: Arc<Metrics>,
}

impl Observer {
    /// A reporter that counts in these metrics.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl Reporter for Observer {
    fn report(&self, key: &AppKey, report: Report<'_>) {
        match report {
            Report::StepStarted(step) => debug!(%key, cause = step.cause, "begins: {}", step.action),
            Report::StepDone(step, took) => {
                self.metrics.step_done(&step.action, took);
                info!(%key, cause = step.cause, "done in {took:.1?}: {}", step.action);
            }
            Report::StepFailed(step, why) => {
                self.metrics.step_failed(&step.action);
                warn!(%key, cause = step.cause, "failed: {}: {why}", step.action);
            }
            Report::DriftFound => self.metrics.drift_found(1),
            Report::Event(event) if event.kind == EventKind::Warning => {
                warn!(%key, reason = event.reason, "{}", event.note);
            }
            // What is done is logged as a step. What a build prints belongs to its owner, not to the process's log.
            Report::Event(_) | Report::Progress(..) | Report::Status(_) => {}
        }
    }
}
