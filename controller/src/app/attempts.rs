//! What was tried for a resource and failed, and when it is tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::BuildFailure;

use super::{Action, Block, Part, Reason};

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// The failed attempts of one resource, by what was attempted. They are kept in memory only: a fresh start tries
/// everything once more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempts(BTreeMap<AttemptKey, Failure>);

/// What was attempted. Other inputs are another attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptKey(String);

impl AttemptKey {
    /// The key of this action.
    pub fn of(action: &Action) -> Self {
        Self(match action {
            Action::BuildImage { hash, .. } => format!("build {hash}"),
            Action::PushImage { reference, image } => format!("push {reference} {image:?}"),
            Action::CreateContainer { spec, .. } => format!("create {}", spec.hash()),
            Action::StartContainer { spec_hash, .. } => format!("start {spec_hash}"),
            other => other.to_string(),
        })
    }
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// How often it has failed in a row.
    pub count: u32,
    /// When it failed last.
    pub last: Timestamp,
    /// The part that waits for it.
    pub part: Part,
    /// The stable word.
    pub reason: Reason,
    /// A sentence.
    pub message: String,
    /// Whether the same attempt would certainly fail again.
    pub is_terminal: bool,
    /// Whether it is called stalled at once, though it is tried again.
    pub stalls: bool,
    /// What failed in a build.
    pub build_failure: Option<BuildFailure>,
}

impl Failure {
    /// When it is tried again, the delay doubling from one second to a minute.
    fn retry_at(&self) -> Timestamp {
        let doublings = self.count.saturating_sub(1).min(10);
        let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY);
        self.last + delay
    }
}

impl Attempts {
    /// Notes a failure; `count` is set by what was noted before.
    pub fn failed(&mut self, action: &Action, mut failure: Failure) {
        let key = AttemptKey::of(action);
        failure.count = self.0.get(&key).map_or(0, |earlier| earlier.count) + 1;
        self.0.insert(key, failure);
    }

    /// Forgets the failures of something that has succeeded.
    pub fn succeeded(&mut self, action: &Action) {
        self.0.remove(&AttemptKey::of(action));
    }

    /// The last failure of this action.
    pub fn failure(&self, action: &Action) -> Option<&Failure> {
        self.0.get(&AttemptKey::of(action))
    }

    /// Why this action is not to be tried now; `None` when it is.
    pub fn block(&self, action: &Action, now: Timestamp) -> Option<Block> {
        let failure = self.failure(action)?;
        let wait = Duration::try_from(failure.retry_at().duration_since(now)).unwrap_or(Duration::ZERO);
        if !failure.is_terminal && wait.is_zero() {
            return None;
        }
        Some(Block {
            part: failure.part,
            reason: failure.reason,
            message: failure.message.clone(),
            is_terminal: failure.is_terminal || failure.stalls,
            look_again: if failure.is_terminal { LONGEST_DELAY } else { wait },
            build_failure: failure.build_failure.clone(),
        })
    }
}
