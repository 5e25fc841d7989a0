//! Whether the process is alive and whether it is ready, which are two questions.
//!
//! *Alive* asks whether a restart would help: the loop that drives the queue still turns. An API server or an engine that
//! does not answer is no reason to restart, and so does not count here.
//!
//! *Ready* asks whether the process does its work: the watch has told every resource that there is. Until then a change
//! would not be noticed. An installation waits for it, and a rollout does not go on without it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After how long without a heartbeat the loop counts as stuck. It beats every few seconds.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// What is known of the process's health.
#[derive(Debug)]
pub struct Health {
    begun: Instant,
    /// When the loop last turned, in milliseconds since `begun`.
    last_beat: AtomicU64,
    is_synced: AtomicBool,
}

impl Health {
    /// The health of a process that has just begun: alive, and not ready.
    #[expect(clippy::new_without_default, reason = "it takes the time, which a default should not")]
    pub fn new() -> Self {
        Self { begun: Instant::now(), last_beat: AtomicU64::new(0), is_synced: AtomicBool::new(false) }
    }

    /// The loop has turned.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    /// The watch has told every resource that there is.
    pub fn synced(&self) {
        self.is_synced.store(true, Ordering::Relaxed);
    }

    /// Whether the loop still turns.
    pub fn is_alive(&self) -> bool {
        self.is_alive_at(Instant::now())
    }

    /// Whether every resource is known.
    pub fn is_ready(&self) -> bool {
        self.is_synced.load(Ordering::Relaxed)
    }

    fn beat_at(&self, now: Instant) {
        self.last_beat.store(self.age_at(now), Ordering::Relaxed);
    }

    fn is_alive_at(&self, now: Instant) -> bool {
        let silence = self.age_at(now).saturating_sub(self.last_beat.load(Ordering::Relaxed));
        Duration::from_millis(silence) <= LONGEST_SILENCE
    }

    fn age_at(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_has_not_turned_for_long_is_not_alive() {
        let health = Health::new();
        let later = health.begun + LONGEST_SILENCE + Duration::from_secs(1);
        assert!(health.is_alive_at(health.begun + LONGEST_SILENCE));
        assert!(!health.is_alive_at(later));
        health.beat_at(later);
        assert!(health.is_alive_at(later + LONGEST_SILENCE));
        assert!(!health.is_alive_at(later + LONGEST_SILENCE + Duration::from_secs(1)));
    }

    #[test]
    fn it_is_alive_before_it_is_ready() {
        let health = Health::new();
        assert!(health.is_alive());
        assert!(!health.is_ready());
        health.synced();
        assert!(health.is_ready());
    }
}
