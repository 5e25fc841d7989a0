//! The list of images, kept beside an engine that changes.

use super::*;
use crate::app::ImageStore;
use crate::engine::memory::{MemoryEngine, Operation, TestClock};
use crate::registry::memory::{MemoryImage, MemoryRegistry};

fn engine() -> MemoryEngine {
    MemoryEngine::new(ImageStore::Containerd, &TestClock::default(), &MemoryRegistry::default())
}

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

/// What was listed is what the engine holds.
async fn assert_is_up_to_date(list: &ImageList, engine: &MemoryEngine) {
    let mut listed = list.read(engine).await.unwrap().as_ref().clone();
    let mut held = engine.list_images().await.unwrap();
    for images in [&mut listed, &mut held] {
        images.sort_by(|one, other| one.id.cmp(&other.id));
    }
    assert_eq!(listed, held);
}

#[tokio::test]
async fn what_is_known_is_not_asked_for_again() {
    let (list, engine) = (ImageList::default(), engine());
    engine.load(&reference("app:1"), &MemoryImage::new("one"));
    let first = list.read(&engine).await.unwrap();
    let reads = engine.reads();
    assert!(Arc::ptr_eq(&first, &list.read(&engine).await.unwrap()));
    assert_eq!(engine.reads(), reads);
}

#[tokio::test]
async fn a_reference_that_has_changed_is_asked_for_alone() {
    let (list, engine) = (ImageList::default(), engine());
    engine.load(&reference("app:1"), &MemoryImage::new("one"));
    list.read(&engine).await.unwrap();
    // The first list would fail.
    engine.fail_next(Operation::ListImages, EngineError::Conflict("nobody should list".to_owned()));
    for (tag, content) in [("app:2", "two"), ("app:3", "one"), ("app:1", "two"), ("app:1", "one")] {
        let image = engine.load(&reference(tag), &MemoryImage::new(content));
        list.forget_reference(&reference(tag));
        let images = list.read(&engine).await.unwrap();
        let holders: Vec<_> = images.iter().filter(|image| image.has(&reference(tag))).map(|image| &image.id).collect();
        assert_eq!(holders, [&image], "{tag}");
    }
    assert!(list.read(&engine).await.is_ok());
    list.forget();
    assert!(list.read(&engine).await.is_err());
    assert_is_up_to_date(&list, &engine).await;
}

#[tokio::test]
async fn what_the_list_says_already_is_not_asked_for_when_it_is_told() {
    let (list, engine) = (ImageList::default(), engine());
    let one = engine.load(&reference("app:1"), &MemoryImage::new("one"));
    list.read(&engine).await.unwrap();
    let reads = engine.reads();
    list.hear_of(&reference("app:1"), &one);
    list.read(&engine).await.unwrap();
    assert_eq!(engine.reads(), reads);
}

#[tokio::test]
async fn what_the_list_does_not_say_is_asked_for_when_it_is_told() {
    let (list, engine) = (ImageList::default(), engine());
    let one = engine.load(&reference("app:1"), &MemoryImage::new("one"));
    assert_is_up_to_date(&list, &engine).await;
    let two = engine.load(&reference("app:1"), &MemoryImage::new("two"));
    list.hear_of(&reference("app:1"), &two);
    assert_is_up_to_date(&list, &engine).await;
    // Moved there and back, told in whatever order: nobody knows which was the last.
    engine.load(&reference("app:1"), &MemoryImage::new("one"));
    list.hear_of(&reference("app:1"), &one);
    list.hear_of(&reference("app:1"), &two);
    assert_is_up_to_date(&list, &engine).await;
    // What we know to have touched is asked for, whatever is told.
    engine.load(&reference("app:1"), &MemoryImage::new("two"));
    list.forget_reference(&reference("app:1"));
    list.hear_of(&reference("app:1"), &one);
    assert_is_up_to_date(&list, &engine).await;
}

#[tokio::test]
async fn a_reference_that_points_at_nothing_is_no_reason_to_list() {
    let (list, engine) = (ImageList::default(), engine());
    let image = engine.load(&reference("app:1"), &MemoryImage::new("one"));
    engine.tag_image(&image, &reference("app:2")).await.unwrap();
    list.read(&engine).await.unwrap();
    engine.fail_next(Operation::ListImages, EngineError::Conflict("nobody should list".to_owned()));
    engine.remove_image(&reference("app:2")).await.unwrap();
    for tag in ["app:2", "app:3"] {
        list.forget_reference(&reference(tag));
        assert_eq!(list.read(&engine).await.unwrap()[0].references, [reference("app:1")]);
    }
}

#[tokio::test]
async fn what_is_gone_is_listed_no_more() {
    let (list, engine) = (ImageList::default(), engine());
    for (tag, content) in [("app:1", "one"), ("app:2", "two"), ("app:3", "two")] {
        engine.load(&reference(tag), &MemoryImage::new(content));
    }
    assert_is_up_to_date(&list, &engine).await;
    // The last reference of an image moves to another one, one of two goes, and the last one goes.
    engine.load(&reference("app:1"), &MemoryImage::new("two"));
    list.forget_reference(&reference("app:1"));
    assert_is_up_to_date(&list, &engine).await;
    for tag in ["app:1", "app:2", "app:3"] {
        engine.remove_image(&reference(tag)).await.unwrap();
        list.forget_reference(&reference(tag));
        assert_is_up_to_date(&list, &engine).await;
    }
    assert!(list.read(&engine).await.unwrap().is_empty());
}

#[tokio::test]
async fn many_changes_at_once_are_all_seen() {
    let (list, engine) = (ImageList::default(), engine());
    assert_is_up_to_date(&list, &engine).await;
    for number in 0..3 * MOST_REFERENCES {
        let tag = reference(&format!("app:{number}"));
        engine.load(&tag, &MemoryImage::new(&number.to_string()));
        list.forget_reference(&tag);
    }
    assert_is_up_to_date(&list, &engine).await;
}

#[tokio::test]
async fn a_list_that_could_not_be_read_is_read_whole_the_next_time() {
    let (list, engine) = (ImageList::default(), engine());
    engine.load(&reference("app:1"), &MemoryImage::new("one"));
    assert_is_up_to_date(&list, &engine).await;
    engine.down();
    list.forget_reference(&reference("app:1"));
    assert!(list.read(&engine).await.is_err());
    engine.up();
    engine.load(&reference("app:2"), &MemoryImage::new("two"));
    assert_is_up_to_date(&list, &engine).await;
}
