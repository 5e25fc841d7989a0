//! Whose turn it is: which steps of a plan are begun beside those that are under way.
//!
//! Steps are done one after the other, but for pushes: those go on beside everything else and beside one another, so
//! that neither a slow nor a broken registry holds up another one, or the container. The layers that several tags of
//! one repository share are sent once: its first tag brings them, and the other tags follow together once it is there.

use std::collections::BTreeSet;

use super::{Plan, PushState};
use crate::app::{Action, Desired, ImageReference, ImageTarget, Repository, Step};

/// What is to be done, given what is under way.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// These are not wanted any more: end them, and look again.
    Cancel(Vec<Action>),
    /// Something is about to end whose result is seen already: nothing can be said before.
    Await,
    /// These are begun now; none while what is under way is waited for, or nothing is left to do. Only pushes are
    /// several.
    Begin(Vec<Step>),
}

impl Plan {
    /// What is to be done, given what is under way.
    pub fn turn(&self, desired: &Desired, running: &[Action]) -> Turn {
        let (planned, others): (Vec<&Action>, Vec<&Action>) = running.iter().partition(|action| self.goes_on(action));
        let useless: Vec<Action> =
            others.iter().filter(|action| !self.awaits(desired, action)).copied().cloned().collect();
        if !useless.is_empty() {
            return Turn::Cancel(useless);
        }
        if !others.is_empty() {
            return Turn::Await;
        }
        let mut left = self.steps.iter().filter(|step| !planned.iter().any(|action| step.action.is_same_work(action)));
        match left.clone().next() {
            None => Turn::Begin(Vec::new()),
            Some(step) if step.action.is_bookkeeping() => Turn::Begin(vec![step.clone()]),
            Some(_) if running.iter().any(|action| pushed(action).is_none()) => Turn::Begin(Vec::new()),
            Some(step) if pushed(&step.action).is_some() => Turn::Begin(self.pushes_to_begin(&mut left, running)),
            Some(step) => Turn::Begin(vec![step.clone()]),
        }
    }

    /// Whether what is under way is what the plan has for it.
    fn goes_on(&self, running: &Action) -> bool {
        match pushed(running) {
            Some(_) => self.steps.iter().any(|step| step.action == *running),
            None => self.work().next().is_some_and(|step| step.action.is_same_work(running)),
        }
    }

    /// Whether the end of what is under way is awaited though its result is seen already.
    fn awaits(&self, desired: &Desired, running: &Action) -> bool {
        match running {
            Action::PushImage { reference, image: ImageTarget::Present(id) } => {
                let is_held = |(held, state): &(ImageReference, PushState)| held == reference && state.is_held();
                self.image.as_ref().is_some_and(|image| image.id == *id) && self.pushes.iter().any(is_held)
            }
            other => desired.awaits_the_end_of(other),
        }
    }

    /// Of the pushes that are next, those whose repository holds the layers already or is sent them by no other push.
    fn pushes_to_begin<'a>(&self, left: &mut impl Iterator<Item = &'a Step>, running: &[Action]) -> Vec<Step> {
        let holds = |repository: &Repository| {
            self.pushes.iter().any(|(reference, state)| reference.repository() == repository && state.is_held())
        };
        let mut busy: BTreeSet<&Repository> = running.iter().filter_map(pushed).collect();
        let next = left.map_while(|step| Some((step, pushed(&step.action)?)));
        let free = next.filter(|(_, repository)| holds(repository) || busy.insert(repository));
        free.map(|(step, _)| step.clone()).collect()
    }
}

/// The repository to which an action pushes.
fn pushed(action: &Action) -> Option<&Repository> {
    match action {
        Action::PushImage { reference, .. } => Some(reference.repository()),
        _ => None,
    }
}
