//! The container: made when there is none, kept when it is right, replaced when it is not, brought back when it ended.

use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{RunStatus, ScheduleStatus};

use super::image::Target;
use super::one_shot::ended;
use super::readiness::Readiness;
use super::replacement::{Names, switch_over};
use super::{Observed, drift, network, one_shot, port, replacement, scheduled, step, volumes};
use crate::app::{
    Action, Block, Container, ContainerSpec, ContainerState, Desired, Image, ImageTarget, LivenessRestarts, Part,
    Reason, RolledBack, RunSpec, SpecHash, Step, Try,
};

/// How the container stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    /// The right one runs.
    Running,
    /// The right one was a one-shot and has exited with 0.
    Completed,
    /// The right one was a one-shot and has failed for good.
    Failed,
    /// It comes back on its schedule.
    OnSchedule {
        /// Whether one of its runs goes on.
        is_running: bool,
        /// What is waited for, or goes on.
        sentence: String,
    },
    /// It is stopped, as it was asked.
    Stopped,
    /// It is not so yet.
    #[default]
    NotYet,
}

/// A container that keeps ending is looked at this often.
const CRASH_LOOP_LOOK: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct ContainerPlan<'a> {
    pub(super) steps: Vec<Step>,
    pub(super) blocks: Vec<Block>,
    pub(super) state: RunState,
    /// The one that serves, or the nearest to it.
    pub(super) container: Option<&'a Container>,
    pub(super) rolled_back: Option<RolledBack>,
    pub(super) liveness: Option<LivenessRestarts>,
    pub(super) look_again: Option<Duration>,
    /// What there is to tell of the run of a one-shot.
    pub(super) told: Option<RunStatus>,
    /// Where its schedule stands.
    pub(super) schedule: Option<ScheduleStatus>,
}

impl<'a> ContainerPlan<'a> {
    pub(super) fn blocked(container: Option<&'a Container>, block: Block) -> Self {
        Self { blocks: vec![block], container, ..Self::default() }
    }

    pub(super) fn working(container: Option<&'a Container>, steps: Vec<Step>) -> Self {
        Self { steps, container, ..Self::default() }
    }

    pub(super) fn standing(container: &'a Container, state: RunState, steps: Vec<Step>) -> Self {
        Self { steps, state, container: Some(container), ..Self::default() }
    }
}

/// Everything that the decisions about the container are made from.
pub(super) struct Situation<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) run: &'a RunSpec,
    pub(super) spec: &'a ContainerSpec,
    pub(super) hash: SpecHash,
    pub(super) image: Option<&'a Image>,
    pub(super) names: Names,
    pub(super) now: Timestamp,
    /// Our containers that are what is asked, the best first.
    pub(super) current: Vec<&'a Container>,
    /// Our other containers.
    pub(super) others: Vec<&'a Container>,
}

impl Situation<'_> {
    /// The steps that bring what a container stands on: volumes that stay, and the network.
    pub(super) fn foundations(&self) -> Result<Vec<Step>, Block> {
        let mut steps = volumes::plan(self.desired, self.observed, self.spec)?;
        steps.extend(network::plan(self.desired, self.observed)?);
        Ok(steps)
    }

    /// Makes the container that is wanted, for this try of its run.
    pub(super) fn creation(&self, name: &str, of: Try) -> Action {
        let image = self.image.map_or(ImageTarget::Pending, |image| ImageTarget::Present(image.id.clone()));
        Action::CreateContainer { name: name.to_owned(), image, spec: Box::new(self.spec.clone()), of }
    }

    /// Starts what is still to be made.
    pub(super) fn start_of_what_is_made(&self) -> Action {
        Action::StartContainer { id: None, name: self.run.name.clone(), spec_hash: self.hash.clone() }
    }
}

pub(super) fn plan<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
    target: Option<Target<'a>>,
    now: Timestamp,
) -> ContainerPlan<'a> {
    let ours = || observed.containers.iter().filter(|container| desired.owner.made(&container.labels));
    let Some(run) = &desired.run else {
        return remove_all(desired, observed, ours());
    };
    let serving = ours().find(|container| container.name == run.name);
    if run.is_stopped {
        return keep_stopped(run, ours(), serving);
    }
    let spec = match &run.container {
        Ok(spec) => spec,
        Err(block) => return ContainerPlan::blocked(serving, block.clone()),
    };
    let Some(target) = target else {
        return ContainerPlan { container: serving, ..ContainerPlan::default() };
    };
    let image = target.present();
    let (mut current, mut others): (Vec<_>, Vec<_>) = ours()
        .filter(|container| container.state != ContainerState::Removing)
        .partition(|container| image.is_some_and(|image| replacement::why_not(container, spec, image).is_none()));
    // What runs without its ports is stopped when its successor is made, and stopped it looks right.
    let next = Names::of(&run.name).next;
    let is_next = |container: &&Container| container.name == next && container.state == ContainerState::Created;
    if current.iter().any(|container| is_next(container) && !failed_to_start(container)) {
        others.extend(current.extract_if(.., |container| container.state == ContainerState::Exited));
    }
    current.sort_by_key(|container| (rank(container.state), container.name != run.name));
    let situation = Situation {
        hash: spec.hash(),
        names: Names::of(&run.name),
        desired,
        observed,
        run,
        spec,
        image,
        now,
        current,
        others,
    };
    if let Some(schedule) = &run.one_shot.schedule {
        return scheduled::plan(&situation, schedule);
    }
    // Whatever it looks like by now: an engine may start it once more while it is being stopped.
    if let Some(back) = situation.has_failed_before().then(|| situation.go_back(None)).flatten() {
        return back;
    }
    match situation.current.first() {
        Some(container) if spec.is_one_shot() => one_shot::with_current(&situation, container),
        Some(container) => with_current(&situation, container),
        None => without_current(&situation),
    }
}

/// Of several that are right, which one stays.
fn rank(state: ContainerState) -> u8 {
    match state {
        ContainerState::Running => 0,
        ContainerState::Restarting | ContainerState::Paused => 1,
        ContainerState::Exited => 2,
        ContainerState::Created => 3,
        ContainerState::Removing | ContainerState::Dead => 4,
    }
}

fn without_current<'a>(situation: &Situation<'a>) -> ContainerPlan<'a> {
    let Situation { spec, observed, desired, run, .. } = situation;
    let old = situation.old();
    let is_over = spec.is_one_shot() && old.is_none();
    if let Some(over) = is_over.then(|| situation.over()).flatten() {
        return over;
    }
    if let Some(block) = situation.name_conflict() {
        return ContainerPlan::blocked(old, block);
    }
    let foundations = match situation.foundations() {
        Ok(steps) => steps,
        Err(block) => return ContainerPlan::blocked(old, block),
    };
    let name = if situation.ours_at(&run.name).is_some() { &situation.names.next } else { &run.name };
    let (create, start) = (situation.creation(name, situation.next_try()), situation.start_of_what_is_made());
    let wanted = foundations.iter().map(|step| &step.action).chain([&create, &start]);
    let refused = wanted.into_iter().find_map(|action| observed.attempts.block(action, situation.now));
    if let Some(block) = refused.or_else(|| port::conflict(spec, &desired.owner, observed)) {
        return ContainerPlan::blocked(old, block);
    }
    let cause = situation.cause_of_creation(old);
    let mut steps = situation.remove_stale(old);
    steps.extend(foundations);
    steps.push(step(create, cause.clone()));
    steps.extend(switch_over(situation, None, name, old, &cause));
    ContainerPlan::working(old, steps)
}

pub(super) fn with_current<'a>(situation: &Situation<'a>, container: &'a Container) -> ContainerPlan<'a> {
    if let Some(adjusted) = drift::adjust(situation, container) {
        return adjusted;
    }
    match container.state {
        ContainerState::Created if failed_to_start(container) => after_failed_start(situation, container),
        ContainerState::Created => bring_up(situation, container),
        ContainerState::Running => running(situation, container),
        ContainerState::Restarting => ends_again_and_again(situation, container),
        ContainerState::Exited => ended(situation, container),
        ContainerState::Paused => ContainerPlan::working(Some(container), vec![drift::unpause(container)]),
        ContainerState::Dead | ContainerState::Removing => {
            ContainerPlan::working(Some(container), vec![remove(container, "the engine failed to remove it")])
        }
    }
}

/// A container that was started in vain is left `created` with the engine's error and a non-zero exit code
/// (Docker Engine 20.10 and 29: 128). Started again it would run without its ports, so it is never started again.
pub(super) fn failed_to_start(container: &Container) -> bool {
    container.detail.as_ref().is_some_and(|detail| detail.exit_code != 0 || !detail.error.is_empty())
}

fn after_failed_start<'a>(situation: &Situation<'a>, container: &'a Container) -> ContainerPlan<'a> {
    if let Some(back) = situation.go_back(None) {
        return back;
    }
    let cause = "it could not be started, and started again it would run without its ports";
    ContainerPlan::working(Some(container), vec![remove(container, cause)])
}

fn bring_up<'a>(situation: &Situation<'a>, container: &'a Container) -> ContainerPlan<'a> {
    if let Some(way) = network::put_right(situation, container) {
        return way;
    }
    if let Some(block) = situation.name_conflict() {
        return ContainerPlan::blocked(Some(container), block);
    }
    if let Some(block) = port::conflict(situation.spec, &situation.desired.owner, situation.observed) {
        return ContainerPlan::blocked(Some(container), block);
    }
    let old = situation.old();
    let mut steps = situation.remove_stale(old);
    // The folders that it held are the new one's, and would go with it until that has started.
    steps.retain(|step| !situation.holds_folders(step));
    let cause = situation.cause_of_start(old);
    steps.extend(switch_over(situation, Some(container), &container.name, old, &cause));
    ContainerPlan::working(old.or(Some(container)), steps)
}

fn running<'a>(situation: &Situation<'a>, container: &'a Container) -> ContainerPlan<'a> {
    if let Some(way) = network::put_right(situation, container) {
        return way;
    }
    let leftovers = situation.everything_but(container);
    // Ours under its name gives way once this one is ready.
    let is_name_free = situation.ours_at(&situation.run.name).is_none();
    if let Some(misplaced) = is_name_free.then(|| situation.take_name(container)).flatten() {
        return misplaced;
    }
    match situation.readiness(container, !leftovers.is_empty()) {
        Readiness::Failed(why) => return situation.unhealthy(container, &why),
        Readiness::KeepsEnding => return ends_again_and_again(situation, container),
        Readiness::NotYet { reason, message, look_again } => {
            let kept = if leftovers.is_empty() { "" } else { "; the container before it is kept until then" };
            let block = Block::waiting(Part::Container, reason, format!("{message}{kept}"));
            let steps = leftovers.into_iter().filter_map(|old| situation.stop_again(old)).collect();
            return ContainerPlan { steps, ..ContainerPlan::blocked(Some(container), Block { look_again, ..block }) };
        }
        Readiness::Ready => {}
    }
    if let Some(misplaced) = situation.take_name(container) {
        return misplaced;
    }
    if leftovers.is_empty() {
        let liveness = situation.well_for_long(container);
        return ContainerPlan { liveness, ..ContainerPlan::standing(container, RunState::Running, Vec::new()) };
    }
    // Until the change is over, and nothing of the old one is left, it is not yet as it should be.
    let steps = leftovers.into_iter().flat_map(|old| situation.give_way(old, container)).collect();
    ContainerPlan::standing(container, RunState::NotYet, steps)
}

fn ends_again_and_again<'a>(situation: &Situation<'a>, container: &'a Container) -> ContainerPlan<'a> {
    // What runs again shows no more how it had ended.
    let runs_again = container.state == ContainerState::Running;
    let why = runs_again.then(|| format!("it keeps ending{}", situation.last_end(container)));
    if let Some(back) = situation.go_back(why) {
        return back;
    }
    let message = format!(
        "{} keeps ending{}: see longshore logs {}",
        container.name,
        situation.last_end(container),
        situation.desired.owner.name
    );
    let mut block = Block::waiting(Part::Container, Reason::CrashLoopBackOff, message);
    block.look_again = CRASH_LOOP_LOOK;
    ContainerPlan::blocked(Some(container), block)
}

/// The engine restarts by itself what ends; one that stays ended was stopped by someone, or could not be started.
pub(super) fn start_again<'a>(situation: &Situation<'a>, container: &'a Container) -> ContainerPlan<'a> {
    let exit_code = container.detail.as_ref().map_or(0, |detail| detail.exit_code);
    if let Some(back) = situation.go_back(None) {
        return back;
    }
    if let Some(misplaced) = situation.take_name(container) {
        return misplaced;
    }
    if let Some(way) = network::put_right(situation, container) {
        return way;
    }
    let cause = if situation.was_stopped() {
        "run.stopped is true no longer".to_owned()
    } else {
        drift::cause_of_end(situation, container, exit_code)
    };
    let start = start(situation, container, &cause);
    match situation.observed.attempts.block(&start.action, situation.now) {
        Some(block) => ContainerPlan::blocked(Some(container), block),
        None => match port::conflict(situation.spec, &situation.desired.owner, situation.observed) {
            Some(block) => ContainerPlan::blocked(Some(container), block),
            None => ContainerPlan::working(Some(container), vec![start]),
        },
    }
}

/// Nothing of ours runs, and nothing else is done: what has changed meanwhile is looked at when it is to run again.
fn keep_stopped<'a>(
    run: &RunSpec,
    ours: impl Iterator<Item = &'a Container>,
    serving: Option<&'a Container>,
) -> ContainerPlan<'a> {
    let grace_period = run.container.as_ref().map_or(replacement::DEFAULT_GRACE, |spec| spec.grace_period);
    let running = ours.filter(|container| replacement::has_to_be_stopped(container));
    let steps: Vec<Step> = running
        .map(|container| {
            let (id, name) = (container.id.clone(), container.name.clone());
            step(Action::StopContainer { id, name, grace_period }, "run.stopped is true")
        })
        .collect();
    let state = if steps.is_empty() { RunState::Stopped } else { RunState::NotYet };
    ContainerPlan { steps, state, container: serving, ..ContainerPlan::default() }
}

fn remove_all<'a>(
    desired: &Desired,
    observed: &Observed,
    containers: impl Iterator<Item = &'a Container>,
) -> ContainerPlan<'a> {
    let cause = "the resource has no run section";
    let mut steps = Vec::new();
    for container in containers.filter(|container| container.state != ContainerState::Removing) {
        if container.state == ContainerState::Running || container.state == ContainerState::Restarting {
            let (id, name) = (container.id.clone(), container.name.clone());
            steps.push(step(Action::StopContainer { id, name, grace_period: replacement::DEFAULT_GRACE }, cause));
        }
        steps.push(remove(container, cause));
    }
    // One that never had a container leaves the network to those that are about to make theirs.
    if !steps.is_empty() || observed.memory.container.is_some() {
        steps.extend(network::removal(&desired.owner, observed, "no container of the namespace is left"));
    }
    ContainerPlan::working(None, steps)
}

pub(super) fn remove(container: &Container, cause: &str) -> Step {
    step(Action::RemoveContainer { id: container.id.clone(), name: container.name.clone(), gap: None }, cause)
}

pub(super) fn stop(situation: &Situation<'_>, container: &Container, cause: &str) -> Step {
    let action = Action::StopContainer {
        id: container.id.clone(),
        name: container.name.clone(),
        grace_period: situation.spec.grace_period,
    };
    step(action, cause)
}

pub(super) fn start(situation: &Situation<'_>, container: &Container, cause: &str) -> Step {
    let action = Action::StartContainer {
        id: Some(container.id.clone()),
        name: situation.run.name.clone(),
        spec_hash: situation.hash.clone(),
    };
    step(action, cause)
}
