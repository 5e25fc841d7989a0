//! Health checks, as the engine takes them and as it tells what they have found.

use std::time::Duration;

use bollard::models::{ContainerState, ContainerStateStatusEnum, HealthConfig, HealthStatusEnum};

use crate::app::{Health, HealthCheck, HealthReport};

/// What counts where a health check says nothing of it (moby's `daemon/health.go`).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);

/// The least that the engine takes. A 0 would let the image's own value count.
const LEAST: Duration = Duration::from_millis(1);

/// How much of what a check has printed is kept, in characters.
const LONGEST_OUTPUT: usize = 256;

pub(super) fn to_config(check: &HealthCheck) -> HealthConfig {
    let nanoseconds = |duration: Duration| i64::try_from(duration.max(LEAST).as_nanos()).ok();
    HealthConfig {
        test: Some(std::iter::once("CMD".to_owned()).chain(check.command.iter().cloned()).collect()),
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        start_period: nanoseconds(check.start_period),
        retries: Some(i64::from(check.retries)),
        start_interval: None,
    }
}

/// What the check has found; `None` without one, and while nothing runs: what the engine says of a container that has
/// ended is how its checking ended, not how it was.
pub(super) fn of_inspection(state: &ContainerState, config: Option<&HealthConfig>) -> Option<HealthReport> {
    if !matches!(state.status, Some(ContainerStateStatusEnum::RUNNING)) {
        return None;
    }
    let found = state.health.as_ref()?;
    let health = match found.status? {
        HealthStatusEnum::STARTING => Health::Starting,
        HealthStatusEnum::HEALTHY => Health::Healthy,
        HealthStatusEnum::UNHEALTHY => Health::Unhealthy,
        HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => return None,
    };
    let interval = config.and_then(|config| config.interval).and_then(|nanoseconds| u64::try_from(nanoseconds).ok());
    let last = found.log.as_deref().unwrap_or_default().last();
    Some(HealthReport {
        health,
        failing_streak: found.failing_streak.and_then(|streak| u32::try_from(streak).ok()).unwrap_or_default(),
        interval: interval.filter(|interval| *interval > 0).map_or(DEFAULT_INTERVAL, Duration::from_nanos),
        last: last.map_or_else(String::new, |last| {
            said(last.exit_code.unwrap_or_default(), last.output.as_deref().unwrap_or_default())
        }),
    })
}

/// What the check of a container has found, by the words in which a list tells its state: `Up 3 minutes (healthy)`
/// (moby's `container/state.go`, Docker Engine 20.10 to 29).
pub(super) fn of_listed_status(status: &str) -> Option<Health> {
    let (_, found) = status.strip_suffix(')')?.rsplit_once(" (")?;
    match found {
        "health: starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        _ => None,
    }
}

/// `exit code 1: connection refused`, on one line.
fn said(exit_code: i64, output: &str) -> String {
    let words: Vec<&str> = output.split_whitespace().collect();
    let text: String = words.join(" ").chars().filter(|character| !character.is_control()).collect();
    let short: String = text.chars().take(LONGEST_OUTPUT).collect();
    // The engine's own words stand where the command could not be run or took too long; its code for that is -1.
    match (exit_code, short.as_str()) {
        (-1, "") => "it could not be run".to_owned(),
        (-1, words) => words.to_owned(),
        (code, "") => format!("exit code {code}"),
        (code, words) => format!("exit code {code}: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_tells_health_in_words() {
        assert_eq!(of_listed_status("Up 3 minutes (healthy)"), Some(Health::Healthy));
        assert_eq!(of_listed_status("Up Less than a second (health: starting)"), Some(Health::Starting));
        assert_eq!(of_listed_status("Up 2 hours (unhealthy)"), Some(Health::Unhealthy));
        for other in ["Up 3 minutes", "Up 3 minutes (Paused)", "Exited (137) 2 minutes ago", "Created", ""] {
            assert_eq!(of_listed_status(other), None, "{other}");
        }
    }

    fn state(json: &str) -> ContainerState {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_a_check_found_is_told_with_its_last_words_on_one_line() {
        let running = state(
            r#"{"Status":"running","Health":{"Status":"unhealthy","FailingStreak":3,"Log":[
                {"Start":"2026-11-01T00:00:00Z","End":"2026-11-01T00:00:01Z","ExitCode":1,"Output":"wget:\n refused\n"}]}}"#,
        );
        let report = of_inspection(&running, None).unwrap();
        assert_eq!((report.health, report.failing_streak), (Health::Unhealthy, 3));
        assert_eq!((report.last.as_str(), report.interval), ("exit code 1: wget: refused", DEFAULT_INTERVAL));
    }

    #[test]
    fn what_does_not_run_has_no_health() {
        let ended = state(r#"{"Status":"exited","Health":{"Status":"unhealthy","FailingStreak":0,"Log":[]}}"#);
        assert_eq!(of_inspection(&ended, None), None);
    }

    #[test]
    fn nothing_is_left_to_the_images_own_check() {
        let check = HealthCheck {
            command: vec!["true".to_owned()],
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            start_period: Duration::ZERO,
            retries: 3,
        };
        let config = to_config(&check);
        assert_eq!(config.test, Some(vec!["CMD".to_owned(), "true".to_owned()]));
        assert_eq!((config.interval, config.start_period), (Some(10_000_000_000), Some(1_000_000)));
    }
}
