//! Which reports are worth a line, and how the line reads. It is the same on a terminal and elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use longshore_crds::ContainerAppStatus;

use crate::app::{Action, Owner, Reason, Step};
use crate::cli::output::{size, took};
use crate::engine::{LayerState, Progress, StepState};
use crate::reconcile::{AppKey, Report};

/// The reasons that a step's own lines tell better.
const TOLD_BY_STEPS: [Reason; 7] = [
    Reason::Progressing,
    Reason::Building,
    Reason::Pulling,
    Reason::Pushing,
    Reason::Starting,
    Reason::Replacing,
    Reason::Deleting,
];

/// A line about an app: a word for what is done, and the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `pull`, `build`, `ready`; always short.
    pub word: &'static str,
    /// What there is to say.
    pub text: String,
}

impl Line {
    fn new(word: &'static str, text: impl Into<String>) -> Self {
        Self { word, text: text.into() }
    }

    /// The line as it is printed.
    pub fn of(&self, name: &str) -> String {
        format!("{name}  {:<7} {}", self.word, self.text)
    }
}

/// Makes lines of reports, and remembers what must not be said twice.
#[derive(Default)]
pub struct Teller {
    told: Mutex<BTreeMap<AppKey, Told>>,
}

#[derive(Default)]
struct Told {
    /// What the status said last.
    status: Option<Line>,
    /// How much of a context was sent, until it is told.
    context: Option<u64>,
}

impl Teller {
    /// The lines for a report; often none.
    pub fn lines(&self, key: &AppKey, report: Report<'_>) -> Vec<Line> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(key.clone()).or_default();
        match report {
            Report::StepStarted(step) => step_started(step).into_iter().collect(),
            Report::StepDone(step, duration) => {
                let line = step_done(step, &took(duration));
                context_sent(told).into_iter().chain(line).collect()
            }
            Report::StepFailed(step, message) => {
                vec![Line::new(word(&step.action), format!("FAILED: {message}"))]
            }
            Report::Progress(_, Progress::ContextSent { bytes }) => {
                told.context = Some(*bytes);
                Vec::new()
            }
            Report::Progress(step, progress) => {
                let line = advanced(step, progress);
                context_sent(told).into_iter().chain(line).collect()
            }
            Report::Status(status) => status_changed(told, status).into_iter().collect(),
            // Why there was no pull or no build is told by nothing else.
            Report::Event(event) if event.reason == "ImageFound" => {
                vec![Line::new("image", event.note.as_str())]
            }
            Report::Event(_) | Report::DriftFound => Vec::new(),
        }
    }
}

/// The word for what a step does.
pub fn word(action: &Action) -> &'static str {
    match action {
        Action::PullImage { .. } => "pull",
        Action::BuildImage { .. } => "build",
        Action::TagImage { .. } => "tag",
        Action::PushImage { .. } => "push",
        Action::CreateVolume { .. } | Action::CreateNetwork { .. } | Action::CreateContainer { .. } => "create",
        Action::ConnectNetwork { .. } => "connect",
        Action::StartContainer { .. } => "start",
        Action::StopContainer { .. } => "stop",
        Action::UnpauseContainer { .. } => "unpause",
        Action::AdjustContainer { .. } => "adjust",
        Action::RenameContainer { .. } => "rename",
        Action::DeleteTag { .. } => "delete",
        Action::RemoveContainer { .. }
        | Action::RemoveVolume { .. }
        | Action::RemoveNetwork { .. }
        | Action::RemoveImage { .. }
        | Action::RemoveRevision { .. } => "remove",
        Action::RecordRevision { .. } => "record",
    }
}

/// What a step is about, without the word for what it does.
pub fn subject(action: &Action) -> String {
    let whole = action.to_string();
    whole.strip_prefix(word(action)).map_or(whole.clone(), |rest| rest.trim_start().to_owned())
}

/// Private tags and records are how we remember what is ours; that they are made says nothing to a person, unless
/// another has taken them away.
fn is_noise(step: &Step) -> bool {
    match &step.action {
        Action::TagImage { .. } if step.cause.starts_with("somebody") => false,
        Action::TagImage { reference, .. } | Action::RemoveImage { reference } => Owner::is_private(reference),
        action => action.keeps_records(),
    }
}

/// Short steps are told once, when they are done.
fn step_started(step: &Step) -> Option<Line> {
    let is_told = step.action.is_long();
    is_told.then(|| Line::new(word(&step.action), format!("{}, because {}", subject(&step.action), step.cause)))
}

fn step_done(step: &Step, took: &str) -> Option<Line> {
    if is_noise(step) {
        return None;
    }
    let text = if step.action.is_long() {
        format!("{}done  {took}", destination(&step.action))
    } else {
        format!("{}, because {}{}  {took}", subject(&step.action), step.cause, gap(&step.action))
    };
    Some(Line::new(word(&step.action), text))
}

/// How long nothing served, where a container was replaced.
fn gap(action: &Action) -> String {
    match action {
        Action::RemoveContainer { gap: Some(gap), .. } => format!("; the gap was {:.1} s", gap.as_secs_f64()),
        _ => String::new(),
    }
}

fn context_sent(told: &mut Told) -> Option<Line> {
    let bytes = told.context.take()?;
    Some(Line::new("build", format!("context of {} sent", size(bytes))))
}

fn advanced(step: &Step, progress: &Progress) -> Option<Line> {
    let text = match progress {
        Progress::BuildStep { number, total, name, state } => {
            let end = match state {
                StepState::Started => return None,
                StepState::Cached => "CACHED".to_owned(),
                StepState::Done { duration } => took(*duration),
                StepState::Failed => "FAILED".to_owned(),
            };
            format!("=> [{number}/{total}] {name}  {end}")
        }
        Progress::BuildLog { line } => format!("   {line}"),
        Progress::Layer { id, state } => format!("{}{id}  {}", destination(&step.action), layer(step, state)?),
        Progress::Message { line } => format!("{}{line}", destination(&step.action)),
        Progress::ContextSent { .. } => return None,
    };
    Some(Line::new(word(&step.action), text))
}

/// Several pushes go on side by side, so each of their lines says of which it tells.
fn destination(action: &Action) -> String {
    match action {
        Action::PushImage { reference, .. } => format!("{reference}  "),
        _ => String::new(),
    }
}

fn layer(step: &Step, state: &LayerState) -> Option<String> {
    match state {
        LayerState::Transferring { .. } => None,
        LayerState::Exists => Some("already there".to_owned()),
        LayerState::Done if matches!(step.action, Action::PushImage { .. }) => Some("pushed".to_owned()),
        LayerState::Done => Some("pulled".to_owned()),
        // A layer that the registry has in another repository is taken from there; the rest is waiting in many words.
        LayerState::Other(text) => text.starts_with("Mounted").then(|| text.clone()),
    }
}

/// That an app is ready, stalled or waits for somebody, when that is news.
fn status_changed(told: &mut Told, status: &ContainerAppStatus) -> Option<Line> {
    let find = |type_: &str| status.conditions.iter().find(|condition| condition.type_ == type_);
    let ready = find("Ready")?;
    let line = match (ready.status.as_str(), find("Stalled")) {
        ("True", _) => Line::new("ready", ready.message.as_str()),
        (_, Some(stalled)) => Line::new("stalled", told_with_reason(stalled)),
        _ if TOLD_BY_STEPS.iter().any(|reason| reason.as_str() == ready.reason) => {
            told.status = None;
            return None;
        }
        _ => Line::new("waits", told_with_reason(ready)),
    };
    let is_news = told.status.as_ref() != Some(&line);
    told.status = Some(line.clone());
    is_news.then_some(line)
}

fn told_with_reason(condition: &Condition) -> String {
    format!("{} ({})", condition.message, condition.reason)
}

#[cfg(test)]
#[path = "telling_tests.rs"]
mod tests;
