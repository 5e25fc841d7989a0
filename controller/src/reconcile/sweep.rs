//! Removes what owners have left on an engine that was away when they went.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use longshore_crds::{ContainerAppStatus, Tombstone};
use tracing::{info, warn};

use super::engine_store::EngineStore;
use super::execute::Executor;
use super::known::Known;
use super::look::Seen;
use super::{AppKey, ReconcileError, Reconciler, ResourceError};
use crate::app::plan::{Removal, plan_removal};
use crate::app::{ImageScope, Instance, Owner, Step};
use crate::engine::EngineError;

/// How many steps one tombstone may take in a row.
const MOST_STEPS: usize = 200;

/// What is to be done next for an owner that is gone.
enum Next {
    Step(Box<Step>),
    Nothing,
    /// What it has left is on an engine with another ID.
    IsAnotherEngine,
}

impl Reconciler {
    /// Removes what this installation's tombstones on an engine speak of. One whose owner has nothing there any more is
    /// taken away, unless another engine answers by the name than the one that is meant.
    ///
    /// # Errors
    /// The resources cannot be read or written. An engine that does not answer is no error: the next sweep tries again.
    pub(super) async fn sweep_tombstones(&self, engine: &str) -> Result<(), ReconcileError> {
        for tombstone in self.tombstones_on(engine).await? {
            if self.is_at_home(&tombstone, engine).await? {
                self.take_away(&tombstone, engine).await?;
                continue;
            }
            match self.sweep_one(&tombstone, engine).await? {
                Ok(true) => {
                    self.take_away(&tombstone, engine).await?;
                    // Whoever waits for a name or a port has it now. An event may have come too early to see that.
                    self.wake_on_engine(engine, true);
                }
                Ok(false) => {}
                Err(error) => {
                    let Tombstone { namespace, name, .. } = &tombstone;
                    warn!(engine, namespace, name, "what it has left cannot be removed yet: {error}");
                }
            }
        }
        Ok(())
    }

    async fn tombstones_on(&self, engine: &str) -> Result<Vec<Tombstone>, ReconcileError> {
        let found = self.resources.engine(engine).await.map_err(|error| ReconcileError::Failed(error.to_string()))?;
        let mut tombstones = found.and_then(|engine| engine.status).unwrap_or_default().tombstones;
        tombstones.retain(|tombstone| tombstone.instance == self.instance.as_str());
        Ok(tombstones)
    }

    /// Whether the owner has come back to the engine that it had moved away from: it looks after its things itself.
    async fn is_at_home(&self, tombstone: &Tombstone, engine: &str) -> Result<bool, ReconcileError> {
        let app = match self.resources.app(&key_of(tombstone)).await {
            Ok(app) => app,
            Err(ResourceError::Invalid { app, .. }) => Some(*app),
            Err(error) => return Err(ReconcileError::Failed(error.to_string())),
        };
        let same = app.filter(|app| app.uid().as_deref() == Some(tombstone.uid.as_str()));
        Ok(same.is_some_and(|app| {
            let is_on = app.status.as_ref().and_then(|status| status.engine.as_ref());
            app.spec.engine == engine || is_on.is_some_and(|is_on| is_on.name == engine)
        }))
    }

    /// Whether nothing of an owner is left on the engine that is meant.
    async fn sweep_one(
        &self,
        tombstone: &Tombstone,
        engine: &str,
    ) -> Result<Result<bool, EngineError>, ReconcileError> {
        let Ok(resource) = self.engine(engine).await? else {
            return Ok(Ok(false));
        };
        let store = match self.stores.get(engine, &resource, &self.this).await {
            Ok(store) => store,
            Err(error) => return Ok(Err(error)),
        };
        for _ in 0..MOST_STEPS {
            // It may come back at any moment, and must then find what it has.
            if self.is_at_home(tombstone, engine).await? {
                return Ok(Ok(true));
            }
            match self.next_of(tombstone, engine, &store).await {
                Ok(Next::Step(step)) => {
                    if let Err(error) = self.do_for_the_dead(tombstone, &step, &store).await {
                        return Ok(Err(error));
                    }
                }
                Ok(Next::Nothing) => return Ok(Ok(true)),
                Ok(Next::IsAnotherEngine) => return Ok(Ok(false)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(false))
    }

    async fn next_of(&self, tombstone: &Tombstone, engine: &str, store: &EngineStore) -> Result<Next, EngineError> {
        // It was away: what is remembered of it may be of the time before.
        store.forget_identity();
        // What the owner has claimed on one engine is on another whosever it is.
        if !tombstone.engine_id.is_empty() && tombstone.engine_id != store.info().await?.id {
            return Ok(Next::IsAnotherEngine);
        }
        let owner = owner_of(tombstone);
        let status = ContainerAppStatus {
            local_references: tombstone.local_references.clone(),
            ..ContainerAppStatus::default()
        };
        let known = Known::default();
        let seen = Seen { engine, status: Some(&status), known: &known };
        let mut observed = Self::observe_engine(store, &owner, seen, &ImageScope::All).await?;
        if tombstone.remove_volumes {
            observed.volumes = store.engine.list_volumes().await?;
        }
        let grace_period = Duration::from_secs(u64::try_from(tombstone.grace_period_seconds).unwrap_or(0));
        let steps = plan_removal(&owner, &observed, Removal::Everything, grace_period);
        Ok(steps.into_iter().next().map_or(Next::Nothing, |step| Next::Step(Box::new(step))))
    }

    async fn do_for_the_dead(
        &self,
        tombstone: &Tombstone,
        step: &Step,
        store: &Arc<EngineStore>,
    ) -> Result<(), EngineError> {
        let Tombstone { namespace, name, .. } = tombstone;
        let progress = self.progress_of(&key_of(tombstone), step);
        let executor = Executor::of_removal(store, owner_of(tombstone), progress, (self.clock)());
        executor.perform(&step.action).await?;
        store.changed_by(&step.action);
        info!(namespace, name, "{}: {}", step.action, step.cause);
        Ok(())
    }

    /// Takes a tombstone away. One that cannot be taken away now is so at the next sweep, which finds nothing to do.
    async fn take_away(&self, tombstone: &Tombstone, engine: &str) -> Result<(), ReconcileError> {
        let failed = |error: ResourceError| ReconcileError::Failed(error.to_string());
        let Some(found) = self.resources.engine(engine).await.map_err(failed)? else {
            return Ok(());
        };
        let mut tombstones = found.status.clone().unwrap_or_default().tombstones;
        tombstones.retain(|other| other.uid != tombstone.uid);
        match self.resources.write_tombstones(&found, tombstones).await {
            Ok(()) | Err(ResourceError::Conflict) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

fn key_of(tombstone: &Tombstone) -> AppKey {
    AppKey { namespace: tombstone.namespace.clone(), name: tombstone.name.clone() }
}

fn owner_of(tombstone: &Tombstone) -> Owner {
    Owner {
        instance: Instance::new(&tombstone.instance),
        uid: tombstone.uid.clone(),
        namespace: tombstone.namespace.clone(),
        name: tombstone.name.clone(),
    }
}
