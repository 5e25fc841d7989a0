//! The status: computed from what was observed and planned, never from what was hoped.

mod conditions;
mod facts;
mod moves;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use longshore_crds::{BuildStatus, ContainerAppStatus, EngineReference, SourceStatus};

pub use facts::{keeps_ending, told_lately};
pub use moves::{places, without};

use super::{Block, BuildStage, ContainerSpec, Desired, ImageReference, Observed, Plan, PushedTag, RunSpec, Step};

/// What a pass over a resource has found out.
#[derive(Clone, Copy, Debug)]
pub enum Outlook<'a> {
    /// It was planned.
    Planned {
        /// What is wanted.
        desired: &'a Desired,
        /// What was found.
        observed: &'a Observed,
        /// What is to be done.
        plan: &'a Plan,
    },
    /// It could not be planned.
    Blocked(&'a Block),
    /// It is being deleted, with these steps still to go.
    Deleting {
        /// What was found.
        observed: &'a Observed,
        /// What is to be done.
        steps: &'a [Step],
    },
}

/// What the status tells beside the outlook.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// The name of the engine that is asked for.
    pub engine: String,
    /// The generation that was looked at.
    pub generation: i64,
    /// What the build's context was.
    pub source: Option<SourceStatus>,
    /// The last build, when this process has made one.
    pub build: Option<BuildStatus>,
    /// How far the build is that goes on.
    pub stage: Option<BuildStage>,
    /// When this process has pushed what.
    pub pushed_at: BTreeMap<ImageReference, Timestamp>,
    /// The last lines of a container that has ended.
    pub log_tail: Option<String>,
}

/// The status after a pass.
pub fn status(old: &ContainerAppStatus, telling: &Telling, outlook: Outlook<'_>, now: Timestamp) -> ContainerAppStatus {
    let verdict = verdict::verdict(old, telling, outlook, now);
    let mut status = ContainerAppStatus {
        observed_generation: telling.generation,
        build: telling.build.clone().or_else(|| old.build.clone()),
        ..old.clone()
    };
    if let Outlook::Planned { desired, observed, plan } = outlook {
        status.engine = Some(EngineReference { name: telling.engine.clone(), id: observed.engine_id.clone() });
        status.former_engines = moves::former_engines(old, &telling.engine);
        status.image = facts::image(desired, plan, telling).or_else(|| old.image.clone());
        status.push = facts::pushes(desired, observed, plan, telling, old);
        status.container = facts::container(desired, plan, telling, old, now);
        let ends = |run: &RunSpec| run.container.as_ref().map_or(true, ContainerSpec::is_one_shot);
        let is_one_shot = desired.run.as_ref().is_some_and(ends);
        status.run = plan.one_shot.clone().or_else(|| old.run.clone()).filter(|_| is_one_shot);
        status.schedule = plan.schedule.clone().or_else(|| old.schedule.clone()).filter(|_| desired.comes_back());
        status.current_revision = plan.current_revision.or(old.current_revision);
        status.remote_references = plan.pushed_tags.iter().map(PushedTag::to_status).collect();
        status.rolled_back = plan.rolled_back.as_ref().map(|failed| failed.revision.as_str().to_owned());
        status.rolled_back_because =
            plan.rolled_back.as_ref().map(|failed| failed.cause.clone()).filter(|cause| !cause.is_empty());
        status.local_references = plan.claims.iter().map(ToString::to_string).collect();
    }
    status.conditions = conditions::conditions(old, telling, &verdict, outlook, now);
    status
}

/// A time of a status, in whole seconds. `metav1.Time` is written so: a finer one would differ from the same status
/// read again, and be written anew for ever.
pub fn time(timestamp: Timestamp) -> Time {
    Time(Timestamp::from_second(timestamp.as_second()).unwrap_or(timestamp))
}
