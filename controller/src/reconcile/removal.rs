//! The end of a resource: its finalizer is released only when nothing of it is left.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use longshore_crds::{ContainerApp, DeletionPolicy};

use super::build_log::Transcript;
use super::execute::Executor;
use super::known::Known;
use super::look::engine_block;
use super::masker::Masker;
use super::reconciler::Round;
use super::{AppKey, ReconcileError, Reconciler, resources};
use crate::app::plan::{Removal, plan_removal};
use crate::app::status::{Outlook, Telling, status};
use crate::app::{ImageScope, Owner, Step};

impl Reconciler {
    pub(super) async fn removal_round(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        known: &Known,
    ) -> Result<Round, ReconcileError> {
        if !resources::is_held(app) {
            self.forget(key).await;
            return Ok(Round::Rest(Duration::from_secs(300)));
        }
        let removal = self.removal_of(app);
        if removal == Removal::Nothing {
            return self.release(key, app).await;
        }
        let engine = match self.engine(&app.spec.engine).await? {
            Ok(engine) => engine,
            Err(block) => return self.tell_block(key, app, &block).await,
        };
        let owner = self.owner_of(app);
        let found = async {
            let store = self.stores.get(&app.spec.engine, &engine, &self.this).await?;
            let mut observed = self.observe_engine(&store, &owner, app, known, &ImageScope::All).await?;
            if self.remove_volumes {
                observed.volumes = store.engine.list_volumes().await?;
            }
            Ok((store, observed))
        };
        let (store, observed) = match found.await {
            Ok(found) => found,
            Err(error) => {
                return self.tell_block(key, app, &engine_block(&app.spec.engine, &error)).await;
            }
        };
        let steps = plan_removal(&owner, &observed, removal, grace_period(app));
        let running = self.tasks.actions(&owner.uid);
        match (steps.first(), running.as_slice()) {
            (first, [_, ..]) if first.is_none_or(|step| running != [step.action.clone()]) => {
                self.tasks.cancel(&owner.uid).await;
                Ok(Round::Again)
            }
            (None, _) => self.release(key, app).await,
            (Some(_), [_, ..]) => Ok(Round::Rest(Duration::from_secs(300))),
            (Some(first), []) => {
                let telling = Telling {
                    engine: app.spec.engine.clone(),
                    generation: app.metadata.generation.unwrap_or(0),
                    ..Telling::default()
                };
                let old = app.status.clone().unwrap_or_default();
                let new =
                    status(&old, &telling, Outlook::Deleting { observed: &observed, steps: &steps }, (self.clock)());
                let was_told = old.conditions.iter().any(|condition| condition.reason == "Deleting");
                let wait = observed.attempts.block(&first.action, (self.clock)());
                if (!was_told || wait.is_some())
                    && let Round::Again = self.tell(key, app, &new).await?
                {
                    return Ok(Round::Again);
                }
                match wait {
                    Some(block) => Ok(Round::Rest(block.look_again)),
                    None => Ok(self.remove(key, app, owner, first.clone(), store).await),
                }
            }
        }
    }

    async fn remove(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        owner: Owner,
        step: Step,
        store: Arc<super::engine_store::EngineStore>,
    ) -> Round {
        let uid = owner.uid.clone();
        let transcript = Arc::new(Transcript::new(Masker::of([])));
        let executor = Executor {
            engine: Arc::clone(&store.engine),
            remotes: Arc::clone(&store.remotes),
            desired: None,
            context: None,
            progress: self.progress_of(key, &step),
            transcript,
            now: (self.clock)(),
            owner,
        };
        self.perform(key, app, &uid, step, executor, store).await
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

    pub(super) fn owner_of(&self, app: &ContainerApp) -> Owner {
        Owner {
            instance: self.instance.clone(),
            uid: app.uid().unwrap_or_default(),
            namespace: app.namespace().unwrap_or_default(),
            name: app.name_any(),
        }
    }
}

fn grace_period(app: &ContainerApp) -> Duration {
    let seconds = app.spec.run.as_ref().map_or(10, |run| run.termination_grace_period_seconds);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
