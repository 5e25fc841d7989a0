//! From the old container to the new one, and back when the new one fails.
//!
//! The new one is made first, under a temporary name, so that nothing which can be found out beforehand interrupts the
//! old one. Then the old one is stopped and steps aside under another temporary name, the new one takes the name and is
//! started. The old one is kept until the new one is ready; if that fails it takes its name back and runs again.

use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::Strategy;

use super::container::{ContainerPlan, Situation, remove, stop};
use super::{drift, port, step};
use crate::app::{
    Action, Block, Container, ContainerDetail, ContainerSpec, ContainerState, Image, Part, PortDifference, Reason,
    Settings, Step, labels,
};

/// A container that is being removed is looked at this often, should its end not be told.
const REMOVAL_LOOK: Duration = Duration::from_secs(1);

/// The grace of a container whose spec is not known any more; it is Docker's own default.
pub(super) const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// The names that the containers of one resource have while they change places.
pub(super) struct Names {
    pub(super) next: String,
    pub(super) previous: String,
}

impl Names {
    pub(super) fn of(name: &str) -> Self {
        Self { next: format!("{name}.next"), previous: format!("{name}.previous") }
    }
}

impl<'a> Situation<'a> {
    /// Our container that has this name.
    pub(super) fn ours_at(&self, name: &str) -> Option<&'a Container> {
        self.others.iter().chain(&self.current).copied().find(|container| container.name == name)
    }

    /// The container that served before: it has run, and has the name or has stepped aside from it.
    pub(super) fn old(&self) -> Option<&'a Container> {
        let has_served = |container: &&&Container| {
            let has_run = !matches!(container.state, ContainerState::Created | ContainerState::Dead);
            has_run && (container.name == self.run.name || container.name == self.names.previous)
        };
        let mut served: Vec<&Container> = self.others.iter().filter(has_served).copied().collect();
        served.sort_by_key(|container| {
            (self.is_twin(container), container.state != ContainerState::Running, container.name != self.run.name)
        });
        served.first().copied()
    }

    /// Whether the old container goes on while the new one starts.
    pub(super) fn overlaps(&self, old: &Container) -> bool {
        let is_asked = self.run.rollout.strategy == Strategy::Overlap;
        is_asked && old.state == ContainerState::Running && old.name == self.run.name && !self.is_twin(old)
    }

    /// Whether a container was made as is wanted, and is not right nevertheless: it runs without its ports.
    pub(super) fn is_twin(&self, container: &Container) -> bool {
        let is_same_image = self.image.is_some_and(|image| image.id == container.image);
        is_same_image && container.spec_hash() == Some(self.hash.as_str())
    }

    /// What stops the container before one that runs. It was stopped when its successor was started, but an engine that
    /// is restarted starts it as well (`always`, seen with 20.10 and 29), and both would write and listen.
    pub(super) fn stop_again(&self, old: &Container) -> Option<Step> {
        let should_stop = has_to_be_stopped(old) && !self.overlaps(old);
        should_stop.then(|| stop(self, old, "it was started again beside its successor"))
    }

    /// All of ours but this one.
    pub(super) fn everything_but(&self, one: &Container) -> Vec<&'a Container> {
        self.others.iter().chain(&self.current).copied().filter(|container| container.id != one.id).collect()
    }

    /// The block that names the holder of our name which keeps it from us; `None` when the name is free or ours.
    pub(super) fn name_conflict(&self) -> Option<Block> {
        let is_a_name_of_ours = |container: &&Container| {
            [&self.run.name, &self.names.next, &self.names.previous].contains(&&container.name)
        };
        let holders = self.observed.containers.iter().filter(is_a_name_of_ours);
        let (ours, foreign): (Vec<_>, Vec<_>) =
            holders.partition(|container| self.desired.owner.made(&container.labels));
        let leaving = ours.into_iter().find(|container| container.state == ContainerState::Removing);
        foreign.first().map(|holder| self.held_by(holder)).or_else(|| leaving.map(being_removed))
    }

    fn held_by(&self, holder: &Container) -> Block {
        let message = format!(
            "the name {} is held by {}: choose another run.containerName, or remove that container with docker rm {}",
            holder.name,
            port::name_of(holder, &self.desired.owner),
            holder.name
        );
        Block::waiting(Part::Container, Reason::NameConflict, message)
    }

    /// Why a container is made.
    pub(super) fn cause_of_creation(&self, old: Option<&Container>) -> String {
        match (old, self.image) {
            (Some(old), Some(image)) => {
                why_not(old, self.spec, image).unwrap_or_else(|| "the run section has changed".to_owned())
            }
            (Some(old), None) => format!("{} runs an older image", old.name),
            (None, _) if self.next_try().failed_before > 0 => self.cause_of_try_after(self.next_try().failed_before),
            (None, _) if self.observed.memory.container.as_deref() == Some(self.run.name.as_str()) => {
                format!("the container {} is gone, though it should run", self.run.name)
            }
            (None, _) => "the resource has no container yet".to_owned(),
        }
    }

    /// Why a container that was made is started.
    pub(super) fn cause_of_start(&self, old: Option<&Container>) -> String {
        match old {
            Some(_) => self.cause_of_creation(old),
            None => "the container is made and should run".to_owned(),
        }
    }

    /// Whether the resource was last seen as stopped, as it was asked.
    pub(super) fn was_stopped(&self) -> bool {
        let ready = self.observed.memory.condition("Ready");
        ready.is_some_and(|ready| ready.reason == Reason::Stopped.as_str())
    }

    /// Whether a step is about a container that held the folders of another until that was made.
    pub(super) fn holds_folders(&self, step: &Step) -> bool {
        let Action::RemoveContainer { id, .. } = &step.action else {
            return false;
        };
        let removed = self.others.iter().find(|container| container.id == *id);
        removed.is_some_and(|container| container.labels.contains_key(labels::FOLDERS_OF))
    }

    /// Leftovers of earlier changes, which never served or serve no more.
    pub(super) fn remove_stale(&self, old: Option<&Container>) -> Vec<Step> {
        let stale = self.others.iter().filter(|container| old.is_none_or(|old| old.id != container.id));
        stale.flat_map(|container| self.stop_and_remove(container, "it is left over from an earlier change")).collect()
    }

    pub(super) fn stop_and_remove(&self, container: &Container, cause: &str) -> Vec<Step> {
        let stop = has_to_be_stopped(container).then(|| stop(self, container, cause));
        stop.into_iter().chain([remove(container, cause)]).collect()
    }

    /// The end of a container that another has replaced for good.
    pub(super) fn give_way(&self, old: &Container, new: &Container) -> Vec<Step> {
        let mut steps = self.stop_and_remove(old, "its successor runs");
        let has_served = self.old().is_some_and(|served| served.id == old.id);
        if let (true, Some(last)) = (has_served, steps.last_mut()) {
            last.cause = self.cause_of_creation(Some(old));
            if let Action::RemoveContainer { gap, .. } = &mut last.action {
                *gap = Some(self.gap(old, new));
            }
        }
        steps
    }

    /// How long nothing served between two containers: from when the old one was asked to stop, where this process has
    /// asked it, to the start of the new one. Only the engine's times are compared with one another.
    fn gap(&self, old: &Container, new: &Container) -> Duration {
        let time = |container: &Container, which: fn(&ContainerDetail) -> Option<Timestamp>| {
            container.detail.as_ref().and_then(which)
        };
        let (ended, started) = (time(old, |detail| detail.finished_at), time(new, |detail| detail.started_at));
        if has_to_be_stopped(old) {
            return Duration::ZERO;
        }
        let (Some(ended), Some(started)) = (ended, started) else {
            return Duration::ZERO;
        };
        let stopping = self.observed.stops.get(&old.id).copied().unwrap_or_default();
        // Negative where the new one ran before the old one had ended.
        Duration::try_from(started.duration_since(ended)).map_or(Duration::ZERO, |between| between + stopping)
    }

    /// The way of a container that is right but has another name than it should; `None` when the name is right.
    pub(super) fn take_name(&self, container: &'a Container) -> Option<ContainerPlan<'a>> {
        if container.name == self.run.name {
            return None;
        }
        if let Some(block) = self.name_conflict() {
            return Some(ContainerPlan::blocked(Some(container), block));
        }
        let cause = drift::cause_of_rename(self, container);
        let mut steps = Vec::new();
        if let Some(holder) = self.ours_at(&self.run.name) {
            steps.extend(self.give_way(holder, container));
        }
        steps.push(rename(Some(container), &container.name, &self.run.name, &cause));
        Some(ContainerPlan::working(Some(container), steps))
    }
}

/// An engine keeps the name of a container until it has removed it, and tells of that.
fn being_removed(container: &Container) -> Block {
    let message = format!("the engine is removing the container {}, whose name the next one gets", container.name);
    let mut block = Block::waiting(Part::Container, Reason::Starting, message);
    block.look_again = REMOVAL_LOOK;
    block
}

pub(super) fn has_to_be_stopped(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running | ContainerState::Restarting | ContainerState::Paused)
}

pub(super) fn rename(container: Option<&Container>, from: &str, to: &str, cause: &str) -> Step {
    let action = Action::RenameContainer {
        id: container.map(|container| container.id.clone()),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    step(action, cause)
}

/// The steps from a container that is made, or about to be, to its running under its name, with the old one aside.
pub(super) fn switch_over(
    situation: &Situation<'_>,
    new: Option<&Container>,
    new_name: &str,
    old: Option<&Container>,
    cause: &str,
) -> Vec<Step> {
    if let Some(old) = old.filter(|old| situation.overlaps(old)) {
        return run_beside(situation, new, new_name, old, cause);
    }
    let mut steps = Vec::new();
    if let Some(old) = old {
        if has_to_be_stopped(old) {
            steps.push(stop(situation, old, cause));
        }
        if old.name == situation.run.name {
            steps.push(rename(Some(old), &old.name, &situation.names.previous, cause));
        }
    }
    if new_name != situation.run.name {
        steps.push(rename(new, new_name, &situation.run.name, cause));
    }
    let start = Action::StartContainer {
        id: new.map(|container| container.id.clone()),
        name: situation.run.name.clone(),
        spec_hash: situation.hash.clone(),
    };
    steps.push(step(start, cause));
    if let (Some(old), None) = (old, new) {
        steps.push(remove(old, "its successor runs"));
    }
    steps
}

/// The steps from a container that is made, or about to be, to its running under its name, beside the old one at first.
fn run_beside(
    situation: &Situation<'_>,
    new: Option<&Container>,
    new_name: &str,
    old: &Container,
    cause: &str,
) -> Vec<Step> {
    let start = Action::StartContainer {
        id: new.map(|container| container.id.clone()),
        name: new_name.to_owned(),
        spec_hash: situation.hash.clone(),
    };
    let mut steps = vec![step(start, cause)];
    if new.is_none() {
        steps.extend(situation.stop_and_remove(old, "its successor runs"));
        steps.push(rename(new, new_name, &situation.run.name, cause));
    }
    steps
}

/// Why a container is not what is asked, in words; `None` when it is.
pub(super) fn why_not(container: &Container, spec: &ContainerSpec, image: &Image) -> Option<String> {
    if container.image != image.id {
        return Some(format!("it runs the image {}, {} is asked for", container.image.short(), image.id.short()));
    }
    if container.spec_hash() != Some(spec.hash().as_str()) {
        return Some(difference(container, spec));
    }
    if let Some(edit) = drift::lasting_edit(container, spec) {
        return Some(edit);
    }
    // One that somebody made in our name: it would publish the same after each start.
    let made = container.detail.as_ref().map(|detail| &detail.asked_ports);
    if let Some(difference) = made.and_then(|made| PortDifference::of_specs(made, &spec.ports)) {
        return Some(difference);
    }
    // A container that was started after a failed start runs without its ports (moby/moby#51758).
    // One that somebody has taken out of its last network publishes nothing until it is in one again.
    let should_publish = container.state == ContainerState::Running && !container.networks.is_empty();
    let differing = should_publish.then(|| PortDifference::between(&container.ports, &spec.ports)).flatten();
    differing.map(|difference| difference.to_string())
}

/// What differs between a container as it was made and the spec, in words. A value is never quoted: it may be secret.
fn difference(container: &Container, spec: &ContainerSpec) -> String {
    let Some(made) = &container.detail else {
        return "the run section has changed".to_owned();
    };
    if let Some(difference) = PortDifference::of_specs(&made.asked_ports, &spec.ports) {
        return difference;
    }
    let changed = || spec.env.iter().filter(|(name, value)| made.env.get(*name) != Some(value)).map(|(name, _)| name);
    // A value that others are made of comes first: of all that differ, its key is what somebody has edited.
    if let Some(origin) = changed().find_map(|name| spec.env_origins.get(name)) {
        return format!("{origin} has changed");
    }
    if let Some(name) = changed().next() {
        return format!("the environment variable {name} has changed");
    }
    if !spec.command.is_empty() && spec.command != made.command {
        return "the command has changed".to_owned();
    }
    if !spec.args.is_empty() && spec.args != made.args {
        return "the arguments have changed".to_owned();
    }
    // One that an earlier version made does not tell.
    let told = container.labels.get(labels::SETTINGS).map(|text| Settings::from_label(text));
    told.and_then(|told| told.difference(&spec.told())).unwrap_or_else(|| "the run section has changed".to_owned())
}
