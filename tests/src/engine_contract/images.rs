//! What an engine does with images.

use std::collections::BTreeSet;

use longshore::app::{EngineImageId, Image, ImageKey, ImageReference, Instance, Owner, PrivateTags};
use longshore::engine::EngineError;

use super::scene::{Fixture, Scene, play, server};

/// Each reference that was given leads to the same image.
pub async fn an_image_is_found_by_every_tag(fixture: Fixture) {
    play(fixture, async |scene| {
        let base = scene.base_image().await;
        let references = [scene.reference("one"), scene.reference("two"), scene.remote_reference("three")];
        for reference in &references {
            assert_eq!(scene.engine().tag_image(&base.id, reference).await, Ok(()));
        }
        for reference in &references {
            let found = scene.image(reference).await.expect("the image");
            assert_eq!(found.id, base.id);
            assert!(found.config.is_some() || found.target.is_some());
        }
    })
    .await;
}

/// A reference that is looked at for itself says what the list says, and one that points at nothing says so.
pub async fn a_reference_is_found_as_it_is_listed(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile("WORKDIR /found\nLABEL found=yes");
        scene.build("one", &[("Dockerfile", &dockerfile)]).await;
        let (one, two, nothing) = (scene.reference("one"), scene.reference("two"), scene.reference("nothing"));
        let listed = scene.image(&one).await.expect("what was built");
        assert_eq!(scene.engine().tag_image(&listed.id, &two).await, Ok(()));
        assert_eq!(scene.engine().find_image(&one).await, Ok(scene.image(&one).await));
        assert_eq!(scene.engine().find_image(&two).await, Ok(scene.image(&one).await));
        assert_eq!(scene.engine().find_image(&nothing).await, Ok(None));
    })
    .await;
}

/// Private tags are listed by their owner, and by what they keep, whoever keeps it: each image with those tags alone.
pub async fn private_tags_are_listed_by_owner_and_by_key(fixture: Fixture) {
    play(fixture, async |scene| {
        let base = scene.base_image().await;
        let dockerfile = scene.dockerfile("WORKDIR /kept");
        scene.build("built", &[("Dockerfile", &dockerfile)]).await;
        let built = scene.image(&scene.reference("built")).await.expect("what was built");
        let (one, two) = (owner(&scene, "one"), owner(&scene, "two"));
        let keys = ["first", "second"].map(|tag| ImageKey::pulled(&scene.reference(tag), None));
        let tags = [(&one, &keys[0], &base), (&one, &keys[1], &built), (&two, &keys[1], &built)];
        for (owner, key, image) in tags {
            assert_eq!(scene.engine().tag_image(&image.id, &owner.private_reference(key)).await, Ok(()));
        }

        let of_one = BTreeSet::from([PrivateTags::OfOwner(one.clone())]);
        let of_both = BTreeSet::from([(&one, &base, &keys[0]), (&one, &built, &keys[1])].map(listed));
        assert_eq!(kept(&scene, &of_one).await, of_both);
        let of_key = BTreeSet::from([PrivateTags::OfKey(keys[1].clone())]);
        let of_all = BTreeSet::from([(&one, &built, &keys[1]), (&two, &built, &keys[1])].map(listed));
        assert_eq!(kept(&scene, &of_key).await, of_all);
        let either = BTreeSet::from([PrivateTags::OfOwner(two), PrivateTags::OfKey(keys[0].clone())]);
        assert_eq!(kept(&scene, &either).await.len(), 2);
        assert_eq!(kept(&scene, &BTreeSet::from([PrivateTags::OfOwner(owner(&scene, "three"))])).await.len(), 0);
    })
    .await;
}

fn owner(scene: &Scene, name: &str) -> Owner {
    let name = scene.name(name);
    Owner { instance: Instance::new("contract"), uid: name.clone(), namespace: "default".to_owned(), name }
}

fn listed((owner, image, key): (&Owner, &Image, &ImageKey)) -> (EngineImageId, ImageReference) {
    (image.id.clone(), owner.private_reference(key))
}

async fn kept(scene: &Scene, tags: &BTreeSet<PrivateTags>) -> BTreeSet<(EngineImageId, ImageReference)> {
    let images = scene.engine().list_kept_images(tags).await.expect("the images");
    let pairs = images.into_iter().flat_map(|image| {
        let id = image.id;
        image.references.into_iter().map(move |reference| (id.clone(), reference))
    });
    pairs.collect()
}

/// A reference leads to one image: the last that it was given to.
pub async fn a_reference_moves_to_the_image_that_it_is_given_to(fixture: Fixture) {
    play(fixture, async |scene| {
        let base = scene.base_image().await;
        let dockerfile = scene.dockerfile("WORKDIR /moved");
        scene.build("built", &[("Dockerfile", &dockerfile)]).await;
        let reference = scene.reference("moving");
        assert_eq!(scene.engine().tag_image(&base.id, &reference).await, Ok(()));
        let built = scene.image(&scene.reference("built")).await.expect("what was built");
        assert_eq!(scene.engine().tag_image(&built.id, &reference).await, Ok(()));
        assert_eq!(scene.image(&reference).await.expect("the image").id, built.id);
        assert_ne!(built.id, base.id);
    })
    .await;
}

/// An image stays as long as something refers to it, and no longer.
pub async fn the_last_reference_takes_the_image_with_it(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile(&format!("WORKDIR /{}", scene.name("last")));
        scene.build("one", &[("Dockerfile", &dockerfile)]).await;
        let (one, two) = (scene.reference("one"), scene.reference("two"));
        let image = scene.image(&one).await.expect("what was built");
        assert_eq!(scene.engine().tag_image(&image.id, &two).await, Ok(()));

        assert_eq!(scene.engine().remove_image(&one).await, Ok(()));
        assert_eq!(scene.image(&one).await, None);
        assert_eq!(scene.image(&two).await.expect("the image").id, image.id);

        assert_eq!(scene.engine().remove_image(&two).await, Ok(()));
        let images = scene.engine().list_images().await.expect("the images");
        assert!(images.iter().all(|other| other.id != image.id));
        let created = scene.try_create("app", image.id, server()).await;
        assert!(matches!(created, Err(EngineError::NotFound(_))), "{created:?}");
    })
    .await;
}

/// Removing is done when the reference is gone.
pub async fn removing_a_reference_that_is_gone_is_well(fixture: Fixture) {
    play(fixture, async |scene| {
        assert_eq!(scene.engine().remove_image(&scene.reference("nothing")).await, Ok(()));
    })
    .await;
}

/// A container, also one that never ran, keeps its image.
pub async fn an_image_in_use_keeps_its_last_reference(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile(&format!("WORKDIR /{}", scene.name("used")));
        scene.build("used", &[("Dockerfile", &dockerfile)]).await;
        let reference = scene.reference("used");
        let image = scene.image(&reference).await.expect("what was built");
        let created = scene.try_create("app", image.id.clone(), server()).await;
        assert_eq!(scene.inspect(&created.expect("a container")).await.image, image.id);

        let removed = scene.engine().remove_image(&reference).await;
        assert!(matches!(removed, Err(EngineError::Conflict(_))), "{removed:?}");
        assert_eq!(scene.image(&reference).await.expect("the image").id, image.id);
    })
    .await;
}

/// A container needs its image, not all of its names.
pub async fn an_image_in_use_loses_its_other_references(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile(&format!("WORKDIR /{}", scene.name("used")));
        scene.build("kept", &[("Dockerfile", &dockerfile)]).await;
        let (kept, other) = (scene.reference("kept"), scene.remote_reference("other"));
        let image = scene.image(&kept).await.expect("what was built");
        assert_eq!(scene.engine().tag_image(&image.id, &other).await, Ok(()));
        let created = scene.try_create("app", image.id.clone(), server()).await;
        created.expect("a container");

        assert_eq!(scene.engine().remove_image(&other).await, Ok(()));
        assert_eq!(scene.image(&other).await, None);
        assert_eq!(scene.image(&kept).await.expect("the image").id, image.id);
    })
    .await;
}
