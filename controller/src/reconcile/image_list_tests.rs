//! The list of images, kept beside an engine that changes.

use std::collections::BTreeSet;

use super::*;
use crate::app::{ImageKey, ImageStore, Instance, Owner, PrivateTags};
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
    let mut listed = list.read(engine, &ImageScope::All).await.unwrap().as_ref().clone();
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
    let first = list.read(&engine, &ImageScope::All).await.unwrap();
    let reads = engine.reads();
    assert!(Arc::ptr_eq(&first, &list.read(&engine, &ImageScope::All).await.unwrap()));
    assert_eq!(engine.reads(), reads);
}

#[tokio::test]
async fn a_reference_that_has_changed_is_asked_for_alone() {
    let (list, engine) = (ImageList::default(), engine());
    engine.load(&reference("app:1"), &MemoryImage::new("one"));
    list.read(&engine, &ImageScope::All).await.unwrap();
    // The first list would fail.
    engine.fail_next(Operation::ListImages, EngineError::Conflict("nobody should list".to_owned()));
    for (tag, content) in [("app:2", "two"), ("app:3", "one"), ("app:1", "two"), ("app:1", "one")] {
        let image = engine.load(&reference(tag), &MemoryImage::new(content));
        list.forget_reference(&reference(tag));
        let images = list.read(&engine, &ImageScope::All).await.unwrap();
        let holders: Vec<_> = images.iter().filter(|image| image.has(&reference(tag))).map(|image| &image.id).collect();
        assert_eq!(holders, [&image], "{tag}");
    }
    assert!(list.read(&engine, &ImageScope::All).await.is_ok());
    list.forget();
    assert!(list.read(&engine, &ImageScope::All).await.is_err());
    assert_is_up_to_date(&list, &engine).await;
}

#[tokio::test]
async fn what_the_list_says_already_is_not_asked_for_when_it_is_told() {
    let (list, engine) = (ImageList::default(), engine());
    let one = engine.load(&reference("app:1"), &MemoryImage::new("one"));
    list.read(&engine, &ImageScope::All).await.unwrap();
    let reads = engine.reads();
    list.hear_of(&reference("app:1"), &one);
    list.read(&engine, &ImageScope::All).await.unwrap();
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
async fn what_the_engine_calls_done_is_not_asked_for() {
    let (list, engine) = (ImageList::default(), engine());
    let one = engine.load(&reference("app:1"), &MemoryImage::new("one"));
    assert_is_up_to_date(&list, &engine).await;
    let reads = engine.reads();
    list.forget_reference(&reference("app:2"));
    engine.tag_image(&one, &reference("app:2")).await.unwrap();
    // The engine tells of it before or after it answers.
    list.hear_of(&reference("app:2"), &one);
    list.has_tagged(&reference("app:2"), &one);
    list.hear_of(&reference("app:2"), &one);
    assert!(list.read(&engine, &ImageScope::All).await.unwrap().iter().any(|image| image.has(&reference("app:2"))));
    assert_eq!(engine.reads(), reads);
    assert_is_up_to_date(&list, &engine).await;
}

#[tokio::test]
async fn what_somebody_else_has_done_meanwhile_is_seen() {
    let (list, engine) = (ImageList::default(), engine());
    let one = engine.load(&reference("app:1"), &MemoryImage::new("one"));
    assert_is_up_to_date(&list, &engine).await;
    engine.tag_image(&one, &reference("app:2")).await.unwrap();
    let two = engine.load(&reference("app:2"), &MemoryImage::new("two"));
    list.forget_reference(&reference("app:2"));
    list.hear_of(&reference("app:2"), &two);
    list.has_tagged(&reference("app:2"), &one);
    assert_is_up_to_date(&list, &engine).await;
}

#[tokio::test]
async fn a_reference_that_points_at_nothing_is_no_reason_to_list() {
    let (list, engine) = (ImageList::default(), engine());
    let image = engine.load(&reference("app:1"), &MemoryImage::new("one"));
    engine.tag_image(&image, &reference("app:2")).await.unwrap();
    list.read(&engine, &ImageScope::All).await.unwrap();
    engine.fail_next(Operation::ListImages, EngineError::Conflict("nobody should list".to_owned()));
    engine.remove_image(&reference("app:2")).await.unwrap();
    for tag in ["app:2", "app:3"] {
        list.forget_reference(&reference(tag));
        assert_eq!(list.read(&engine, &ImageScope::All).await.unwrap()[0].references, [reference("app:1")]);
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
    assert!(list.read(&engine, &ImageScope::All).await.unwrap().is_empty());
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
    assert!(list.read(&engine, &ImageScope::All).await.is_err());
    engine.up();
    engine.load(&reference("app:2"), &MemoryImage::new("two"));
    assert_is_up_to_date(&list, &engine).await;
}

fn owner(uid: &str) -> Owner {
    Owner {
        instance: Instance::new("shop"),
        uid: uid.to_owned(),
        namespace: "default".to_owned(),
        name: uid.to_owned(),
    }
}

fn key(image: &str) -> ImageKey {
    ImageKey::pulled(&reference(image), None)
}

/// What the list tells of a scope is what the engine holds of it.
async fn assert_tells(list: &ImageList, engine: &MemoryEngine, scope: &ImageScope) {
    let ImageScope::Of { references, private_tags } = scope else { panic!("everything is no scope to look into") };
    let images = list.read(engine, scope).await.unwrap();
    for reference in references {
        let told: Vec<_> = images.iter().filter(|image| image.has(reference)).map(|image| &image.id).collect();
        let held = engine.find_image(reference).await.unwrap();
        assert_eq!(told, Vec::from_iter(held.as_ref().map(|image| &image.id)), "{reference}");
    }
    let is_of_scope = |reference: &&ImageReference| private_tags.iter().any(|tags| tags.contain(reference));
    let told: BTreeSet<_> =
        images.iter().flat_map(|image| image.references.iter()).filter(is_of_scope).cloned().collect();
    let held = engine.list_kept_images(private_tags).await.unwrap();
    assert_eq!(told, held.into_iter().flat_map(|image| image.references).collect());
}

#[tokio::test]
async fn the_few_images_that_matter_are_asked_for_by_their_names() {
    let (list, engine) = (ImageList::default(), engine());
    engine.fail_next(Operation::ListImages, EngineError::Conflict("nobody should list".to_owned()));
    let image = engine.load(&reference("app:1"), &MemoryImage::new("one"));
    engine.tag_image(&image, &owner("one").private_reference(&key("app:1"))).await.unwrap();
    engine.load(&owner("one").private_reference(&key("app:0")), &MemoryImage::new("zero"));
    engine.load(&owner("two").private_reference(&key("app:2")), &MemoryImage::new("two"));
    engine.load(&owner("two").private_reference(&key("app:3")), &MemoryImage::new("three"));
    let scope = ImageScope::Of {
        references: BTreeSet::from([reference("app:1"), reference("app:4")]),
        private_tags: BTreeSet::from([PrivateTags::OfOwner(owner("one")), PrivateTags::OfKey(key("app:3"))]),
    };
    assert_tells(&list, &engine, &scope).await;
    assert_eq!(list.read(&engine, &scope).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_matters_as_well_is_asked_for_alone() {
    let (list, engine) = (ImageList::default(), engine());
    let one = ImageScope::of_references([reference("app:1")]);
    let both = ImageScope::of_references([reference("app:1"), reference("app:2")]);
    for tag in ["app:1", "app:2"] {
        engine.load(&reference(tag), &MemoryImage::new(tag));
    }
    assert_tells(&list, &engine, &one).await;
    let reads = engine.reads();
    assert_eq!(list.read(&engine, &both).await.unwrap().len(), 2);
    assert_eq!(engine.reads(), reads + 1);
    // Who wants less has all of it.
    assert_eq!(list.read(&engine, &one).await.unwrap().len(), 2);
    assert_eq!(engine.reads(), reads + 1);
}

#[tokio::test]
async fn where_many_matter_everything_is_listed() {
    let (list, engine) = (ImageList::default(), engine());
    let references = (0..=MOST_PARTS).map(|number| reference(&format!("app:{number}")));
    let image = engine.load(&reference("another:1"), &MemoryImage::new("another"));
    let images = list.read(&engine, &ImageScope::of_references(references)).await.unwrap();
    assert_eq!(images.iter().map(|image| &image.id).collect::<Vec<_>>(), [&image]);
    // From then on, it is everything that is listed.
    list.forget();
    assert_is_up_to_date(&list, &engine).await;
}

#[tokio::test]
async fn what_happens_to_what_matters_is_seen() {
    let (list, engine) = (ImageList::default(), engine());
    engine.fail_next(Operation::ListImages, EngineError::Conflict("nobody should list".to_owned()));
    let private = owner("one").private_reference(&key("app:1"));
    let scope = ImageScope::Of {
        references: BTreeSet::from([reference("app:1"), reference("app:2")]),
        private_tags: BTreeSet::from([PrivateTags::OfOwner(owner("one"))]),
    };
    assert_tells(&list, &engine, &scope).await;
    for (changed, content) in [(&reference("app:1"), "one"), (&private, "one"), (&private, "two"), (&private, "one")] {
        let image = engine.load(changed, &MemoryImage::new(content));
        list.hear_of(changed, &image);
        assert_tells(&list, &engine, &scope).await;
    }
    engine.remove_image(&private).await.unwrap();
    list.forget();
    assert_tells(&list, &engine, &scope).await;
}
