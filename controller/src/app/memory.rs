//! The only parts of an old status that a plan may read. Everything else is observed anew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use longshore_crds::{ContainerAppStatus, ContainerStatus, PushStatus, RunStatus, ScheduleStatus};

use super::{ContainerId, EngineImageId, ImageReference, PushedTag, SpecHash};

/// What a resource remembers through its status. Losing it costs at most a one-shot that runs again, a broken
/// revision that is tried again, and public tags that are left on the engine and in registries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The references on the engine that this resource made, or is about to make.
    pub claims: BTreeSet<ImageReference>,
    /// What the destinations held when they were last asked, and of which image that was.
    pub pushed: BTreeMap<ImageReference, PushStatus>,
    /// The tags in registries that this resource has pushed, or is about to, where superseded ones are deleted.
    pub pushed_tags: Vec<PushedTag>,
    /// The image that the status speaks of.
    pub image: Option<EngineImageId>,
    /// The reference by which that image is wanted.
    pub image_reference: Option<ImageReference>,
    /// The digests of the base images that the image was built on.
    pub base_images: BTreeMap<ImageReference, String>,
    /// The name of the container that there was.
    pub container: Option<String>,
    /// How it ended last, where it had ended.
    pub last_end: Option<LastEnd>,
    /// The restarts of it by its liveness probe.
    pub liveness: Option<LivenessRestarts>,
    /// The revision whose one-shot has exited with 0.
    pub completed: Option<Revision>,
    /// The last run of a one-shot.
    pub run: Option<RunStatus>,
    /// Where its schedule stood.
    pub schedule: Option<ScheduleStatus>,
    /// The revision that failed and was replaced by the one before it.
    pub rolled_back: Option<RolledBack>,
    /// The number of the revision that serves.
    pub current_revision: Option<i64>,
    /// The old conditions: since when the resource is being worked on, and since when it is stalled.
    pub conditions: Vec<Condition>,
    /// The generation that the old status speaks of.
    pub observed_generation: i64,
}

/// What runs: a spec and an image, as one value to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// The revision of this spec on this image.
    pub fn new(spec: &SpecHash, image: &EngineImageId) -> Self {
        Self(format!("{spec}@{image}"))
    }

    /// As it is written into the status.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a container has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEnd {
    /// The container.
    pub id: ContainerId,
    /// Its exit code.
    pub exit_code: i64,
    /// Whether it was for want of memory.
    pub oom_killed: bool,
}

impl LastEnd {
    fn of(container: &ContainerStatus) -> Option<Self> {
        Some(Self {
            id: ContainerId(container.id.clone()),
            exit_code: container.exit_code?,
            oom_killed: container.oom_killed,
        })
    }
}

/// How often a container was restarted because its liveness probe has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivenessRestarts {
    /// The container.
    pub id: ContainerId,
    /// How often.
    pub count: u32,
    /// When the last run began that was ended so, in whole seconds.
    pub of_run: Timestamp,
}

impl LivenessRestarts {
    fn of(container: &ContainerStatus) -> Option<Self> {
        let count = u32::try_from(container.liveness_restarts).ok().filter(|count| *count > 0)?;
        let of_run = container.liveness_failed_since.as_ref()?.0;
        Some(Self { id: ContainerId(container.id.clone()), count, of_run })
    }
}

/// A revision that failed and was replaced by the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The revision.
    pub revision: Revision,
    /// Why it failed, as a phrase; empty when that is not known.
    pub cause: String,
}

impl Memory {
    /// What an old status says.
    pub fn of(status: &ContainerAppStatus) -> Self {
        let image = status.image.as_ref().and_then(|image| image.id.as_ref()?.parse().ok());
        Self {
            claims: status.local_references.iter().filter_map(|text| text.parse().ok()).collect(),
            pushed: status.push.iter().filter_map(|push| Some((push.reference.parse().ok()?, push.clone()))).collect(),
            pushed_tags: status.remote_references.iter().filter_map(PushedTag::of).collect(),
            image_reference: status.image.as_ref().and_then(|image| image.reference.parse().ok()),
            base_images: base_images(status),
            container: status.container.as_ref().map(|container| container.name.clone()),
            last_end: status.container.as_ref().and_then(LastEnd::of),
            liveness: status.container.as_ref().and_then(LivenessRestarts::of),
            completed: completed(status, image.as_ref()),
            run: status.run.clone(),
            schedule: status.schedule.clone(),
            rolled_back: status.rolled_back.clone().map(|revision| RolledBack {
                revision: Revision(revision),
                cause: status.rolled_back_because.clone().unwrap_or_default(),
            }),
            current_revision: status.current_revision,
            image,
            conditions: status.conditions.clone(),
            observed_generation: status.observed_generation,
        }
    }

    /// What an old status says to an engine of this name and ID. References that were made on another one are not this
    /// resource's here, though they may be called the same.
    pub fn on_engine(status: &ContainerAppStatus, name: &str, id: &str) -> Self {
        let is_here = |known_name: &str, known_id: &str| known_name == name && (known_id.is_empty() || known_id == id);
        let before = status.former_engines.iter().find(|engine| is_here(&engine.name, &engine.id));
        let now = status.engine.as_ref().is_none_or(|engine| is_here(&engine.name, &engine.id));
        let made_now = status.local_references.iter().filter(|_| now);
        let made_before = before.into_iter().flat_map(|engine| &engine.local_references);
        let claims = made_now.chain(made_before).filter_map(|text| text.parse().ok()).collect();
        let all = Self::of(status);
        let has_moved = status.engine.as_ref().is_some_and(|engine| engine.name != name);
        // One that is on another engine is not missing here.
        let container = all.container.clone().filter(|_| !has_moved);
        Self { claims, container, ..all }
    }

    /// The old condition of this type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// Since when the old status has had this condition for this generation.
    pub fn since(&self, type_: &str, generation: i64) -> Option<Timestamp> {
        let condition = self.condition(type_)?;
        let is_current = condition.observed_generation == Some(generation) && condition.status == "True";
        is_current.then_some(condition.last_transition_time.0)
    }
}

fn base_images(status: &ContainerAppStatus) -> BTreeMap<ImageReference, String> {
    let known = status.image.iter().flat_map(|image| &image.base_images);
    known.filter_map(|base| Some((base.reference.parse().ok()?, base.digest.clone()))).collect()
}

fn completed(status: &ContainerAppStatus, image: Option<&EngineImageId>) -> Option<Revision> {
    let container = status.container.as_ref()?;
    // Where the run is told of, that says more: one that was ended by us may have exited with 0.
    let has_completed = status.run.is_none() && container.has_ended() && container.exit_code == Some(0);
    let spec = SpecHash::from_label(&container.spec_hash);
    has_completed.then_some(Revision::new(&spec, image?))
}
