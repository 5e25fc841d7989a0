use super::*;
use crate::app::RegistryErrorKind;

fn is<T>(result: &Result<T, RegistryError>, kind: RegistryErrorKind) -> bool {
    result.as_ref().err().is_some_and(|error| error.kind == kind)
}

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

fn credentials(host: &str, password: &str) -> Credentials {
    Credentials { host: host.to_owned(), username: "_json_key".to_owned(), password: password.to_owned().into() }
}

fn published(image: &MemoryImage) -> Published {
    Published {
        image: image.clone(),
        others: Vec::new(),
        remote: RemoteImage {
            manifest: image.manifest(ManifestFormat::Docker),
            config: Some(image.config()),
            size: Some(image.size()),
        },
    }
}

#[tokio::test]
async fn a_tag_that_nobody_pushed_holds_nothing() {
    let registry = MemoryRegistry::default();
    let held = registry.look_up(&reference("gcr.io/project/app:1"), None).await.unwrap();
    assert_eq!(held, None);
}

#[tokio::test]
async fn a_host_that_requires_credentials_refuses_everyone_else() {
    let registry = MemoryRegistry::default();
    let app = reference("gcr.io/project/app:1");
    let remote = registry.put(&app, &MemoryImage::new("app"));
    registry.require("gcr.io", "_json_key", "secret");

    let anonymous = registry.look_up(&app, None).await;
    assert!(is(&anonymous, RegistryErrorKind::AuthenticationRequired), "{anonymous:?}");
    let wrong = registry.look_up(&app, Some(&credentials("gcr.io", "guess"))).await;
    assert!(is(&wrong, RegistryErrorKind::AuthenticationRequired), "{wrong:?}");
    let right = registry.look_up(&app, Some(&credentials("gcr.io", "secret"))).await;
    assert_eq!(right, Ok(Some(remote)));
    assert_eq!(registry.requests("gcr.io"), 3);
}

#[tokio::test]
async fn a_host_that_is_away_is_unavailable_and_not_empty() {
    let registry = MemoryRegistry::default();
    let app = reference("gcr.io/project/app:1");
    registry.put(&app, &MemoryImage::new("app"));
    registry.set_available("gcr.io", false);
    let away = registry.look_up(&app, None).await;
    assert!(is(&away, RegistryErrorKind::Unavailable), "{away:?}");

    registry.set_available("gcr.io", true);
    assert!(registry.look_up(&app, None).await.unwrap().is_some());
}

#[tokio::test]
async fn the_host_of_private_tags_is_never_reached() {
    let registry = MemoryRegistry::default();
    let found = registry.look_up(&reference("longshore.local/default/uid:key"), None).await;
    assert!(is(&found, RegistryErrorKind::Unavailable), "{found:?}");
}

#[test]
fn layers_that_a_host_holds_are_not_sent_again() {
    let registry = MemoryRegistry::default();
    let base = MemoryImage::new("base");
    let mut app = base.clone();
    app.layers.extend(MemoryImage::new("app").layers);

    let first = registry.receive(&reference("gcr.io/project/base:1"), None, published(&base));
    assert_eq!(first, Ok(vec![LayerFate::Sent(base.layers[0].clone())]));
    let second = registry.receive(&reference("gcr.io/project/app:1"), None, published(&app));
    let mounted = LayerFate::Mounted { layer: base.layers[0].clone(), from: "project/base".to_owned() };
    assert_eq!(second, Ok(vec![mounted, LayerFate::Sent(app.layers[1].clone())]));
    let again = registry.receive(&reference("gcr.io/project/app:2"), None, published(&app));
    let existed = app.layers.iter().cloned().map(LayerFate::Existed).collect();
    assert_eq!(again, Ok(existed));
    assert_eq!(registry.layers_sent("gcr.io"), 2);
}

#[tokio::test]
async fn credentials_of_another_host_are_noticed_and_let_nobody_in() {
    let registry = MemoryRegistry::default();
    registry.require("gcr.io.evil.example", "_json_key", "secret");
    let app = reference("gcr.io.evil.example/project/app:1");
    let found = registry.look_up(&app, Some(&credentials("gcr.io", "secret"))).await;
    assert!(is(&found, RegistryErrorKind::AuthenticationRequired), "{found:?}");
    assert_eq!(registry.misdirected_credentials("gcr.io.evil.example"), 1);
    assert_eq!(registry.misdirected_credentials("gcr.io"), 0);
}

#[test]
fn an_index_has_a_digest_of_its_own_and_tells_no_configuration() {
    let registry = MemoryRegistry::default();
    let image = MemoryImage::new("multi-platform");
    let index = registry.put_index(&reference("node:6"), &image);
    let single = registry.put(&reference("node:6-slim"), &image);
    assert_ne!(index.manifest, single.manifest);
    assert_eq!(index.config, None);
    assert_eq!(single.config, Some(image.config()));
}
