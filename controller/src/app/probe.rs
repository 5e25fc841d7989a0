//! Whether the program in a container is well: how that is found out, and what was found.

use std::fmt;
use std::time::Duration;

use longshore_crds::Probe;
use serde_json::{Value, json};

/// What the engine does to find out whether the program in a container is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The program that is run in the container, and its arguments: it is well when that exits with 0.
    pub command: Vec<String>,
    /// How often, the first time so long after the start.
    pub interval: Duration,
    /// How long it may take.
    pub timeout: Duration,
    /// For how long after the start a failure does not count.
    pub start_period: Duration,
    /// How many failures in a row make it unhealthy.
    pub retries: u32,
}

impl HealthCheck {
    /// The health check that stands for the probes of a spec; `None` when it has none. Where it has both, they differ in
    /// the number of failures only, and unready comes before restarted.
    pub fn of(readiness: Option<&Probe>, liveness: Option<&Probe>) -> Option<Self> {
        let probe = readiness.or(liveness)?;
        let seconds = |seconds: i32| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Some(Self {
            command: probe.exec.command.clone(),
            interval: seconds(probe.period_seconds),
            timeout: seconds(probe.timeout_seconds),
            start_period: seconds(probe.initial_delay_seconds),
            retries: u32::try_from(probe.failure_threshold).unwrap_or(1),
        })
    }

    /// The one form that is hashed.
    pub(crate) fn canonical(&self) -> Value {
        json!({
            "command": self.command,
            "intervalSeconds": self.interval.as_secs(),
            "retries": self.retries,
            "startPeriodSeconds": self.start_period.as_secs(),
            "timeoutSeconds": self.timeout.as_secs(),
        })
    }
}

/// Why the two probes of a spec cannot be one health check of the engine; `None` when they can.
pub(super) fn contradiction(readiness: &Probe, liveness: &Probe) -> Option<String> {
    let alike = Probe { failure_threshold: readiness.failure_threshold, ..liveness.clone() };
    if alike != *readiness {
        return Some(
            "differs from spec.run.readinessProbe in more than failureThreshold, and an engine has one health check \
             for a container"
                .to_owned(),
        );
    }
    (liveness.failure_threshold < readiness.failure_threshold).then(|| {
        format!(
            "has the failureThreshold {}, and that of spec.run.readinessProbe is {}: it must be at least as much",
            liveness.failure_threshold, readiness.failure_threshold
        )
    })
}

/// What an engine's health check has found, in the engine's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has not been well since the start, and has not failed too often either.
    Starting,
    /// It is well.
    Healthy,
    /// It has failed too often in a row.
    Unhealthy,
}

impl fmt::Display for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// What is known of a container that has a health check and runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// What was found.
    pub health: Health,
    /// How often in a row it has failed.
    pub failing_streak: u32,
    /// How often it is looked.
    pub interval: Duration,
    /// What the last look printed or said, and with which exit code; empty before the first.
    pub last: String,
}

#[cfg(test)]
mod tests {
    use longshore_crds::ExecAction;

    use super::*;

    fn probe(failure_threshold: i32) -> Probe {
        Probe {
            exec: ExecAction { command: vec!["true".to_owned()] },
            initial_delay_seconds: 5,
            period_seconds: 10,
            timeout_seconds: 1,
            failure_threshold,
        }
    }

    #[test]
    fn a_probe_becomes_the_engines_health_check() {
        let check = HealthCheck::of(Some(&probe(3)), None).unwrap();
        let seconds = Duration::from_secs;
        assert_eq!((check.interval, check.timeout, check.start_period), (seconds(10), seconds(1), seconds(5)));
        assert_eq!((check.command, check.retries), (vec!["true".to_owned()], 3));
        assert_eq!(HealthCheck::of(None, None), None);
    }

    #[test]
    fn of_two_probes_the_readiness_decides_when_it_is_unhealthy() {
        let check = HealthCheck::of(Some(&probe(2)), Some(&probe(5))).unwrap();
        assert_eq!(check.retries, 2);
        assert_eq!(contradiction(&probe(2), &probe(5)), None);
    }

    #[test]
    fn two_probes_that_are_not_one_health_check_are_refused() {
        let other = Probe { period_seconds: 1, ..probe(3) };
        assert!(contradiction(&probe(3), &other).unwrap().contains("one health check"));
        assert!(contradiction(&probe(3), &probe(2)).unwrap().contains("failureThreshold 2"));
    }
}
