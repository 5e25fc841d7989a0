//! When a resource whose pass has failed is looked at again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The first wait. It doubles with each failure, and up to the same again is added, so that resources that failed
/// together do not come back together.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait, before what is added to it.
const LONGEST: Duration = Duration::from_mins(1);

/// The waits of those that fail. One that succeeds begins anew.
pub(super) struct Backoffs<K>(Mutex<HashMap<K, ExponentialBackoff>>);

impl<K: Clone + Eq + Hash> Backoffs<K> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// How long to wait after another failure.
    pub(super) fn after_failure(&self, key: &K) -> Duration {
        let mut all = self.lock();
        all.entry(key.clone()).or_insert_with(waits).next().unwrap_or(LONGEST)
    }

    /// Forgets the failures of one that succeeded or is gone.
    pub(super) fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, ExponentialBackoff>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST)
        .with_max_delay(LONGEST)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let backoffs = Backoffs::new();
        let waits: Vec<Duration> = (0..50).map(|_| backoffs.after_failure(&"web")).collect();
        assert!(waits[0] >= FIRST && waits[0] <= FIRST * 2, "{waits:?}");
        assert!(waits[5] >= FIRST * 32, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= LONGEST * 2), "{waits:?}");
        assert!(waits[49] >= LONGEST, "{waits:?}");
    }

    #[test]
    fn one_resources_failures_do_not_count_for_another() {
        let backoffs = Backoffs::new();
        for _ in 0..10 {
            backoffs.after_failure(&"web");
        }
        assert!(backoffs.after_failure(&"other") <= FIRST * 2);
    }

    #[test]
    fn a_success_begins_anew() {
        let backoffs = Backoffs::new();
        for _ in 0..10 {
            backoffs.after_failure(&"web");
        }
        backoffs.forget(&"web");
        assert!(backoffs.after_failure(&"web") <= FIRST * 2);
    }
}
