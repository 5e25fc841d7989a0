//! What is counted and measured, for Prometheus.
//!
//! Labels are fixed words. No name of a resource, an image or a host is ever a label: they would be without end, and tell
//! more than whoever reads metrics should know.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::app::Action;

/// From a millisecond for a pass with nothing to do to ten minutes for a long build, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 180.0, 600.0];

/// How a pass over a resource ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileOutcome {
    /// To its end. What it found may still be bad news.
    Done,
    /// It could not be finished.
    Failed,
}

/// How a step or a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Done,
    /// With an error.
    Failed,
    /// Without an answer.
    Unreachable,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        }
    }
}

/// Why the metrics cannot be kept or written: a defect of the program.
#[derive(Debug, thiserror::Error)]
#[error("the metrics are at odds with one another: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    reconcile_duration: Histogram,
    steps: IntCounterVec,
    step_duration: HistogramVec,
    drift: IntCounter,
    running_tasks: IntGauge,
    count_running_tasks: Mutex<Option<Box<dyn Fn() -> usize + Send>>>,
    engine_calls: IntCounterVec,
    engine_call_duration: HistogramVec,
}

impl Metrics {
    /// Metrics that have counted nothing.
    pub fn new() -> Result<Self, MetricsError> {
        let metrics = Self {
            registry: Registry::new(),
            reconciles: counters("longshore_reconciles_total", "Passes over ContainerApps.", &["outcome"])?,
            reconcile_duration: Histogram::with_opts(durations(
                "longshore_reconcile_duration_seconds",
                "How long a pass over a ContainerApp took. Long steps are not part of it.",
            ))?,
            steps: counters("longshore_steps_total", "Steps that were taken.", &["action", "outcome"])?,
            step_duration: HistogramVec::new(
                durations("longshore_step_duration_seconds", "How long a step took that ended well."),
                &["action"],
            )?,
            drift: IntCounter::new(
                "longshore_drift_found_by_relist_total",
                "Changes on engines that no event told and only the relist found.",
            )?,
            running_tasks: IntGauge::new(
                "longshore_running_tasks",
                "Long steps under way: builds, pulls, pushes and stops.",
            )?,
            count_running_tasks: Mutex::new(None),
            engine_calls: counters("longshore_engine_calls_total", "Calls to engines.", &["call", "outcome"])?,
            engine_call_duration: HistogramVec::new(
                durations("longshore_engine_call_duration_seconds", "How long an engine took to answer."),
                &["call"],
            )?,
        };
        metrics.register()?;
        Ok(metrics)
    }

    fn register(&self) -> Result<(), MetricsError> {
        self.registry.register(Box::new(self.reconciles.clone()))?;
        self.registry.register(Box::new(self.reconcile_duration.clone()))?;
        self.registry.register(Box::new(self.steps.clone()))?;
        self.registry.register(Box::new(self.step_duration.clone()))?;
        self.registry.register(Box::new(self.drift.clone()))?;
        self.registry.register(Box::new(self.running_tasks.clone()))?;
        self.registry.register(Box::new(self.engine_calls.clone()))?;
        self.registry.register(Box::new(self.engine_call_duration.clone()))?;
        Ok(())
    }

    /// A pass over a resource has ended.
    pub fn reconciled(&self, outcome: ReconcileOutcome, took: Duration) {
        let outcome = match outcome {
            ReconcileOutcome::Done => "done",
            ReconcileOutcome::Failed => "failed",
        };
        self.reconciles.with_label_values(&[outcome]).inc();
        self.reconcile_duration.observe(took.as_secs_f64());
    }

    /// A step has ended well.
    pub fn step_done(&self, action: &Action, took: Duration) {
        let action = label_of(action);
        self.steps.with_label_values(&[action, Outcome::Done.label()]).inc();
        self.step_duration.with_label_values(&[action]).observe(took.as_secs_f64());
    }

    /// A step has failed.
    pub fn step_failed(&self, action: &Action) {
        self.steps.with_label_values(&[label_of(action), Outcome::Failed.label()]).inc();
    }

    /// A relist has found so many changes that no event had told.
    pub fn drift_found(&self, changes: usize) {
        self.drift.inc_by(u64::try_from(changes).unwrap_or(u64::MAX));
    }

    /// An engine has answered a call, or not. The call is named as the contract names it.
    pub fn engine_called(&self, call: &'static str, outcome: Outcome, took: Duration) {
        self.engine_calls.with_label_values(&[call, outcome.label()]).inc();
        self.engine_call_duration.with_label_values(&[call]).observe(took.as_secs_f64());
    }

    /// Who is asked at each scrape how many long steps are under way.
    pub fn count_running_tasks_by(&self, count: impl Fn() -> usize + Send + 'static) {
        *self.count_running_tasks.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(count));
    }

    /// The metrics in Prometheus' text format.
    pub fn exposition(&self) -> Result<Vec<u8>, MetricsError> {
        if let Some(count) = &*self.count_running_tasks.lock().unwrap_or_else(PoisonError::into_inner) {
            self.running_tasks.set(i64::try_from(count()).unwrap_or(i64::MAX));
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn durations(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(BUCKETS.to_vec())
}

fn label_of(action: &Action) -> &'static str {
    match action {
        Action::PullImage { .. } => "pull_image",
        Action::BuildImage { .. } => "build_image",
        Action::TagImage { .. } => "tag_image",
        Action::PushImage { .. } => "push_image",
        Action::CreateVolume { .. } => "create_volume",
        Action::RemoveVolume { .. } => "remove_volume",
        Action::CreateNetwork { .. } => "create_network",
        Action::RemoveNetwork { .. } => "remove_network",
        Action::ConnectNetwork { .. } => "connect_network",
        Action::CreateContainer { .. } => "create_container",
        Action::StartContainer { .. } => "start_container",
        Action::StopContainer { .. } => "stop_container",
        Action::UnpauseContainer { .. } => "unpause_container",
        Action::AdjustContainer { .. } => "adjust_container",
        Action::RenameContainer { .. } => "rename_container",
        Action::RemoveContainer { .. } => "remove_container",
        Action::RemoveImage { .. } => "remove_image",
        Action::DeleteTag { .. } => "delete_tag",
        Action::RecordRevision { .. } => "record_revision",
        Action::RemoveRevision { .. } => "remove_revision",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(metrics: &Metrics) -> String {
        String::from_utf8(metrics.exposition().unwrap()).unwrap()
    }

    #[test]
    fn passes_are_counted_by_how_they_ended() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled(ReconcileOutcome::Done, Duration::from_millis(2));
        metrics.reconciled(ReconcileOutcome::Done, Duration::from_millis(2));
        metrics.reconciled(ReconcileOutcome::Failed, Duration::from_millis(2));
        let lines = lines(&metrics);
        assert!(lines.contains("longshore_reconciles_total{outcome=\"done\"} 2"), "{lines}");
        assert!(lines.contains("longshore_reconciles_total{outcome=\"failed\"} 1"), "{lines}");
        assert!(lines.contains("longshore_reconcile_duration_seconds_count 3"), "{lines}");
    }

    #[test]
    fn running_tasks_are_counted_when_they_are_asked_for() {
        let metrics = Metrics::new().unwrap();
        metrics.count_running_tasks_by(|| 3);
        assert!(lines(&metrics).contains("longshore_running_tasks 3"));
    }

    #[test]
    fn engine_calls_are_counted_by_call_and_outcome() {
        let metrics = Metrics::new().unwrap();
        metrics.engine_called("list_containers", Outcome::Unreachable, Duration::from_secs(1));
        let lines = lines(&metrics);
        let expected = "longshore_engine_calls_total{call=\"list_containers\",outcome=\"unreachable\"} 1";
        assert!(lines.contains(expected), "{lines}");
    }
}
