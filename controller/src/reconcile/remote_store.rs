//! What registries hold, asked at an interval rather than at every look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::app::{Credentials, ImageReference, Remote};
use crate::registry::Registry;

/// How old an answer may be.
const INTERVAL: Duration = Duration::from_secs(300);

/// How soon a registry that could not be asked is asked again.
const RETRY: Duration = Duration::from_secs(30);

/// The answers of registries, with their age.
pub(super) struct RemoteStore {
    registry: Arc<dyn Registry>,
    known: Mutex<HashMap<ImageReference, (Timestamp, Remote)>>,
}

impl RemoteStore {
    pub(super) fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry, known: Mutex::default() }
    }

    /// What the registry holds, as of at most an interval ago.
    pub(super) async fn look_up(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        now: Timestamp,
    ) -> Remote {
        if let Some(remote) = self.fresh(reference, now) {
            return remote;
        }
        let remote = match self.registry.look_up(reference, credentials).await {
            Ok(Some(image)) => Remote::Holds(image),
            Ok(None) => Remote::Nothing,
            Err(error) => Remote::Unknown(error.to_string()),
        };
        self.lock().insert(reference.clone(), (now, remote.clone()));
        remote
    }

    /// Forgets an answer, so that the next look asks.
    pub(super) fn forget(&self, reference: &ImageReference) {
        self.lock().remove(reference);
    }

    fn fresh(&self, reference: &ImageReference, now: Timestamp) -> Option<Remote> {
        let known = self.lock();
        let (when, remote) = known.get(reference)?;
        let age = Duration::try_from(now.duration_since(*when)).ok()?;
        let limit = if matches!(remote, Remote::Unknown(_)) { RETRY } else { INTERVAL };
        (age < limit).then(|| remote.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ImageReference, (Timestamp, Remote)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
