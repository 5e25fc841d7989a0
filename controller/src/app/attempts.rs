//! What was tried for a resource and failed, and when it is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::BuildFailure;

use super::block::LOOK_FOR_HELP;
use super::{Action, Block, CredentialsMark, Digest, Part, Reason};

/// How often a resource is looked at that nothing but its own change helps.
const NOTHING_CHANGES: Duration = Duration::from_secs(60);

/// The failed attempts of one resource, by what was attempted. They are kept in memory only: a fresh start tries
/// everything once more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempts {
    failures: BTreeMap<AttemptKey, Failure>,
    /// What was begun anew with a new token since it last succeeded.
    with_new_tokens: BTreeSet<AttemptKey>,
    /// The credentials with which registries were asked.
    credentials: Option<CredentialsMark>,
}

/// What was attempted. Other inputs are another attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptKey(String);

impl AttemptKey {
    /// The key of this action.
    pub fn of(action: &Action) -> Self {
        Self(match action {
            Action::BuildImage { hash, .. } => format!("build {hash}"),
            Action::PushImage { reference, image } => format!("push {reference} {image:?}"),
            Action::CreateContainer { spec, image, .. } => format!("create {} {image:?}", spec.hash()),
            Action::StartContainer { spec_hash, .. } => format!("start {spec_hash}"),
            other => other.to_string(),
        })
    }
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// How often it has failed in a row for the same reason.
    pub count: u32,
    /// When it failed last.
    pub last: Timestamp,
    /// The part that waits for it.
    pub part: Part,
    /// The stable word.
    pub reason: Reason,
    /// A sentence.
    pub message: String,
    /// When it is tried again.
    pub retry: Retry,
    /// What failed in a build.
    pub build_failure: Option<BuildFailure>,
}

/// When a failed attempt is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never: the same attempt would certainly fail again.
    Never,
    /// Every few minutes, and at once when other credentials are there: it does not pass, but a person may mend it
    /// without touching the resource.
    Rarely,
    /// After a delay that doubles with every failure: it passes.
    Growing {
        /// The first delay.
        first: Duration,
        /// The longest delay.
        longest: Duration,
        /// What whoever refused it asks to wait.
        at_least: Option<Duration>,
    },
}

/// How long what only a person mends is left alone.
const RARELY: Duration = Duration::from_secs(300);

impl Retry {
    /// The delay doubling from one second to a minute.
    pub const SOON: Self =
        Self::Growing { first: Duration::from_secs(1), longest: Duration::from_secs(60), at_least: None };

    /// Whether it is called stalled at once.
    pub fn is_for_a_person(self) -> bool {
        matches!(self, Self::Never | Self::Rarely)
    }

    /// How long after the last of so many failures; `None` for ever.
    fn delay(self, count: u32) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Rarely => Some(RARELY),
            Self::Growing { first, longest, at_least } => {
                let doublings = count.saturating_sub(1).min(16);
                let delay = first.saturating_mul(1 << doublings).min(longest);
                Some(delay.max(at_least.unwrap_or_default()))
            }
        }
    }
}

impl Failure {
    /// When it is tried again; `None` for never.
    fn retry_at(&self) -> Option<Timestamp> {
        let delay = self.retry.delay(self.count)?;
        Some(self.last + delay + self.jitter(delay))
    }

    /// Up to an eighth of the delay on top, so that those who failed together do not come back together. The moment of
    /// the failure decides: a plan knows no chance, and gives the same delay at every look.
    fn jitter(&self, delay: Duration) -> Duration {
        let digest = Digest::of(format!("{} {}", self.last.as_nanosecond(), self.message));
        let chance = u32::from_str_radix(&digest.short()[..4], 16).unwrap_or_default();
        delay / 8 * chance / (1 << 16)
    }
}

impl Attempts {
    /// Notes a failure; `count` is set by what was noted before.
    pub fn failed(&mut self, action: &Action, mut failure: Failure) {
        let key = AttemptKey::of(action);
        let before = self.failures.get(&key).filter(|earlier| earlier.reason == failure.reason);
        failure.count = before.map_or(0, |earlier| earlier.count) + 1;
        self.failures.insert(key, failure);
    }

    /// Forgets the failures of something that has succeeded.
    pub fn succeeded(&mut self, action: &Action) {
        let key = AttemptKey::of(action);
        self.failures.remove(&key);
        self.with_new_tokens.remove(&key);
    }

    /// Notes that something is begun anew because a registry called its token expired. Whether it is so for the first
    /// time since it last succeeded.
    pub fn begin_with_a_new_token(&mut self, action: &Action) -> bool {
        self.with_new_tokens.insert(AttemptKey::of(action))
    }

    /// Notes with which credentials registries are asked. Whatever waited for a person is tried again with other ones.
    pub fn with_credentials(&mut self, mark: &CredentialsMark) {
        if self.credentials.as_ref() != Some(mark) {
            self.failures.retain(|_, failure| failure.retry != Retry::Rarely);
            self.credentials = Some(mark.clone());
        }
    }

    /// The last failure of this action.
    pub fn failure(&self, action: &Action) -> Option<&Failure> {
        self.failures.get(&AttemptKey::of(action))
    }

    /// Why this action is not to be tried now; `None` when it is.
    pub fn block(&self, action: &Action, now: Timestamp) -> Option<Block> {
        let failure = self.failure(action)?;
        let wait = failure.retry_at().map(|then| Duration::try_from(then.duration_since(now)).unwrap_or_default());
        if wait.is_some_and(|wait| wait.is_zero()) {
            return None;
        }
        Some(Block {
            part: failure.part,
            reason: failure.reason,
            message: failure.message.clone(),
            is_terminal: failure.retry.is_for_a_person(),
            look_again: match (failure.retry, wait) {
                // Other credentials may be there sooner.
                (Retry::Rarely, Some(wait)) => wait.min(LOOK_FOR_HELP),
                (_, wait) => wait.unwrap_or(NOTHING_CHANGES),
            },
            build_failure: failure.build_failure.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Credentials;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_second(1_767_268_800).unwrap() + Duration::from_secs_f64(seconds)
    }

    fn pull() -> Action {
        Action::PullImage { reference: "app:1".parse().unwrap(), platform: None }
    }

    fn failure(retry: Retry, reason: Reason, seconds: f64) -> Failure {
        let message = "no".to_owned();
        Failure { count: 0, last: at(seconds), part: Part::Image, reason, message, retry, build_failure: None }
    }

    /// The delays after so many failures in a row, without what chance adds.
    fn delays(retry: Retry, count: usize) -> Vec<u64> {
        let mut attempts = Attempts::default();
        let mut now = 0.0;
        let mut delays = Vec::new();
        for _ in 0..count {
            attempts.failed(&pull(), failure(retry, Reason::RegistryUnavailable, now));
            let until = attempts.failure(&pull()).unwrap().retry_at().unwrap();
            let delay = Duration::try_from(until.duration_since(at(now))).unwrap();
            let asked = retry.delay(u32::try_from(delays.len() + 1).unwrap()).unwrap();
            assert!(asked <= delay && delay <= asked * 9 / 8, "{delay:?} for {asked:?}");
            delays.push(asked.as_secs());
            now += delay.as_secs_f64();
        }
        delays
    }

    #[test]
    fn a_delay_doubles_up_to_the_longest_and_begins_anew_with_another_reason() {
        assert_eq!(delays(Retry::SOON, 9), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let mut attempts = Attempts::default();
        for reason in [Reason::RegistryUnavailable, Reason::RegistryUnavailable, Reason::RateLimited] {
            attempts.failed(&pull(), failure(Retry::SOON, reason, 0.0));
        }
        assert_eq!(attempts.failure(&pull()).unwrap().count, 1);
    }

    #[test]
    fn what_a_registry_asks_to_wait_is_waited() {
        let seconds = Duration::from_secs;
        let asked = Retry::Growing { first: seconds(1), longest: seconds(60), at_least: Some(seconds(90)) };
        assert_eq!(delays(asked, 3), [90, 90, 90]);
        let little = Retry::Growing { first: seconds(10), longest: seconds(60), at_least: Some(seconds(15)) };
        assert_eq!(delays(little, 3), [15, 20, 40]);
    }

    #[test]
    fn those_who_failed_together_do_not_come_back_together() {
        let until = |nanoseconds: i64| {
            let last = at(0.0) + Duration::from_nanos(nanoseconds.unsigned_abs());
            Failure { count: 9, last, ..failure(Retry::SOON, Reason::RateLimited, 0.0) }.retry_at().unwrap()
        };
        let times: std::collections::BTreeSet<i64> = (0..100).map(|number| until(number).as_second()).collect();
        assert!(times.len() > 4, "{times:?}");
    }

    #[test]
    fn what_waits_for_a_person_is_stalled_and_tried_again_with_other_credentials() {
        let credentials = |password: &str| {
            let (host, username) = ("gcr.io".to_owned(), "user".to_owned());
            CredentialsMark::of([Some(&Credentials { host, username, password: password.into() })])
        };
        let mut attempts = Attempts::default();
        attempts.with_credentials(&credentials("wrong"));
        attempts.failed(&pull(), failure(Retry::Rarely, Reason::AuthenticationRequired, 0.0));
        attempts.with_credentials(&credentials("wrong"));
        let block = attempts.block(&pull(), at(299.0)).unwrap();
        assert!(block.is_terminal && block.look_again <= LOOK_FOR_HELP);
        assert_eq!(attempts.block(&pull(), at(340.0)), None);
        attempts.with_credentials(&credentials("right"));
        assert_eq!(attempts.block(&pull(), at(1.0)), None);
    }

    #[test]
    fn what_passes_and_what_never_will_have_nothing_to_do_with_credentials() {
        for retry in [Retry::Never, Retry::SOON] {
            let mut attempts = Attempts::default();
            attempts.failed(&pull(), failure(retry, Reason::BuildFailed, 0.0));
            attempts.with_credentials(&CredentialsMark::of([None]));
            let block = attempts.block(&pull(), at(0.0)).unwrap();
            assert_eq!(block.is_terminal, retry == Retry::Never);
        }
    }
}
