//! Which resources are looked at again when something happens on an engine.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use tracing::info;

use super::{AppKey, Reconciler, Report};
use crate::engine::EngineEvent;

impl Reconciler {
    /// Asks for a look at this resource.
    pub(super) fn wake(&self, key: &AppKey) {
        // Without a receiver the driver has ended, and nobody looks any more.
        let _ = self.wakes.send(key.clone());
    }

    /// What asks for a look at this resource, for as long as there is a reconciler.
    pub(super) fn waker(&self, key: &AppKey) -> Arc<dyn Fn() + Send + Sync> {
        let (this, key) = (Weak::clone(&self.this), key.clone());
        Arc::new(move || {
            if let Some(this) = this.upgrade() {
                this.wake(&key);
            }
        })
    }

    /// Asks for a look at the resources on an engine; only at those that wait for something, if so asked.
    pub(super) fn wake_on_engine(&self, engine: &str, only_waiting: bool) {
        for key in self.known.on_engine(engine, only_waiting) {
            self.wake(&key);
        }
    }

    /// Something has happened to a thing on an engine. Its owner looks; if it is nobody's, then whoever waits may have
    /// waited for just that: a port or a name that is free again.
    pub(super) fn wake_by_event(&self, engine: &str, event: &EngineEvent) {
        match event.owner_uid.as_deref().and_then(|uid| self.known.key_of(uid)) {
            Some(key) => self.wake(&key),
            None => self.wake_on_engine(engine, true),
        }
        // Images have no owner's label: who has lost a tag is whose image it was.
        if matches!(event.action.as_str(), "untag" | "delete") {
            for key in self.known.of_image(engine, &event.subject) {
                self.wake(&key);
            }
        }
    }

    /// A relist has found that the containers of these owners have changed, and no event has told.
    pub(super) fn wake_by_drift(&self, engine: &str, uids: &BTreeSet<String>) {
        for key in uids.iter().filter_map(|uid| self.known.key_of(uid)) {
            info!(engine, %key, "a relist has found a change that no event has told");
            self.reporter.report(&key, Report::DriftFound);
            self.wake(&key);
        }
        self.wake_on_engine(engine, true);
    }
}
