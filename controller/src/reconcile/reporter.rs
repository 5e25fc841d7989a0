//! Where a reconciler tells what it does while it does it: a terminal, a log, or nowhere.

use std::time::Duration;

use crate::app::Step;
use crate::engine::Progress;

use super::{AppKey, Event};

/// Whoever wants to hear. Calls come from many tasks at once and must return at once.
pub trait Reporter: Send + Sync {
    /// Tells something about a resource.
    fn report(&self, key: &AppKey, report: Report<'_>);
}

/// What is told.
#[derive(Clone, Copy, Debug)]
pub enum Report<'a> {
    /// A step begins.
    StepStarted(&'a Step),
    /// A long step is so far.
    Progress(&'a Step, &'a Progress),
    /// A step is done, after this time.
    StepDone(&'a Step, Duration),
    /// A step has failed, with this sentence.
    StepFailed(&'a Step, &'a str),
    /// Something worth an Event.
    Event(&'a Event),
    /// A relist has found a change of its containers that no event has told.
    DriftFound,
    /// The status, after a look: it has changed, or is still what it was.
    Status(&'a longshore_crds::ContainerAppStatus),
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoReporter;

impl Reporter for NoReporter {
    fn report(&self, _key: &AppKey, _report: Report<'_>) {}
}
