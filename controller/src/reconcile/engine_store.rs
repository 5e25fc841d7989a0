//! What is on one engine, listed once for all resources that look at it.
//!
//! A list is kept until something may have changed it: a call of ours, an event, or the periodic relist. Whoever reads
//! after a change asks anew for what has changed, and whoever reads at the same time shares what was listed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::base_image_store::BaseImageStore;
use super::build_queue::BuildQueue;
use super::container_list::ContainerList;
use super::execute::Outcome;
use super::image_list::ImageList;
use super::remote_store::RemoteStore;
use crate::app::{Action, Container, EngineInfo, Image, ImageScope, ImageTarget, Network, labels};
use crate::engine::{Engine, EngineError, EngineEvent, EventSubject};

/// One engine and the lists of what it holds.
pub(super) struct EngineStore {
    pub(super) engine: Arc<dyn Engine>,
    info: Kept<EngineInfo>,
    containers: ContainerList,
    networks: Kept<Vec<Network>>,
    images: ImageList,
    pub(super) base_images: BaseImageStore,
    /// What registries hold that are pushed to, reached as this engine's administrators have set it.
    pub(super) remotes: Arc<RemoteStore>,
    pub(super) builds: BuildQueue,
}

impl EngineStore {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        remotes: RemoteStore,
        base_images: BaseImageStore,
        concurrent_builds: usize,
    ) -> Self {
        Self {
            engine,
            info: Kept::default(),
            containers: ContainerList::default(),
            networks: Kept::default(),
            images: ImageList::default(),
            base_images,
            remotes: Arc::new(remotes),
            builds: BuildQueue::of(concurrent_builds),
        }
    }

    pub(super) async fn info(&self) -> Result<Arc<EngineInfo>, EngineError> {
        self.info.read(|| self.engine.info()).await
    }

    pub(super) async fn containers(&self) -> Result<Arc<Vec<Container>>, EngineError> {
        self.containers.read(&*self.engine).await
    }

    pub(super) async fn networks(&self) -> Result<Arc<Vec<Network>>, EngineError> {
        self.networks.read(|| self.engine.list_networks()).await
    }

    /// The images of a scope, and maybe others.
    pub(super) async fn images(&self, scope: &ImageScope) -> Result<Arc<Vec<Image>>, EngineError> {
        self.images.read(&*self.engine, scope).await
    }

    /// Lists what is not known of the engine, its containers, its networks and the images of a scope, all at once.
    pub(super) async fn list(&self, scope: &ImageScope) -> Result<(), EngineError> {
        tokio::try_join!(self.info(), self.containers(), self.networks(), self.images(scope)).map(|_| ())
    }

    /// The containers as they are now, and whether the list that was kept was still held for true and was not: then
    /// something has changed that no event has told.
    pub(super) async fn relist(&self) -> Result<Relist, EngineError> {
        let before = self.containers.peek().await;
        self.forget();
        let now = self.containers().await?;
        Ok(Relist { before, now })
    }

    /// Forgets what an action may have changed. It is called before the action as well as after it: a list that was
    /// begun in between may have seen either.
    pub(super) fn changed_by(&self, action: &Action) {
        match action {
            Action::PullImage { reference, .. }
            | Action::BuildImage { reference, .. }
            | Action::TagImage { reference, .. }
            | Action::PushImage { reference, .. } => self.images.forget_reference(reference),
            Action::RemoveImage { .. } => self.images.forget(),
            Action::StartContainer { id: Some(id), .. }
            | Action::RenameContainer { id: Some(id), .. }
            | Action::StopContainer { id, .. }
            | Action::UnpauseContainer { id, .. }
            | Action::AdjustContainer { id, .. }
            | Action::RemoveContainer { id, .. } => self.containers.forget_one(id),
            // What its ID is, or will be, nobody knows.
            Action::CreateContainer { .. }
            | Action::StartContainer { id: None, .. }
            | Action::RenameContainer { id: None, .. } => self.containers.forget(),
            Action::ConnectNetwork { id, .. } => self.containers.forget_one(id),
            Action::CreateNetwork { .. } | Action::RemoveNetwork { .. } => self.networks.forget(),
            // Volumes are listed for every look.
            Action::CreateVolume { .. }
            | Action::RemoveVolume { .. }
            | Action::DeleteTag { .. }
            | Action::RecordRevision { .. }
            | Action::RemoveRevision { .. } => {}
        }
    }

    /// Learns what an action has done that the engine calls done, and forgets what else it may have changed.
    pub(super) fn done_by(&self, action: &Action, outcome: &Outcome) {
        match action {
            Action::CreateContainer { .. } if let Some(id) = &outcome.container => self.containers.forget_one(id),
            Action::TagImage { image: ImageTarget::Present(image), reference } => {
                self.images.has_tagged(reference, image);
            }
            _ => self.changed_by(action),
        }
    }

    /// Forgets what an event says has changed.
    pub(super) fn changed_by_event(&self, event: &EngineEvent) {
        match &event.subject {
            EventSubject::Container(id) | EventSubject::Disconnected(id) => self.containers.forget_one(id),
            EventSubject::Network(_) => self.networks.forget(),
            EventSubject::Reference(reference) => self.images.forget_reference(reference),
            EventSubject::Tagged(reference, image) => self.images.hear_of(reference, image),
            // No reference points at it yet. That one does will be told too.
            EventSubject::Image(_) if event.action == "create" => {}
            EventSubject::Image(_) => self.images.forget(),
        }
    }

    /// The event with its owner, where only what was listed tells whose it is.
    pub(super) async fn with_owner(&self, event: EngineEvent) -> EngineEvent {
        let EventSubject::Disconnected(id) = &event.subject else {
            return event;
        };
        let listed = self.containers.last().await.unwrap_or_default();
        let container = listed.iter().find(|container| container.id == *id);
        let owner_uid = container.and_then(|container| container.labels.get(labels::OWNER_UID).cloned());
        EngineEvent { owner_uid, ..event }
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        self.containers.forget();
        self.networks.forget();
        self.images.forget();
    }

    /// Forgets who the engine is: it was away and may have been replaced.
    pub(super) fn forget_identity(&self) {
        self.info.forget();
        self.forget();
    }
}

/// What a relist found.
pub(super) struct Relist {
    /// The list that was held for true; `None` when it was known to be old.
    pub(super) before: Option<Arc<Vec<Container>>>,
    /// The list as it is.
    pub(super) now: Arc<Vec<Container>>,
}

/// A value that is read again once it was forgotten.
struct Kept<T> {
    forgotten: AtomicU64,
    value: Mutex<Option<(u64, Arc<T>)>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { forgotten: AtomicU64::new(0), value: Mutex::new(None) }
    }
}

impl<T> Kept<T> {
    fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }

    async fn read<F, E>(&self, load: impl FnOnce() -> F) -> Result<Arc<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut kept = self.value.lock().await;
        let now = self.forgotten.load(Ordering::SeqCst);
        if let Some((when, value)) = kept.as_ref()
            && *when == now
        {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(load().await?);
        // What was forgotten while it was loaded stays forgotten: the older mark does not match the next reader's.
        *kept = Some((now, Arc::clone(&value)));
        Ok(value)
    }
}
