//! The way back when a new container fails: to the old container, or to its image where the old container is gone.

use std::time::Duration;

use super::container::{ContainerPlan, Situation, start};
use super::replacement::rename;
use super::{port, step};
use crate::app::{
    Action, Block, Container, ContainerDetail, ContainerState, Image, ImageTarget, Part, Reason, Revision, RolledBack,
    SpecHash, Step, Try,
};

const CAUSE: &str = "the new container failed";

impl<'a> Situation<'a> {
    /// The revision that is wanted, once its image is there.
    pub(super) fn revision(&self) -> Option<Revision> {
        Some(Revision::new(&self.hash, &self.image?.id))
    }

    /// Whether what is wanted has failed before, and nothing has been edited since.
    pub(super) fn has_failed_before(&self) -> bool {
        let failed = self.observed.memory.rolled_back.as_ref().map(|failed| &failed.revision);
        failed.is_some() && failed == self.revision().as_ref()
    }

    /// The way back from what is wanted; `None` where there is nothing to go back to. `why` it failed counts when that
    /// is not remembered yet.
    pub(super) fn go_back(&self, why: Option<String>) -> Option<ContainerPlan<'a>> {
        let failed = RolledBack { revision: self.revision()?, cause: self.cause_of_failure(why) };
        match (self.old().filter(|old| !self.is_twin(old)), self.image_before()) {
            (Some(old), _) => Some(self.to_the_old_container(old, failed)),
            (None, Some(image)) => Some(self.to_the_old_image(image, failed)),
            (None, None) => None,
        }
    }

    /// What was found out first: on the way back a container that was unhealthy is stopped, and seems to have ended.
    fn cause_of_failure(&self, why: Option<String>) -> String {
        let remembered = self.observed.memory.rolled_back.as_ref().filter(|_| self.has_failed_before());
        let found = || {
            let details = self.current.iter().filter_map(|container| container.detail.as_ref());
            details.map(cause_of_end).next()
        };
        remembered.map(|failed| failed.cause.clone()).or(why).or_else(found).unwrap_or_default()
    }

    /// The image of the revision that was ready last, where that is another than is wanted and the engine has it.
    fn image_before(&self) -> Option<&'a Image> {
        let number = self.observed.memory.current_revision?;
        let own = |owner_uid: &str| owner_uid == self.desired.owner.uid;
        let mut records = self.observed.revisions.iter().flatten();
        let record = records.find(|record| own(&record.owner_uid) && record.number() == number)?;
        let id = record.image_id()?;
        let image = self.observed.images.iter().find(|image| image.id.to_string() == id)?;
        (self.image.is_some_and(|wanted| wanted.id != image.id)).then_some(image)
    }

    /// What failed is removed, the old container has its name again and runs.
    fn to_the_old_container(&self, old: &'a Container, failed: RolledBack) -> ContainerPlan<'a> {
        let mut steps = self.remove_all_but(Some(old));
        if old.name != self.run.name {
            steps.push(rename(Some(old), &old.name, &self.run.name, CAUSE));
        }
        let runs = matches!(old.state, ContainerState::Running | ContainerState::Restarting);
        if !runs {
            let mut back = start(self, old, CAUSE);
            if let Action::StartContainer { spec_hash, .. } = &mut back.action {
                *spec_hash = SpecHash::from_label(old.spec_hash().unwrap_or_default());
            }
            steps.push(back);
        }
        let back = match away_for(old).filter(|_| runs) {
            Some(away) => format!("the one before it runs again, after {}", told(away)),
            None => "the one before it runs again".to_owned(),
        };
        self.rolled_back(steps, Some(old), failed, &back)
    }

    /// What failed is removed, and a container of the old image is made. What its run section was is known no more.
    fn to_the_old_image(&self, image: &'a Image, failed: RolledBack) -> ContainerPlan<'a> {
        let made = self.others.iter().copied().find(|container| {
            container.image == image.id && container.state == ContainerState::Created && has_not_failed(container)
        });
        let mut steps = self.remove_all_but(made);
        // Told apart from the start of what failed, which has the same spec.
        let spec_hash = SpecHash::from_label(&format!("{}@{}", self.hash, image.id));
        if made.is_none() {
            let create = Action::CreateContainer {
                name: self.run.name.clone(),
                image: ImageTarget::Present(image.id.clone()),
                spec: Box::new(self.spec.clone()),
                of: Try::default(),
            };
            steps.push(step(create, CAUSE));
        }
        if let Some(made) = made.filter(|made| made.name != self.run.name) {
            steps.push(rename(Some(made), &made.name, &self.run.name, CAUSE));
        }
        let id = made.map(|made| made.id.clone());
        steps.push(step(Action::StartContainer { id, name: self.run.name.clone(), spec_hash }, CAUSE));
        let back = format!("a container of the image before it, {}, runs instead", image.id.short());
        self.rolled_back(steps, made, failed, &back)
    }

    fn rolled_back(
        &self,
        mut steps: Vec<Step>,
        container: Option<&'a Container>,
        failed: RolledBack,
        back: &str,
    ) -> ContainerPlan<'a> {
        let why = if failed.cause.is_empty() { String::new() } else { format!(" ({})", failed.cause) };
        let message = format!("the new container failed{why}, so {back}: change the spec to try anew");
        let mut blocks = vec![Block::terminal(Part::Container, Reason::RolledBack, message)];
        // The way back may be barred as well.
        let refused = steps.iter().find_map(|step| self.observed.attempts.block(&step.action, self.now));
        let begins = steps.iter().any(|step| matches!(step.action, Action::StartContainer { .. }));
        let taken = || {
            let port = || port::conflict(self.spec, &self.desired.owner, self.observed);
            self.name_conflict().or_else(port).filter(|_| begins)
        };
        if let Some(block) = refused.or_else(taken) {
            steps.retain(|step| !matches!(step.action, Action::StartContainer { .. } | Action::CreateContainer { .. }));
            blocks.insert(0, block);
        }
        ContainerPlan { steps, blocks, container, rolled_back: Some(failed), ..ContainerPlan::default() }
    }

    fn remove_all_but(&self, one: Option<&Container>) -> Vec<Step> {
        let all = self.others.iter().chain(&self.current).copied();
        let rest = all.filter(|container| one.is_none_or(|one| one.id != container.id));
        rest.flat_map(|container| self.stop_and_remove(container, CAUSE)).collect()
    }
}

fn cause_of_end(detail: &ContainerDetail) -> String {
    match detail.error.as_str() {
        "" => format!("it ended with exit code {}", detail.exit_code),
        error => error.to_owned(),
    }
}

fn has_not_failed(container: &Container) -> bool {
    container.detail.as_ref().is_none_or(|detail| detail.exit_code == 0 && detail.error.is_empty())
}

/// How long a container was away that was stopped and started again; `None` once the engine has restarted it, too.
fn away_for(container: &Container) -> Option<Duration> {
    let detail = container.detail.as_ref().filter(|detail| detail.restarts == 0)?;
    let away = detail.started_at?.duration_since(detail.finished_at?);
    Duration::try_from(away).ok()
}

/// `0.4 s`.
pub(super) fn told(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
