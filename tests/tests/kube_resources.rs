//! Reading, holding, telling and letting go on a real API server, with no more rights than the chart gives.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event as KubeEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use longshore::app::{Instance, Owner, RevisionRecord};
use longshore::cluster::{KubeResources, instance};
use longshore::reconcile::{AppKey, Event, EventKind, FINALIZER, ResourceError, Resources};
use longshore_crds::{ContainerApp, ContainerAppRevision, ContainerAppStatus};
use longshore_tests::{Installation, Rights, kubectl, unique_name, with_temp_namespace};
use serde_json::json;

/// A namespace with the rights of the chart in it.
struct Stage {
    administrator: Client,
    resources: KubeResources,
    controller: Client,
    namespace: String,
}

impl Stage {
    fn apps(&self) -> Api<ContainerApp> {
        Api::namespaced(self.administrator.clone(), &self.namespace)
    }

    fn key(&self, name: &str) -> AppKey {
        AppKey { namespace: self.namespace.clone(), name: name.to_owned() }
    }

    /// A suspended one: a controller that someone else runs on the lab leaves it alone.
    async fn create(&self, name: &str) -> ContainerApp {
        let spec = serde_json::from_value(json!({"image": {"name": "web"}, "suspend": true})).unwrap();
        self.apps().create(&PostParams::default(), &ContainerApp::new(name, spec)).await.unwrap()
    }

    async fn read(&self, name: &str) -> ContainerApp {
        self.resources.app(&self.key(name)).await.unwrap().expect("it is there")
    }

    /// Somebody else changes the resource.
    async fn touch(&self, name: &str) {
        let patch = json!({"metadata": {"annotations": {"touched": unique_name("by")}}});
        self.apps().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    }
}

async fn on_stage<F: Future<Output = ()>>(rights: Rights, test: impl FnOnce(Stage) -> F) {
    with_temp_namespace(|administrator, namespace| async move {
        let installation = Installation::of(&unique_name("rights"), &namespace, rights);
        let controller = installation.client().await;
        let resources = KubeResources::new(controller.clone());
        Box::pin(test(Stage { administrator, resources, controller, namespace })).await;
        drop(installation);
    })
    .await;
}

fn status(message: &str) -> ContainerAppStatus {
    ContainerAppStatus {
        observed_generation: 1,
        conditions: vec![Condition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            reason: "Running".to_owned(),
            message: message.to_owned(),
            observed_generation: Some(1),
            last_transition_time: Time(Timestamp::from_second(1_700_000_000).unwrap()),
        }],
        local_references: vec!["web:latest".to_owned()],
        ..ContainerAppStatus::default()
    }
}

#[tokio::test]
async fn a_status_is_written_and_read_back_at_once() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        stage.create("web").await;
        let app = stage.read("web").await;
        stage.resources.write_status(&app, &status("it runs")).await.unwrap();
        assert_eq!(stage.read("web").await.status, Some(status("it runs")));
        // What a later status does not say any more is gone.
        let shorter = ContainerAppStatus { local_references: Vec::new(), ..status("it still runs") };
        let app = stage.read("web").await;
        stage.resources.write_status(&app, &shorter).await.unwrap();
        assert_eq!(stage.read("web").await.status, Some(shorter));
    })
    .await;
}

#[tokio::test]
async fn a_status_of_an_older_version_is_a_conflict_and_changes_nothing() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        stage.create("web").await;
        let app = stage.read("web").await;
        stage.touch("web").await;
        assert_eq!(stage.resources.write_status(&app, &status("old")).await, Err(ResourceError::Conflict));
        assert_eq!(stage.read("web").await.status.map(|status| status.observed_generation), Some(-1));
    })
    .await;
}

#[tokio::test]
async fn a_status_never_goes_to_another_resource_of_the_same_name() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        stage.create("web").await;
        let app = stage.read("web").await;
        stage.apps().delete("web", &DeleteParams::default()).await.unwrap();
        assert_eq!(stage.resources.write_status(&app, &status("gone")).await, Err(ResourceError::Conflict));
        stage.create("web").await;
        assert_eq!(stage.resources.write_status(&app, &status("gone")).await, Err(ResourceError::Conflict));
    })
    .await;
}

#[tokio::test]
async fn a_resource_is_held_until_it_is_released() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        stage.create("web").await;
        stage.resources.hold(&stage.read("web").await).await.unwrap();
        let held = stage.read("web").await;
        assert_eq!(held.finalizers(), [FINALIZER]);
        stage.resources.hold(&held).await.unwrap();
        assert_eq!(stage.read("web").await.resource_version(), held.resource_version());
        stage.resources.release(&held).await.unwrap();
        let free = stage.read("web").await;
        assert!(free.finalizers().is_empty());
        stage.resources.release(&free).await.unwrap();
        assert_eq!(stage.read("web").await.resource_version(), free.resource_version());
        stage.apps().delete("web", &DeleteParams::default()).await.unwrap();
        assert_eq!(stage.resources.app(&stage.key("web")).await, Ok(None));
        stage.resources.release(&held).await.expect("one that is gone is well");
    })
    .await;
}

#[tokio::test]
async fn other_peoples_finalizers_stay() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        stage.create("web").await;
        let theirs = json!({"metadata": {"finalizers": ["example.com/first", "example.com/second"]}});
        stage.apps().patch("web", &PatchParams::default(), &Patch::Merge(&theirs)).await.unwrap();
        stage.resources.hold(&stage.read("web").await).await.unwrap();
        assert_eq!(stage.read("web").await.finalizers(), ["example.com/first", "example.com/second", FINALIZER]);
        stage.resources.release(&stage.read("web").await).await.unwrap();
        assert_eq!(stage.read("web").await.finalizers(), ["example.com/first", "example.com/second"]);
    })
    .await;
}

#[tokio::test]
async fn a_finalizer_of_an_older_version_is_a_conflict() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        stage.create("web").await;
        let app = stage.read("web").await;
        stage.touch("web").await;
        assert_eq!(stage.resources.hold(&app).await, Err(ResourceError::Conflict));
        assert!(stage.read("web").await.finalizers().is_empty());
    })
    .await;
}

#[tokio::test]
async fn secrets_and_config_maps_are_read_by_name_and_not_otherwise() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": "gcr"}, "type": "example.com/key", "stringData": {"key": "pass+word/"},
        }))
        .unwrap();
        let secrets: Api<Secret> = Api::namespaced(stage.administrator.clone(), &stage.namespace);
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        let config_map: ConfigMap = serde_json::from_value(json!({
            "metadata": {"name": "source"}, "data": {"Dockerfile": "FROM scratch"}, "binaryData": {"logo": "AAEC"},
        }))
        .unwrap();
        let config_maps: Api<ConfigMap> = Api::namespaced(stage.administrator.clone(), &stage.namespace);
        config_maps.create(&PostParams::default(), &config_map).await.unwrap();

        let read = stage.resources.secret(&stage.namespace, "gcr").await.unwrap().expect("it is there");
        assert_eq!(read.kind, "example.com/key");
        assert_eq!(read.data["key"], b"pass+word/");
        assert!(stage.resources.secret(&stage.namespace, "other").await.unwrap().is_none());
        let read = stage.resources.config_map(&stage.namespace, "source").await.unwrap().expect("it is there");
        assert_eq!(read.data["Dockerfile"], b"FROM scratch");
        assert_eq!(read.data["logo"], [0, 1, 2]);

        let as_controller: Api<Secret> = Api::namespaced(stage.controller.clone(), &stage.namespace);
        let refused = as_controller.list(&ListParams::default()).await.unwrap_err();
        assert!(matches!(refused, kube::Error::Api(status) if status.is_forbidden()));
    })
    .await;
}

#[tokio::test]
async fn events_are_seen_where_people_look_for_them() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        let app = stage.create("web").await;
        let event =
            |note: &str| Event { kind: EventKind::Warning, reason: "PortConflict".to_owned(), note: note.to_owned() };
        stage.resources.publish(&app, event("port 80 is taken by a")).await;
        stage.resources.publish(&app, event("port 80 is taken by a")).await;
        stage.resources.publish(&app, event("port 80 is taken by b")).await;
        stage.resources.publish(&app, event(&"ü".repeat(2000))).await;
        let events: Api<KubeEvent> = Api::namespaced(stage.administrator.clone(), &stage.namespace);
        let events = events.list(&ListParams::default()).await.unwrap().items;
        let noted = |note: &str| events.iter().find(|event| event.note.as_deref() == Some(note));
        let first = noted("port 80 is taken by a").expect("it was told");
        assert_eq!(first.series.as_ref().map(|series| series.count), Some(2));
        assert_eq!(first.reporting_controller.as_deref(), Some("longshore"));
        assert_eq!(first.regarding.as_ref().and_then(|regarding| regarding.uid.clone()), app.uid());
        assert!(noted("port 80 is taken by b").is_some_and(|event| event.series.is_none()));
        assert_eq!(events.len(), 3);
    })
    .await;
}

/// The record of a revision of this app.
fn revision(app: &ContainerApp, number: i64, image: &str, log: &str) -> ContainerAppRevision {
    let owner = Owner {
        instance: Instance::new("test"),
        uid: app.uid().unwrap(),
        namespace: app.namespace().unwrap(),
        name: app.name_any(),
    };
    let spec = json!({
        "app": app.name_any(), "revision": number, "image": image, "inputHash": format!("v1-{}", "3f".repeat(32)),
        "inputs": {"dockerfile": "Dockerfile", "files": {"Dockerfile": "0123456789ab"}},
    });
    let record = RevisionRecord {
        owner_uid: owner.uid.clone(),
        spec: serde_json::from_value(spec).unwrap(),
        status: serde_json::from_value(json!({"outcome": "Succeeded", "log": log})).unwrap(),
    };
    record.to_resource(&owner)
}

#[tokio::test]
async fn the_records_of_revisions_are_written_listed_and_removed() {
    on_stage(Rights::OneNamespace, |stage| async move {
        let (app, other) = (stage.create("web").await, stage.create("web-2").await);
        // More than one page of them.
        for number in 1..=12 {
            stage.resources.write_revision(&app, &revision(&app, number, "web:1", "#1 DONE\n")).await.unwrap();
        }
        stage.resources.write_revision(&other, &revision(&other, 1, "web:1", "")).await.unwrap();
        let listed = stage.resources.revisions(&app).await.unwrap();
        assert_eq!(listed.len(), 12);
        let record = RevisionRecord::of_resource(listed[0].clone()).unwrap();
        assert_eq!(Some(record.owner_uid), app.uid());

        // A log of the longest, and a second time after an unknown outcome.
        let long = "x".repeat(256 * 1024);
        for _ in 0..2 {
            stage.resources.write_revision(&app, &revision(&app, 3, "web:1", &long)).await.unwrap();
        }
        let listed = stage.resources.revisions(&app).await.unwrap();
        let third = listed.iter().find(|revision| revision.spec.revision == 3).unwrap();
        assert_eq!(third.status.as_ref().unwrap().log.len(), long.len());

        for _ in 0..2 {
            stage.resources.remove_revision(&app, "web-3").await.unwrap();
        }
        assert_eq!(stage.resources.revisions(&app).await.unwrap().len(), 11);
        // Another app's is left alone, whatever it is called.
        stage.resources.remove_revision(&app, "web-2-1").await.unwrap();
        assert_eq!(stage.resources.revisions(&other).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_record_of_an_app_that_had_the_name_before_is_listed_and_left_alone() {
    on_stage(Rights::OneNamespace, |stage| async move {
        let first = stage.create("web").await;
        stage.resources.write_revision(&first, &revision(&first, 1, "web:1", "")).await.unwrap();
        stage.apps().delete("web", &DeleteParams::default()).await.unwrap();
        let second = stage.create("web").await;
        // Its garbage collector, where one runs, may have been faster.
        if let [left] = stage.resources.revisions(&second).await.unwrap().as_slice() {
            assert_eq!(left.spec.revision, 1);
            let written = stage.resources.write_revision(&second, &revision(&second, 1, "web:1", "")).await;
            assert_eq!(written, Err(ResourceError::Conflict));
            stage.resources.remove_revision(&second, "web-1").await.unwrap();
            assert_eq!(stage.resources.revisions(&second).await.unwrap().len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn what_went_into_a_revision_never_changes() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        let app = stage.create("web").await;
        stage.resources.write_revision(&app, &revision(&app, 1, "web:1", "")).await.unwrap();
        let refused = stage.resources.write_revision(&app, &revision(&app, 1, "web:2", "")).await.unwrap_err();
        assert!(refused.to_string().contains("what went into a revision never changes"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn kubectl_lists_revisions_with_their_outcome() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        let app = stage.create("web").await;
        stage.resources.write_revision(&app, &revision(&app, 1, "web:1", "#1 DONE 0.1s\n")).await.unwrap();
        let get = |arguments: &[&str]| {
            let arguments = [&["--namespace", &stage.namespace, "get", "cappr"], arguments].concat();
            kubectl(&arguments, "").unwrap()
        };
        let table = get(&[]);
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["NAME", "APP", "REVISION", "OUTCOME", "IMAGE", "INPUTS", "AGE"]);
        assert_eq!(rows[1][..6], ["web-1", "web", "1", "Succeeded", "web:1", "v1-3f3f3f3f3f3f"]);
        assert_eq!(get(&["web-1", "-o", "jsonpath={.status.log}"]), "#1 DONE 0.1s\n");
    })
    .await;
}

#[tokio::test]
async fn an_installation_knows_its_cluster_and_its_name() {
    on_stage(Rights::EveryNamespace, |stage| async move {
        let blue = instance(&stage.controller, "blue").await.unwrap();
        assert_eq!(instance(&stage.controller, "blue").await.unwrap(), blue);
        assert_ne!(instance(&stage.controller, "green").await.unwrap(), blue);
        assert!(blue.as_str().ends_with("-blue") && blue.as_str().len() > 36, "{blue}");
    })
    .await;
}

#[tokio::test]
async fn an_installation_for_one_namespace_can_do_its_work_there_and_nowhere_else() {
    on_stage(Rights::OneNamespace, |stage| async move {
        stage.create("web").await;
        stage.resources.hold(&stage.read("web").await).await.unwrap();
        let app = stage.read("web").await;
        stage.resources.write_status(&app, &status("it runs")).await.unwrap();
        let elsewhere = AppKey { namespace: "default".to_owned(), name: "web".to_owned() };
        let refused = stage.resources.app(&elsewhere).await.unwrap_err();
        let ResourceError::Forbidden(message) = refused else { panic!("{refused}") };
        assert!(message.starts_with("cannot read the ContainerApp default/web: the API server answers:"), "{message}");
        assert!(stage.resources.secret("kube-system", "any").await.is_err());
    })
    .await;
}
