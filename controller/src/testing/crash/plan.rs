//! When a process dies, and what it did until then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;

use super::engine::{CrashingEngine, CrashingEngines};
use super::registry::CrashingRegistry;
use super::resources::CrashingResources;
use crate::engine::{Engine, Engines};
use crate::reconcile::Resources;
use crate::registry::Registry;

/// On which side of an effect a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The effect does not happen.
    Before,
    /// The effect happens, and nobody hears of it.
    After,
}

/// When the one process dies that uses what this plan wraps. Clones are the same plan.
#[derive(Clone)]
pub struct CrashPlan {
    end: Option<(usize, Moment)>,
    effects: Arc<Mutex<Vec<String>>>,
    is_dead: Arc<watch::Sender<bool>>,
}

impl CrashPlan {
    /// The process lives.
    pub fn none() -> Self {
        Self::ending(None)
    }

    /// The process dies at this effect, an index into the [`CrashPlan::effects`] of the same scenario.
    pub fn at(effect: usize, moment: Moment) -> Self {
        Self::ending(Some((effect, moment)))
    }

    fn ending(end: Option<(usize, Moment)>) -> Self {
        Self { end, effects: Arc::default(), is_dead: Arc::new(watch::Sender::new(false)) }
    }

    /// An engine as this process sees it.
    pub fn engine(&self, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
        Arc::new(CrashingEngine { plan: self.clone(), engine })
    }

    /// Engines as this process sees them.
    pub fn engines(&self, engines: Arc<dyn Engines>) -> Arc<dyn Engines> {
        Arc::new(CrashingEngines { plan: self.clone(), engines })
    }

    /// Registries as this process sees them.
    pub fn registry(&self, registry: Arc<dyn Registry>) -> Arc<dyn Registry> {
        Arc::new(CrashingRegistry { plan: self.clone(), registry })
    }

    /// Resources as this process sees them.
    pub fn resources(&self, resources: Arc<dyn Resources>) -> Arc<dyn Resources> {
        Arc::new(CrashingResources { plan: self.clone(), resources })
    }

    /// The effects that were begun, in order: `create container my-app`, `hold default/my-app`. The one at which the
    /// process died is the last.
    pub fn effects(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// Whether the process has died.
    pub fn is_dead(&self) -> bool {
        *self.is_dead.borrow()
    }

    /// Returns when the process has died.
    pub async fn death(&self) {
        let mut is_dead = self.is_dead.subscribe();
        // The sender lives as long as this plan, so the wait ends only with the death.
        let _ = is_dead.wait_for(|is_dead| *is_dead).await;
    }

    /// Performs an effect, or dies at it.
    pub(super) async fn effect<T>(&self, name: String, effect: impl Future<Output = T>) -> T {
        self.unless_dead().await;
        let number = self.note(name);
        self.die_at(number, Moment::Before).await;
        let outcome = effect.await;
        self.die_at(number, Moment::After).await;
        self.unless_dead().await;
        outcome
    }

    /// Performs something that is no effect.
    pub(super) async fn read<T>(&self, read: impl Future<Output = T>) -> T {
        self.unless_dead().await;
        let outcome = read.await;
        self.unless_dead().await;
        outcome
    }

    /// A stream of which nothing is heard after the death.
    pub(super) fn stream<T: Send + 'static>(&self, stream: BoxStream<'static, T>) -> BoxStream<'static, T> {
        let (plan, watched) = (self.clone(), self.clone());
        let death = async move { watched.death().await };
        stream
            .take_until(death)
            // A stream ends for the living only.
            .chain(stream::once(async move { plan.unless_dead().await }).filter_map(async |()| None))
            .boxed()
    }

    fn note(&self, name: String) -> usize {
        let mut effects = self.lock();
        effects.push(name);
        effects.len() - 1
    }

    async fn die_at(&self, effect: usize, moment: Moment) {
        if self.end == Some((effect, moment)) {
            self.is_dead.send_replace(true);
            std::future::pending::<()>().await;
        }
    }

    async fn unless_dead(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
