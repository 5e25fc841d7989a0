//! The records of revisions, listed once for each app and kept from then on: nobody else writes them.

use std::sync::Arc;

use kube::ResourceExt;
use longshore_crds::ContainerApp;
use tracing::warn;

use super::known::Known;
use super::reconciler::Round;
use super::{AppKey, Reconciler, Report, ResourceError, events, failure};
use crate::app::{Action, Owner, RevisionRecord, Step};

impl Reconciler {
    /// The records under the app's name; `None` when they cannot be read now. Nothing that was asked for waits for them.
    pub(super) async fn revisions(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        known: &Known,
    ) -> Option<Vec<Arc<RevisionRecord>>> {
        if known.revisions.is_some() {
            return known.revisions.clone();
        }
        match self.resources.revisions(app).await {
            Ok(listed) => {
                let records: Vec<_> =
                    listed.into_iter().filter_map(RevisionRecord::of_resource).map(Arc::new).collect();
                let uid = app.uid().unwrap_or_default();
                self.known.update(key, &uid, |known| known.revisions = Some(records.clone()));
                Some(records)
            }
            Err(error) => {
                warn!(%key, "the records of the revisions cannot be read: {error}");
                None
            }
        }
    }

    /// Does a step that keeps the records.
    pub(super) async fn keep_records(&self, key: &AppKey, app: &ContainerApp, owner: &Owner, step: &Step) -> Round {
        self.reporter.report(key, Report::StepStarted(step));
        let started = (self.clock)();
        let result = self.write_records(app, owner, &step.action).await;
        let finished = (self.clock)();
        let uid = app.uid().unwrap_or_default();
        match result {
            Ok(()) => {
                self.known.update(key, &uid, |known| {
                    known.attempts.succeeded(&step.action);
                    known.revisions.iter_mut().for_each(|records| changed(records, &step.action));
                });
                let took = finished.duration_since(started).try_into().unwrap_or_default();
                self.reporter.report(key, Report::StepDone(step, took));
            }
            Err(error) => {
                let failure = failure::failure_to_record(&step.action, &error, finished);
                self.reporter.report(key, Report::StepFailed(step, &failure.message));
                self.publish(key, app, events::of_failure(&failure)).await;
                self.known.update(key, &uid, |known| {
                    known.attempts.failed(&step.action, failure);
                    // What is there is not what was thought.
                    known.revisions = None;
                });
            }
        }
        Round::Again
    }

    async fn write_records(&self, app: &ContainerApp, owner: &Owner, action: &Action) -> Result<(), ResourceError> {
        match action {
            Action::RecordRevision { record } => self.resources.write_revision(app, &record.to_resource(owner)).await,
            Action::RemoveRevision { name, .. } => self.resources.remove_revision(app, name).await,
            other => unreachable!("{other} keeps no record"),
        }
    }
}

/// What is known of the records after a step.
fn changed(records: &mut Vec<Arc<RevisionRecord>>, action: &Action) {
    match action {
        Action::RecordRevision { record } => {
            let mut record = record.as_ref().clone();
            record.status.log.clear();
            records.retain(|other| other.name() != record.name());
            records.push(Arc::new(record));
        }
        Action::RemoveRevision { name, .. } => records.retain(|record| record.name() != *name),
        _ => {}
    }
}
