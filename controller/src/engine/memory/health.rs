//! Health checks of the engine in memory (moby's `daemon/health.go`): due by the clock, with the outcome that the
//! command's script has, or that a test has set.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::after;
use super::program::Program;
use crate::app::{Health, HealthCheck, HealthReport};

/// How a container's checks stand.
#[derive(Clone, Debug)]
pub(super) struct Checks {
    check: HealthCheck,
    health: Health,
    failing_streak: u32,
    next: Timestamp,
    last: String,
}

impl Checks {
    /// They begin with the container's program.
    pub(super) fn begin(check: &HealthCheck, at: Timestamp) -> Self {
        Self {
            check: check.clone(),
            health: Health::Starting,
            failing_streak: 0,
            next: after(at, check.interval),
            last: String::new(),
        }
    }

    pub(super) fn next(&self) -> Timestamp {
        self.next
    }

    pub(super) fn report(&self) -> HealthReport {
        HealthReport {
            health: self.health,
            failing_streak: self.failing_streak,
            interval: self.check.interval,
            last: self.last.clone(),
        }
    }

    /// One look, at the time for which it was due, whose outcome a test may have set. What is told when the health has
    /// changed by it.
    pub(super) fn look(&mut self, started_at: Timestamp, is_well: Option<bool>) -> Option<String> {
        let at = self.next;
        self.next = after(at, self.check.interval.max(Duration::from_millis(1)));
        let before = self.health;
        let exit_code = match is_well {
            Some(is_well) => i64::from(!is_well),
            None => Program::exit_code_of_command(&self.check.command),
        };
        self.last = format!("exit code {exit_code}");
        let is_excused = before == Health::Starting && at < after(started_at, self.check.start_period);
        if exit_code == 0 {
            self.failing_streak = 0;
            self.health = Health::Healthy;
        } else if !is_excused {
            self.failing_streak += 1;
            if self.failing_streak >= self.check.retries {
                self.health = Health::Unhealthy;
            }
        }
        (self.health != before).then(|| format!("health_status: {}", self.health))
    }
}
