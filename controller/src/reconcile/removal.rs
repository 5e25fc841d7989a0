//! The end of a resource: its finalizer is released only when nothing of it is left, or when what is left is written down.

use std::time::Duration;

use kube::ResourceExt;
use longshore_crds::{ContainerApp, DeletionPolicy, VolumeReclaimPolicy};

use super::clearing::{Clear, Clearing, Next};
use super::reconciler::Round;
use super::{AppKey, ReconcileError, Reconciler, orphans, resources};
use crate::app::plan::Removal;
use crate::app::status::{Outlook, Telling, places, status};
use crate::app::{Owner, Reason};

impl Reconciler {
    pub(super) async fn removal_round(&self, key: &AppKey, app: &ContainerApp) -> Result<Round, ReconcileError> {
        if !resources::is_held(app) {
            self.forget(key).await;
            return Ok(Round::Rest(Duration::from_secs(300)));
        }
        let removal = self.removal_of(app);
        if removal == Removal::Nothing {
            self.publish(key, app, orphans::left_on_purpose(app, &self.owner_of(app))).await;
            return self.release(key, app).await;
        }
        for place in &places(app) {
            let with_volumes = self.removes_volumes(app);
            let clear = Clear { key, app, place, removal, with_volumes, stays_on: None };
            match self.clear(&clear).await? {
                Clearing::Done => {}
                Clearing::Again => return Ok(Round::Again),
                Clearing::Waits => return Ok(Round::Rest(Duration::from_secs(300))),
                Clearing::Next(next) => return self.remove_next(&clear, *next).await,
                // It is written down where something is made, before it is made.
                Clearing::Away(block) if block.reason == Reason::EngineNotFound && !was_used(app, &place.name) => {}
                Clearing::Away(block) if !self.has_waited_enough(key, app, &place.name) => {
                    return self.tell_block(key, app, &block).await;
                }
                Clearing::Away(block) => {
                    if let Round::Again = self.bury(&clear, &block).await? {
                        return Ok(Round::Again);
                    }
                }
            }
        }
        self.release(key, app).await
    }

    /// Tells what is done, and does it, unless it has failed just now.
    async fn remove_next(&self, clear: &Clear<'_>, next: Next) -> Result<Round, ReconcileError> {
        let Clear { key, app, .. } = *clear;
        let telling = Telling {
            engine: clear.place.name.clone(),
            generation: app.metadata.generation.unwrap_or(0),
            ..Telling::default()
        };
        let old = app.status.clone().unwrap_or_default();
        let outlook = Outlook::Deleting { observed: &next.observed, steps: &next.steps };
        let new = status(&old, &telling, outlook, (self.clock)());
        let was_told = old.conditions.iter().any(|condition| condition.reason == "Deleting");
        let wait = next.steps.first().and_then(|first| next.observed.attempts.block(&first.action, (self.clock)()));
        if (!was_told || wait.is_some())
            && let Round::Again = self.tell(key, app, &new).await?
        {
            return Ok(Round::Again);
        }
        match wait {
            Some(block) => Ok(Round::Rest(block.look_again)),
            None => Ok(self.remove(clear, next).await),
        }
    }

    async fn release(&self, key: &AppKey, app: &ContainerApp) -> Result<Round, ReconcileError> {
        let released = Self::after_write(self.resources.release(app).await)?;
        self.forget(key).await;
        Ok(released)
    }

    fn removal_of(&self, app: &ContainerApp) -> Removal {
        match (app.spec.deletion_policy, self.keep_images) {
            (DeletionPolicy::Orphan, _) => Removal::Nothing,
            (DeletionPolicy::Delete, true) => Removal::Containers,
            (DeletionPolicy::Delete, false) => Removal::Everything,
        }
    }

    pub(super) fn removes_volumes(&self, app: &ContainerApp) -> bool {
        let policy = app.spec.run.as_ref().map(|run| run.volume_reclaim_policy);
        self.remove_volumes || policy == Some(VolumeReclaimPolicy::Delete)
    }

    pub(super) fn owner_of(&self, app: &ContainerApp) -> Owner {
        Owner {
            instance: self.instance.clone(),
            uid: app.uid().unwrap_or_default(),
            namespace: app.namespace().unwrap_or_default(),
            name: app.name_any(),
        }
    }
}

fn was_used(app: &ContainerApp, engine: &str) -> bool {
    let status = app.status.as_ref();
    let is_there = status.and_then(|status| status.engine.as_ref()).is_some_and(|used| used.name == engine);
    is_there || status.is_some_and(|status| status.former_engines.iter().any(|used| used.name == engine))
}

/// How long a container has to end. Where the spec cannot be read, it is Docker's own default.
pub(super) fn grace_period(app: &ContainerApp) -> Duration {
    let seconds = app.spec.run.as_ref().map_or(10, |run| run.termination_grace_period_seconds);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
