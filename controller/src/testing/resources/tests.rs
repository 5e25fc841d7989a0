use serde_json::json;

use super::*;
use crate::reconcile::{EventKind, FINALIZER, Resources};

fn key() -> AppKey {
    AppKey { namespace: "default".to_owned(), name: "app".to_owned() }
}

fn app(image: &str) -> ContainerApp {
    let spec = serde_json::from_value(json!({"image": {"name": image}})).unwrap();
    ContainerApp::new("app", spec)
}

fn resources() -> MemoryResources {
    MemoryResources::new(&TestClock::default())
}

fn version(app: &ContainerApp) -> Option<&str> {
    app.metadata.resource_version.as_deref()
}

#[test]
fn a_new_resource_has_a_uid_a_generation_and_a_status_that_speaks_of_none() {
    let created = resources().apply(&app("one"));
    assert!(created.metadata.uid.is_some());
    assert_eq!(created.metadata.namespace.as_deref(), Some("default"));
    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(created.status.unwrap().observed_generation, -1);
}

#[test]
fn a_new_spec_is_a_new_generation_and_the_same_one_is_no_change() {
    let resources = resources();
    let first = resources.apply(&app("one"));
    let again = resources.apply(&app("one"));
    assert_eq!(again, first);
    let edited = resources.apply(&app("two"));
    assert_eq!(edited.metadata.generation, Some(2));
    assert_eq!(edited.metadata.uid, first.metadata.uid);
    assert_ne!(version(&edited), version(&first));
}

#[test]
fn an_annotation_is_a_change_but_no_generation() {
    let resources = resources();
    let first = resources.apply(&app("one"));
    let mut annotated = app("one");
    annotated.metadata.annotations = Some([("note".to_owned(), "x".to_owned())].into());
    let second = resources.apply(&annotated);
    assert_ne!(version(&second), version(&first));
    assert_eq!(second.metadata.generation, Some(1));
}

#[tokio::test]
async fn a_status_from_an_old_version_is_refused() {
    let resources = resources();
    let old = resources.apply(&app("one"));
    resources.apply(&app("two"));
    let status = old.status.clone().unwrap();
    assert_eq!(resources.write_status(&old, &status).await, Err(ResourceError::Conflict));
}

#[tokio::test]
async fn a_status_is_a_new_version_only_when_it_says_something_new() {
    let resources = resources();
    let first = resources.apply(&app("one"));
    let mut status = first.status.clone().unwrap();
    resources.write_status(&first, &status).await.unwrap();
    assert_eq!(resources.get(&key()), Some(first.clone()));
    status.observed_generation = 1;
    resources.write_status(&first, &status).await.unwrap();
    let written = resources.get(&key()).unwrap();
    assert_eq!(written.status, Some(status));
    assert_ne!(version(&written), version(&first));
    assert_eq!(written.metadata.generation, Some(1));
    assert_eq!(resources.writes().len(), 2);
}

#[tokio::test]
async fn a_resource_that_is_held_is_marked_when_it_is_deleted_and_gone_when_it_is_released() {
    let resources = resources();
    let created = resources.apply(&app("one"));
    resources.hold(&created).await.unwrap();
    resources.hold(&created).await.unwrap();
    let held = resources.get(&key()).unwrap();
    assert_eq!(held.metadata.finalizers, Some(vec![FINALIZER.to_owned()]));

    resources.delete(&key());
    let marked = resources.get(&key()).unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    assert_eq!(marked.metadata.generation, Some(2));
    resources.delete(&key());
    assert_eq!(resources.get(&key()), Some(marked.clone()), "it is marked once");

    resources.release(&marked).await.unwrap();
    assert_eq!(resources.get(&key()), None);
    resources.release(&marked).await.unwrap();
}

#[tokio::test]
async fn a_resource_that_is_being_deleted_cannot_be_held() {
    let resources = resources();
    let mut foreign = resources.apply(&app("one"));
    foreign.metadata.finalizers = Some(vec!["example.com/other".to_owned()]);
    resources.state().force(foreign);
    resources.delete(&key());
    let marked = resources.get(&key()).unwrap();
    let refused = resources.hold(&marked).await;
    assert!(matches!(refused, Err(ResourceError::Forbidden(_))), "{refused:?}");
    resources.release(&marked).await.unwrap();
    assert_eq!(resources.get(&key()), Some(marked), "another finalizer keeps it");
}

#[tokio::test]
async fn a_resource_without_finalizers_is_gone_at_once_and_its_name_begins_anew() {
    let resources = resources();
    let first = resources.apply(&app("one"));
    resources.delete(&key());
    assert_eq!(resources.keys(), []);
    let second = resources.apply(&app("one"));
    assert_ne!(first.metadata.uid, second.metadata.uid);
    let late = resources.hold(&first).await;
    assert_eq!(late, Err(ResourceError::Conflict));
    resources.release(&first).await.unwrap();
    assert_eq!(resources.get(&key()), Some(second));
}

#[tokio::test]
async fn a_resource_that_cannot_be_understood_is_so_until_it_is_applied_again() {
    let resources = resources();
    resources.apply(&app("one"));
    resources.spoil(&key(), "spec.image.name: invalid type");
    let read = resources.app(&key()).await;
    let Err(ResourceError::Invalid { message, app: rest }) = read else {
        panic!("{read:?}");
    };
    assert_eq!(message, "spec.image.name: invalid type");
    assert!(rest.metadata.uid.is_some());
    resources.apply(&app("one"));
    assert!(resources.app(&key()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_failure_on_request_happens_once_and_is_counted() {
    let resources = resources();
    let created = resources.apply(&app("one"));
    resources.fail_next(ResourceOperation::Hold, ResourceError::Unavailable("timeout".to_owned()));
    resources.hold(&created).await.unwrap_err();
    assert_eq!(resources.get(&key()), Some(created.clone()));
    resources.hold(&created).await.unwrap();
    assert_eq!(resources.writes(), ["hold default/app", "hold default/app"]);
}

#[tokio::test]
async fn a_watch_hears_of_every_change_and_of_nothing_else() {
    let resources = resources();
    let mut changes = resources.watch();
    let created = resources.apply(&app("one"));
    resources.apply(&app("one"));
    let status = created.status.clone().unwrap();
    resources.write_status(&created, &status).await.unwrap();
    resources.delete(&key());
    let mut heard = 0;
    while changes.try_recv().is_ok() {
        heard += 1;
    }
    assert_eq!(heard, 2, "the creation and the deletion");
}

#[tokio::test]
async fn what_was_published_is_kept_by_resource() {
    let resources = resources();
    let created = resources.apply(&app("one"));
    let event = Event { kind: EventKind::Normal, reason: "Built".to_owned(), note: "built node-app".to_owned() };
    resources.publish(&created, event.clone()).await;
    assert_eq!(resources.events(&key()), [event]);
}

fn revision(app: &ContainerApp, number: i64, image: &str) -> longshore_crds::ContainerAppRevision {
    let owner = crate::app::Owner {
        instance: crate::app::Instance::new("test"),
        uid: app.metadata.uid.clone().unwrap(),
        namespace: "default".to_owned(),
        name: "app".to_owned(),
    };
    let record = crate::app::RevisionRecord {
        owner_uid: owner.uid.clone(),
        spec: serde_json::from_value(json!({"app": "app", "revision": number, "image": image})).unwrap(),
        status: serde_json::from_value(json!({"outcome": "Succeeded"})).unwrap(),
    };
    record.to_resource(&owner)
}

#[tokio::test]
async fn a_record_is_replaced_by_its_owner_only_and_what_went_in_never_changes() {
    let resources = resources();
    let first = resources.apply(&app("one"));
    resources.write_revision(&first, &revision(&first, 1, "one")).await.unwrap();
    resources.write_revision(&first, &revision(&first, 1, "one")).await.unwrap();
    let changed = resources.write_revision(&first, &revision(&first, 1, "other")).await;
    assert!(matches!(changed, Err(ResourceError::Unavailable(_))), "{changed:?}");

    resources.delete(&key());
    let second = resources.apply(&app("one"));
    let taken = resources.write_revision(&second, &revision(&second, 1, "one")).await;
    assert_eq!(taken, Err(ResourceError::Conflict));
    resources.remove_revision(&second, "app-1").await.unwrap();
    assert_eq!(resources.revisions(&key()).len(), 1, "it is another's");
    resources.remove_revision(&first, "app-1").await.unwrap();
    assert_eq!(resources.revisions(&key()), []);
}
