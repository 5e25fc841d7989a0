//! What an engine does with registries.

use longshore::app::{Credentials, Digest, Image, ImageReference, ManifestDigest, RegistryErrorKind, RemoteImage};
use longshore::engine::{EngineError, LayerState, Progress};

use super::scene::{Fixture, Scene, ignored, kept, play, server};

/// A pull leaves the digest by which the registry knows the image.
pub async fn a_pulled_image_is_known_by_its_registrys_digest(fixture: Fixture) {
    play(fixture, async |scene| {
        let reference: ImageReference = scene.fixture.base_image.parse().expect("a reference");
        let (sink, told) = kept();
        let pulled = scene.engine().pull_image(&reference, None, None, sink).await;
        assert_eq!(pulled, Ok(()));
        let image = scene.image(&reference).await.expect("the image");
        let known = image.manifests.iter().find(|(repository, _)| repository == reference.repository());
        let (_, digest) = known.expect("a digest in the repository that it was pulled from");
        let told = told.lock().expect("the progress").clone();
        let line = format!("Digest: {digest}");
        assert!(told.contains(&Progress::Message { line }), "{told:?}");
    })
    .await;
}

/// An image goes to the registry and comes back as itself; what the registry has is not sent again.
pub async fn what_was_pushed_is_what_is_pulled(fixture: Fixture) {
    play(fixture, async |scene| {
        let (image, remote) = image_for_the_registry(&scene).await;
        let told = push(&scene, &remote).await.expect("a push");
        assert!(told.contains(&LayerState::Done), "{told:?}");
        let told = push(&scene, &remote).await.expect("a push");
        assert!(told.iter().all(|state| *state == LayerState::Exists), "{told:?}");

        for reference in [&remote, &scene.reference("local")] {
            assert_eq!(scene.engine().remove_image(reference).await, Ok(()));
        }
        assert_eq!(scene.image(&remote).await, None);
        let credentials = &scene.fixture.credentials;
        let pulled = scene.engine().pull_image(&remote, None, Some(credentials), ignored()).await;
        assert_eq!(pulled, Ok(()));
        let back = scene.image(&remote).await.expect("what was pulled");
        assert_eq!((back.id, back.target), (image.id, image.target));
        assert_eq!(back.labels, image.labels);
    })
    .await;
}

/// Exactly what has the digest comes, no tag is made, and it goes when its digest is taken away.
pub async fn what_has_a_digest_is_pulled_without_a_tag(fixture: Fixture) {
    play(fixture, async |scene| {
        let (_, remote) = image_for_the_registry(&scene).await;
        push(&scene, &remote).await.expect("a push");
        let credentials = &scene.fixture.credentials;
        let held = scene.engine().look_up_image(&remote, Some(credentials)).await.expect("an answer");
        for reference in [&remote, &scene.reference("local")] {
            assert_eq!(scene.engine().remove_image(reference).await, Ok(()));
        }
        let pinned = remote.repository().pinned(&held.expect("what was pushed"));
        assert_eq!(scene.engine().look_up_image(&pinned, Some(credentials)).await, Ok(pinned.digest().cloned()));
        let pulled = scene.engine().pull_image(&pinned, None, Some(credentials), ignored()).await;
        assert_eq!(pulled, Ok(()));
        let image = scene.image(&pinned).await.expect("what was pulled is listed");
        assert_eq!(scene.engine().find_image(&pinned).await, Ok(Some(image.clone())));
        assert!(image.references.is_empty(), "{image:?}");
        let created = scene.try_create("app", image.id.clone(), server()).await.expect("a container");
        assert_eq!(scene.inspect(&created).await.image, image.id);
        assert_eq!(scene.engine().remove_container(&created).await, Ok(()));

        let kept = scene.reference("kept");
        assert_eq!(scene.engine().tag_image(&image.id, &kept).await, Ok(()));
        assert_eq!(scene.engine().remove_image(&pinned).await, Ok(()));
        assert_eq!(scene.image(&pinned).await, None);
        assert_eq!(scene.image(&kept).await.map(|kept| kept.id), Some(image.id));
    })
    .await;
}

/// A digest that the registry does not have is not there, as a tag is not.
pub async fn a_digest_that_the_registry_does_not_have_is_not_found(fixture: Fixture) {
    play(fixture, async |scene| {
        let (_, remote) = image_for_the_registry(&scene).await;
        push(&scene, &remote).await.expect("a push");
        let credentials = &scene.fixture.credentials;
        let absent = remote.repository().pinned(&ManifestDigest(Digest::of("nothing")));
        let pulled = scene.engine().pull_image(&absent, None, Some(credentials), ignored()).await;
        refused_for(pulled, RegistryErrorKind::ManifestUnknown);
        assert_eq!(scene.engine().look_up_image(&absent, Some(credentials)).await, Ok(None));
    })
    .await;
}

/// And it is known for which platform an image is there.
pub async fn an_image_is_pulled_for_the_platform_that_is_named(fixture: Fixture) {
    play(fixture, async |scene| {
        let reference: ImageReference = scene.fixture.base_image.parse().expect("a reference");
        let pulled = scene.engine().pull_image(&reference, Some("linux/amd64"), None, ignored()).await;
        assert_eq!(pulled, Ok(()));
        let image = scene.image(&reference).await.expect("the image");
        assert_eq!(scene.engine().has_platform(&image.id, "linux/amd64").await, Ok(true));
        assert_eq!(scene.engine().has_platform(&image.id, "linux/s390x").await, Ok(false));
    })
    .await;
}

/// Some engines take what there is, with a warning.
pub async fn a_single_platform_is_not_taken_for_another(fixture: Fixture) {
    play(fixture, async |scene| {
        let (_, remote) = image_for_the_registry(&scene).await;
        push(&scene, &remote).await.expect("a push");
        for reference in [&remote, &scene.reference("local")] {
            assert_eq!(scene.engine().remove_image(reference).await, Ok(()));
        }
        let credentials = &scene.fixture.credentials;
        let pulled = scene.engine().pull_image(&remote, Some("linux/s390x"), Some(credentials), ignored()).await;
        let Err(EngineError::PlatformNotFound(message)) = pulled else {
            panic!("the registry has none: {pulled:?}");
        };
        assert!(message.contains("linux/s390x"), "{message}");
    })
    .await;
}

/// Whatever an engine sends of an index that was pulled, it tells that this is the image.
pub async fn what_is_sent_of_an_index_is_known_again(fixture: Fixture) {
    play(fixture, async |scene| {
        let base: ImageReference = scene.fixture.base_image.parse().expect("a reference");
        assert_eq!(scene.engine().pull_image(&base, None, None, ignored()).await, Ok(()));
        let image = scene.image(&base).await.expect("the image");
        let remote = scene.remote_reference("pushed");
        assert_eq!(scene.engine().tag_image(&image.id, &remote).await, Ok(()));
        push(&scene, &remote).await.expect("a push");
        let held = scene.engine().look_up_image(&remote, Some(&scene.fixture.credentials)).await.expect("an answer");
        let held = RemoteImage { manifest: held.expect("what was pushed"), config: None, size: None };
        let image = scene.image(&remote).await.expect("the image");
        assert!(image.is(&held), "{held:?} is not {image:?}");
        assert_eq!(scene.engine().find_image(&remote).await, Ok(Some(image)));
    })
    .await;
}

/// Other tags of the repository stay where they are.
pub async fn only_the_tag_that_is_named_is_pushed(fixture: Fixture) {
    play(fixture, async |scene| {
        let (image, remote) = image_for_the_registry(&scene).await;
        let other = scene.remote_reference("other");
        assert_eq!(scene.engine().tag_image(&image.id, &other).await, Ok(()));
        push(&scene, &remote).await.expect("a push");
        let credentials = &scene.fixture.credentials;
        let pulled = scene.engine().pull_image(&other, None, Some(credentials), ignored()).await;
        refused_for(pulled, RegistryErrorKind::ManifestUnknown);
    })
    .await;
}

/// A registry that wants to know who one is refuses those who do not say.
pub async fn a_push_without_credentials_is_denied(fixture: Fixture) {
    play(fixture, async |scene| {
        let (_, remote) = image_for_the_registry(&scene).await;
        let pushed = scene.engine().push_image(&remote, None, ignored()).await;
        refused_for(pushed, RegistryErrorKind::AuthenticationRequired);
    })
    .await;
}

/// The message names the reference and not the password.
pub async fn a_push_with_a_wrong_password_is_denied(fixture: Fixture) {
    play(fixture, async |scene| {
        let (_, remote) = image_for_the_registry(&scene).await;
        let wrong = Credentials { password: "canary~~~???".to_owned().into(), ..scene.fixture.credentials.clone() };
        let pushed = scene.engine().push_image(&remote, Some(&wrong), ignored()).await;
        let message = refused_for(pushed, RegistryErrorKind::AuthenticationRequired);
        assert!(message.contains(&remote.to_string()), "{message}");
        assert!(!message.contains("canary"), "{message}");
    })
    .await;
}

/// Credentials are for one host exactly.
pub async fn credentials_for_another_host_are_not_shown(fixture: Fixture) {
    play(fixture, async |scene| {
        let (_, remote) = image_for_the_registry(&scene).await;
        let elsewhere = Credentials { host: format!("{}.example", remote.host()), ..scene.fixture.credentials.clone() };
        let pushed = scene.engine().push_image(&remote, Some(&elsewhere), ignored()).await;
        refused_for(pushed, RegistryErrorKind::AuthenticationRequired);
    })
    .await;
}

/// There is nothing to push.
pub async fn pushing_what_the_engine_does_not_have_is_not_found(fixture: Fixture) {
    play(fixture, async |scene| {
        let pushed = push(&scene, &scene.remote_reference("nothing")).await;
        assert!(matches!(pushed, Err(EngineError::NotFound(_))), "{pushed:?}");
    })
    .await;
}

/// That an image is not there is another thing than that one may not see it.
pub async fn an_image_that_the_registry_does_not_have_is_not_found(fixture: Fixture) {
    play(fixture, async |scene| {
        let credentials = &scene.fixture.credentials;
        let reference = scene.remote_reference("nothing");
        let pulled = scene.engine().pull_image(&reference, None, Some(credentials), ignored()).await;
        let message = refused_for(pulled, RegistryErrorKind::ManifestUnknown);
        assert!(message.contains(&reference.to_string()), "{message}");
    })
    .await;
}

/// A registry that is away may come back.
pub async fn a_registry_that_does_not_answer_is_unavailable(fixture: Fixture) {
    play(fixture, async |scene| {
        let text = format!("{}/{}:latest", scene.fixture.dead_registry, scene.name("image"));
        let reference = text.parse().expect("a reference");
        let pulled = scene.engine().pull_image(&reference, None, None, ignored()).await;
        refused_for(pulled, RegistryErrorKind::Unavailable);
    })
    .await;
}

/// An image that no registry has, with a reference in the registry.
async fn image_for_the_registry(scene: &Scene) -> (Image, ImageReference) {
    let dockerfile = scene.dockerfile("ADD own /own");
    let own = scene.name("content");
    scene.build("local", &[("Dockerfile", &dockerfile), ("own", &own)]).await;
    let image = scene.image(&scene.reference("local")).await.expect("what was built");
    let remote = scene.remote_reference("pushed");
    let tagged = scene.engine().tag_image(&image.id, &remote).await;
    assert_eq!(tagged, Ok(()));
    (image, remote)
}

/// Fails unless a registry had this against it; what was said.
fn refused_for<T: std::fmt::Debug>(result: Result<T, EngineError>, kind: RegistryErrorKind) -> String {
    let error = result.expect_err("the registry has something against it");
    assert_eq!(error.registry_kind(), Some(kind), "{error:?}");
    error.to_string()
}

/// Pushes with the credentials, and gives the last state of each layer.
async fn push(scene: &Scene, reference: &ImageReference) -> Result<Vec<LayerState>, EngineError> {
    let (sink, told) = kept();
    let credentials = &scene.fixture.credentials;
    scene.engine().push_image(reference, Some(credentials), sink).await?;
    let mut layers = std::collections::BTreeMap::new();
    for progress in told.lock().expect("the progress").drain(..) {
        if let Progress::Layer { id, state } = progress {
            layers.insert(id, state);
        }
    }
    Ok(layers.into_values().collect())
}
