//! The queue of ContainerApps: what is looked at, when, and how many at the same time.
//!
//! # Guarantees
//! Two passes over one resource never overlap. A resource that fails comes back with a growing wait of its own and
//! delays no other. The watch asks for metadata only, so no object can stall it.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config, Controller, Error as QueueError};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use longshore_crds::ContainerApp;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::backoff::Backoffs;
use super::engine_specs::engine_specs_changed;
use super::options::ControllerOptions;
use crate::reconcile::{AppKey, LookAgain, Reconcile, ReconcileError};
use crate::telemetry::{Health, Metrics, ReconcileOutcome};

type App = PartialObjectMeta<ContainerApp>;

/// How often the loop shows that it still turns.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long passes that are under way have to end when the process is asked to. It is less than the 30 seconds after
/// which the kubelet kills.
const GRACE_PERIOD: Duration = Duration::from_secs(20);

/// What every pass needs.
pub(super) struct Queue {
    pub(super) reconciler: Arc<dyn Reconcile>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    pub(super) backoffs: Backoffs<AppKey>,
}

/// Drives the reconciler until it is asked to stop, then until the passes under way have ended.
pub(super) async fn drive(
    client: Client,
    options: &ControllerOptions,
    queue: Arc<Queue>,
    wakes: impl Stream<Item = AppKey> + Send + 'static,
    stop: CancellationToken,
) {
    let (reader, writer) = reflector::store();
    let synced = reader.clone();
    let apps = watcher(apps_of(client.clone(), options.namespace.as_deref()), watcher::Config::default())
        .default_backoff()
        // Deleted ones as well: whoever worked for them must hear that they are gone.
        .reflect(writer)
        .touched_objects()
        // An error must not reach the queue, which would wait with all its triggers, engines' wakes included.
        .filter_map(|app| ready(app.inspect_err(|error| warn!("the watch is interrupted: {error}")).ok().map(Ok)));
    let results = Controller::for_stream(apps, reader)
        .with_config(Config::default().concurrency(options.concurrency))
        .reconcile_on(wakes.map(|key| reference_to(&key)))
        .reconcile_all_on(engine_specs_changed(client))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(pass, after_failure, Arc::clone(&queue));
    let mut results = pin!(results);
    let mut is_synced = pin!(synced.wait_until_ready());
    let mut waits_for_sync = true;
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut too_late = pin!(async {
        stop.cancelled().await;
        sleep(GRACE_PERIOD).await;
    });
    loop {
        // Every arm may be dropped: the streams and timers keep their place, and nothing is done in an arm's future.
        tokio::select! {
            result = results.next() => match result {
                Some(result) => note(&queue, result),
                None => break,
            },
            _ = heartbeat.tick() => queue.health.beat(),
            result = &mut is_synced, if waits_for_sync => {
                waits_for_sync = false;
                if result.is_ok() {
                    info!("every ContainerApp is known");
                    queue.health.synced();
                }
            }
            () = &mut too_late => {
                warn!("passes that were under way have not ended in time; they are begun anew at the next start");
                break;
            }
        }
    }
}

/// One pass over one resource.
async fn pass(app: Arc<App>, queue: Arc<Queue>) -> Result<Action, ReconcileError> {
    let key = key_of(&app);
    let LookAgain(wait) = measured_pass(&key, &queue).await?;
    queue.backoffs.forget(&key);
    Ok(Action::requeue(wait))
}

async fn measured_pass(key: &AppKey, queue: &Queue) -> Result<LookAgain, ReconcileError> {
    let begun = Instant::now();
    let result = queue.reconciler.reconcile(key).await;
    let outcome = if result.is_ok() { ReconcileOutcome::Done } else { ReconcileOutcome::Failed };
    queue.metrics.reconciled(outcome, begun.elapsed());
    result
}

/// The signatures of this and of [`pass`] are the queue's.
#[expect(clippy::needless_pass_by_value, reason = "the queue hands the object over")]
fn after_failure(app: Arc<App>, error: &ReconcileError, queue: Arc<Queue>) -> Action {
    let key = key_of(&app);
    let wait = queue.backoffs.after_failure(&key);
    warn!(%key, "the pass failed and is tried again in {wait:.1?}: {error}");
    Action::requeue(wait)
}

fn note(queue: &Arc<Queue>, result: Result<(ObjectRef<App>, Action), QueueError<ReconcileError, watcher::Error>>) {
    match result {
        // A failed pass was logged where its wait was chosen.
        Ok(_) | Err(QueueError::ReconcilerFailed(..)) => {}
        Err(QueueError::ObjectNotFound(gone)) => {
            let key = AppKey { namespace: gone.namespace.clone().unwrap_or_default(), name: gone.name.clone() };
            tokio::spawn(forget(Arc::clone(queue), key));
        }
        Err(error) => warn!("the queue: {error}"),
    }
}

/// One pass over a resource that is gone: the reconciler finds that itself, and ends what it did for it. A failure has
/// nobody left to be told to.
async fn forget(queue: Arc<Queue>, key: AppKey) {
    queue.backoffs.forget(&key);
    if let Err(error) = measured_pass(&key, &queue).await {
        debug!(%key, "a pass over a resource that is gone failed: {error}");
    }
}

fn apps_of(client: Client, namespace: Option<&str>) -> Api<App> {
    match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    }
}

fn key_of(app: &App) -> AppKey {
    AppKey { namespace: app.namespace().unwrap_or_default(), name: app.name_any() }
}

fn reference_to(key: &AppKey) -> ObjectRef<App> {
    ObjectRef::new(&key.name).within(&key.namespace)
}
