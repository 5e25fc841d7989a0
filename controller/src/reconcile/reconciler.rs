//! One pass over one resource: look, plan, tell, do the first step, and look again.
//!
//! # Guarantees
//! A pass never asks why it was called: it looks at everything. What a step will have made is written into the status
//! before the step, so that a process that dies in between leaves nothing that nobody knows of.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::{ContainerApp, ContainerAppStatus};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::engine_stores::EngineStores;
use super::known::KnownApps;
use super::look::{Look, Planned};
use super::recent_folders::RecentFolders;
use super::source_store::SourceStore;
use super::tasks::Tasks;
use super::{AppKey, LookAgain, Reconcile, ReconcileError, Report, Reporter, ResourceError, Resources, events};
use crate::app::plan::Turn;
use crate::app::status::{Outlook, Telling, status};
use crate::app::{Action, Block, Instance};
use crate::build::ContextReader;
use crate::engine::Engines;
use crate::registry::{AmbientCredentials, Registry};
use crate::source::SourceOptions;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The resources that should be looked at, because something has happened to them.
pub type Wakes = mpsc::UnboundedReceiver<AppKey>;

/// How often a resource is looked at when nothing has happened.
pub(super) const AT_REST: Duration = Duration::from_secs(300);

/// How many steps a pass takes before it lets others have their turn.
const MOST_ROUNDS: usize = 50;

/// What a reconciler is made of.
pub struct ReconcilerParts {
    /// Where desired state comes from and where the status goes.
    pub resources: Arc<dyn Resources>,
    /// The engines.
    pub engines: Arc<dyn Engines>,
    /// The client of registries.
    pub registry: Arc<dyn Registry>,
    /// Where credentials come from when no Secret has any.
    pub ambient: Arc<dyn AmbientCredentials>,
    /// The reader of build contexts.
    pub contexts: ContextReader,
    /// The reader of those that lie on servers.
    pub sources: SourceOptions,
    /// The installation.
    pub instance: Instance,
    /// Who hears what is being done.
    pub reporter: Arc<dyn Reporter>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether the images of a resource that is deleted stay on the engine.
    pub keep_images: bool,
    /// Whether the volumes of a resource that is deleted are removed, with everything in them, though its spec does not
    /// ask for it.
    pub remove_volumes: bool,
    /// How long an engine may be silent from which something is to be removed, before that is left to a tombstone; for
    /// ever when absent.
    pub engine_patience: Option<Duration>,
}

/// The reconciler of all resources of one mode.
pub struct Reconciler {
    pub(super) this: Weak<Self>,
    pub(super) resources: Arc<dyn Resources>,
    pub(super) ambient: Arc<dyn AmbientCredentials>,
    pub(super) contexts: ContextReader,
    pub(super) folders: RecentFolders,
    pub(super) sources: Arc<SourceStore>,
    pub(super) instance: Instance,
    pub(super) stores: EngineStores,
    pub(super) known: KnownApps,
    pub(super) tasks: Tasks,
    pub(super) clock: Clock,
    pub(super) keep_images: bool,
    pub(super) remove_volumes: bool,
    pub(super) engine_patience: Option<Duration>,
    pub(super) reporter: Arc<dyn Reporter>,
    pub(super) wakes: mpsc::UnboundedSender<AppKey>,
}

/// What comes after a round.
pub(super) enum Round {
    /// Another round: something was done, or has changed.
    Again,
    /// Nothing more to do now.
    Rest(Duration),
}

impl Round {
    /// The same, with another round after this time at the latest.
    fn within(self, latest: Duration) -> Self {
        match self {
            Self::Again => Self::Again,
            Self::Rest(duration) => Self::Rest(duration.min(latest)),
        }
    }
}

#[async_trait]
impl Reconcile for Reconciler {
    async fn reconcile(&self, key: &AppKey) -> Result<LookAgain, ReconcileError> {
        for _ in 0..MOST_ROUNDS {
            // On the heap: a pass is large, and its caller waits for many.
            match Box::pin(self.round(key)).await? {
                Round::Again => {}
                Round::Rest(duration) => return Ok(LookAgain(duration)),
            }
        }
        Ok(LookAgain(Duration::ZERO))
    }

    async fn sweep(&self, engine: &str) -> Result<(), ReconcileError> {
        Box::pin(self.sweep_tombstones(engine)).await
    }
}

impl Reconciler {
    /// A reconciler, and the resources that it wants looked at from then on.
    pub fn new(parts: ReconcilerParts) -> (Arc<Self>, Wakes) {
        let (wakes, receiver) = mpsc::unbounded_channel();
        let reconciler = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            resources: parts.resources,
            contexts: parts.contexts,
            folders: RecentFolders::default(),
            sources: SourceStore::new(parts.sources),
            instance: parts.instance,
            stores: EngineStores::new(parts.engines, parts.registry, Arc::clone(&parts.ambient)),
            ambient: parts.ambient,
            known: KnownApps::default(),
            tasks: Tasks::default(),
            clock: parts.clock,
            keep_images: parts.keep_images,
            remove_volumes: parts.remove_volumes,
            engine_patience: parts.engine_patience,
            reporter: parts.reporter,
            wakes,
        });
        (reconciler, receiver)
    }

    /// What would be done for a resource, without doing any of it.
    pub async fn plan(&self, key: &AppKey) -> Result<Result<crate::app::Plan, Block>, ReconcileError> {
        let app = self.resources.app(key).await.map_err(|error| ReconcileError::Failed(error.to_string()))?;
        let Some(app) = app else {
            return Err(ReconcileError::Failed(format!("there is no ContainerApp {key}")));
        };
        let uid = app.uid().unwrap_or_default();
        loop {
            match Box::pin(self.look(key, &app)).await? {
                Look::Planned(planned) if planned.plan.reads_a_source() => self.sources.settled(&uid).await,
                Look::Planned(planned) => return Ok(Ok(planned.plan)),
                Look::Blocked(block) => return Ok(Err(block)),
            }
        }
    }

    /// How many long steps are under way.
    pub fn running_tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Ends every long step that is under way. What they had not finished is begun anew by the next start.
    pub fn shut_down(&self) {
        self.tasks.abort_all();
    }

    async fn round(&self, key: &AppKey) -> Result<Round, ReconcileError> {
        let app = match self.resources.app(key).await {
            Ok(Some(app)) => app,
            Ok(None) => {
                self.forget(key).await;
                return Ok(Round::Rest(AT_REST));
            }
            Err(ResourceError::Invalid { message, app }) => {
                return self.tell_invalid(key, &app, &message).await;
            }
            Err(error) => return Err(ReconcileError::Failed(error.to_string())),
        };
        let uid = app.uid().unwrap_or_default();
        // Before anything is looked at: what ends from here on may have been seen as it was before its end.
        let before = self.tasks.actions(&uid);
        if app.metadata.deletion_timestamp.is_some() {
            return Box::pin(self.removal_round(key, &app)).await;
        }
        if app.spec.suspend {
            self.tasks.cancel(&uid).await;
            return Ok(Round::Rest(AT_REST));
        }
        if !super::resources::is_held(&app) {
            return Self::after_write(self.resources.hold(&app).await);
        }
        let planned = match Box::pin(self.look(key, &app)).await? {
            Look::Planned(planned) => planned,
            Look::Blocked(block) => return self.tell_block(key, &app, &block).await,
        };
        self.known.update(key, &uid, |known| {
            known.engine.clone_from(&app.spec.engine);
            known.is_waiting = !planned.plan.blocks.is_empty();
            known.image.clone_from(&planned.plan.image);
        });
        let running = self.tasks.actions(&uid);
        if before.iter().any(|action| !running.contains(action)) {
            return Ok(Round::Again);
        }
        let stays_on = planned.observed.engine_id.clone();
        let has_moved = app.status.as_ref().is_some_and(|status| {
            let is_elsewhere = status.engine.as_ref().is_some_and(|engine| engine.name != app.spec.engine);
            is_elsewhere || !status.former_engines.is_empty()
        });
        let is_settled = has_moved && planned.plan.steps.is_empty() && planned.plan.is_fulfilled(&planned.desired);
        match Box::pin(self.follow_plan(key, &app, &uid, *planned, &running)).await? {
            Round::Rest(rest) if is_settled => Box::pin(self.leave_former_engines(key, &stays_on, rest)).await,
            round => Ok(round),
        }
    }

    async fn follow_plan(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        uid: &str,
        planned: Planned,
        running: &[Action],
    ) -> Result<Round, ReconcileError> {
        let next = match planned.plan.turn(&planned.desired, running) {
            Turn::Cancel(useless) => {
                debug!(%key, "what is being done is not what is wanted any more: {useless:?}");
                self.tasks.cancel_only(uid, &useless).await;
                return Ok(Round::Again);
            }
            Turn::Await => return Ok(Round::Rest(AT_REST)),
            Turn::Begin(steps) => steps,
        };
        let outlook = Outlook::Planned { desired: &planned.desired, observed: &planned.observed, plan: &planned.plan };
        let old = app.status.clone().unwrap_or_default();
        let new = status(&old, &planned.telling, outlook, (self.clock)());
        let registries = planned.desired.next_look_at_registries().map(|interval| interval.min(AT_REST));
        let looks = [planned.plan.next_look(), planned.source_interval, registries];
        let rest = looks.into_iter().flatten().fold(AT_REST, Duration::min);
        let must_be_told = next.first().is_none_or(|step| step.action.is_long() || intends_more(&old, &new));
        if must_be_told && let Round::Again = self.tell(key, app, &new).await? {
            return Ok(Round::Again);
        }
        let mut round = Round::Rest(rest);
        for step in next {
            round = if step.action.keeps_records() {
                self.keep_records(key, app, &planned.desired.owner, &step).await
            } else {
                self.take(key, app, uid, step, &planned).await.within(rest)
            };
        }
        Ok(round)
    }

    /// Writes the status when it says something new, and reports it in any case: who listens may not have been there
    /// when it was written. [`Round::Again`] when the resource has changed meanwhile.
    pub(super) async fn tell(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        new: &ContainerAppStatus,
    ) -> Result<Round, ReconcileError> {
        if app.status.as_ref() == Some(new) {
            self.reporter.report(key, Report::Status(new));
            return Ok(Round::Rest(AT_REST));
        }
        match self.resources.write_status(app, new).await {
            Ok(()) => {}
            Err(ResourceError::Conflict) => return Ok(Round::Again),
            Err(error) => return Err(ReconcileError::Failed(error.to_string())),
        }
        if let Some(event) = events::of_status(app.status.as_ref(), new) {
            self.publish(key, app, event).await;
        }
        self.reporter.report(key, Report::Status(new));
        Ok(Round::Rest(AT_REST))
    }

    pub(super) async fn tell_block(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        block: &Block,
    ) -> Result<Round, ReconcileError> {
        let uid = app.uid().unwrap_or_default();
        // What is under way may be just what is forbidden now.
        if block.is_terminal {
            self.tasks.cancel(&uid).await;
        }
        self.known.update(key, &uid, |known| {
            known.engine.clone_from(&app.spec.engine);
            known.is_waiting = true;
        });
        let telling = Telling {
            engine: app.spec.engine.clone(),
            generation: app.metadata.generation.unwrap_or(0),
            ..Telling::default()
        };
        let old = app.status.clone().unwrap_or_default();
        let new = status(&old, &telling, Outlook::Blocked(block), (self.clock)());
        match self.tell(key, app, &new).await? {
            Round::Again => Ok(Round::Again),
            Round::Rest(_) => Ok(Round::Rest(block.look_again)),
        }
    }

    /// A resource that cannot be understood: it alone is stalled.
    async fn tell_invalid(&self, key: &AppKey, app: &ContainerApp, message: &str) -> Result<Round, ReconcileError> {
        warn!(%key, message, "the resource cannot be understood");
        let block = Block::terminal(crate::app::Part::Container, crate::app::Reason::InvalidSpec, message);
        self.tell_block(key, app, &block).await?;
        Ok(Round::Rest(AT_REST))
    }

    pub(super) fn after_write(written: Result<(), ResourceError>) -> Result<Round, ReconcileError> {
        match written {
            Ok(()) | Err(ResourceError::Conflict) => Ok(Round::Again),
            Err(error) => Err(ReconcileError::Failed(error.to_string())),
        }
    }

    pub(super) async fn forget(&self, key: &AppKey) {
        if let Some(uid) = self.known.forget(key) {
            self.sources.forget(&uid);
            self.tasks.cancel(&uid).await;
        }
    }

    pub(super) async fn publish(&self, key: &AppKey, app: &ContainerApp, event: super::Event) {
        self.reporter.report(key, Report::Event(&event));
        self.resources.publish(app, event).await;
    }
}

/// Whether a status must be written before a short step: the step will make what only the status remembers, or the
/// resource is not ready any more.
fn intends_more(old: &ContainerAppStatus, new: &ContainerAppStatus) -> bool {
    let ready = |status: &ContainerAppStatus| {
        status.conditions.iter().find(|condition| condition.type_ == "Ready").map(|ready| ready.status.clone())
    };
    let engine = |status: &ContainerAppStatus| status.engine.as_ref().map(|engine| engine.name.clone());
    let last_schedule_time =
        |status: &ContainerAppStatus| status.schedule.as_ref().and_then(|schedule| schedule.last_schedule_time.clone());
    engine(old) != engine(new)
        || old.former_engines != new.former_engines
        || old.local_references != new.local_references
        || old.run != new.run
        || last_schedule_time(old) != last_schedule_time(new)
        || old.rolled_back != new.rolled_back
        || ready(old) != ready(new)
}
