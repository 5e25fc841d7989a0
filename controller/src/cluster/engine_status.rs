//! The status of a ContainerEngine, computed from one look at the engine.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use longshore_crds::{ContainerEngineStatus, Leftover, Tombstone};

use crate::app::{Container, EngineInfo, ImageStore, labels};

/// How many leftovers are told at most, as the schema says.
const MOST_LEFTOVERS: usize = 32;

/// What a look at an engine has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It answers.
    Answering {
        /// What it says of itself.
        info: EngineInfo,
        /// How many containers of this installation it holds.
        containers: usize,
        /// Those of them whose owner nobody knows; `None` while nobody can say.
        leftovers: Option<Vec<Leftover>>,
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
        Look::Answering { info, containers, leftovers } => {
            status.id = Some(info.id.clone());
            status.version = Some(info.version.clone());
            status.api_version = Some(info.api_version.clone());
            status.image_store = Some(word_of(info.image_store).to_owned());
            status.containers = Some(i32::try_from(*containers).unwrap_or(i32::MAX));
            status.leftovers = without_the_dead(leftovers.as_ref().unwrap_or(&old.leftovers), &old.tombstones);
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

/// The containers of an installation, or of one namespace of it, that no resource with these UIDs has made.
pub(super) fn leftovers(ours: &[Container], owners: &BTreeSet<String>, namespace: Option<&str>) -> Vec<Leftover> {
    let leftover = |container: &Container| {
        let (of_namespace, name) = container.resource()?;
        let uid = container.labels.get(labels::OWNER_UID)?;
        let is_unknown = namespace.is_none_or(|known| known == of_namespace) && !owners.contains(uid);
        is_unknown.then(|| Leftover {
            container: container.name.clone(),
            uid: uid.clone(),
            namespace: of_namespace.to_owned(),
            name: name.to_owned(),
        })
    };
    let mut leftovers: Vec<Leftover> = ours.iter().filter_map(leftover).collect();
    leftovers.sort_by(|one, other| one.container.cmp(&other.container));
    leftovers
}

/// What a tombstone speaks of is known, and will go.
fn without_the_dead(leftovers: &[Leftover], tombstones: &[Tombstone]) -> Vec<Leftover> {
    let is_dead = |leftover: &&Leftover| tombstones.iter().any(|tombstone| tombstone.uid == leftover.uid);
    leftovers.iter().filter(|leftover| !is_dead(leftover)).take(MOST_LEFTOVERS).cloned().collect()
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
    use crate::app::{BuilderKind, ContainerId, ContainerState, Digest, Instance, Owner};

    fn answering(containers: usize) -> Look {
        let info = EngineInfo {
            id: "ABCD".to_owned(),
            version: "20.10.24".to_owned(),
            api_version: "1.41".to_owned(),
            image_store: ImageStore::GraphDriver,
            builder: BuilderKind::BuildKit,
        };
        Look::Answering { info, containers, leftovers: Some(Vec::new()) }
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

    fn container(namespace: &str, name: &str, uid: &str) -> Container {
        let owner = Owner {
            instance: Instance::new("test"),
            uid: uid.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        Container {
            id: ContainerId(uid.to_owned()),
            name: format!("{namespace}.{name}"),
            image: Digest::of("image").as_str().parse().unwrap(),
            labels: owner.labels(),
            state: ContainerState::Running,
            ports: Vec::new(),
            health: None,
            networks: [].into(),
            created_at: at(0),
            detail: None,
        }
    }

    fn told(leftovers: &[Leftover]) -> Vec<&str> {
        leftovers.iter().map(|leftover| leftover.container.as_str()).collect()
    }

    #[test]
    fn a_container_whose_owner_nobody_knows_is_told() {
        let ours = [container("shop", "web", "1"), container("shop", "old", "2"), container("bank", "api", "3")];
        let owners = BTreeSet::from(["1".to_owned()]);
        assert_eq!(told(&leftovers(&ours, &owners, None)), ["bank.api", "shop.old"]);
        assert_eq!(told(&leftovers(&ours, &owners, Some("shop"))), ["shop.old"], "the others cannot be known");
    }

    #[test]
    fn what_a_tombstone_speaks_of_is_no_leftover_and_the_tombstone_stays() {
        let ours = [container("shop", "old", "2")];
        let mut look = answering(1);
        if let Look::Answering { leftovers: found, .. } = &mut look {
            *found = Some(leftovers(&ours, &BTreeSet::new(), None));
        }
        let told_before = status_after(&ContainerEngineStatus::default(), 1, &look, at(1));
        assert_eq!(told(&told_before.leftovers), ["shop.old"]);
        let tombstone = Tombstone {
            uid: "2".to_owned(),
            namespace: "shop".to_owned(),
            name: "old".to_owned(),
            since: Time(at(0)),
            instance: "test".to_owned(),
            engine_id: String::new(),
            grace_period_seconds: 10,
            remove_volumes: false,
            local_references: Vec::new(),
        };
        let buried = ContainerEngineStatus { tombstones: vec![tombstone], ..told_before };
        let status = status_after(&buried, 1, &look, at(2));
        assert_eq!(status.leftovers, []);
        assert_eq!(status.tombstones, buried.tombstones);
        let silent = status_after(&buried, 1, &Look::Unreachable("refused".to_owned()), at(3));
        assert_eq!(silent.tombstones, buried.tombstones);
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
