//! What somebody has done to a container behind our back, told as such, and set back as gently as it can be.

use super::container::{ContainerPlan, Situation};
use super::step;
use crate::app::{Action, Adjustable, Container, ContainerSpec, ContainerState, EngineRestart, Step};

/// The way of a container that somebody has edited and that can be set back as it goes on.
pub(super) fn adjust<'a>(situation: &Situation<'a>, container: &'a Container) -> Option<ContainerPlan<'a>> {
    if matches!(container.state, ContainerState::Dead | ContainerState::Removing) {
        return None;
    }
    let wanted = Adjustable::of(situation.spec);
    let cause = edit(container, &wanted)?;
    let to = Box::new(wanted);
    let action = Action::AdjustContainer { id: container.id.clone(), name: container.name.clone(), to };
    Some(match situation.observed.attempts.block(&action, situation.now) {
        Some(block) => ContainerPlan::blocked(Some(container), block),
        None => ContainerPlan::working(Some(container), vec![step(action, cause)]),
    })
}

/// What somebody has edited that only another container is without, in words.
pub(super) fn lasting_edit(container: &Container, spec: &ContainerSpec) -> Option<String> {
    let (is, wanted) = (container.detail.as_ref()?.adjustable.as_ref()?, Adjustable::of(spec));
    if is.can_become(&wanted) { None } else { edit(container, &wanted) }
}

fn edit(container: &Container, wanted: &Adjustable) -> Option<String> {
    let is = container.detail.as_ref()?.adjustable.as_ref()?;
    Some(format!("somebody has edited it: {}", is.difference(wanted)?))
}

pub(super) fn unpause(container: &Container) -> Step {
    let action = Action::UnpauseContainer { id: container.id.clone(), name: container.name.clone() };
    step(action, "somebody has paused it")
}

/// Why a container has another name than it should: one that had the right one has been renamed.
pub(super) fn cause_of_rename(situation: &Situation<'_>, container: &Container) -> String {
    let (is, wanted) = (&container.name, &situation.run.name);
    let had_it = situation.observed.memory.container.as_ref() == Some(wanted);
    let is_one_of_ours = [&situation.names.next, &situation.names.previous].contains(&is);
    if had_it && !is_one_of_ours {
        format!("somebody has renamed it to {is}, {wanted} is asked for")
    } else {
        format!("its name is {is}, {wanted} is asked for")
    }
}

/// How a container has ended that should run. The engine starts again what ends by itself, but not what it was told to
/// stop or to kill.
pub(super) fn cause_of_end(situation: &Situation<'_>, container: &Container, exit_code: i64) -> String {
    if situation.observed.stops.contains_key(&container.id) || situation.is_being_restarted(container) {
        return "it was stopped to be started again".to_owned();
    }
    let detail = container.detail.as_ref();
    let could_not_start = detail.is_some_and(|detail| !detail.error.is_empty());
    let is_restarted = detail.and_then(|detail| detail.adjustable.as_ref()).is_some_and(|is| match is.restart {
        EngineRestart::Always | EngineRestart::UnlessStopped => true,
        EngineRestart::OnFailure { most } => most == 0 && exit_code != 0,
        EngineRestart::No => false,
    });
    if is_restarted && !could_not_start {
        format!("somebody has stopped or killed it (exit code {exit_code}), though it should run")
    } else {
        format!("it has ended with exit code {exit_code}, though it should run")
    }
}
