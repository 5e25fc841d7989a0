//! A container that ends: whether its run is over and how, when it is tried again, and when it is stopped or removed.
//!
//! Everything is read off the container where it is there: its labels tell which try of which run it is, and its times when
//! it began and ended. Only when it is gone, or its run was ended by us, the status says what became of it.

use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{RestartPolicy, RunOutcome, RunStatus};

use super::container::{self, ContainerPlan, RunState, Situation, remove, start_again, stop};
use super::replacement::has_to_be_stopped;
use super::step;
use crate::app::status::time;
use crate::app::{Block, Container, Part, Reason, Step, Try};

/// How long after the first failed try the next one begins. It doubles with every further one, up to the longest, as
/// batch/v1 has it.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(360);

/// How often a run is looked at that only an edit makes another.
const NOTHING_CHANGES: Duration = Duration::from_secs(300);

/// How a container has ended.
pub(super) enum End {
    /// Somebody has ended it before its time: it has not had its turn.
    Interrupted,
    /// It has exited with 0.
    Succeeded,
    /// It has failed, and is tried again from then on.
    Again(Timestamp),
    /// It has failed for good.
    Failed(RunOutcome, String),
}

/// What becomes of a container that ends one day, where there is no schedule.
pub(super) fn with_current<'a>(situation: &Situation<'a>, container: &'a Container) -> ContainerPlan<'a> {
    if let Some(over) = situation.past_deadline(container) {
        return over;
    }
    let mut plan = container::with_current(situation, container);
    if has_to_be_stopped(container) {
        plan.told = plan.told.or_else(|| Some(situation.going_on(container)));
        plan.look_again = plan.look_again.into_iter().chain(situation.until_deadline(container)).min();
    }
    plan
}

/// What becomes of a container that has ended, where there is no schedule.
pub(super) fn ended<'a>(situation: &Situation<'a>, container: &'a Container) -> ContainerPlan<'a> {
    if situation.spec.restart_policy == RestartPolicy::Always {
        return start_again(situation, container);
    }
    let end = situation.end_of(container);
    if let End::Interrupted = end {
        return start_again(situation, container);
    }
    if let Some(misplaced) = situation.take_name(container) {
        return misplaced;
    }
    let leftovers = situation.everything_but(container);
    let steps: Vec<Step> =
        leftovers.into_iter().flat_map(|old| situation.stop_and_remove(old, "its successor has run")).collect();
    let told = Some(situation.told(container, &end));
    match end {
        End::Interrupted => ContainerPlan::default(),
        End::Again(at) => ContainerPlan { told, ..try_again(situation, container, at, steps) },
        End::Succeeded => {
            let state = if steps.is_empty() { RunState::Completed } else { RunState::NotYet };
            ContainerPlan { told, ..situation.kept_for_its_time(container, state, steps) }
        }
        End::Failed(outcome, message) => {
            let blocks = vec![failed_for_good(situation, outcome, &message)];
            ContainerPlan { blocks, told, ..situation.kept_for_its_time(container, RunState::Failed, steps) }
        }
    }
}

/// The next try takes the place of the one that has failed.
fn try_again<'a>(
    situation: &Situation<'a>,
    container: &'a Container,
    at: Timestamp,
    mut steps: Vec<Step>,
) -> ContainerPlan<'a> {
    let cause = situation.cause_of_next_try(container);
    if let Some(wait) = until(situation.now, at) {
        return situation.waits_for_next_try(container, at, wait, steps);
    }
    steps.push(remove(container, &cause));
    let next = situation.try_after(container);
    match situation.begin(&next, &cause) {
        Ok(begin) => {
            steps.extend(begin);
            ContainerPlan::working(Some(container), steps)
        }
        Err(block) => ContainerPlan::blocked(Some(container), block),
    }
}

impl<'a> Situation<'a> {
    /// What is said of a run that is over though its container is gone; `None` when it is not over.
    pub(super) fn over(&self) -> Option<ContainerPlan<'a>> {
        let remembered = self.remembered();
        let failed = remembered.and_then(|run| Some((run.outcome?, run.message.clone().unwrap_or_default())));
        match failed {
            Some((RunOutcome::Succeeded, _)) => {
                Some(ContainerPlan { state: RunState::Completed, ..ContainerPlan::default() })
            }
            Some((outcome, message)) => {
                let block = failed_for_good(self, outcome, &message);
                Some(ContainerPlan { state: RunState::Failed, ..ContainerPlan::blocked(None, block) })
            }
            None if self.observed.memory.completed.is_some() && self.observed.memory.completed == self.revision() => {
                Some(ContainerPlan { state: RunState::Completed, ..ContainerPlan::default() })
            }
            None => None,
        }
    }

    /// Which try a container is that is made while there is none.
    pub(super) fn next_try(&self) -> Try {
        let unfinished = self.remembered().filter(|run| run.outcome.is_none() && run.failed > 0);
        unfinished.map_or_else(Try::default, |run| Try {
            due: None,
            failed_before: u32::try_from(run.failed).unwrap_or_default(),
            first_start: run.start_time.as_ref().map(|time| time.0),
        })
    }

    /// The run that the status tells of, if it is one of what is wanted.
    fn remembered(&self) -> Option<&RunStatus> {
        let revision = self.revision()?;
        self.observed.memory.run.as_ref().filter(|run| run.revision == revision.as_str())
    }

    /// What the status tells of the run of this container.
    fn remembered_of(&self, container: &Container) -> Option<&RunStatus> {
        let due = Try::of(&container.labels).due;
        let run = self.observed.memory.run.as_ref()?;
        (run.revision == revision_of(container) && run.scheduled_time.as_ref().map(|time| time.0) == due).then_some(run)
    }

    /// When the first try of its run was started; `None` before that.
    fn first_start(&self, container: &Container) -> Option<Timestamp> {
        let labelled = Try::of(&container.labels).first_start;
        let detail = container.detail.as_ref()?;
        let started_at = detail.started_at?;
        if labelled.is_some() || detail.restarts == 0 {
            return labelled.or(Some(time(started_at).0));
        }
        // The engine has started it again, and tells of the last time only.
        let remembered = self.remembered_of(container).and_then(|run| run.start_time.as_ref());
        Some(remembered.map_or(time(container.created_at).0, |time| time.0))
    }

    /// When its run must be over.
    fn deadline(&self, container: &Container) -> Option<Timestamp> {
        Some(self.first_start(container)? + self.run.one_shot.active_deadline?)
    }

    /// How long still until the deadline of a container that is alive.
    pub(super) fn until_deadline(&self, container: &Container) -> Option<Duration> {
        until(self.now, self.deadline(container)?)
    }

    /// The end of a container that goes on though its run should be over; `None` while it may.
    pub(super) fn past_deadline(&self, container: &'a Container) -> Option<ContainerPlan<'a>> {
        let is_alive = has_to_be_stopped(container);
        let deadline = self.deadline(container).filter(|deadline| is_alive && *deadline <= self.now)?;
        let (outcome, message) = self.too_long(container);
        let cause = format!("its time was over at {deadline}");
        let told = self.told(container, &End::Failed(outcome, message.clone()));
        let block = failed_for_good(self, outcome, &message);
        let plan = ContainerPlan::working(Some(container), vec![stop(self, container, &cause)]);
        Some(ContainerPlan { told: Some(RunStatus { completion_time: None, ..told }), blocks: vec![block], ..plan })
    }

    fn too_long(&self, container: &Container) -> (RunOutcome, String) {
        let seconds = self.run.one_shot.active_deadline.unwrap_or_default().as_secs();
        let message = format!("{} has run for more than {seconds} s, its activeDeadlineSeconds", container.name);
        (RunOutcome::DeadlineExceeded, message)
    }

    /// How a container has ended.
    pub(super) fn end_of(&self, container: &Container) -> End {
        let remembered = self.remembered_of(container).and_then(|run| Some((run.outcome?, run.message.clone())));
        match remembered {
            Some((RunOutcome::Succeeded, _)) => return End::Succeeded,
            Some((outcome, message)) => return End::Failed(outcome, message.unwrap_or_default()),
            None => {}
        }
        let detail = container.detail.clone().unwrap_or_default();
        let deadline = self.deadline(container);
        let took_too_long = || {
            let (outcome, message) = self.too_long(container);
            End::Failed(outcome, message)
        };
        if deadline.zip(detail.finished_at).is_some_and(|(deadline, finished)| finished >= deadline) {
            return took_too_long();
        }
        if detail.exit_code == 0 {
            return End::Succeeded;
        }
        let exhausted = || {
            let (outcome, message) = self.exhausted(container);
            End::Failed(outcome, message)
        };
        let limit = self.run.one_shot.backoff_limit;
        // Those who were interrupted have not had their turn. The engine starts again what ends by itself.
        let end = match self.spec.restart_policy {
            RestartPolicy::OnFailure if limit.is_some_and(|limit| detail.restarts >= i64::from(limit)) => exhausted(),
            RestartPolicy::OnFailure | RestartPolicy::Always => End::Interrupted,
            RestartPolicy::Never if self.was_stopped() => End::Interrupted,
            RestartPolicy::Never if self.failures(container) > limit.unwrap_or_default() => exhausted(),
            RestartPolicy::Never => {
                let ended_at = detail.finished_at.unwrap_or(self.now);
                End::Again(ended_at + backoff(self.failures(container)))
            }
        };
        match end {
            End::Failed(..) => end,
            _ if deadline.is_some_and(|deadline| deadline <= self.now) => took_too_long(),
            _ => end,
        }
    }

    /// How many tries of its run have failed, this one included, once it has.
    fn failures(&self, container: &Container) -> u32 {
        let by_the_engine = match self.spec.restart_policy {
            RestartPolicy::OnFailure => container.detail.as_ref().map_or(0, |detail| detail.restarts),
            RestartPolicy::Always | RestartPolicy::Never => 0,
        };
        Try::of(&container.labels).failed_before + u32::try_from(by_the_engine).unwrap_or_default() + 1
    }

    fn exhausted(&self, container: &Container) -> (RunOutcome, String) {
        let exit_code = container.detail.as_ref().map_or(0, |detail| detail.exit_code);
        let name = &container.name;
        match self.run.one_shot.backoff_limit {
            Some(limit) if limit > 0 => {
                let failures = times(self.failures(container));
                let message = format!(
                    "{name} has failed {failures}, last with exit code {exit_code}, and backoffLimit is {limit}"
                );
                (RunOutcome::BackoffLimitExceeded, message)
            }
            _ => {
                let policy = self.spec.restart_policy;
                (RunOutcome::RunFailed, format!("{name} has exited with {exit_code} and restartPolicy is {policy:?}"))
            }
        }
    }

    pub(super) fn cause_of_next_try(&self, container: &Container) -> String {
        let exit_code = container.detail.as_ref().map_or(0, |detail| detail.exit_code);
        let limit = self.run.one_shot.backoff_limit.unwrap_or_default();
        let failures = times(self.failures(container));
        format!("it has failed {failures}, last with exit code {exit_code}, and backoffLimit is {limit}")
    }

    /// Why another container is made for a run of which so many tries have failed, when the last one is gone already.
    pub(super) fn cause_of_try_after(&self, failures: u32) -> String {
        let limit = self.run.one_shot.backoff_limit.unwrap_or_default();
        format!("it has failed {}, and backoffLimit is {limit}", times(failures))
    }

    pub(super) fn waits_for_next_try(
        &self,
        container: &'a Container,
        at: Timestamp,
        wait: Duration,
        steps: Vec<Step>,
    ) -> ContainerPlan<'a> {
        let message =
            format!("{}: {}. The next try begins at {}", container.name, self.cause_of_next_try(container), time(at).0);
        let block = Block::waiting(Part::Container, Reason::RunFailed, message);
        // The deadline may pass before that.
        let look_again = wait.min(self.until_deadline(container).unwrap_or(wait));
        let blocks = vec![Block { look_again, ..block }];
        ContainerPlan { blocks, ..ContainerPlan::working(Some(container), steps) }
    }

    /// The try that comes after the one of this container.
    pub(super) fn try_after(&self, container: &Container) -> Try {
        Try {
            failed_before: self.failures(container),
            first_start: self.first_start(container),
            ..Try::of(&container.labels)
        }
    }

    /// The steps that make and start the container of a try, or what keeps it from that. The name must be free by then.
    pub(super) fn begin(&self, of: &Try, cause: &str) -> Result<Vec<Step>, Block> {
        if let Some(block) = self.name_conflict() {
            return Err(block);
        }
        let mut steps = self.foundations()?;
        let create = self.creation(&self.run.name, of.clone());
        steps.extend([step(create, cause), step(self.start_of_what_is_made(), cause)]);
        let refused = steps.iter().find_map(|step| self.observed.attempts.block(&step.action, self.now));
        match refused.or_else(|| super::port::conflict(self.spec, &self.desired.owner, self.observed)) {
            Some(block) => Err(block),
            None => Ok(steps),
        }
    }

    /// What the status tells of a run that has this container, which has ended.
    pub(super) fn told(&self, container: &Container, end: &End) -> RunStatus {
        let mut run = self.going_on(container);
        let failed = i32::try_from(self.failures(container)).unwrap_or(i32::MAX);
        let finished_at = container.detail.as_ref().and_then(|detail| detail.finished_at).map(time);
        match end {
            End::Interrupted => {}
            End::Again(_) => run.failed = failed,
            End::Succeeded => {
                run.failed = failed - 1;
                (run.outcome, run.completion_time) = (Some(RunOutcome::Succeeded), finished_at);
            }
            End::Failed(outcome, message) => {
                run.failed = failed;
                (run.outcome, run.completion_time) = (Some(*outcome), finished_at);
                run.message = Some(message.clone());
            }
        }
        run
    }

    /// What the status tells of a run that goes on in this container.
    pub(super) fn going_on(&self, container: &Container) -> RunStatus {
        let of = Try::of(&container.labels);
        RunStatus {
            revision: revision_of(container),
            scheduled_time: of.due.map(time),
            start_time: self.first_start(container).map(time),
            failed: i32::try_from(of.failed_before).unwrap_or(i32::MAX),
            ..RunStatus::default()
        }
    }

    /// How a container stands whose run is over: kept as long as it is asked to be, and then removed.
    pub(super) fn kept_for_its_time(
        &self,
        container: &'a Container,
        state: RunState,
        mut steps: Vec<Step>,
    ) -> ContainerPlan<'a> {
        let finished_at = container.detail.as_ref().and_then(|detail| detail.finished_at);
        let end =
            finished_at.zip(self.run.one_shot.kept_for).map(|(finished, kept_for)| (finished + kept_for, kept_for));
        let wait = end.and_then(|(end, _)| until(self.now, end));
        if let (Some((_, kept_for)), None) = (end, wait) {
            let seconds = kept_for.as_secs();
            steps.push(remove(container, &format!("its run is over, and ttlSecondsAfterFinished is {seconds}")));
        }
        ContainerPlan { look_again: wait, ..ContainerPlan::standing(container, state, steps) }
    }
}

/// The revision that a container is of.
fn revision_of(container: &Container) -> String {
    format!("{}@{}", container.spec_hash().unwrap_or_default(), container.image)
}

/// The block of a run that has failed for good, and what whoever reads of it can do.
fn failed_for_good(situation: &Situation<'_>, outcome: RunOutcome, message: &str) -> Block {
    let name = &situation.desired.owner.name;
    let message = format!("{message}: see longshore logs {name}, and change the spec to run it again");
    Block { look_again: NOTHING_CHANGES, ..Block::terminal(Part::Container, reason_of(outcome), message) }
}

/// The reason of a run that has failed.
pub(super) fn reason_of(outcome: RunOutcome) -> Reason {
    match outcome {
        RunOutcome::Succeeded => Reason::Completed,
        RunOutcome::RunFailed => Reason::RunFailed,
        RunOutcome::BackoffLimitExceeded => Reason::BackoffLimitExceeded,
        RunOutcome::DeadlineExceeded => Reason::DeadlineExceeded,
    }
}

/// How long after so many failed tries the next one begins.
fn backoff(failures: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_BACKOFF)
}

/// How long it is until then; `None` when it is now or was before.
pub(super) fn until(now: Timestamp, then: Timestamp) -> Option<Duration> {
    Duration::try_from(then.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
