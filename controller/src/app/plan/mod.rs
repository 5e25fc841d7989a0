//! The plan: from what is wanted and what was found to the ordered steps that lead from one to the other.
//!
//! # Guarantees
//! The plan is a function of its arguments. Doing its first step and planning again gives the rest of it, so it does
//! not matter where a process dies. It leaves no choice to whoever carries it out.
//!
//! # Caveats
//! Steps whose image or container does not exist yet are there to be shown; they name no ID. By the time that it is
//! their turn the plan has been made anew.

mod claims;
mod container;
mod drift;
mod image;
mod liveness;
mod network;
mod one_shot;
mod port;
mod pull;
mod push;
mod readiness;
mod remote_retention;
mod removal;
mod replacement;
mod retention;
mod revisions;
mod rollback;
mod rollback_to;
mod scheduled;
#[cfg(test)]
mod tests;
mod turn;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{RunStatus, ScheduleStatus};

use super::{
    Attempts, Block, Container, ContainerId, ContextContent, Desired, EngineImageId, Image, ImageReference,
    LivenessRestarts, Making, Memory, Network, PushedTag, Reason, RegistryError, RemoteImage, RevisionRecord,
    RolledBack, Step, Uses, Volume,
};

pub use container::RunState;
pub use pull::candidates;
pub use push::PushState;
pub use remote_retention::superseded;
pub use removal::{Removal, because, plan_removal};
pub use turn::Turn;

/// What was found: everything on the engine, what the registries hold, and what is remembered.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The ID that the engine gives itself.
    pub engine_id: String,
    /// Every container on the engine; those of this resource with their detail.
    pub containers: Vec<Container>,
    /// Every image on the engine.
    pub images: Vec<Image>,
    /// Every volume on the engine, where some are wanted, or are to go.
    pub volumes: Vec<Volume>,
    /// Every network on the engine.
    pub networks: Vec<Network>,
    /// What the destinations hold, and superseded tags that may have to go.
    pub remotes: BTreeMap<ImageReference, Remote>,
    /// What other resources name in registries; `None` while that is not known.
    pub uses: Option<Uses>,
    /// What registries hold of the base images of a build.
    pub base_images: BTreeMap<ImageReference, Remote>,
    /// What the registry holds under the tag that is followed, where one is.
    pub followed: Option<Remote>,
    /// The images that are there for the platform that is asked for, of those that it matters of.
    pub of_platform: BTreeSet<EngineImageId>,
    /// What was tried and failed.
    pub attempts: Attempts,
    /// What the old status tells.
    pub memory: Memory,
    /// The records of revisions under the app's name; `None` while they cannot be read.
    pub revisions: Option<Vec<Arc<RevisionRecord>>>,
    /// What was read of the build's context.
    pub context: Option<ContextContent>,
    /// How long it took to stop the containers that this process has stopped.
    pub stops: BTreeMap<ContainerId, Duration>,
    /// The last image that this process has brought, or tried to.
    pub making: Option<Making>,
}

impl Observed {
    /// The image that a reference on the engine points at.
    pub fn image(&self, reference: &ImageReference) -> Option<&Image> {
        self.images.iter().find(|image| image.has(reference))
    }
}

/// What is known of a reference in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// It holds this.
    Holds(RemoteImage),
    /// It holds nothing there.
    Nothing,
    /// It could not be asked, or did not say.
    Unknown(RegistryError),
}

/// What is to be done, in order, and what stands in the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What is to be done. Each step stands on those before it.
    pub steps: Vec<Step>,
    /// What keeps parts of the resource from going on.
    pub blocks: Vec<Block>,
    /// Why the context may be older than its source is, or the image older than what the registry holds.
    pub source_trouble: Option<Block>,
    /// The image that is wanted, when the engine holds it with every tag.
    pub image: Option<Image>,
    /// How each destination stands, in the order of the spec.
    pub pushes: Vec<(ImageReference, PushState)>,
    /// The container that serves, though it may not be the one that is wanted.
    pub container: Option<Container>,
    /// How the container stands.
    pub run: RunState,
    /// The references on the engine that are this resource's, or will be with the next step.
    pub claims: BTreeSet<ImageReference>,
    /// The tags in registries that were pushed or are about to be, where superseded ones are deleted.
    pub pushed_tags: Vec<PushedTag>,
    /// The number of the revision that serves, when its record is there.
    pub current_revision: Option<i64>,
    /// The revision that failed and must not be tried again.
    pub rolled_back: Option<RolledBack>,
    /// The restarts by the container's liveness probe, where there is something new to say.
    pub liveness: Option<LivenessRestarts>,
    /// What there is to tell of the run of a one-shot, where there is something new.
    pub one_shot: Option<RunStatus>,
    /// Where its schedule stands.
    pub schedule: Option<ScheduleStatus>,
    /// When to look again though nothing has happened.
    pub look_again: Option<Duration>,
}

impl Plan {
    /// Whether everything that is asked is so.
    pub fn is_fulfilled(&self, desired: &Desired) -> bool {
        let everything_is_pushed = self.pushes.iter().all(|(_, state)| state.is_held());
        let everything_runs = desired.run.is_none() || !matches!(self.run, RunState::NotYet | RunState::Failed);
        self.blocks.is_empty() && self.image.is_some() && everything_is_pushed && everything_runs
    }

    /// Whether the context's source is still being read, so that nothing can be said yet.
    pub fn reads_a_source(&self) -> bool {
        self.blocks.iter().any(|block| block.reason == Reason::ReadingSource)
    }

    /// The steps towards what is asked, those left out for which nothing of it waits.
    pub fn work(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| !step.action.is_bookkeeping())
    }

    /// After what time another look is worth it, if any block or step says so.
    pub fn next_look(&self) -> Option<Duration> {
        self.blocks.iter().map(|block| block.look_again).chain(self.look_again).min()
    }
}

/// Plans the way from what was found to what is wanted.
pub fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
    let image = image::plan(desired, observed, now);
    let container = container::plan(desired, observed, image.target(), now);
    let push = push::plan(desired, observed, image.target(), now);
    let records = revisions::plan(desired, observed, &image, now);

    let mut plan = Plan {
        claims: claims::claims(desired, observed),
        source_trouble: desired.source_trouble.clone().or_else(|| image.source_trouble.clone()),
        image: image.finished().cloned(),
        container: container.container.cloned(),
        current_revision: revisions::current(desired, observed, image.finished(), &container),
        run: container.state,
        pushed_tags: remote_retention::record(desired, observed, &push, now),
        pushes: push.states,
        rolled_back: container.rolled_back,
        liveness: container.liveness,
        one_shot: container.told,
        schedule: container.schedule,
        look_again: container.look_again.into_iter().chain(records.look_again).min(),
        ..Plan::default()
    };
    let steps = [records.failure, image.steps, records.success, container.steps, push.steps, records.removals];
    plan.steps.extend(steps.into_iter().flatten());
    plan.blocks.extend([image.blocks, container.blocks, push.blocks].into_iter().flatten());
    if plan.steps.is_empty() && plan.is_fulfilled(desired) {
        plan.steps = retention::plan(desired, observed);
    }
    if plan.steps.is_empty() && plan.is_fulfilled(desired) {
        let retention = remote_retention::plan(desired, observed, &plan.pushed_tags, now);
        plan.look_again = plan.look_again.into_iter().chain(retention.look_again).min();
        plan.steps = retention.steps;
    }
    plan
}

/// A step in the making.
fn step(action: super::Action, cause: impl Into<String>) -> Step {
    Step { action, cause: cause.into() }
}
