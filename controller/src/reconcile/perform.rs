//! Performing the step whose turn it is: a short one within the pass, a long one beside everything else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::ContainerApp;
use tracing::info;

use super::build_log::Transcript;
use super::build_stages::OngoingBuild;
use super::engine_store::EngineStore;
use super::execute::Executor;
use super::explanation::Explanation;
use super::look::Planned;
use super::making::{Made, masker_of, masking};
use super::reconciler::{AT_REST, Round};
use super::{AppKey, Reconciler, Report, events, failure};
use crate::app::{Action, BuildStage, ImageReference, ImageScope, RegistryErrorKind, Step};
use crate::engine::EngineError;
use crate::registry::renewed;

impl Reconciler {
    /// Does a step whose turn it is: a long one beside everything else, a short one here.
    pub(super) async fn take(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        uid: &str,
        step: Step,
        planned: &Planned,
    ) -> Round {
        let Planned { desired, store, context, .. } = planned;
        let transcript = Arc::new(Transcript::new(masker_of(desired)));
        let executor = Executor {
            engine: Arc::clone(&store.engine),
            remotes: Arc::clone(&store.remotes),
            owner: desired.owner.clone(),
            desired: Some(desired.clone()),
            context: context.clone(),
            progress: self.progress_of(key, &step),
            transcript,
            now: (self.clock)(),
        };
        self.perform(key, app, uid, step, executor, Arc::clone(store)).await
    }

    /// Performs a step: a long one beside everything else, a short one here.
    pub(super) async fn perform(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        uid: &str,
        step: Step,
        executor: Executor,
        store: Arc<EngineStore>,
    ) -> Round {
        let Some(this) = self.this.upgrade() else {
            return Round::Rest(AT_REST);
        };
        if !step.action.is_long() {
            return this.perform_now(key, app, &step, executor, &store).await;
        }
        let (wake, action) = (self.waker(key), step.action.clone());
        let (key, app, owner) = (key.clone(), app.clone(), uid.to_owned());
        let work = async move {
            match &step.action {
                Action::BuildImage { .. } => this.build(&key, &app, &owner, &step, executor, &store).await,
                _ => this.perform_now(&key, &app, &step, executor, &store).await,
            };
        };
        self.tasks.spawn(uid, action, work, move || wake());
        Round::Rest(AT_REST)
    }

    /// Builds when it is its turn.
    async fn build(
        self: &Arc<Self>,
        key: &AppKey,
        app: &ContainerApp,
        uid: &str,
        step: &Step,
        mut executor: Executor,
        store: &EngineStore,
    ) -> Round {
        let _ongoing = OngoingBuild::of(self, key, uid);
        let _turn = store.builds.turn(|ahead| self.note_stage(key, uid, BuildStage::Waiting { ahead })).await;
        executor.progress = self.noting_stages(key, uid, executor.progress);
        self.perform_now(key, app, step, executor, store).await
    }

    async fn perform_now(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        step: &Step,
        mut executor: Executor,
        store: &EngineStore,
    ) -> Round {
        self.reporter.report(key, Report::StepStarted(step));
        let started = (self.clock)();
        store.changed_by(&step.action);
        let transcript = Arc::clone(&executor.transcript);
        executor.progress = masking(&transcript, executor.progress);
        let explanation = Explanation::of(&step.action, &executor);
        let result = match executor.perform(&step.action).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(failure::masked(explanation.of_error(error).await, &transcript)),
        };
        match &result {
            Ok(outcome) => store.done_by(&step.action, outcome),
            Err(_) => store.changed_by(&step.action),
        }
        if let Err(error) = &result
            && self.has_a_new_token(key, app, &step.action, (error, &explanation)).await
        {
            return Round::Again;
        }
        let finished = (self.clock)();
        self.note_making(key, app, Made { action: &step.action, result: &result, started, finished }, &transcript);
        match result {
            Ok(_) => {
                let took = Duration::try_from(finished.duration_since(started)).unwrap_or_default();
                self.succeeded(key, app, step, store, (finished, took)).await;
                self.reporter.report(key, Report::StepDone(step, took));
                Round::Again
            }
            Err(error @ EngineError::Unreachable { .. }) => {
                self.reporter.report(key, Report::StepFailed(step, &error.to_string()));
                Round::Again
            }
            Err(error) => {
                let failure = failure::failure_of(&step.action, &error, finished);
                self.reporter.report(key, Report::StepFailed(step, &failure.message));
                let uid = app.uid().unwrap_or_default();
                let known = self.known.get(key, &uid);
                let before = known.attempts.failure(&step.action);
                // What nothing waits for is told once.
                if !step.action.is_bookkeeping() || before.is_none_or(|before| before.reason != failure.reason) {
                    self.publish(key, app, events::of_failure(&failure)).await;
                }
                self.known.update(key, &uid, |known| known.attempts.failed(&step.action, failure));
                Round::Again
            }
        }
    }

    /// Whether a step failed for nothing but a token that the registry calls expired, and there is a new one to try it
    /// with. Once in a row: who gets new tokens that are refused as well waits as after any failure.
    async fn has_a_new_token(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        action: &Action,
        (error, explanation): (&EngineError, &Explanation),
    ) -> bool {
        let EngineError::Registry(error) = error else { return false };
        let host = error.request.reference.as_ref().map(ImageReference::host);
        let Some(refused) = host.and_then(|host| explanation.shown_to(host)) else { return false };
        if error.kind != RegistryErrorKind::TokenExpired || renewed(&*self.ambient, refused).await.is_none() {
            return false;
        }
        info!(%key, "begun anew with a new token: {error}");
        let mut is_first = false;
        let uid = app.uid().unwrap_or_default();
        self.known.update(key, &uid, |known| is_first = known.attempts.begin_with_a_new_token(action));
        is_first
    }

    async fn succeeded(
        &self,
        key: &AppKey,
        app: &ContainerApp,
        step: &Step,
        store: &EngineStore,
        (now, took): (Timestamp, Duration),
    ) {
        self.known.update(key, &app.uid().unwrap_or_default(), |known| {
            known.attempts.succeeded(&step.action);
            match &step.action {
                Action::PushImage { reference, .. } => drop(known.pushed_at.insert(reference.clone(), now)),
                Action::StopContainer { id, .. } => drop(known.stops.insert(id.clone(), took)),
                Action::StartContainer { id: Some(id), .. } | Action::RemoveContainer { id, .. } => {
                    known.stops.remove(id);
                }
                _ => {}
            }
        });
        let pulled = match &step.action {
            Action::PullImage { reference, .. } => {
                let images = store.images(&ImageScope::of_references([reference.clone()])).await.ok();
                images.and_then(|images| images.iter().find(|image| image.has(reference)).cloned())
            }
            _ => None,
        };
        if let Some(event) = events::of_step(step, pulled.as_ref()) {
            self.publish(key, app, event).await;
        }
    }
}
