use std::sync::Arc;

use futures::{FutureExt, StreamExt};

use super::*;
use crate::app::{ContainerId, ImageReference, ImageStore};
use crate::engine::Engine;
use crate::engine::LogOptions;
use crate::reconcile::AppKey;
use crate::testing::{MemoryEngine, MemoryImage, MemoryRegistry, MemoryResources, TestClock};

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

/// An engine with one image, and the engine as a process with this plan sees it.
fn engine(plan: &CrashPlan) -> (MemoryEngine, Arc<dyn Engine>) {
    let engine = MemoryEngine::new(ImageStore::GraphDriver, &TestClock::default(), &MemoryRegistry::default());
    engine.load(&reference("app:1"), &MemoryImage::new("app"));
    let seen = plan.engine(Arc::new(engine.clone()));
    (engine, seen)
}

/// Tags the image twice, and says how many of the calls came back.
async fn scenario(engine: &MemoryEngine, seen: &Arc<dyn Engine>, plan: &CrashPlan) -> usize {
    let id = engine.image(&reference("app:1")).unwrap().id;
    let mut done = 0;
    let tags = async {
        for tag in ["app:2", "app:3"] {
            seen.tag_image(&id, &reference(tag)).await.unwrap();
            done += 1;
        }
    };
    tokio::select! {
        () = tags => {}
        () = plan.death() => {}
    }
    done
}

#[tokio::test]
async fn a_process_that_lives_tells_its_effects_in_order() {
    let plan = CrashPlan::none();
    let (engine, seen) = engine(&plan);
    assert_eq!(scenario(&engine, &seen, &plan).await, 2);
    seen.list_images().await.unwrap();
    assert_eq!(plan.effects(), ["tag image app:2", "tag image app:3"]);
    assert!(!plan.is_dead());
}

#[tokio::test]
async fn a_process_that_dies_before_an_effect_leaves_it_undone() {
    let plan = CrashPlan::at(1, Moment::Before);
    let (engine, seen) = engine(&plan);
    assert_eq!(scenario(&engine, &seen, &plan).await, 1);
    assert!(engine.image(&reference("app:2")).is_some());
    assert!(engine.image(&reference("app:3")).is_none());
}

#[tokio::test]
async fn a_process_that_dies_after_an_effect_leaves_it_done_and_has_not_heard_of_it() {
    let plan = CrashPlan::at(0, Moment::After);
    let (engine, seen) = engine(&plan);
    assert_eq!(scenario(&engine, &seen, &plan).await, 0);
    assert!(engine.image(&reference("app:2")).is_some());
    assert!(engine.image(&reference("app:3")).is_none());
    assert_eq!(plan.effects(), ["tag image app:2"]);
}

#[tokio::test]
async fn the_dead_neither_read_nor_write_nor_hear() {
    let plan = CrashPlan::at(0, Moment::Before);
    let (engine, seen) = engine(&plan);
    let mut events = seen.events();
    scenario(&engine, &seen, &plan).await;
    assert!(plan.is_dead());
    assert_eq!(seen.info().now_or_never(), None);
    let removal = seen.remove_image(&reference("app:1")).now_or_never();
    assert_eq!(removal, None);
    engine.untag_by_hand(&reference("app:1"));
    assert_eq!(events.next().now_or_never(), None);
    let gone = ContainerId("gone".to_owned());
    assert_eq!(seen.logs(&gone, &LogOptions::default()).next().now_or_never(), None);
    assert_eq!(plan.effects().len(), 1);
}

#[tokio::test]
async fn a_stream_of_the_living_ends_when_its_source_does() {
    let (engine, seen) = engine(&CrashPlan::none());
    let events = seen.events();
    engine.down();
    assert_eq!(events.collect::<Vec<_>>().await, []);
}

#[tokio::test]
async fn writes_to_resources_are_effects_and_reads_are_not() {
    let resources = MemoryResources::new(&TestClock::default());
    let spec = serde_json::from_value(serde_json::json!({"image": {"name": "node-app"}})).unwrap();
    let app = resources.apply(&longshore_crds::ContainerApp::new("app", spec));
    let key = AppKey { namespace: "default".to_owned(), name: "app".to_owned() };
    let plan = CrashPlan::at(2, Moment::After);
    let seen = plan.resources(Arc::new(resources.clone()));
    seen.hold(&app).await.unwrap();
    let held = seen.app(&key).await.unwrap().unwrap();
    let status = held.status.clone().unwrap_or_default();
    seen.write_status(&held, &status).await.unwrap();
    resources.delete(&key);
    assert_eq!(seen.release(&held).now_or_never(), None);
    assert_eq!(resources.get(&key), None, "it was released all the same");
    let expected = ["hold default/app", "write status of default/app", "release default/app"];
    assert_eq!(plan.effects(), expected);
}
