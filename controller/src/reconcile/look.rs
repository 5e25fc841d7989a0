//! One look at a resource: what it refers to, what is wanted, what is there, and the plan.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use kube::ResourceExt;
use longshore_crds::{ContainerApp, ContainerAppStatus, ContainerEngine, PushStatus, SourceStatus};

use super::build_context::{SourceContext, interval_of};
use super::dereference::{Dereference, Dereferenced};
use super::engine_store::EngineStore;
use super::known::Known;
use super::source_store::SourceLooks;
use super::{AppKey, ReconcileError, Reconciler, ResourceError};
use crate::app::plan::{Observed, Remote, candidates, plan};
use crate::app::status::{Telling, keeps_ending, told_lately};
use crate::app::{
    Block, Container, ContainerState, ContextContent, Desired, Destination, EngineImageId, Image, ImageScope,
    ImageSource, ManifestDigest, Memory, Owner, Part, Plan, Reason, RemoteImage, Volume, validate,
};
use crate::build::ReadContext;
use crate::engine::{EngineError, LogOptions};

/// How much of an ended container's log goes into the status.
const LOG_TAIL_BYTES: usize = 2048;
const LOG_TAIL_LINES: usize = 50;

/// What a look has found.
pub(super) enum Look {
    /// A plan.
    Planned(Box<Planned>),
    /// Something that keeps it from being planned at all.
    Blocked(Block),
}

/// A plan, and what it was made from.
pub(super) struct Planned {
    pub(super) desired: Desired,
    pub(super) observed: Observed,
    pub(super) plan: Plan,
    pub(super) store: Arc<EngineStore>,
    pub(super) context: Option<Arc<ReadContext>>,
    /// How soon the source of the context is to be asked again.
    pub(super) source_interval: Option<Duration>,
    pub(super) telling: Telling,
}

/// What is known of an owner before an engine is looked at.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The engine's name.
    pub(super) engine: &'a str,
    /// The owner's status, where it has one.
    pub(super) status: Option<&'a ContainerAppStatus>,
    pub(super) known: &'a Known,
}

impl Reconciler {
    pub(super) async fn look(&self, key: &AppKey, app: &ContainerApp) -> Result<Look, ReconcileError> {
        let engine = match self.engine(&app.spec.engine).await? {
            Ok(engine) => engine,
            Err(block) => return Ok(Look::Blocked(block)),
        };
        let uid = app.uid().unwrap_or_default();
        let source_interval = app.spec.image.build.as_ref().and_then(|build| interval_of(&build.context));
        let sources = SourceLooks {
            store: &self.sources,
            uid: &uid,
            interval: source_interval.unwrap_or_default(),
            now: (self.clock)(),
            wake: self.waker(key),
        };
        let dereference = Dereference {
            resources: &*self.resources,
            contexts: &self.contexts,
            folders: &self.folders,
            sources: &sources,
            ambient: &*self.ambient,
            instance: &self.instance,
            key,
        };
        let store = self.stores.get(&app.spec.engine, &engine, &self.this).await;
        let wanted = async {
            let Dereferenced { inputs, context } = dereference.read(app, &engine).await?;
            let desired = validate(app, &inputs);
            if let (Ok(store), Ok(desired)) = (&store, &desired) {
                self.look_ahead(desired, store).await;
            }
            Ok::<_, ResourceError>((desired, context))
        };
        let scope = ImageScope::of_app(app, &self.owner_of(app));
        let listed = async {
            match &store {
                Ok(store) => store.list(&scope).await,
                Err(error) => Err(error.clone()),
            }
        };
        // Each may take a while, and neither needs the other.
        let (wanted, listed) = tokio::join!(wanted, listed);
        let (desired, context) = wanted.map_err(|error| ReconcileError::Failed(error.to_string()))?;
        let mut desired = match desired {
            Ok(desired) => desired,
            Err(block) => return Ok(Look::Blocked(block)),
        };
        let mark = desired.credentials_mark();
        self.known.update(key, &uid, |known| known.attempts.with_credentials(&mark));
        let known = self.known.get(key, &uid);
        let found = async {
            let store = store?;
            listed?;
            let scope = scope.with(&ImageScope::of_base_images(&desired));
            let seen = Seen { engine: &app.spec.engine, status: app.status.as_ref(), known: &known };
            let mut observed = Self::observe_engine(&store, &desired.owner, seen, &scope).await?;
            self.observe_registries(&mut desired, &store, &mut observed).await;
            self.observe_base_images(&desired, &store, &mut observed).await;
            self.observe_pull(&desired, &store, &mut observed).await?;
            let desired = desired.on_base_images(&observed).on_followed_tag(&observed);
            let same = ImageScope::of_the_same_image(&desired, &observed);
            observed.images.clone_from(store.images(&same).await?.as_ref());
            observed.images.extend(lost_image(&desired, &store, &observed).await?);
            self.observe_superseded_tags(&desired, app, &store, &mut observed).await;
            observed.volumes = wanted_volumes(&desired, &store).await?;
            observed.revisions = self.revisions(key, app, &known).await;
            observed.context = context.as_ref().map(content_of);
            Ok::<_, EngineError>((store, desired, observed))
        };
        let (store, desired, observed) = match found.await {
            Ok(found) => found,
            Err(error) => return Ok(Look::Blocked(engine_block(&app.spec.engine, &error))),
        };
        let plan = plan(&desired, &observed, (self.clock)());
        let telling = Telling {
            engine: app.spec.engine.clone(),
            generation: app.metadata.generation.unwrap_or(0),
            source: observed.context.as_ref().map(|content| content.source.clone()),
            build: known.build.clone(),
            stage: known.stage.clone(),
            pushed_at: known.pushed_at.clone(),
            log_tail: self.log_tail(app, &plan, &store).await,
        };
        let context = context.map(|context| context.read);
        Ok(Look::Planned(Box::new(Planned { desired, observed, plan, store, context, source_interval, telling })))
    }

    /// The engine of this name, or the block that says that there is none.
    pub(super) async fn engine(&self, name: &str) -> Result<Result<ContainerEngine, Block>, ReconcileError> {
        let found = self.resources.engine(name).await.map_err(|error| ReconcileError::Failed(error.to_string()))?;
        Ok(found.ok_or_else(|| {
            let message = format!(
                "the ContainerEngine {name} does not exist: create it, or name one of kubectl get containerengines in \
                 spec.engine"
            );
            Block::waiting(Part::Container, Reason::EngineNotFound, message)
        }))
    }

    /// The containers on the engine, with a single inspection for each of the resource, and the images of a scope.
    pub(super) async fn observe_engine(
        store: &EngineStore,
        owner: &Owner,
        Seen { engine, status, known }: Seen<'_>,
        scope: &ImageScope,
    ) -> Result<Observed, EngineError> {
        let mut containers = Vec::new();
        for container in store.containers().await?.iter() {
            if !owner.made(&container.labels) {
                containers.push(container.clone());
            } else if let Some(inspected) = store.engine.inspect_container(&container.id).await? {
                containers.push(inspected);
            }
        }
        let engine_id = store.info().await?.id.clone();
        Ok(Observed {
            memory: status.map(|status| Memory::on_engine(status, engine, &engine_id)).unwrap_or_default(),
            engine_id,
            containers,
            images: store.images(scope).await?.as_ref().clone(),
            networks: store.networks().await?.as_ref().clone(),
            attempts: known.attempts.clone(),
            making: known.making.clone(),
            stops: known.stops.clone(),
            ..Observed::default()
        })
    }

    async fn observe_registries(&self, desired: &mut Desired, store: &EngineStore, observed: &mut Observed) {
        // Side by side, so that a registry that does not answer holds up the looks at no other.
        let looks = desired.destinations.iter_mut().filter_map(|Destination { reference, credentials, rules }| {
            let (reference, credentials) = (&*reference, credentials.as_mut().ok()?);
            let before = observed.memory.pushed.get(reference);
            let now = (self.clock)();
            Some(async move {
                let mut remote = store.remotes.look_up(reference, credentials, rules.interval, now).await;
                if let Remote::Holds(RemoteImage { manifest, config: None, size: size @ None }) = &mut remote
                    && before.is_none_or(|before| before.size.is_none() || !tells_of(before, manifest))
                {
                    *size = store.remotes.index_size(reference, manifest, credentials.as_ref()).await;
                }
                (reference.clone(), remote)
            })
        });
        let remotes = join_all(looks).await;
        observed.remotes.extend(remotes);
    }

    /// Asks for base images as soon as they are known. Whatever keeps an engine from answering is told by the list.
    async fn look_ahead(&self, desired: &Desired, store: &EngineStore) {
        if let (Ok(ImageSource::Build(build)), Ok(images)) =
            (&desired.source, store.images(&ImageScope::of_base_images(desired)).await)
        {
            store.base_images.look_up(&*store.engine, build, &images, (self.clock)()).await;
        }
    }

    async fn observe_base_images(&self, desired: &Desired, store: &EngineStore, observed: &mut Observed) {
        if let Ok(ImageSource::Build(build)) = &desired.source {
            let now = (self.clock)();
            observed.base_images = store.base_images.look_up(&*store.engine, build, &observed.images, now).await;
        }
    }

    /// What the registry holds under a tag that is followed, and which images are of the platform that is asked for.
    ///
    /// The engine asks the registry, as it would for the pull: with its mirrors, its authorities and its network.
    async fn observe_pull(
        &self,
        desired: &Desired,
        store: &EngineStore,
        observed: &mut Observed,
    ) -> Result<(), EngineError> {
        let Ok(ImageSource::Pull(pull)) = &desired.source else {
            return Ok(());
        };
        if let Some(reference) = desired.followed(pull) {
            let now = (self.clock)();
            let credentials = store.remotes.to_look_with(reference, pull.credentials.as_ref(), now).await;
            let look = store.base_images.look_up_one(&*store.engine, reference, credentials, pull.interval, now);
            observed.followed = Some(look.await);
        }
        if let Some(platform) = &pull.platform {
            let reference = desired.clone().on_followed_tag(observed).pull_reference();
            for image in reference.iter().flat_map(|reference| candidates(reference, &observed.images)) {
                if store.engine.has_platform(&image.id, platform).await? {
                    observed.of_platform.insert(image.id.clone());
                }
            }
        }
        Ok(())
    }

    /// The last lines of a container that has ended, read once for each end that is told.
    async fn log_tail(&self, app: &ContainerApp, plan: &Plan, store: &EngineStore) -> Option<String> {
        let container = plan.container.as_ref()?;
        let status = app.status.as_ref();
        if keeps_ending(plan, container) {
            let is_told = status.is_some_and(|status| told_lately(container, plan, status, (self.clock)()).is_some());
            return if is_told { None } else { Some(read_log_tail(store, container).await) };
        }
        if container.state != ContainerState::Exited {
            return None;
        }
        let known = status.and_then(|status| status.container.as_ref());
        let is_known = known.is_some_and(|known| {
            let finished = container.detail.as_ref().and_then(|detail| detail.finished_at);
            known.id == container.id.0
                && known.log_tail.is_some()
                && known.finished_at.as_ref().map(|time| time.0) == finished
        });
        if is_known { None } else { Some(read_log_tail(store, container).await) }
    }
}

/// Whether a status speaks of what has this digest.
fn tells_of(status: &PushStatus, manifest: &ManifestDigest) -> bool {
    status.digest.as_ref().is_some_and(|digest| *digest == manifest.to_string())
}

/// The image of the resource that nothing on the engine refers to any more: somebody has removed its references, and
/// its container keeps it.
async fn lost_image(desired: &Desired, store: &EngineStore, observed: &Observed) -> Result<Option<Image>, EngineError> {
    let is_built = matches!(desired.source, Ok(ImageSource::Build(_)));
    let is_listed = |id: &EngineImageId| observed.images.iter().any(|image| image.id == *id);
    let is_used = |id: &EngineImageId| observed.containers.iter().any(|container| container.image == *id);
    match &observed.memory.image {
        Some(id) if is_built && is_used(id) && !is_listed(id) => store.engine.find_image_by_id(id).await,
        _ => Ok(None),
    }
}

/// The volumes on the engine, where the container wants some that stay.
async fn wanted_volumes(desired: &Desired, store: &EngineStore) -> Result<Vec<Volume>, EngineError> {
    let spec = desired.run.as_ref().and_then(|run| run.container.as_ref().ok());
    if spec.is_some_and(|spec| spec.mounts.iter().any(|mount| mount.claim().is_some())) {
        store.engine.list_volumes().await
    } else {
        Ok(Vec::new())
    }
}

async fn read_log_tail(store: &EngineStore, container: &Container) -> String {
    let options = LogOptions { follow: false, tail: Some(LOG_TAIL_LINES), since: None };
    let mut chunks = store.engine.logs(&container.id, &options);
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = chunks.next().await {
        bytes.extend_from_slice(&chunk.bytes);
    }
    let from = bytes.len().saturating_sub(LOG_TAIL_BYTES);
    // A character that the cut has split becomes U+FFFD, which is up to three times as long.
    let text = String::from_utf8_lossy(&bytes[from..]).into_owned();
    text.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t')).collect()
}

fn content_of(context: &SourceContext) -> ContextContent {
    ContextContent {
        source: SourceStatus {
            revision: context.revision.clone(),
            files: i64::try_from(context.read.files()).unwrap_or(i64::MAX),
            size: i64::try_from(context.read.bytes()).unwrap_or(i64::MAX),
        },
        files: context.read.fingerprints(),
    }
}

/// The block of an engine that cannot be used.
pub(super) fn engine_block(name: &str, error: &EngineError) -> Block {
    let message = format!("the engine {name} cannot be used: {error}");
    let mut block = Block::waiting(Part::Container, Reason::EngineUnavailable, message);
    block.look_again = std::time::Duration::from_secs(5);
    block
}
