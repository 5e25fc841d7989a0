//! Whether a resource is ready, being worked on, or stalled, and the one sentence that says so.

use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::ContainerAppStatus;

use super::{Outlook, Telling};
use crate::app::plan::RunState;
use crate::app::{
    Action, Block, ContainerState, Desired, ImageSource, Memory, Observed, Part, Plan, Reason, Step, compact,
};

/// Which of kstatus's three states a resource is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Reconciling,
    Stalled,
}

pub(super) struct Verdict {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) message: String,
}

pub(super) fn verdict(old: &ContainerAppStatus, telling: &Telling, outlook: Outlook<'_>, now: Timestamp) -> Verdict {
    match outlook {
        Outlook::Planned { desired, plan, .. } if plan.is_fulfilled(desired) => {
            Verdict { state: State::Ready, reason: ready_reason(plan, desired), message: ready_message(desired, plan) }
        }
        Outlook::Planned { desired, observed, plan } => match obstacle(observed, plan) {
            Some(block) => {
                let block = Block { is_terminal: block.is_terminal && !goes_on(observed, plan), ..block };
                obstructed(old, telling, &block, desired.progress_deadline, now)
            }
            None => working(plan, telling),
        },
        Outlook::Blocked(block) => obstructed(old, telling, block, DEFAULT_DEADLINE, now),
        Outlook::Deleting { observed, steps } => {
            let failure = steps.iter().find_map(|step| observed.attempts.failure(&step.action));
            let message = match (failure, steps.first()) {
                (Some(failure), _) => failure.message.clone(),
                (None, Some(step)) => sentence(step),
                (None, None) => "nothing of it is left on the engine".to_owned(),
            };
            Verdict { state: State::Reconciling, reason: Reason::Deleting, message }
        }
    }
}

/// Where the spec could not be read there is no deadline of its own.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(600);

/// What stands in the way most: what only an edit helps, then what was tried and failed, then what is waited for.
fn obstacle(observed: &Observed, plan: &Plan) -> Option<Block> {
    let terminal = plan.blocks.iter().find(|block| block.is_terminal);
    let failed = || {
        let failure = plan.work().find_map(|step| observed.attempts.failure(&step.action))?;
        Some(Block::waiting(failure.part, failure.reason, failure.message.clone()))
    };
    terminal.cloned().or_else(failed).or_else(|| plan.blocks.first().cloned())
}

/// Whether there is something else to do that has not failed yet: only when that is done is it stalled.
fn goes_on(observed: &Observed, plan: &Plan) -> bool {
    plan.work().any(|step| observed.attempts.failure(&step.action).is_none())
}

fn obstructed(
    old: &ContainerAppStatus,
    telling: &Telling,
    block: &Block,
    deadline: Duration,
    now: Timestamp,
) -> Verdict {
    let memory = Memory::of(old);
    let was_stalled_by_this = memory.since("Stalled", telling.generation).is_some()
        && memory.condition("Stalled").is_some_and(|condition| is_the_same_trouble(&condition.reason, block.reason));
    let is_overdue = memory
        .since("Reconciling", telling.generation)
        .and_then(|since| Duration::try_from(now.duration_since(since)).ok())
        .is_some_and(|waited| waited >= deadline);
    let is_stalled = block.is_terminal || was_stalled_by_this || is_overdue;
    Verdict {
        state: if is_stalled { State::Stalled } else { State::Reconciling },
        reason: block.reason,
        message: block.message.clone(),
    }
}

/// Whether two reasons speak of one trouble: a container that is restarted again and again goes from one to the other.
fn is_the_same_trouble(before: &str, now: Reason) -> bool {
    let not_well = [Reason::CrashLoopBackOff, Reason::Unhealthy, Reason::BecomingReady];
    before == now.as_str() || (not_well.contains(&now) && not_well.iter().any(|reason| reason.as_str() == before))
}

fn working(plan: &Plan, telling: &Telling) -> Verdict {
    let telling_step =
        plan.work().find(|step| !matches!(step.action, Action::TagImage { .. })).or_else(|| plan.work().next());
    Verdict {
        state: State::Reconciling,
        reason: telling_step.map_or(Reason::Progressing, |step| reason_of(&step.action, plan)),
        message: telling_step.map_or_else(
            || "the container before is kept until the new one has stayed up".to_owned(),
            |step| so_far(step, telling),
        ),
    }
}

/// What a step does and why, and how far a build is.
fn so_far(step: &Step, telling: &Telling) -> String {
    match (&step.action, &telling.stage) {
        (Action::BuildImage { .. }, Some(stage)) => format!("{}; {stage}", sentence(step)),
        _ => sentence(step),
    }
}

/// `build image v1-3f5c…, because no image with these inputs is on the engine`.
fn sentence(step: &Step) -> String {
    format!("{}, because {}", step.action, step.cause)
}

fn reason_of(action: &Action, plan: &Plan) -> Reason {
    match action {
        Action::PullImage { .. } => Reason::Pulling,
        Action::BuildImage { .. } => Reason::Building,
        Action::PushImage { .. } => Reason::Pushing,
        Action::CreateVolume { .. }
        | Action::CreateNetwork { .. }
        | Action::CreateContainer { .. }
        | Action::StartContainer { .. }
            if plan.container.is_none() =>
        {
            Reason::Starting
        }
        Action::CreateVolume { .. }
        | Action::CreateContainer { .. }
        | Action::RenameContainer { .. }
        | Action::StopContainer { .. } => Reason::Replacing,
        Action::StartContainer { .. } | Action::UnpauseContainer { .. } => Reason::Starting,
        Action::TagImage { .. }
        | Action::AdjustContainer { .. }
        | Action::CreateNetwork { .. }
        | Action::ConnectNetwork { .. }
        | Action::RemoveNetwork { .. }
        | Action::RemoveContainer { .. }
        | Action::RemoveVolume { .. }
        | Action::RemoveImage { .. }
        | Action::DeleteTag { .. }
        | Action::RecordRevision { .. }
        | Action::RemoveRevision { .. } => Reason::Progressing,
    }
}

fn ready_reason(plan: &Plan, desired: &Desired) -> Reason {
    match (&desired.run, &plan.run) {
        (None, _) => Reason::ImageReady,
        (Some(_), RunState::Completed) => Reason::Completed,
        (Some(_), RunState::Stopped) => Reason::Stopped,
        (Some(_), RunState::OnSchedule { is_running: false, .. }) => Reason::Scheduled,
        (Some(_), _) => Reason::Running,
    }
}

fn ready_message(desired: &Desired, plan: &Plan) -> String {
    let image = match &plan.image {
        Some(image) => format!("{} ({})", desired.image, image.id.short()),
        None => desired.image.to_string(),
    };
    let what = match (&desired.run, &plan.run) {
        (None, _) => format!("{image} is on the engine {}", desired.engine),
        (Some(run), RunState::Completed) => format!("{image} has run as {} and exited with 0", run.name),
        (Some(_), RunState::OnSchedule { sentence, .. }) => format!("{image}: {sentence}"),
        (Some(run), RunState::Stopped) => format!("{} is stopped, as run.stopped asks", run.name),
        (Some(run), _) => format!("{image} running as {}{}", run.name, ports(plan)),
    };
    match desired.destinations.as_slice() {
        [] => what,
        [one] => format!("{what}; pushed to {}", one.reference),
        many => format!("{what}; pushed to {} references", many.len()),
    }
}

fn ports(plan: &Plan) -> String {
    let ports = plan.container.as_ref().map(|container| container.ports.as_slice()).unwrap_or_default();
    let list = compact(ports);
    if list.is_empty() { String::new() } else { format!(", {}", list.join(", ")) }
}

/// The verdict over one part, for its own condition: whether it holds, why, and the sentence.
pub(super) fn part(
    part: Part,
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    telling: &Telling,
) -> (&'static str, Reason, String) {
    if let Some(block) = plan.blocks.iter().find(|block| block.part == part) {
        return ("False", block.reason, block.message.clone());
    }
    let failed = plan.work().find_map(|step| observed.attempts.failure(&step.action));
    if let Some(failure) = failed.filter(|failure| failure.part == part) {
        return ("False", failure.reason, failure.message.clone());
    }
    match part {
        Part::Source => match (&plan.source_trouble, &telling.source) {
            (Some(trouble), _) => ("Unknown", trouble.reason, trouble.message.clone()),
            (None, Some(source)) => (
                "True",
                Reason::ContextRead,
                format!("{}: {} files, {} bytes", source.revision, source.files, source.size),
            ),
            (None, None) => ("True", Reason::ContextRead, "the context was read".to_owned()),
        },
        Part::Image => match &plan.image {
            Some(image) => match plan.source_trouble.as_ref().filter(|_| is_pulled(desired)) {
                Some(trouble) => ("Unknown", trouble.reason, trouble.message.clone()),
                None => ("True", Reason::ImagePresent, format!("{} is {}", desired.image, image.id)),
            },
            None => not_yet(plan, telling),
        },
        Part::Push => pushed(plan, telling),
        Part::Container => match (&plan.run, &plan.container) {
            (RunState::Running, Some(container)) => {
                ("True", Reason::Running, format!("{} runs{}", container.name, ports(plan)))
            }
            (RunState::Stopped, _) => ("False", Reason::Stopped, "it is stopped, as run.stopped asks".to_owned()),
            (RunState::OnSchedule { is_running, sentence }, _) => {
                ("True", if *is_running { Reason::Running } else { Reason::Scheduled }, sentence.clone())
            }
            (RunState::Completed, _) => ("True", Reason::Completed, "the one-shot has exited with 0".to_owned()),
            _ => not_yet(plan, telling),
        },
    }
}

fn is_pulled(desired: &Desired) -> bool {
    matches!(desired.source, Ok(ImageSource::Pull(_)))
}

fn pushed(plan: &Plan, telling: &Telling) -> (&'static str, Reason, String) {
    use crate::app::plan::PushState;
    let missing = plan.pushes.iter().any(|(_, state)| !state.is_held());
    if missing {
        return not_yet(plan, telling);
    }
    let unknown = plan.pushes.iter().find_map(|(reference, state)| match state {
        PushState::HeldWhenLastAsked(_, why) => Some((why.kind.reason(), format!("{reference}: {why}"))),
        PushState::Held(_) | PushState::Moved { .. } | PushState::Missing => None,
    });
    if let Some((reason, why)) = unknown {
        ("Unknown", reason, why)
    } else {
        let references: Vec<String> = plan.pushes.iter().map(|(reference, _)| reference.to_string()).collect();
        ("True", Reason::DestinationsHold, format!("{} holds the image", references.join(", ")))
    }
}

fn not_yet(plan: &Plan, telling: &Telling) -> (&'static str, Reason, String) {
    if plan.work().next().is_none() {
        return ("False", Reason::Progressing, waiting(plan));
    }
    let verdict = working(plan, telling);
    ("False", verdict.reason, verdict.message)
}

/// What a part waits for that cannot do anything itself, and what runs meanwhile.
fn waiting(plan: &Plan) -> String {
    let others = plan.blocks.first().map_or("every other condition", |block| block.part.condition());
    let running = plan.container.as_ref().filter(|container| container.state == ContainerState::Running);
    match running {
        Some(container) => format!("{} runs as it was before; it waits until {others} is True", container.name),
        None => format!("it waits until {others} is True"),
    }
}
