//! What this process knows of a resource beyond its status: what it has tried, built and pushed. All of it may be lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::BuildStatus;

use super::AppKey;
use crate::app::{Attempts, BuildStage, ContainerId, Image, ImageReference, Making, RevisionRecord};
use crate::engine::EventSubject;

/// What this process knows of one resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) uid: String,
    /// The name of its engine.
    pub(super) engine: String,
    pub(super) attempts: Attempts,
    pub(super) build: Option<BuildStatus>,
    /// The last image that was built or pulled, or not.
    pub(super) making: Option<Making>,
    /// The records of its revisions: only this process writes them, so they are listed once.
    pub(super) revisions: Option<Vec<Arc<RevisionRecord>>>,
    /// How far the build is that goes on.
    pub(super) stage: Option<BuildStage>,
    /// Whether there is something new about it that the status will tell soon.
    pub(super) has_news: bool,
    pub(super) pushed_at: BTreeMap<ImageReference, Timestamp>,
    /// How long it took to stop the containers that this process has stopped, until they are removed.
    pub(super) stops: BTreeMap<ContainerId, Duration>,
    /// Since when engines do not answer from which something is to be removed, by their names.
    pub(super) silent_since: BTreeMap<String, Timestamp>,
    /// Its image, as it was found last with every tag.
    pub(super) image: Option<Image>,
    /// Whether something stands in its way that a change on the engine may lift.
    pub(super) is_waiting: bool,
}

/// What this process knows of all resources that it has looked at.
#[derive(Default)]
pub(super) struct KnownApps(Mutex<HashMap<AppKey, Known>>);

impl KnownApps {
    /// What is known of a resource; nothing of one that was made anew under its name.
    pub(super) fn get(&self, key: &AppKey, uid: &str) -> Known {
        let known = self.lock();
        let of_this_one = known.get(key).filter(|known| known.uid == uid);
        of_this_one.cloned().unwrap_or_else(|| Known { uid: uid.to_owned(), ..Known::default() })
    }

    /// Changes what is known of a resource.
    pub(super) fn update(&self, key: &AppKey, uid: &str, change: impl FnOnce(&mut Known)) {
        let mut all = self.lock();
        let known = all.entry(key.clone()).or_default();
        if known.uid != uid {
            *known = Known { uid: uid.to_owned(), ..Known::default() };
        }
        change(known);
    }

    /// Forgets a resource that is gone, and tells its UID.
    pub(super) fn forget(&self, key: &AppKey) -> Option<String> {
        self.lock().remove(key).map(|known| known.uid)
    }

    /// The resource with this UID.
    pub(super) fn key_of(&self, uid: &str) -> Option<AppKey> {
        self.lock().iter().find(|(_, known)| known.uid == uid).map(|(key, _)| key.clone())
    }

    /// The resources on this engine whose image this is about.
    pub(super) fn of_image(&self, engine: &str, subject: &EventSubject) -> Vec<AppKey> {
        let is_meant = |image: &Image| match subject {
            EventSubject::Image(id) => image.id.to_string() == *id,
            EventSubject::Reference(reference) => image.references.contains(reference),
            EventSubject::Tagged(..)
            | EventSubject::Container(_)
            | EventSubject::Network(_)
            | EventSubject::Disconnected(_) => false,
        };
        let known = self.lock();
        let meant =
            known.iter().filter(|(_, known)| known.engine == engine && known.image.as_ref().is_some_and(is_meant));
        meant.map(|(key, _)| key.clone()).collect()
    }

    /// The resources on this engine; only those that wait for something, if so asked.
    pub(super) fn on_engine(&self, engine: &str, only_waiting: bool) -> Vec<AppKey> {
        let known = self.lock();
        let wanted = known.iter().filter(|(_, known)| known.engine == engine && (known.is_waiting || !only_waiting));
        wanted.map(|(key, _)| key.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppKey, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
