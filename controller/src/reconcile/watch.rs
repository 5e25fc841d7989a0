//! Watches one engine: its events wake the resources that they concern, and a periodic relist finds what events lost.
//!
//! # Caveats
//! Docker keeps 256 events and skips slow readers, so events are hints. The relist is what is relied upon.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tracing::{info, warn};

use super::Reconciler;
use super::engine_store::{EngineStore, Relist};
use crate::app::{Container, ContainerState, Health, PublishedPort, labels};
use crate::engine::EngineEvent;

/// How often everything on an engine is listed anew.
const RELIST: Duration = Duration::from_secs(30);

/// How soon an engine that does not answer is asked again.
const RECONNECT: Duration = Duration::from_secs(2);

/// Watches an engine until the reconciler, or its use of this engine, has ended.
pub(super) async fn watch(reconciler: Weak<Reconciler>, engine: String, store: Weak<EngineStore>) {
    let (mut was_away, mut is_first) = (false, true);
    while let Some(held) = store.upgrade() {
        // What a first look has just listed is not listed again.
        if !is_first || was_away {
            held.forget_identity();
        }
        let answers = held.info().await.is_ok();
        match (answers, was_away) {
            (true, true) => info!(engine, "the engine answers again"),
            (false, false) => warn!(engine, "the engine does not answer"),
            _ => {}
        }
        was_away = !answers;
        if answers {
            let events = held.engine.events();
            if !is_first || was_away {
                wake_all(&reconciler, &engine);
            }
            follow(&reconciler, &engine, &held, events).await;
            held.forget_identity();
            wake_all(&reconciler, &engine);
        }
        is_first = false;
        drop(held);
        sleep(RECONNECT).await;
    }
}

fn wake_all(reconciler: &Weak<Reconciler>, engine: &str) {
    if let Some(reconciler) = reconciler.upgrade() {
        reconciler.wake_on_engine(engine, false);
    }
}

/// Follows the events of one connection, and lists anew in between, until the connection or the reconciler ends.
async fn follow(
    reconciler: &Weak<Reconciler>,
    engine: &str,
    store: &Arc<EngineStore>,
    mut events: futures::stream::BoxStream<'static, Result<EngineEvent, crate::engine::EngineError>>,
) {
    let mut relist = interval_at(Instant::now() + RELIST, RELIST);
    relist.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Both arms may be dropped at any point: an event that is lost is found by the relist, and a tick comes again.
        tokio::select! {
            event = events.next() => match (event, reconciler.upgrade()) {
                (Some(Ok(event)), Some(reconciler)) => {
                    let event = store.with_owner(event).await;
                    store.changed_by_event(&event);
                    reconciler.wake_by_event(engine, &event);
                }
                _ => return,
            },
            _ = relist.tick() => match (store.relist().await, reconciler.upgrade()) {
                (Ok(relist), Some(reconciler)) => reconciler.wake_by_drift(engine, &drifted(&relist)),
                _ => return,
            },
        }
        // Nobody else holds the store: the resources use another engine now, or none.
        if Arc::strong_count(store) == 1 {
            return;
        }
    }
}

/// What matters of a container: whether it changes is what a relist looks for.
type Likeness = (String, ContainerState, String, Vec<PublishedPort>, Vec<String>, Option<Health>);

/// The UIDs of the owners whose containers have changed while the old list was held for true.
fn drifted(relist: &Relist) -> BTreeSet<String> {
    let Some(before) = &relist.before else {
        return BTreeSet::new();
    };
    let (before, now) = (by_owner(before), by_owner(&relist.now));
    let uids: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    uids.into_iter().filter(|uid| before.get(*uid) != now.get(*uid)).cloned().collect()
}

fn by_owner(containers: &[Container]) -> BTreeMap<String, BTreeMap<String, Likeness>> {
    let mut owners: BTreeMap<String, BTreeMap<String, Likeness>> = BTreeMap::new();
    for container in containers {
        if let Some(uid) = container.labels.get(labels::OWNER_UID) {
            let (name, image, ports) = (container.name.clone(), container.image.to_string(), container.ports.clone());
            let networks = container.networks.keys().cloned().collect();
            let likeness = (name, container.state, image, ports, networks, container.health);
            owners.entry(uid.clone()).or_default().insert(container.id.to_string(), likeness);
        }
    }
    owners
}
