//! Carries out one step: one side effect, safe to repeat. No decision is taken here.

use std::sync::Arc;
use std::time::Duration;

use super::build_log::Transcript;
use super::build_request::build_request;
use super::engine_store::EngineStore;
use super::masker::Masker;
use super::remote_store::RemoteStore;
use crate::app::plan::Remote;
use crate::app::{
    Action, BuildMethod, ContainerId, ContainerSpec, Credentials, Desired, Held, ImageReference, ImageSource,
    ImageTarget, Owner, Purpose, RegistryError, RegistryRequest, TagDeletion, Try, labels,
};
use crate::build::ReadContext;
use crate::engine::{BuildReport, BuildRequest, CreateContainer, Engine, EngineError, ProgressSink};

/// What a step needs beside its action.
pub(super) struct Executor {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) remotes: Arc<RemoteStore>,
    pub(super) owner: Owner,
    /// What is wanted; `None` while the resource is being deleted.
    pub(super) desired: Option<Desired>,
    pub(super) context: Option<Arc<ReadContext>>,
    pub(super) progress: ProgressSink,
    /// What the progress tells goes through it.
    pub(super) transcript: Arc<Transcript>,
    pub(super) now: jiff::Timestamp,
}

/// What a step has brought, beyond its effect.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) build: Option<BuildReport>,
    /// The container that was made.
    pub(super) container: Option<ContainerId>,
}

impl Executor {
    /// One that removes what an owner has, for whom nothing is wanted any more, and which knows no secrets.
    pub(super) fn of_removal(store: &EngineStore, owner: Owner, progress: ProgressSink, now: jiff::Timestamp) -> Self {
        Self {
            engine: Arc::clone(&store.engine),
            remotes: Arc::clone(&store.remotes),
            owner,
            desired: None,
            context: None,
            progress,
            transcript: Arc::new(Transcript::new(Masker::of([]))),
            now,
        }
    }

    pub(super) async fn perform(mut self, action: &Action) -> Result<Outcome, EngineError> {
        match action {
            Action::BuildImage { reference, pull, anew, .. } => {
                let request = BuildRequest { pull: *pull, no_cache: *anew, ..self.build_request(reference)? };
                for credentials in &request.credentials {
                    self.keep_from_leaking(&credentials.host, credentials).await?;
                }
                let limit = self.build_limit();
                let build = self.engine.build_image(request, Arc::clone(&self.progress));
                let build = tokio::time::timeout(limit, build).await.map_err(|_| EngineError::TimedOut(limit))??;
                return Ok(Outcome { build: Some(build), ..Outcome::default() });
            }
            Action::PullImage { reference, platform } => {
                let credentials = self.desired.as_ref().and_then(Desired::credentials_to_pull);
                if let Some(credentials) = credentials {
                    self.keep_from_leaking(reference.host(), credentials).await?;
                }
                let progress = Arc::clone(&self.progress);
                self.engine.pull_image(reference, platform.as_deref(), credentials, progress).await?;
            }
            Action::PushImage { reference, image } => self.push(reference, image).await?,
            Action::TagImage { image, reference } => self.engine.tag_image(present(image)?, reference).await?,
            Action::RemoveImage { reference } => self.engine.remove_image(reference).await?,
            Action::CreateVolume { name } => self.engine.create_volume(name, &self.owner.labels()).await?,
            Action::RemoveVolume { name } => self.engine.remove_volume(name).await?,
            Action::CreateNetwork { name } => self.engine.create_network(name, &self.owner.network_labels()).await?,
            Action::RemoveNetwork { id, .. } => self.engine.remove_network(id).await?,
            Action::ConnectNetwork { id, .. } => self.engine.connect_container(id, &self.owner.attachment()).await?,
            Action::CreateContainer { name, image, spec, of } => {
                let request = CreateContainer {
                    name: name.clone(),
                    image: present(image)?.clone(),
                    labels: self.container_labels(spec, of),
                    spec: spec.as_ref().clone(),
                    attachment: Some(self.owner.attachment()),
                };
                let id = self.engine.create_container(&request).await?;
                return Ok(Outcome { container: Some(id), ..Outcome::default() });
            }
            Action::StartContainer { id, .. } => self.engine.start_container(known(id.as_ref())?).await?,
            Action::StopContainer { id, grace_period, .. } => self.engine.stop_container(id, *grace_period).await?,
            Action::UnpauseContainer { id, .. } => self.engine.unpause_container(id).await?,
            Action::AdjustContainer { id, to, .. } => self.engine.adjust_container(id, to).await?,
            Action::RenameContainer { id, to, .. } => self.engine.rename_container(known(id.as_ref())?, to).await?,
            Action::RemoveContainer { id, .. } => self.engine.remove_container(id).await?,
            Action::DeleteTag { tag } => self.delete(tag).await?,
            Action::RecordRevision { .. } | Action::RemoveRevision { .. } => {
                unreachable!("records are not kept on an engine")
            }
        }
        Ok(Outcome::default())
    }

    fn build_limit(&self) -> Duration {
        match self.desired.as_ref().map(|desired| &desired.source) {
            Some(Ok(ImageSource::Build(build))) => build.method.timeout,
            _ => BuildMethod::default().timeout,
        }
    }

    fn build_request(&mut self, reference: &ImageReference) -> Result<BuildRequest, EngineError> {
        let source = self.desired.as_ref().map(|desired| &desired.source);
        let (Some(Ok(ImageSource::Build(build))), Some(context)) = (source, self.context.take()) else {
            return Err(EngineError::Context("the build's context is not there any more".to_owned()));
        };
        build_request(build, context, &self.owner, reference.clone(), self.now)
    }

    /// Pushes, and reads back what the registry holds now: a push that leaves something else there has failed.
    async fn push(&self, reference: &ImageReference, image: &ImageTarget) -> Result<(), EngineError> {
        let credentials = self.desired.as_ref().and_then(|desired| desired.credentials_to_push(reference));
        let request = RegistryRequest::new(reference, Purpose::Push, credentials);
        let is_never_overwritten = self.desired.as_ref().is_some_and(|desired| desired.never_overwrites(reference));
        if is_never_overwritten {
            let held = self.held(reference, image).await?;
            if !held.leaves_to_push(request.clone()).map_err(EngineError::Registry)? {
                return Ok(());
            }
        }
        if let Some(credentials) = credentials {
            self.keep_from_leaking(reference.host(), credentials).await?;
        }
        self.engine.push_image(reference, credentials, Arc::clone(&self.progress)).await?;
        self.held(reference, image).await?.is_what_was_pushed(request).map_err(EngineError::Registry)
    }

    /// Deletes a tag, if it still holds what it is deleted for.
    async fn delete(&self, tag: &TagDeletion) -> Result<(), EngineError> {
        let desired = self.desired.as_ref();
        let destination = desired.and_then(|desired| desired.destination_to_delete_in(tag.reference.repository()));
        let mut credentials = destination.and_then(|destination| destination.credentials.clone().ok()?);
        self.remotes.forget(&tag.reference);
        let deleted = match self.remotes.look_up(&tag.reference, &mut credentials, Duration::ZERO, self.now).await {
            Remote::Holds(held) if held.manifest == tag.digest => {
                self.remotes.delete(tag, credentials.as_ref(), self.now).await
            }
            Remote::Holds(_) | Remote::Nothing => Ok(()),
            Remote::Unknown(why) => Err(why),
        };
        // The registry itself was asked: nobody knows more.
        deleted.map_err(|error| EngineError::Registry(RegistryError { is_clear: true, ..error }))
    }

    /// What the registry holds at this moment, compared with an image on the engine.
    async fn held(&self, reference: &ImageReference, image: &ImageTarget) -> Result<Held, EngineError> {
        let mut credentials = self.desired.as_ref().and_then(|desired| desired.credentials_to_push(reference)).cloned();
        self.remotes.forget(reference);
        let remote = self.remotes.look_up(reference, &mut credentials, Duration::ZERO, self.now).await;
        let found = self.engine.find_image(reference).await?;
        let ours = found.filter(|candidate| present(image).is_ok_and(|id| candidate.id == *id));
        Ok(Held::of(remote, ours.as_ref(), reference))
    }

    /// Engines send credentials to whatever token server a registry names: Docker Engine 20.10 to 29, and the
    /// `BuildKit` in them, alike. They are asked to only where it is the registry's own.
    async fn keep_from_leaking(&self, host: &str, credentials: &Credentials) -> Result<(), EngineError> {
        // Any reference will do: it is the host that is asked.
        let Ok(reference) = format!("{host}/any").parse::<ImageReference>() else {
            return Ok(());
        };
        match self.remotes.leak(&reference, credentials).await {
            Some(leak) => Err(EngineError::Registry(leak)),
            None => Ok(()),
        }
    }

    fn container_labels(&self, spec: &ContainerSpec, of: &Try) -> std::collections::BTreeMap<String, String> {
        let mut all = spec.labels.clone();
        all.extend(self.owner.labels());
        all.extend(of.labels());
        all.insert(labels::SPEC_HASH.to_owned(), spec.hash().as_str().to_owned());
        all.insert(labels::SETTINGS.to_owned(), spec.told().to_label());
        all
    }
}

/// A step whose turn it is names what is there. One that does not was made for a world that is no more.
fn present(image: &ImageTarget) -> Result<&crate::app::EngineImageId, EngineError> {
    match image {
        ImageTarget::Present(id) => Ok(id),
        ImageTarget::Pending => Err(EngineError::NotFound("the image is not on the engine yet".to_owned())),
    }
}

fn known(id: Option<&ContainerId>) -> Result<&ContainerId, EngineError> {
    id.ok_or_else(|| EngineError::NotFound("the container is not made yet".to_owned()))
}
