//! The status of a ContainerEngine, computed from one look at the engine.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use longshore_crds::ContainerEngineStatus;

use crate::app::{EngineInfo, ImageStore};

/// What a look at an engine has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It answers.
    Answering {
        /// What it says of itself.
        info: EngineInfo,
        /// How many containers of this installation it holds.
        containers: usize,
    },
    /// It does not, with the sentence that says why.
    Unreachable(String),
    /// The resource cannot be understood, with the sentence that says why.
    Invalid(String),
}

/// The status after a look. What the engine said of itself stays known while it does not answer; how many containers it
/// holds does not.
pub(super) fn status_after(
    old: &ContainerEngineStatus,
    generation: i64,
    look: &Look,
    now: Timestamp,
) -> ContainerEngineStatus {
    let condition = |type_: &str, status: &str, reason: &str, message: &str| {
        dated(
            old,
            Condition {
                type_: type_.to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
                message: message.to_owned(),
                observed_generation: Some(generation),
                last_transition_time: Time(now),
            },
        )
    };
    let mut status = ContainerEngineStatus { observed_generation: generation, containers: None, ..old.clone() };
    status.conditions = match look {
        Look::Answering { info, containers } => {
            status.id = Some(info.id.clone());
            status.version = Some(info.version.clone());
            status.api_version = Some(info.api_version.clone());
            status.image_store = Some(word_of(info.image_store).to_owned());
            status.containers = Some(i32::try_from(*containers).unwrap_or(i32::MAX));
            let message = format!("Docker Engine {} answers, API {}", info.version, info.api_version);
            vec![condition("Ready", "True", "Answering", &message)]
        }
        Look::Unreachable(why) => vec![condition("Ready", "False", "Unreachable", why)],
        // kstatus takes Ready=False alone for work that goes on; this only a person can mend.
        Look::Invalid(why) => {
            vec![condition("Ready", "False", "InvalidSpec", why), condition("Stalled", "True", "InvalidSpec", why)]
        }
    };
    status
}

fn word_of(store: ImageStore) -> &'static str {
    match store {
        ImageStore::GraphDriver => "graphdriver",
        ImageStore::Containerd => "containerd",
    }
}

/// The time of a condition moves only when its status does.
fn dated(old: &ContainerEngineStatus, mut condition: Condition) -> Condition {
    let before = old.conditions.iter().find(|before| before.type_ == condition.type_);
    if let Some(before) = before.filter(|before| before.status == condition.status) {
        condition.last_transition_time = before.last_transition_time.clone();
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::BuilderKind;

    fn answering(containers: usize) -> Look {
        let info = EngineInfo {
            id: "ABCD".to_owned(),
            version: "20.10.24".to_owned(),
            api_version: "1.41".to_owned(),
            image_store: ImageStore::GraphDriver,
            builder: BuilderKind::BuildKit,
        };
        Look::Answering { info, containers }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_engine_that_answers_is_ready_and_tells_what_it_is() {
        let status = status_after(&ContainerEngineStatus::default(), 3, &answering(2), at(1));
        assert_eq!(status.observed_generation, 3);
        assert_eq!(status.conditions[0].reason, "Answering");
        assert_eq!(status.conditions[0].message, "Docker Engine 20.10.24 answers, API 1.41");
        assert_eq!(status.image_store.as_deref(), Some("graphdriver"));
        assert_eq!(status.containers, Some(2));
    }

    #[test]
    fn nothing_new_is_the_same_status() {
        let first = status_after(&ContainerEngineStatus::default(), 3, &answering(2), at(1));
        assert_eq!(status_after(&first, 3, &answering(2), at(99)), first);
    }

    #[test]
    fn an_engine_that_falls_silent_keeps_its_identity_but_not_its_count() {
        let first = status_after(&ContainerEngineStatus::default(), 3, &answering(2), at(1));
        let silent = Look::Unreachable("the engine at tcp://a:1 does not answer: refused".to_owned());
        let status = status_after(&first, 3, &silent, at(9));
        assert_eq!(status.id.as_deref(), Some("ABCD"));
        assert_eq!(status.containers, None);
        assert_eq!(status.conditions[0].status, "False");
        assert_eq!(status.conditions[0].last_transition_time, Time(at(9)));
    }

    #[test]
    fn an_engine_that_cannot_be_understood_is_stalled() {
        let look = Look::Invalid("spec.endpoint: it is missing, and needed".to_owned());
        let status = status_after(&ContainerEngineStatus::default(), 1, &look, at(1));
        let types: Vec<&str> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types, ["Ready", "Stalled"]);
        let mended = status_after(&status, 2, &answering(0), at(2));
        assert_eq!(mended.conditions.len(), 1);
    }
}
