//! The list of containers, kept beside an engine that changes.

use crate::app::{ContainerSpec, ImageStore};
use crate::engine::CreateContainer;
use crate::engine::memory::{MemoryEngine, Operation, TestClock};
use crate::registry::memory::{MemoryImage, MemoryRegistry};

use super::*;

fn engine() -> MemoryEngine {
    MemoryEngine::new(ImageStore::Containerd, &TestClock::default(), &MemoryRegistry::default())
}

async fn create(engine: &MemoryEngine, name: &str) -> ContainerId {
    let image = engine.load(&"app".parse().unwrap(), &MemoryImage::new("app"));
    let request = CreateContainer {
        name: name.to_owned(),
        image,
        labels: [].into(),
        spec: ContainerSpec::default(),
        attachment: None,
    };
    engine.create_container(&request).await.unwrap()
}

fn names(containers: &[Container]) -> BTreeSet<&str> {
    containers.iter().map(|container| container.name.as_str()).collect()
}

/// Nobody may list everything from now on.
fn forbid_lists(engine: &MemoryEngine) {
    engine.fail_next(Operation::ListContainers, EngineError::Conflict("nobody should list".to_owned()));
}

#[tokio::test]
async fn what_is_known_is_not_asked_for_again() {
    let (list, engine) = (ContainerList::default(), engine());
    create(&engine, "one").await;
    let first = list.read(&engine).await.unwrap();
    let reads = engine.reads();
    assert!(Arc::ptr_eq(&first, &list.read(&engine).await.unwrap()));
    assert_eq!(engine.reads(), reads);
}

#[tokio::test]
async fn what_happened_to_one_container_asks_for_that_one_alone() {
    let (list, engine) = (ContainerList::default(), engine());
    let one = create(&engine, "one").await;
    create(&engine, "two").await;
    list.read(&engine).await.unwrap();
    forbid_lists(&engine);

    let three = create(&engine, "three").await;
    list.forget_one(&three);
    assert_eq!(names(&list.read(&engine).await.unwrap()), ["one", "three", "two"].into());
    engine.rename_container(&one, "four").await.unwrap();
    list.forget_one(&one);
    assert_eq!(names(&list.read(&engine).await.unwrap()), ["four", "three", "two"].into());
    engine.remove_container(&three).await.unwrap();
    list.forget_one(&three);
    assert_eq!(names(&list.read(&engine).await.unwrap()), ["four", "two"].into());
}

#[tokio::test]
async fn when_much_has_happened_everything_is_listed() {
    let (list, engine) = (ContainerList::default(), engine());
    list.read(&engine).await.unwrap();
    for number in 0..=MOST_BY_THEMSELVES {
        list.forget_one(&create(&engine, &format!("app-{number}")).await);
    }
    engine.fail_next(Operation::FindContainers, EngineError::Conflict("everything should be listed".to_owned()));
    assert_eq!(list.read(&engine).await.unwrap().len(), MOST_BY_THEMSELVES + 1);
}

#[tokio::test]
async fn after_a_read_that_failed_everything_is_listed() {
    let (list, engine) = (ContainerList::default(), engine());
    let one = create(&engine, "one").await;
    list.read(&engine).await.unwrap();
    engine.remove_container(&one).await.unwrap();
    list.forget_one(&one);
    engine.fail_next(Operation::FindContainers, EngineError::Conflict("not now".to_owned()));
    assert!(list.read(&engine).await.is_err());
    assert!(list.read(&engine).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_is_held_for_true_until_something_is_known_to_have_happened() {
    let (list, engine) = (ContainerList::default(), engine());
    assert!(list.peek().await.is_none());
    let one = create(&engine, "one").await;
    list.read(&engine).await.unwrap();
    assert_eq!(names(&list.peek().await.unwrap()), ["one"].into());
    list.forget_one(&one);
    assert!(list.peek().await.is_none());
    list.read(&engine).await.unwrap();
    list.forget();
    assert!(list.peek().await.is_none());
}
