//! What a registry holds under a tag, asked of the lab's gcr.io: by its real name, with TLS and a password.
//!
//! gcr.io is the lab's only where `tests/lab/lab exec` runs the tests.

use longshore::app::{Credentials, Image, ImageReference, RegistryError, RegistryErrorKind, RemoteImage};
use longshore::engine::Engine;
use longshore::registry::{OciRegistry, Registry};
use longshore_tests::{LabEngine, lab, lab_variable, unique_name};

fn credentials(password: &str) -> Credentials {
    Credentials {
        host: "gcr.io".to_owned(),
        username: lab_variable("LONGSHORE_LAB_GCR_USER"),
        password: password.into(),
    }
}

fn right_credentials() -> Credentials {
    credentials(&lab_variable("LONGSHORE_LAB_GCR_PASSWORD"))
}

fn registry() -> OciRegistry {
    let authority = lab_variable("LONGSHORE_LAB_CA");
    OciRegistry::trusting_file(Some(authority.as_ref())).unwrap_or_else(|problem| panic!("{problem}"))
}

/// A reference on the lab's gcr.io that no other test has.
fn unused_reference() -> ImageReference {
    format!("gcr.io/{}/node-app:0.2", unique_name("lookup")).parse().expect("it is a reference")
}

/// Pushes the engine's busybox under a reference, which leaves the engine again.
async fn push_busybox(engine: LabEngine, reference: &ImageReference) -> Image {
    let connection = lab::engine(match engine {
        LabEngine::Engine20 => "LONGSHORE_LAB_ENGINE20",
        LabEngine::Engine29 => "LONGSHORE_LAB_ENGINE29",
    });
    engine.docker(&["pull", "busybox:latest"]).expect("the lab's Docker Hub holds busybox");
    engine.docker(&["tag", "busybox:latest", &reference.canonical()]).expect("the engine holds it now");
    let credentials = right_credentials();
    let pushed = connection.push_image(reference, Some(&credentials), std::sync::Arc::new(|_| {})).await;
    let images = connection.list_images().await;
    connection.remove_image(reference).await.expect("the reference is removed");
    pushed.expect("the image is pushed");
    let is_pushed = |image: &Image| image.references.contains(reference);
    images.expect("the engine lists its images").into_iter().find(is_pushed).expect("the pushed image is listed")
}

async fn finds_what_was_pushed_from(engine: LabEngine) {
    let reference = unused_reference();
    let registry = registry();
    let credentials = right_credentials();
    assert_eq!(registry.look_up(&reference, Some(&credentials)).await, Ok(None));
    let pushed = push_busybox(engine, &reference).await;
    // Once in full and once by the tag's HEAD alone.
    for _ in 0..2 {
        let found = registry.look_up(&reference, Some(&credentials)).await.expect("the registry answers");
        let found = found.expect("the registry holds what was pushed");
        assert!(pushed.is(&found), "{found:?} is not {pushed:?}");
    }
    let other_tag = format!("gcr.io/{}:other", reference.path()).parse().expect("it is a reference");
    assert_eq!(registry.look_up(&other_tag, Some(&credentials)).await, Ok(None));
}

#[tokio::test]
async fn what_docker_20_pushed_is_found_and_is_the_same_image() {
    finds_what_was_pushed_from(LabEngine::Engine20).await;
}

#[tokio::test]
async fn what_docker_29_pushed_is_found_and_is_the_same_image() {
    finds_what_was_pushed_from(LabEngine::Engine29).await;
}

#[tokio::test]
async fn without_credentials_or_with_wrong_ones_the_look_is_denied() {
    let reference = unused_reference();
    let anonymous = registry().look_up(&reference, None).await;
    let sentence = refusal(anonymous);
    assert!(sentence.contains("name a Secret that has some for gcr.io"), "{sentence}");
    let wrong = registry().look_up(&reference, Some(&credentials("wrong"))).await;
    let sentence = refusal(wrong);
    assert!(sentence.contains("gcr.io does not take the credentials that it was shown"), "{sentence}");
}

fn refusal(found: Result<Option<RemoteImage>, RegistryError>) -> String {
    let error = found.expect_err("the look is refused");
    assert_eq!(error.kind, RegistryErrorKind::AuthenticationRequired, "{error}");
    error.to_string()
}

/// `lab exec` sets `SSL_CERT_FILE` to a bundle that has the lab's authority.
#[tokio::test]
async fn the_authorities_that_the_environment_names_are_trusted() {
    lab_variable("SSL_CERT_FILE");
    let registry = OciRegistry::trusting_file(None).unwrap_or_else(|problem| panic!("{problem}"));
    let found = registry.look_up(&unused_reference(), Some(&right_credentials())).await;
    assert_eq!(found, Ok(None));
}

#[tokio::test]
async fn the_docker_hub_stand_in_is_asked_by_plain_http() {
    let reference = format!("{}/library/busybox:latest", lab_variable("LONGSHORE_LAB_HUB"));
    let reference = reference.parse().expect("it is a reference");
    let found = registry().look_up(&reference, None).await.expect("the registry answers");
    assert!(found.is_some(), "{reference} is not there");
}
