//! A tag is taken away, and nothing else with it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::app::TagDeletion;

/// A registry with these tags that deletes as one of these does.
#[derive(Clone, Copy, PartialEq)]
enum Deletes {
    Tags,
    /// As distribution 2 does, with the answer to who wants a tag deleted.
    Manifests(u16),
    Nothing,
}

struct Deleting {
    server: Server,
    tags: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Deleting {
    async fn with(deletes: Deletes, tags: &[(&str, &str)]) -> Self {
        let tags = tags.iter().map(|(tag, manifest)| ((*tag).to_owned(), (*manifest).to_owned())).collect();
        let tags: Arc<Mutex<BTreeMap<String, String>>> = Arc::new(Mutex::new(tags));
        let held = Arc::clone(&tags);
        let server = Server::answering(move |request| serve(deletes, &held, request)).await;
        Self { server, tags }
    }

    /// Deletes the tag `0.2`, which holds this, and lets these go along.
    async fn delete(&self, manifest: &str, along: &[&str]) -> Result<(), RegistryError> {
        self.delete_with(manifest, along, None).await
    }

    async fn delete_with(
        &self,
        manifest: &str,
        along: &[&str],
        credentials: Option<&Credentials>,
    ) -> Result<(), RegistryError> {
        let reference = self.server.reference();
        let along = along.iter().map(|tag| reference.repository().tagged(tag).unwrap()).collect::<BTreeSet<_>>();
        let tag = TagDeletion { reference, digest: ManifestDigest(Digest::of(manifest)), along };
        registry().delete_tag(&tag, credentials).await
    }

    fn left(&self) -> Vec<String> {
        self.tags.lock().unwrap().keys().cloned().collect()
    }
}

fn serve(deletes: Deletes, tags: &Mutex<BTreeMap<String, String>>, request: &Request<Incoming>) -> Answer {
    let mut tags = tags.lock().unwrap();
    let (path, unsupported) = (request.uri().path(), r#"{"errors":[{"code":"UNSUPPORTED"}]}"#);
    if path.ends_with("/tags/list") {
        let list = serde_json::json!({"name": "my-project/node-app", "tags": tags.keys().collect::<Vec<_>>()});
        return answer(200, &[], list.to_string());
    }
    let (_, version) = path.rsplit_once('/').unwrap();
    match (request.method().as_str(), deletes, version.starts_with("sha256:")) {
        ("GET", ..) => tags.get(version).map_or_else(|| answer(404, &[], ""), |manifest| manifest_answer(manifest)),
        ("DELETE", Deletes::Nothing, _) => answer(405, &[], unsupported),
        ("DELETE", Deletes::Manifests(status), false) => {
            answer(status, &[], r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#)
        }
        ("DELETE", Deletes::Tags, false) => answer(tags.remove(version).map_or(404, |_| 202), &[], ""),
        ("DELETE", _, true) => {
            let before = tags.len();
            tags.retain(|_, manifest| Digest::of(&*manifest).to_string() != version);
            answer(if tags.len() < before { 202 } else { 404 }, &[], "")
        }
        other => panic!("{other:?}", other = other.0),
    }
}

const OLD: &str = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
const NEW: &str = r#"{"schemaVersion":2,"config":{},"layers":[],"annotations":{}}"#;

#[tokio::test]
async fn a_tag_is_taken_away_alone_where_the_registry_deletes_tags() {
    let registry = Deleting::with(Deletes::Tags, &[("0.2", OLD), ("by-hand", OLD), ("0.3", NEW)]).await;
    registry.delete(OLD, &[]).await.unwrap();
    assert_eq!(registry.left(), ["0.3", "by-hand"]);
    assert_eq!(registry.server.methods(), ["DELETE"]);
    registry.delete(OLD, &[]).await.unwrap();
    assert_eq!(registry.left(), ["0.3", "by-hand"], "one that is gone is well");
}

#[tokio::test]
async fn a_manifest_is_deleted_where_only_that_can_be_and_no_other_tag_needs_it() {
    for status in [400, 404, 405] {
        let registry = Deleting::with(Deletes::Manifests(status), &[("0.2", OLD), ("0.3", NEW)]).await;
        registry.delete(OLD, &[]).await.unwrap();
        assert_eq!(registry.left(), ["0.3"]);
        registry.delete(OLD, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_manifest_is_not_deleted_while_another_tag_needs_it() {
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{}"}}]}}"#, Digest::of(OLD));
    for (other, why) in [(OLD, "holds it"), (&*index, "is an index with it")] {
        let registry = Deleting::with(Deletes::Manifests(400), &[("0.2", OLD), ("by-hand", other)]).await;
        let error = registry.delete(OLD, &[]).await.unwrap_err();
        assert_eq!(error.kind, RegistryErrorKind::TagShared, "{why}: {error}");
        assert!(error.to_string().contains("the tag by-hand needs that of"), "{error}");
        assert_eq!(registry.left(), ["0.2", "by-hand"], "{why}");
    }
}

#[tokio::test]
async fn tags_of_the_same_image_go_along_where_they_may() {
    let registry = Deleting::with(Deletes::Manifests(400), &[("0.2", OLD), ("0.2-slim", OLD), ("0.3", NEW)]).await;
    registry.delete(OLD, &["0.2-slim"]).await.unwrap();
    assert_eq!(registry.left(), ["0.3"]);
}

#[tokio::test]
async fn a_registry_with_too_many_tags_to_look_at_keeps_them_all() {
    let names: Vec<String> = (0..101).map(|number| format!("other-{number}")).collect();
    let others = names.iter().map(|name| (name.as_str(), NEW));
    let tags: Vec<(&str, &str)> = others.chain([("0.2", OLD)]).collect();
    let registry = Deleting::with(Deletes::Manifests(400), &tags).await;
    let error = registry.delete(OLD, &[]).await.unwrap_err();
    assert_eq!(error.kind, RegistryErrorKind::DeletionUnsupported);
    assert!(error.message.contains("has more than 100 tags"), "{error}");
    assert_eq!(registry.left().len(), 102);
}

#[tokio::test]
async fn a_registry_that_deletes_nothing_is_told_as_such() {
    let registry = Deleting::with(Deletes::Nothing, &[("0.2", OLD)]).await;
    let error = registry.delete(OLD, &[]).await.unwrap_err();
    assert_eq!(error.kind, RegistryErrorKind::DeletionUnsupported);
    let told = error.to_string();
    assert!(told.contains("answered 405") && told.contains("let the registry delete"), "{told}");
}

#[tokio::test]
async fn who_may_not_delete_is_told_so() {
    for (status, kind) in [
        (403, RegistryErrorKind::PermissionDenied),
        (429, RegistryErrorKind::RateLimited),
        (503, RegistryErrorKind::Unavailable),
    ] {
        let server = Server::answering(move |_| answer(status, &[], "")).await;
        let (reference, digest) = (server.reference(), ManifestDigest(Digest::of(OLD)));
        let tag = TagDeletion { reference, digest, along: BTreeSet::new() };
        let error = registry().delete_tag(&tag, Some(&server.credentials())).await;
        // Of who shows nothing the registry may want credentials; these were taken.
        assert_eq!(error.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_deletion_follows_no_redirect_and_shows_a_password_to_its_own_host_alone() {
    let foreign = Server::answering(|_| answer(202, &[], "")).await;
    let location = format!("http://{}/v2/my-project/node-app/manifests/0.2", foreign.address);
    let server = Server::answering(move |request| match authorisation_of(request) {
        Some(BASIC) => answer(307, &[("location", &location)], ""),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
    })
    .await;
    let tag = |server: &Server| TagDeletion {
        reference: server.reference(),
        digest: ManifestDigest(Digest::of(OLD)),
        along: BTreeSet::new(),
    };
    registry().delete_tag(&tag(&server), Some(&server.credentials())).await.unwrap_err();
    assert_eq!(foreign.methods(), [""; 0]);
    let elsewhere = Credentials { host: "gcr.io".to_owned(), ..server.credentials() };
    let refused = registry().delete_tag(&tag(&server), Some(&elsewhere)).await.unwrap_err();
    assert_eq!(refused.kind, RegistryErrorKind::AuthenticationRequired);
    assert_eq!(server.authorisations(), [None, Some(BASIC.to_owned()), None]);
}

#[tokio::test]
async fn a_token_to_delete_is_asked_for_to_delete() {
    let server = Server::answering(|request| {
        let host = request.headers()["host"].to_str().unwrap();
        match (request.uri().path(), authorisation_of(request)) {
            ("/token", Some(BASIC)) => answer(200, &[], r#"{"token":"x"}"#),
            (_, Some("Bearer x")) => answer(202, &[], ""),
            _ => answer(401, &[("www-authenticate", &challenge(&format!("http://{host}/token")))], ""),
        }
    })
    .await;
    let (reference, digest) = (server.reference(), ManifestDigest(Digest::of(OLD)));
    let tag = TagDeletion { reference, digest, along: BTreeSet::new() };
    registry().delete_tag(&tag, Some(&server.credentials())).await.unwrap();
    let asked = server.asked.lock().unwrap()[1].1.clone();
    assert!(asked.contains("scope=repository%3Amy-project%2Fnode-app%3Apull%2Cdelete"), "{asked}");
}
