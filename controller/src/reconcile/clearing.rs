//! One look at an engine from which everything of a resource is to go, because it is deleted or has moved away.

use std::sync::Arc;

use longshore_crds::{ContainerApp, FormerEngine};

use super::engine_store::EngineStore;
use super::execute::Executor;
use super::look::{Seen, engine_block};
use super::reconciler::Round;
use super::{AppKey, ReconcileError, Reconciler};
use crate::app::plan::{Observed, Removal, because, plan_removal};
use crate::app::{Block, ImageScope, Step};

/// What is to go, and from where.
pub(super) struct Clear<'a> {
    pub(super) key: &'a AppKey,
    pub(super) app: &'a ContainerApp,
    pub(super) place: &'a FormerEngine,
    pub(super) removal: Removal,
    pub(super) with_volumes: bool,
    /// The ID of the engine that the resource has moved to, if that is why.
    pub(super) stays_on: Option<&'a str>,
}

/// How a look has ended.
pub(super) enum Clearing {
    /// Nothing is left.
    Done,
    /// The engine cannot be asked.
    Away(Block),
    /// Something useless was under way, and is ended.
    Again,
    /// A step is under way.
    Waits,
    /// There is something to do.
    Next(Box<Next>),
}

/// What is to be done next on an engine.
pub(super) struct Next {
    pub(super) store: Arc<EngineStore>,
    pub(super) observed: Observed,
    pub(super) steps: Vec<Step>,
}

impl Clear<'_> {
    /// Steps on the engine where the resource is are its own. Those on another one must not be taken for them: a move
    /// goes on while the resource is looked after on its new engine.
    fn task(&self) -> String {
        let uid = self.app.metadata.uid.clone().unwrap_or_default();
        let is_elsewhere = self.stays_on.is_some() || self.place.name != self.app.spec.engine;
        if is_elsewhere { format!("{uid}@{}", self.place.name) } else { uid }
    }
}

impl Reconciler {
    pub(super) async fn clear(&self, clear: &Clear<'_>) -> Result<Clearing, ReconcileError> {
        let Clear { key, app, place, .. } = *clear;
        let engine = match self.engine(&place.name).await? {
            Ok(engine) => engine,
            Err(block) => return Ok(Clearing::Away(block)),
        };
        let owner = self.owner_of(app);
        let known = self.known.get(key, &owner.uid);
        let found = async {
            let store = self.stores.get(&place.name, &engine, &self.this).await?;
            let seen = Seen { engine: &place.name, status: app.status.as_ref(), known: &known };
            let mut observed = Self::observe_engine(&store, &owner, seen, &ImageScope::All).await?;
            if clear.with_volumes {
                observed.volumes = store.engine.list_volumes().await?;
            }
            Ok((store, observed))
        };
        let (store, observed) = match found.await {
            Ok(found) => found,
            Err(error) => return Ok(Clearing::Away(engine_block(&place.name, &error))),
        };
        self.known.update(key, &owner.uid, |known| {
            known.silent_since.remove(&place.name);
        });
        // Two names of one engine: what is there is what is wanted.
        if clear.stays_on == Some(observed.engine_id.as_str()) {
            return Ok(Clearing::Done);
        }
        let mut steps = plan_removal(&owner, &observed, clear.removal, super::removal::grace_period(app));
        if clear.stays_on.is_some() {
            steps = because(steps, &format!("the resource is on the engine {} now", app.spec.engine));
        }
        let task = clear.task();
        let running = self.tasks.actions(&task);
        Ok(match (steps.first(), running.as_slice()) {
            (first, [_, ..]) if first.is_none_or(|step| running != [step.action.clone()]) => {
                self.tasks.cancel(&task).await;
                Clearing::Again
            }
            (None, _) => Clearing::Done,
            (Some(_), [_, ..]) => Clearing::Waits,
            (Some(_), []) => Clearing::Next(Box::new(Next { store, observed, steps })),
        })
    }

    /// Does the first step of what is to be done next.
    pub(super) async fn remove(&self, clear: &Clear<'_>, next: Next) -> Round {
        let Some(step) = next.steps.into_iter().next() else {
            return Round::Again;
        };
        let progress = self.progress_of(clear.key, &step);
        let executor = Executor::of_removal(&next.store, self.owner_of(clear.app), progress, (self.clock)());
        Box::pin(self.perform(clear.key, clear.app, &clear.task(), step, executor, next.store)).await
    }
}
