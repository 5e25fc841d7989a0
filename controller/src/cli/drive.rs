//! Driving the reconciler until it is enough: everything is settled, the time is up, or the user has had enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::failure::Failure;
use super::output;
use crate::reconcile::{AppKey, Reconcile, ReconcileError, Reconciler, Wakes};
use crate::standalone::{Overseer, Runner};

/// Why driving has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every app is settled.
    Settled,
    /// The time is up.
    TimeIsUp,
    /// The user, or the system, said so.
    Interrupted,
}

/// When it is enough.
pub struct Enough<'a> {
    /// Whether nothing more has to come of an app.
    pub is_settled: Box<dyn Fn(&AppKey) -> bool + Send + Sync + 'a>,
    /// How long to wait at most; without end when absent.
    pub timeout: Option<Duration>,
}

/// What driving has led to.
pub struct Drive {
    /// Why it has ended.
    pub end: End,
    /// After what time each app was first settled.
    pub settled_after: BTreeMap<AppKey, Duration>,
}

/// Drives the reconciler over these apps until it is enough. Long steps that are under way then are ended.
pub async fn drive(
    (reconciler, wakes): (Arc<Reconciler>, Wakes),
    keys: &[AppKey],
    concurrency: usize,
    enough: Enough<'_>,
) -> Result<Drive, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::Failed(format!("signals cannot be heard: {error}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let watch = Watch {
        is_settled: enough.is_settled,
        begun: Instant::now(),
        settled_after: Mutex::default(),
        told: Mutex::default(),
    };
    let runner = Runner::new(Arc::clone(&reconciler) as Arc<dyn Reconcile>, concurrency);
    let time_is_up = async {
        match enough.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    // Whatever a pass is in the middle of is found, done or undone, by the next look.
    let end = tokio::select! {
        () = runner.run(keys.iter().cloned(), UnboundedReceiverStream::new(wakes), &watch) => End::Settled,
        () = time_is_up => End::TimeIsUp,
        _ = interrupt.recv() => End::Interrupted,
        _ = terminate.recv() => End::Interrupted,
    };
    reconciler.shut_down();
    let settled_after = watch.settled_after.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Drive { end, settled_after })
}

struct Watch<'a> {
    is_settled: Box<dyn Fn(&AppKey) -> bool + Send + Sync + 'a>,
    begun: Instant,
    settled_after: Mutex<BTreeMap<AppKey, Duration>>,
    told: Mutex<BTreeSet<(AppKey, String)>>,
}

impl Overseer for Watch<'_> {
    fn is_settled(&self, key: &AppKey) -> bool {
        let is_settled = (self.is_settled)(key);
        if is_settled {
            let mut settled = self.settled_after.lock().unwrap_or_else(PoisonError::into_inner);
            settled.entry(key.clone()).or_insert_with(|| self.begun.elapsed());
        }
        is_settled
    }

    /// The same trouble is told once, not at every attempt.
    fn failed(&self, key: &AppKey, error: &ReconcileError) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert((key.clone(), error.to_string())) {
            output::note(&format!("{}: {error}; it is tried again", super::name_of(key)));
        }
    }
}
