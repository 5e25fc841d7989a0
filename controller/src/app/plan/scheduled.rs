//! A one-shot that comes back: at most one run for each time that is due, and one at a time.
//!
//! Every run has a container of its own, whose label says when it was due. So a process that dies after it has made one
//! leaves behind what the next one needs to know. The status remembers the time before the container is started, and so
//! also when somebody removes it.

use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{RunOutcome, RunStatus, ScheduleStatus};

use super::container::{ContainerPlan, RunState, Situation, failed_to_start, remove, start, start_again};
use super::one_shot::{End, reason_of, until};
use super::readiness::Readiness;
use super::replacement::rename;
use super::{network, port};
use crate::app::status::time;
use crate::app::{Block, Container, ContainerState, Part, Reason, Schedule, Step, Try, labels};

/// A run that is over, or one that never began.
struct Over<'a> {
    /// Its container, where it is still there.
    container: Option<&'a Container>,
    /// What is new to tell of it.
    told: Option<RunStatus>,
}

/// What is due, and what has been.
struct Agenda<'s, 'a> {
    situation: &'s Situation<'a>,
    schedule: &'s Schedule,
    since: Timestamp,
    /// When the run was due that was begun last.
    begun: Option<Timestamp>,
    /// When the run is due that is to be begun.
    due: Option<Timestamp>,
    next: Option<Timestamp>,
}

pub(super) fn plan<'a>(situation: &Situation<'a>, schedule: &Schedule) -> ContainerPlan<'a> {
    let ours = situation.current.iter().chain(&situation.others).copied();
    let latest = ours
        .filter(|container| !container.labels.contains_key(labels::FOLDERS_OF))
        .max_by_key(|container| (Try::of(&container.labels), container.created_at));
    let agenda = Agenda::of(situation, schedule, latest);
    let mut plan = match latest {
        None => without_container(&agenda),
        Some(container) => with_container(&agenda, container),
    };
    let wait = agenda.next.and_then(|next| until(situation.now, next));
    plan.look_again = plan.look_again.into_iter().chain(wait).min();
    plan.schedule = Some(agenda.told(plan.told.as_ref()));
    plan
}

impl<'s, 'a> Agenda<'s, 'a> {
    fn of(situation: &'s Situation<'a>, schedule: &'s Schedule, latest: Option<&Container>) -> Self {
        let remembered = situation.observed.memory.schedule.as_ref();
        let is_same = |status: &&ScheduleStatus| {
            status.schedule == schedule.expression() && status.time_zone.as_deref() == schedule.zone_name()
        };
        let since = remembered.filter(is_same).map_or(time(situation.now).0, |status| status.since.0);
        let remembered = remembered.and_then(|status| status.last_schedule_time.as_ref()).map(|time| time.0);
        let labelled = latest.and_then(|container| Try::of(&container.labels).due);
        let begun = remembered.max(labelled);
        let due = schedule.latest(begun.map_or(since, |begun| begun.max(since)), situation.now);
        Self { situation, schedule, since, begun, due, next: schedule.next_after(situation.now) }
    }

    /// Whether it is too late for what is due.
    fn is_too_late(&self, due: Timestamp) -> bool {
        let late = Duration::try_from(self.situation.now.duration_since(due)).unwrap_or_default();
        self.situation.run.one_shot.starting_deadline.is_some_and(|deadline| late > deadline)
    }

    fn told(&self, run: Option<&RunStatus>) -> ScheduleStatus {
        let before = self.situation.observed.memory.schedule.as_ref();
        let begun = run.and_then(|run| run.scheduled_time.as_ref()).map(|time| time.0).max(self.begun);
        let succeeded = run.filter(|run| run.outcome == Some(RunOutcome::Succeeded));
        let succeeded_at = succeeded.and_then(|run| run.completion_time.clone());
        let last_successful_time =
            succeeded_at.or_else(|| before.and_then(|before| before.last_successful_time.clone()));
        ScheduleStatus {
            schedule: self.schedule.expression().to_owned(),
            time_zone: self.schedule.zone_name().map(str::to_owned),
            since: time(self.since),
            last_schedule_time: begun.map(time),
            last_successful_time,
            next_schedule_time: self.next.map(time),
            last_failure: self.last_failure(run).cloned(),
        }
    }

    /// The last run of what is wanted, where it has failed and none has succeeded since.
    fn last_failure<'r>(&'r self, run: Option<&'r RunStatus>) -> Option<&'r RunStatus> {
        let before = || self.situation.observed.memory.schedule.as_ref()?.last_failure.as_ref();
        let last = match run.and_then(|run| Some((run, run.outcome?))) {
            Some((_, RunOutcome::Succeeded)) => None,
            Some((run, _)) => Some(run),
            None => before(),
        };
        let wanted = self.situation.revision();
        last.filter(|run| wanted.is_none_or(|wanted| run.revision == wanted.as_str()))
    }

    /// That the last run has failed, with what comes next.
    fn failure(&self, run: Option<&RunStatus>, what_next: &str) -> Option<Block> {
        let failed = self.last_failure(run)?;
        let reason = failed.outcome.map_or(Reason::RunFailed, reason_of);
        let message = failed.message.as_deref().unwrap_or("the last run has failed");
        let due = failed.scheduled_time.as_ref().map_or_else(String::new, |due| format!("the run of {}: ", due.0));
        let name = &self.situation.desired.owner.name;
        let message = format!("{due}{message}; see longshore logs {name}; {what_next}");
        let look_again = self.next.and_then(|next| until(self.situation.now, next)).unwrap_or_default();
        Some(Block { look_again, ..Block::waiting(Part::Container, reason, message) })
    }

    fn runs_next(&self) -> String {
        self.next.map_or_else(String::new, |next| format!("it runs next at {}", time(next).0))
    }
}

fn with_container<'a>(agenda: &Agenda<'_, 'a>, container: &'a Container) -> ContainerPlan<'a> {
    let situation = agenda.situation;
    let is_to_run = match container.state {
        ContainerState::Created => !failed_to_start(container),
        state => state == ContainerState::Running,
    };
    if let Some(way) = is_to_run.then(|| network::put_right(situation, container)).flatten() {
        return ContainerPlan { told: Some(situation.going_on(container)), ..way };
    }
    match container.state {
        ContainerState::Running | ContainerState::Restarting | ContainerState::Paused => goes_on(agenda, container),
        ContainerState::Created if failed_to_start(container) => {
            let cause = "it could not be started, and started again it would run without its ports";
            let told = Some(situation.going_on(container));
            ContainerPlan { told, ..ContainerPlan::working(Some(container), vec![remove(container, cause)]) }
        }
        ContainerState::Created => start_run(agenda, container),
        ContainerState::Exited => ended(agenda, container),
        ContainerState::Dead | ContainerState::Removing => {
            ContainerPlan::working(Some(container), vec![remove(container, "the engine failed to remove it")])
        }
    }
}

/// A run goes on, whatever has been edited since it began: the next one is made of that.
fn goes_on<'a>(agenda: &Agenda<'_, 'a>, container: &'a Container) -> ContainerPlan<'a> {
    let situation = agenda.situation;
    if let Some(mut over) = situation.past_deadline(container) {
        for block in &mut over.blocks {
            block.is_terminal = false;
        }
        return over;
    }
    let of = Try::of(&container.labels);
    let which = of.due.map_or_else(|| "a run".to_owned(), |due| format!("the run of {due}"));
    let waiting = agenda.due.filter(|due| !agenda.is_too_late(*due));
    let waits = waiting.map_or_else(String::new, |due| format!("; the one of {due} waits for its end"));
    let sentence = format!("{which} goes on as {}{waits}", container.name);
    let told = situation.going_on(container);
    let mut blocks: Vec<Block> = agenda.failure(None, &sentence).into_iter().collect();
    let keeps_ending = container.state == ContainerState::Restarting
        || matches!(situation.readiness(container, false), Readiness::KeepsEnding);
    if keeps_ending {
        let last_end = situation.last_end(container);
        let name = &situation.desired.owner.name;
        let message = format!("{} keeps ending{last_end}: see longshore logs {name}", container.name);
        blocks.push(Block::waiting(Part::Container, Reason::CrashLoopBackOff, message));
    }
    let steps = leftovers(situation, container);
    let state = RunState::OnSchedule { is_running: true, sentence };
    let look_again = situation.until_deadline(container);
    ContainerPlan { told: Some(told), blocks, look_again, ..ContainerPlan::standing(container, state, steps) }
}

/// The container of a run is made, and what remains is to start it.
fn start_run<'a>(agenda: &Agenda<'_, 'a>, container: &'a Container) -> ContainerPlan<'a> {
    let situation = agenda.situation;
    let told = Some(situation.going_on(container));
    let mut steps = leftovers(situation, container);
    // The folders that it held are the new one's, and would go with it until that has started.
    steps.retain(|step| !situation.holds_folders(step));
    let which = Try::of(&container.labels).due.map_or_else(|| "it is made and should run".to_owned(), is_due);
    if container.name != situation.run.name {
        steps.push(rename(Some(container), &container.name, &situation.run.name, &which));
    }
    let begin = start(situation, container, &which);
    let refused = situation.name_conflict().or_else(|| situation.observed.attempts.block(&begin.action, situation.now));
    if let Some(block) =
        refused.or_else(|| port::conflict(situation.spec, &situation.desired.owner, situation.observed))
    {
        return ContainerPlan { told, ..ContainerPlan::blocked(Some(container), block) };
    }
    steps.push(begin);
    begins(agenda, Some(container), told, steps, &which)
}

fn ended<'a>(agenda: &Agenda<'_, 'a>, container: &'a Container) -> ContainerPlan<'a> {
    let situation = agenda.situation;
    let end = situation.end_of(container);
    let told = Some(situation.told(container, &end));
    match end {
        End::Interrupted => ContainerPlan { told, ..start_again(situation, container) },
        End::Again(at) => {
            if let Some(wait) = until(situation.now, at) {
                let steps = leftovers(situation, container);
                return ContainerPlan { told, ..situation.waits_for_next_try(container, at, wait, steps) };
            }
            let cause = situation.cause_of_next_try(container);
            begin(agenda, Over { container: Some(container), told }, &situation.try_after(container), &cause)
        }
        End::Succeeded | End::Failed(..) => rest(agenda, Over { container: Some(container), told }),
    }
}

fn without_container<'a>(agenda: &Agenda<'_, 'a>) -> ContainerPlan<'a> {
    let situation = agenda.situation;
    let unfinished = situation.observed.memory.run.as_ref().filter(|run| run.outcome.is_none());
    let begun = unfinished.and_then(|run| Some((run, run.scheduled_time.as_ref()?.0)));
    let Some((run, due)) = begun.filter(|(_, due)| agenda.begun.is_none_or(|begun| begun == *due)) else {
        return rest(agenda, Over { container: None, told: None });
    };
    let first_start = run.start_time.as_ref().map(|time| time.0);
    if first_start.is_none() || run.failed > 0 {
        let failed_before = u32::try_from(run.failed).unwrap_or_default();
        let of = Try { due: Some(due), failed_before, first_start };
        return begin(agenda, Over { container: None, told: None }, &of, &is_due(due));
    }
    // Whoever took it away has ended the run: at most one begins for each time.
    let message = format!("the container {} is gone before its run was over", situation.run.name);
    let (outcome, message) = (Some(RunOutcome::RunFailed), Some(message));
    let told = RunStatus { outcome, message, completion_time: Some(time(situation.now)), failed: 1, ..run.clone() };
    rest(agenda, Over { container: None, told: Some(told) })
}

/// Nothing runs: the next run begins if it is due, or is waited for.
fn rest<'a>(agenda: &Agenda<'_, 'a>, over: Over<'a>) -> ContainerPlan<'a> {
    let situation = agenda.situation;
    let missed = match agenda.due {
        Some(due) if agenda.is_too_late(due) => {
            let seconds = situation.run.one_shot.starting_deadline.unwrap_or_default().as_secs();
            format!("the run of {due} is left out, since it could not begin within {seconds} s; ")
        }
        Some(due) => {
            let of = Try { due: Some(due), ..Try::default() };
            return begin(agenda, over, &of, &is_due(due));
        }
        None => String::new(),
    };
    let sentence = format!("{missed}{}", agenda.runs_next());
    let blocks = agenda.failure(over.told.as_ref(), &sentence).into_iter().collect();
    let succeeded = over.told.as_ref().filter(|run| run.outcome == Some(RunOutcome::Succeeded));
    let finished = succeeded.and_then(|run| run.completion_time.as_ref());
    let sentence = match finished {
        Some(finished) => format!("it has exited with 0 at {}; {sentence}", finished.0),
        None => sentence,
    };
    let state = RunState::OnSchedule { is_running: false, sentence };
    let plan = match over.container {
        Some(container) => situation.kept_for_its_time(container, state, leftovers(situation, container)),
        None => ContainerPlan { state, ..ContainerPlan::default() },
    };
    ContainerPlan { told: over.told, blocks, ..plan }
}

/// The steps from one run to the next: the container of the one before goes, and one of its own is made.
fn begin<'a>(agenda: &Agenda<'_, 'a>, over: Over<'a>, of: &Try, cause: &str) -> ContainerPlan<'a> {
    let situation = agenda.situation;
    match situation.begin(of, cause) {
        Err(block) => ContainerPlan { told: over.told, ..ContainerPlan::blocked(over.container, block) },
        Ok(begin) => {
            let before = situation.current.iter().chain(&situation.others);
            let mut steps: Vec<Step> =
                before.flat_map(|container| situation.stop_and_remove(container, cause)).collect();
            steps.extend(begin);
            begins(agenda, over.container, over.told, steps, cause)
        }
    }
}

fn begins<'a>(
    agenda: &Agenda<'_, 'a>,
    container: Option<&'a Container>,
    told: Option<RunStatus>,
    steps: Vec<Step>,
    cause: &str,
) -> ContainerPlan<'a> {
    let blocks = agenda.failure(told.as_ref(), &format!("it runs again: {cause}")).into_iter().collect();
    let state = RunState::OnSchedule { is_running: false, sentence: cause.to_owned() };
    ContainerPlan { steps, blocks, state, container, told, ..ContainerPlan::default() }
}

/// All but this one: of earlier runs, or of a time without a schedule.
fn leftovers(situation: &Situation<'_>, container: &Container) -> Vec<Step> {
    let all = situation.everything_but(container);
    let cause = "its run is over";
    all.into_iter().flat_map(|old| situation.stop_and_remove(old, cause)).collect()
}

fn is_due(due: Timestamp) -> String {
    format!("its run of {due} is due")
}
