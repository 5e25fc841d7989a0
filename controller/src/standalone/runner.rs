//! The runner: it has every app looked at when something wakes it and when its time has come.
//!
//! # Guarantees
//! One app is looked at by one pass at a time. A wake-up that comes during a pass is not lost: another pass follows.
//! One app's trouble does not delay another's, as long as there are fewer passes than may run at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use rand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::reconcile::{AppKey, LookAgain, Reconcile, ReconcileError};

/// The first wait after a pass that could not be finished; it doubles each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// The longest wait after a pass that could not be finished.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// Who decides when it is enough, and hears of what could not be done.
pub trait Overseer: Send + Sync {
    /// Whether nothing more has to come of this app.
    fn is_settled(&self, key: &AppKey) -> bool;

    /// A pass could not be finished; it is tried again.
    fn failed(&self, key: &AppKey, error: &ReconcileError);
}

/// What drives the reconciler.
pub struct Runner {
    reconcile: Arc<dyn Reconcile>,
    concurrency: usize,
}

impl Runner {
    /// How many apps are looked at at once when nobody says otherwise.
    pub const DEFAULT_CONCURRENCY: usize = 16;

    /// A runner that has so many apps looked at at once, at least one.
    pub fn new(reconcile: Arc<dyn Reconcile>, concurrency: usize) -> Self {
        Self { reconcile, concurrency: concurrency.max(1) }
    }

    /// Has the apps looked at until all of them are settled at once.
    ///
    /// Dropping the future ends the passes that are under way. Whatever they were about to do is found undone, or
    /// done, by the next look.
    pub async fn run(
        &self,
        keys: impl IntoIterator<Item = AppKey>,
        wakes: impl Stream<Item = AppKey>,
        overseer: &dyn Overseer,
    ) {
        let mut queue = Queue::new(keys, Instant::now());
        let mut passes = JoinSet::new();
        let mut wakes = std::pin::pin!(wakes.fuse());
        loop {
            while queue.running.len() < self.concurrency
                && let Some(key) = queue.next(Instant::now())
            {
                let reconcile = Arc::clone(&self.reconcile);
                passes.spawn(async move {
                    let result = reconcile.reconcile(&key).await;
                    (key, result)
                });
            }
            if queue.is_at_rest(Instant::now()) && queue.keys().all(|key| overseer.is_settled(key)) {
                return;
            }
            let has_room = queue.running.len() < self.concurrency;
            let next = queue.next_due();
            // Every arm is safe to cancel: a pass lives on in the set, a wake-up stays in the stream, a timer is set
            // anew.
            tokio::select! {
                Some(joined) = passes.join_next() => match joined {
                    Ok((key, result)) => finish(&mut queue, &key, &result, overseer),
                    Err(error) => resume_panic(error),
                },
                Some(key) = wakes.next() => queue.wake(&key, Instant::now()),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if has_room && next.is_some() => {}
            }
        }
    }
}

fn finish(queue: &mut Queue, key: &AppKey, result: &Result<LookAgain, ReconcileError>, overseer: &dyn Overseer) {
    if let Err(error) = result {
        overseer.failed(key, error);
    }
    let jitter = rand::rng().random_range(0.5..1.0);
    let wait = match result {
        Ok(LookAgain(duration)) => queue.succeeded(key, *duration),
        Err(_) => queue.failed(key).mul_f64(jitter),
    };
    queue.finish(key, Instant::now(), wait);
}

/// A pass is never cancelled, so the only other way for it to end is a defect, which must not go unheard.
fn resume_panic(error: tokio::task::JoinError) {
    if let Ok(panic) = error.try_into_panic() {
        std::panic::resume_unwind(panic);
    }
}

/// Which app is looked at when.
struct Queue {
    due: BTreeMap<AppKey, Instant>,
    running: BTreeSet<AppKey>,
    woken: BTreeSet<AppKey>,
    failures: BTreeMap<AppKey, u32>,
}

impl Queue {
    fn new(keys: impl IntoIterator<Item = AppKey>, now: Instant) -> Self {
        Self {
            due: keys.into_iter().map(|key| (key, now)).collect(),
            running: BTreeSet::new(),
            woken: BTreeSet::new(),
            failures: BTreeMap::new(),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &AppKey> {
        self.due.keys().chain(&self.running)
    }

    /// The app that has waited longest, if any is due. It runs from now on.
    fn next(&mut self, now: Instant) -> Option<AppKey> {
        let waiting = self.due.iter().filter(|(_, due)| **due <= now);
        let key = waiting.min_by_key(|(_, due)| **due).map(|(key, _)| key.clone())?;
        self.due.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    fn next_due(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Whether no app is being looked at or should be now.
    fn is_at_rest(&self, now: Instant) -> bool {
        self.running.is_empty() && self.due.values().all(|due| *due > now)
    }

    fn wake(&mut self, key: &AppKey, now: Instant) {
        if self.running.contains(key) {
            self.woken.insert(key.clone());
        } else if let Some(due) = self.due.get_mut(key) {
            *due = now.min(*due);
        }
    }

    fn succeeded(&mut self, key: &AppKey, wait: Duration) -> Duration {
        self.failures.remove(key);
        wait
    }

    fn failed(&mut self, key: &AppKey) -> Duration {
        let failures = self.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        let doublings = failures.saturating_sub(1).min(16);
        FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_BACKOFF)
    }

    fn finish(&mut self, key: &AppKey, now: Instant, wait: Duration) {
        self.running.remove(key);
        let due = if self.woken.remove(key) { now } else { now + wait };
        self.due.insert(key.clone(), due);
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
