//! Where an app stands, as its status tells.

use longshore_crds::{ContainerApp, ContainerStatus};

use crate::app::Reason;

/// Where an app stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something is being done, or is waited for; with what the status says of it, once it says something.
    Working(String),
    /// Everything that was asked is so.
    Ready(String),
    /// It will not get better by itself.
    Stalled(String),
    /// The spec says to keep one's hands off.
    Suspended,
}

impl Standing {
    /// Where this app stands. A status of an older generation says nothing about this one.
    pub fn of(app: &ContainerApp) -> Self {
        if app.spec.suspend {
            return Self::Suspended;
        }
        let generation = app.metadata.generation.unwrap_or(0);
        let message = |type_: &str, value: &str| {
            let conditions = app.status.iter().flat_map(|status| &status.conditions);
            conditions
                .filter(|condition| condition.observed_generation.unwrap_or(-1) >= generation)
                .find(|condition| condition.type_ == type_ && condition.status == value)
                .map(|condition| condition.message.clone())
        };
        if let Some(message) = message("Stalled", "True") {
            return Self::Stalled(message);
        }
        let former = app.status.iter().flat_map(|status| &status.former_engines).next();
        match (message("Ready", "True"), former) {
            // Nobody comes back for it when this process has ended.
            (Some(_), Some(former)) => {
                Self::Working(format!("it runs; what it has left on the engine {} is to be removed", former.name))
            }
            (Some(message), None) => Self::Ready(message),
            (None, _) => Self::Working(message("Ready", "False").unwrap_or_default()),
        }
    }

    /// Whether this app is a one-shot that has done what it was for: nothing of it is left to be kept alive, or removed.
    pub fn is_over(app: &ContainerApp) -> bool {
        let conditions = app.status.iter().flat_map(|status| &status.conditions);
        let has_completed = conditions
            .filter(|condition| condition.type_ == "Ready")
            .any(|condition| condition.reason == Reason::Completed.as_str());
        let is_to_be_removed = app.spec.run.as_ref().is_some_and(|run| run.ttl_seconds_after_finished.is_some());
        let container = app.status.as_ref().and_then(|status| status.container.as_ref());
        let is_removed = container.is_none_or(|container| container.state == ContainerStatus::REMOVED);
        has_completed && (is_removed || !is_to_be_removed) && matches!(Self::of(app), Self::Ready(_))
    }

    /// Whether runs of this app are to be started when they are due.
    pub fn comes_back(app: &ContainerApp) -> bool {
        let has_schedule = app.spec.run.as_ref().is_some_and(|run| run.schedule.is_some() && !run.stopped);
        has_schedule && !app.spec.suspend
    }

    /// Whether nothing more will come of waiting.
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::Working(_))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn app(suspend: bool, conditions: &Value) -> ContainerApp {
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": "web", "generation": 2},
            "spec": {"image": {"name": "a"}, "suspend": suspend},
            "status": {"observedGeneration": 2, "conditions": conditions},
        }))
        .unwrap()
    }

    fn condition(type_: &str, status: &str, generation: i64) -> Value {
        json!({
            "type": type_, "status": status, "observedGeneration": generation, "reason": "R", "message": "so it is",
            "lastTransitionTime": "2026-11-01T00:00:00Z",
        })
    }

    #[test]
    fn ready_is_ready() {
        let ready = app(false, &json!([condition("Ready", "True", 2)]));
        assert_eq!(Standing::of(&ready), Standing::Ready("so it is".to_owned()));
    }

    #[test]
    fn not_ready_alone_is_work_that_goes_on() {
        let working = app(false, &json!([condition("Ready", "False", 2)]));
        assert_eq!(Standing::of(&working), Standing::Working("so it is".to_owned()));
    }

    #[test]
    fn stalled_is_stalled() {
        let stalled = app(false, &json!([condition("Ready", "False", 2), condition("Stalled", "True", 2)]));
        assert_eq!(Standing::of(&stalled), Standing::Stalled("so it is".to_owned()));
    }

    #[test]
    fn what_was_said_of_an_older_generation_does_not_count() {
        let edited = app(false, &json!([condition("Ready", "True", 1)]));
        assert_eq!(Standing::of(&edited), Standing::Working(String::new()));
    }

    #[test]
    fn suspended_is_settled_whatever_the_status_says() {
        assert!(Standing::of(&app(true, &json!([]))).is_settled());
    }
}
