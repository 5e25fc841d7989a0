//! The records of revisions: one for each image that was built, pulled or found, and for each build that failed; as many
//! superseded ones as are asked for.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{
    BuildStatus, ContainerAppRevisionSpec, ContainerAppRevisionStatus, RevisionImage, RevisionOutcome,
};

use super::container::{ContainerPlan, RunState};
use super::image::{ImagePlan, Target};
use super::{Observed, step};
use crate::app::status::time;
use crate::app::{
    Action, AttemptKey, BuildSpec, Desired, Failure, Image, ImageSource, InputHash, Making, RevisionRecord, Step,
    changes, inputs_of,
};

/// The steps that keep the records, by the place that they have among the others.
#[derive(Default)]
pub(super) struct RecordsPlan {
    /// That a build failed: before it is tried again.
    pub(super) failure: Vec<Step>,
    /// That the image is there: as soon as it is.
    pub(super) success: Vec<Step>,
    /// What is superseded: when everything else is done.
    pub(super) removals: Vec<Step>,
    /// When to look again, because a step has failed before.
    pub(super) look_again: Option<Duration>,
}

pub(super) fn plan(desired: &Desired, observed: &Observed, image: &ImagePlan<'_>, now: Timestamp) -> RecordsPlan {
    // While the image of an earlier revision is wanted nothing new comes out, and nothing is superseded.
    let records = observed.revisions.as_ref().filter(|_| desired.rollback_to.is_none());
    let (Some(records), Ok(source)) = (records, &desired.source) else {
        return RecordsPlan::default();
    };
    let mut ledger = Ledger { desired, observed, source, records: records.clone() };
    let failure = ledger.record_failure();
    let success = image.target().and_then(|target| ledger.record_success(target));
    let removals = ledger.remove_superseded();

    let mut plan = RecordsPlan::default();
    let mut due = |step: &Step| match observed.attempts.block(&step.action, now) {
        None => true,
        Some(block) => {
            plan.look_again = plan.look_again.into_iter().chain([block.look_again]).min();
            false
        }
    };
    let failure: Vec<Step> = failure.into_iter().filter(|step| due(step)).collect();
    let success: Vec<Step> = success.into_iter().filter(|step| due(step)).collect();
    let removals: Vec<Step> = removals.into_iter().filter(|step| due(step)).collect();
    RecordsPlan { failure, success, removals, ..plan }
}

/// The number of the revision whose image serves; `None` when it has no record. A container of the wanted image serves
/// once it is ready: until then the revision before it is the one to go back to.
pub(super) fn current(
    desired: &Desired,
    observed: &Observed,
    image: Option<&Image>,
    container: &ContainerPlan<'_>,
) -> Option<i64> {
    let wanted = image.map(|image| &image.id);
    let serving = match (container.container.map(|container| &container.image), &container.state) {
        (Some(held), RunState::NotYet) if Some(held) == wanted => return None,
        (None, RunState::NotYet) if desired.run.is_some() => return None,
        (held, _) => held.or(wanted)?.to_string(),
    };
    let records = observed.revisions.iter().flatten();
    let of_that_image = records
        .filter(|record| record.owner_uid == desired.owner.uid)
        .filter(|record| record.has_succeeded() && record.image_id() == Some(serving.as_str()));
    of_that_image.map(|record| record.number()).max()
}

/// Why there is a build, as a phrase that the newest record gives: what has changed since then, or what became of the
/// same inputs. `None` when there is no record or nothing that is recorded has changed.
pub(super) fn cause_of_build(desired: &Desired, build: &BuildSpec, observed: &Observed) -> Option<String> {
    let newest = newest_record(desired, observed)?;
    if newest.is_of(desired) {
        let became = if newest.has_succeeded() { "its image is gone from the engine" } else { "its last build failed" };
        return Some(became.to_owned());
    }
    let wanted = built_spec(desired, build, observed, newest.number() + 1);
    let changes = changes(&newest.spec, &wanted);
    (!changes.is_empty()).then(|| changes.join(", "))
}

/// Whether the author has asked for another build: with the builder's cache it would often be the same one.
pub(super) fn has_another_token(desired: &Desired, build: &BuildSpec, observed: &Observed) -> bool {
    let inputs = newest_record(desired, observed).and_then(|newest| newest.spec.inputs.as_ref());
    inputs.is_some_and(|inputs| inputs.rebuild_token != build.rebuild_token)
}

fn newest_record<'a>(desired: &Desired, observed: &'a Observed) -> Option<&'a RevisionRecord> {
    let records = observed.revisions.iter().flatten().filter(|record| record.owner_uid == desired.owner.uid);
    records.max_by_key(|record| record.number()).map(Arc::as_ref)
}

/// The records as they are, and as they will be after the steps that were planned.
struct Ledger<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    source: &'a ImageSource,
    records: Vec<Arc<RevisionRecord>>,
}

impl Ledger<'_> {
    fn own(&self) -> impl Iterator<Item = &RevisionRecord> {
        let own = |record: &&RevisionRecord| record.owner_uid == self.desired.owner.uid;
        self.records.iter().map(Arc::as_ref).filter(own)
    }

    fn newest(&self) -> Option<&RevisionRecord> {
        self.own().max_by_key(|record| record.number())
    }

    /// The record of the wanted image, if it is the newest of all.
    fn newest_of_the_wanted(&self) -> Option<&RevisionRecord> {
        self.newest().filter(|record| record.is_of(self.desired))
    }

    /// That the build of the wanted inputs has failed. The same build that fails again replaces what came out of it.
    fn record_failure(&mut self) -> Option<Step> {
        let ImageSource::Build(build) = self.source else {
            return None;
        };
        let failure = self.observed.attempts.failure(&build_action(self.desired, build))?;
        let failed_then = Some(time(failure.last));
        let is_this_failure = |record: &RevisionRecord| {
            record.is_of(self.desired) && !record.has_succeeded() && record.status.finished_at == failed_then
        };
        if self.own().any(is_this_failure) {
            return None;
        }
        let status = failed(failure, self.making(true));
        let replaced = self.newest_of_the_wanted().filter(|record| !record.has_succeeded()).cloned();
        Some(self.record(replaced, status, "the build failed"))
    }

    /// That the wanted image is there, or will be.
    fn record_success(&mut self, target: Target<'_>) -> Option<Step> {
        let image = target.present();
        let newest = self.newest_of_the_wanted();
        let is_built = matches!(self.source, ImageSource::Build(_));
        let (replaced, cause) = match newest {
            None => (None, "the image of this spec has no record yet"),
            Some(failed) if !failed.has_succeeded() => {
                (Some(failed.clone()), "its build has succeeded after a failure")
            }
            Some(record) if image.is_none_or(|image| record.image_id() == Some(&image.id.to_string())) => return None,
            Some(record) if is_built => (Some(record.clone()), "its image was built anew"),
            Some(_) => (None, "another image was pulled"),
        };
        let status = succeeded(image, self.making(false));
        Some(self.record(replaced, status, cause))
    }

    /// Superseded records beyond the limit. The one to go back to counts first: the newest that has an image. Never the
    /// newest of all, that of the wanted image, or one whose image a container of ours is made of.
    fn remove_superseded(&self) -> Vec<Step> {
        let limit = self.desired.revision_history_limit;
        let wanted = self.own().filter(|record| record.has_succeeded() && record.is_of(self.desired));
        let kept = [self.newest(), wanted.max_by_key(|record| record.number())];
        let kept: Vec<i64> = kept.into_iter().flatten().map(RevisionRecord::number).collect();
        let mut superseded: Vec<&RevisionRecord> =
            self.own().filter(|record| !kept.contains(&record.number()) && !self.is_in_use(record)).collect();
        superseded.sort_by_key(|record| std::cmp::Reverse(record.number()));
        if let Some(position) = superseded.iter().position(|record| record.has_succeeded()) {
            superseded[..=position].rotate_right(1);
        }
        let beyond = superseded.into_iter().skip(limit);
        let cause = format!("it is superseded, and {limit} superseded revisions are kept");
        beyond
            .map(|record| Action::RemoveRevision { number: record.number(), name: record.name() })
            .map(|action| step(action, cause.clone()))
            .collect()
    }

    fn is_in_use(&self, record: &RevisionRecord) -> bool {
        let ours = self.observed.containers.iter().filter(|container| self.desired.owner.made(&container.labels));
        ours.into_iter().any(|container| record.image_id() == Some(container.image.to_string().as_str()))
    }

    fn record(
        &mut self,
        replaced: Option<RevisionRecord>,
        status: ContainerAppRevisionStatus,
        cause: &'static str,
    ) -> Step {
        let record = match replaced {
            Some(replaced) => RevisionRecord { status, ..replaced },
            None => RevisionRecord { owner_uid: self.desired.owner.uid.clone(), spec: self.next_spec(), status },
        };
        self.records.retain(|other| other.owner_uid != record.owner_uid || other.number() != record.number());
        self.records.push(Arc::new(record.clone()));
        step(Action::RecordRevision { record: Box::new(record) }, cause)
    }

    fn next_spec(&self) -> ContainerAppRevisionSpec {
        let recorded = self.records.iter().map(|record| record.number());
        let number = recorded.chain(self.observed.memory.current_revision).max().unwrap_or(0) + 1;
        match self.source {
            ImageSource::Build(build) => built_spec(self.desired, build, self.observed, number),
            ImageSource::Pull { .. } => ContainerAppRevisionSpec {
                app: self.desired.owner.name.clone(),
                revision: number,
                image: self.desired.image.to_string(),
                input_hash: None,
                source: None,
                inputs: None,
            },
        }
    }

    /// How this process has brought the wanted image, or has failed to.
    fn making(&self, has_failed: bool) -> Option<&Making> {
        let action = match self.source {
            ImageSource::Build(build) => build_action(self.desired, build),
            ImageSource::Pull(_) => self.desired.pull_action()?,
        };
        let making = self.observed.making.as_ref()?;
        (making.what == AttemptKey::of(&action) && making.has_failed == has_failed).then_some(making)
    }
}

fn build_action(desired: &Desired, build: &BuildSpec) -> Action {
    let hash = InputHash::of(build);
    let reference = desired.owner.private_reference(&crate::app::ImageKey::built(&hash));
    // Attempts are told apart by what is built; how does not matter.
    Action::BuildImage { hash, reference, pull: false, anew: false }
}

fn built_spec(desired: &Desired, build: &BuildSpec, observed: &Observed, number: i64) -> ContainerAppRevisionSpec {
    ContainerAppRevisionSpec {
        app: desired.owner.name.clone(),
        revision: number,
        image: desired.image.to_string(),
        input_hash: Some(InputHash::of(build).to_string()),
        source: observed.context.as_ref().map(|content| content.source.clone()),
        inputs: Some(inputs_of(build, observed.context.as_ref())),
    }
}

fn succeeded(image: Option<&Image>, making: Option<&Making>) -> ContainerAppRevisionStatus {
    let image = image.map(|image| RevisionImage {
        id: image.id.to_string(),
        config_digest: image.config.as_ref().map(ToString::to_string),
        manifest_digest: image
            .target
            .as_ref()
            .or(image.manifests.first().map(|(_, digest)| digest))
            .map(ToString::to_string),
        size: Some(image.size),
    });
    ContainerAppRevisionStatus { image, ..came_out(RevisionOutcome::Succeeded, making) }
}

fn failed(failure: &Failure, making: Option<&Making>) -> ContainerAppRevisionStatus {
    let mut status = came_out(RevisionOutcome::Failed, making);
    status.finished_at = Some(time(failure.last));
    let told = BuildStatus { failure: failure.build_failure.clone(), ..BuildStatus::default() };
    status.build = status.build.or_else(|| failure.build_failure.is_some().then_some(told));
    status
}

fn came_out(outcome: RevisionOutcome, making: Option<&Making>) -> ContainerAppRevisionStatus {
    ContainerAppRevisionStatus {
        outcome,
        started_at: making.map(|making| time(making.started_at)),
        finished_at: making.map(|making| time(making.finished_at)),
        image: None,
        build: making.and_then(|making| making.build.clone()),
        log: making.map(|making| making.log.to_string()).unwrap_or_default(),
    }
}
