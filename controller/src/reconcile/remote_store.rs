//! What registries hold, asked at an interval rather than at every look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::app::{
    Credentials, CredentialsMark, ImageReference, ManifestDigest, RegistryError, RegistryErrorKind, Remote, TagDeletion,
};
use crate::registry::{AmbientCredentials, Registry, renewed};

/// How rarely is asked for what was refused, unless other credentials are there.
const RARELY: Duration = Duration::from_secs(300);

/// How soon a registry that could not be asked is asked again.
const RETRY: Duration = Duration::from_secs(30);

/// The answers of registries, with their age.
pub(super) struct RemoteStore {
    registry: Arc<dyn Registry>,
    ambient: Arc<dyn AmbientCredentials>,
    known: Mutex<HashMap<ImageReference, Answer>>,
    /// The sizes of indexes; nothing where a registry does not give one.
    sizes: Mutex<HashMap<ManifestDigest, Option<u64>>>,
    /// Whether a host wants credentials sent elsewhere, and since when that is known.
    leaks: Mutex<HashMap<String, (Timestamp, bool)>>,
}

struct Answer {
    remote: Remote,
    when: Timestamp,
    asked_with: CredentialsMark,
}

impl RemoteStore {
    pub(super) fn new(registry: Arc<dyn Registry>, ambient: Arc<dyn AmbientCredentials>) -> Self {
        Self { registry, ambient, known: Mutex::default(), sizes: Mutex::default(), leaks: Mutex::default() }
    }

    /// What the registry holds, as of at most an interval ago. Where it calls a token expired that may be had anew, it
    /// is asked once more with the new one, which takes the place of the old.
    pub(super) async fn look_up(
        &self,
        reference: &ImageReference,
        credentials: &mut Option<Credentials>,
        interval: Duration,
        now: Timestamp,
    ) -> Remote {
        let asked_with = CredentialsMark::of([credentials.as_ref()]);
        if let Some(remote) = self.fresh(reference, &asked_with, interval, now) {
            return remote;
        }
        let mut answer = self.registry.look_up(reference, credentials.as_ref()).await;
        if let (Err(error), Some(refused)) = (&answer, credentials.as_ref())
            && error.kind == RegistryErrorKind::TokenExpired
            && let Some(others) = renewed(&*self.ambient, refused).await
        {
            *credentials = Some(others);
            answer = self.registry.look_up(reference, credentials.as_ref()).await;
        }
        let remote = match answer {
            Ok(Some(image)) => Remote::Holds(image),
            Ok(None) => Remote::Nothing,
            Err(error) => Remote::Unknown(error),
        };
        let answer = Answer { remote: remote.clone(), when: now, asked_with };
        self.lock().insert(reference.clone(), answer);
        remote
    }

    /// Deletes a tag. From then on it is known to hold nothing, and what went along with it is looked at anew.
    pub(super) async fn delete(
        &self,
        tag: &TagDeletion,
        credentials: Option<&Credentials>,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        self.registry.delete_tag(tag, credentials).await?;
        let answer = Answer { remote: Remote::Nothing, when: now, asked_with: CredentialsMark::of([credentials]) };
        let mut known = self.lock();
        known.retain(|reference, _| !tag.along.contains(reference));
        known.insert(tag.reference.clone(), answer);
        Ok(())
    }

    /// The size of an index that the registry holds under a reference, asked for once.
    pub(super) async fn index_size(
        &self,
        reference: &ImageReference,
        index: &ManifestDigest,
        credentials: Option<&Credentials>,
    ) -> Option<u64> {
        let sizes = || self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sizes().get(index).copied();
        if let Some(known) = known {
            return known;
        }
        let size = self.registry.index_size(&reference.repository().pinned(index), credentials).await;
        sizes().insert(index.clone(), size);
        size
    }

    /// What the registry itself has against giving out a reference.
    pub(super) async fn objection(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Option<RegistryError> {
        self.registry.objection(reference, credentials).await
    }

    /// Why an engine must not be given these credentials for a registry.
    pub(super) async fn leak(&self, reference: &ImageReference, credentials: &Credentials) -> Option<RegistryError> {
        self.registry.leak(reference, credentials).await
    }

    /// The credentials with which an engine may be asked to look: none where the registry wants them sent elsewhere.
    pub(super) async fn to_look_with<'a>(
        &self,
        reference: &ImageReference,
        credentials: Option<&'a Credentials>,
        now: Timestamp,
    ) -> Option<&'a Credentials> {
        let shown = credentials?;
        let leaks = || self.leaks.lock().unwrap_or_else(PoisonError::into_inner);
        let known = leaks().get(reference.host()).copied();
        let is_fresh = |when| Duration::try_from(now.duration_since(when)).is_ok_and(|age| age < RARELY);
        let is_leak = match known {
            Some((when, is_leak)) if is_fresh(when) => is_leak,
            _ => {
                let is_leak = self.leak(reference, shown).await.is_some();
                leaks().insert(reference.host().to_owned(), (now, is_leak));
                is_leak
            }
        };
        credentials.filter(|_| !is_leak)
    }

    /// Forgets an answer, so that the next look asks.
    pub(super) fn forget(&self, reference: &ImageReference) {
        self.lock().remove(reference);
    }

    fn fresh(
        &self,
        reference: &ImageReference,
        asked_with: &CredentialsMark,
        interval: Duration,
        now: Timestamp,
    ) -> Option<Remote> {
        let known = self.lock();
        let answer = known.get(reference)?;
        let age = Duration::try_from(now.duration_since(answer.when)).ok()?;
        let limit = match &answer.remote {
            Remote::Unknown(_) if answer.asked_with != *asked_with => return None,
            Remote::Unknown(error) => asked_again_after(error, RETRY.min(interval), RARELY),
            Remote::Holds(_) | Remote::Nothing => interval,
        };
        (age < limit).then(|| answer.remote.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ImageReference, Answer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// After what time a registry that did not say is asked again: soon where it passes, and not before it wishes.
pub(super) fn asked_again_after(error: &RegistryError, soon: Duration, rarely: Duration) -> Duration {
    let usual = if error.retry().is_for_a_person() { rarely } else { soon };
    usual.max(error.retry_after.unwrap_or_default())
}
