//! What registries hold of base images and of tags that are followed, asked through one engine, at an interval rather
//! than at every look.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::remote_store::asked_again_after;
use crate::app::{
    BuildSpec, Credentials, Image, ImageReference, Purpose, RegistryError, RegistryErrorKind, RegistryRequest, Remote,
    RemoteImage,
};
use crate::engine::{Engine, EngineError};
use crate::registry::{AmbientCredentials, renewed};

/// How soon a registry that could not be asked is asked again.
const RETRY: Duration = Duration::from_secs(60);

/// The answers, with their age.
pub(super) struct BaseImageStore {
    known: Mutex<HashMap<ImageReference, (Timestamp, Remote)>>,
    ambient: Arc<dyn AmbientCredentials>,
}

impl BaseImageStore {
    pub(super) fn new(ambient: Arc<dyn AmbientCredentials>) -> Self {
        Self { known: Mutex::default(), ambient }
    }

    /// What registries hold of the base images of a build, as of at most its interval ago.
    pub(super) async fn look_up(
        &self,
        engine: &dyn Engine,
        build: &BuildSpec,
        images: &[Image],
        now: Timestamp,
    ) -> BTreeMap<ImageReference, Remote> {
        let credentials = build.method.access.as_ref().map_or(&[][..], |access| &access.credentials);
        let looks = build.base_images_to_look_up(images).map(|reference| async move {
            let credentials = credentials.iter().find(|credentials| credentials.host == reference.host());
            let interval = build.method.base_image_interval;
            (reference.clone(), self.look_up_one(engine, reference, credentials, interval, now).await)
        });
        join_all(looks).await.into_iter().collect()
    }

    /// What a registry holds under a reference, as of at most this interval ago.
    pub(super) async fn look_up_one(
        &self,
        engine: &dyn Engine,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        interval: Duration,
        now: Timestamp,
    ) -> Remote {
        match self.fresh(reference, interval, now) {
            Some(remote) => remote,
            None => self.ask(engine, reference, credentials, now).await,
        }
    }

    async fn ask(
        &self,
        engine: &dyn Engine,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        now: Timestamp,
    ) -> Remote {
        let mut answer = engine.look_up_image(reference, credentials).await;
        if let (Err(EngineError::Registry(error)), Some(refused)) = (&answer, credentials)
            && error.kind == RegistryErrorKind::TokenExpired
            && let Some(others) = renewed(&*self.ambient, refused).await
        {
            answer = engine.look_up_image(reference, Some(&others)).await;
        }
        let remote = match answer {
            Ok(Some(manifest)) => Remote::Holds(RemoteImage { manifest, config: None, size: None }),
            Ok(None) => Remote::Nothing,
            Err(EngineError::Registry(error)) => Remote::Unknown(error),
            Err(error) => {
                let request = RegistryRequest::new(reference, Purpose::Build, credentials);
                Remote::Unknown(RegistryError::unavailable(error.to_string(), request))
            }
        };
        self.lock().insert(reference.clone(), (now, remote.clone()));
        remote
    }

    fn fresh(&self, reference: &ImageReference, interval: Duration, now: Timestamp) -> Option<Remote> {
        let known = self.lock();
        let (when, remote) = known.get(reference)?;
        let age = Duration::try_from(now.duration_since(*when)).ok()?;
        let limit = match remote {
            Remote::Unknown(error) => asked_again_after(error, RETRY.min(interval), interval),
            Remote::Holds(_) | Remote::Nothing => interval,
        };
        (age < limit).then(|| remote.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ImageReference, (Timestamp, Remote)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
