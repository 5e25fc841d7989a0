//! The client against small servers on loopback that answer as registries do, or as nobody should.

mod deletion;
mod index_sizes;
mod kept;
mod server;
mod settings;

use std::sync::{Arc, Mutex};

use hyper::Request;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use self::server::{Answer, Server, answer, authorisation_of};
use super::*;
use crate::app::{ConfigDigest, Digest, ManifestDigest, RegistryErrorKind};

const CONFIG: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const IMAGE_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// `user:pass` as a header holds it.
const BASIC: &str = "Basic dXNlcjpwYXNz";

fn registry() -> OciRegistry {
    OciRegistry::trusting_file(None).unwrap()
}

fn image_manifest() -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE_TYPE}","config":{{"digest":"{CONFIG}"}},"layers":[]}}"#)
}

fn manifest_answer(manifest: &str) -> Answer {
    let digest = Digest::of(manifest).to_string();
    let headers = [("content-type", IMAGE_TYPE), ("docker-content-digest", digest.as_str())];
    answer(200, &headers, manifest.to_owned())
}

fn image() -> RemoteImage {
    RemoteImage {
        manifest: ManifestDigest(Digest::of(image_manifest())),
        config: Some(CONFIG.parse::<ConfigDigest>().unwrap()),
        size: None,
    }
}

/// A registry that shows its image only to the user.
fn wants_basic(request: &Request<Incoming>) -> Answer {
    match authorisation_of(request) {
        Some(BASIC) => manifest_answer(&image_manifest()),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
    }
}

fn challenge(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\",service=\"the registry\",scope=\"registry:catalog:*\"")
}

/// What a look comes to, and what was said.
async fn refusal(server: &Server, credentials: Option<&Credentials>) -> (RegistryErrorKind, String) {
    let error = server.look_up(credentials).await.unwrap_err();
    (error.kind, error.message.replace(&server.address, "HOST"))
}

#[tokio::test]
async fn an_image_is_found_by_its_tag() {
    let server = Server::answering(|_| manifest_answer(&image_manifest())).await;
    assert_eq!(server.look_up(None).await, Ok(Some(image())));
    let asked = server.asked.lock().unwrap().clone();
    assert_eq!(asked, [("GET".to_owned(), "/v2/my-project/node-app/manifests/0.2".to_owned(), None)]);
}

#[tokio::test]
async fn an_index_has_no_configuration() {
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    let server = Server::answering(move |_| manifest_answer(index)).await;
    let found = server.look_up(None).await.unwrap().unwrap();
    assert_eq!((found.manifest, found.config), (ManifestDigest(Digest::of(index)), None));
}

#[tokio::test]
async fn a_registry_that_names_no_digest_is_believed_by_what_it_sends() {
    let server = Server::answering(|_| answer(200, &[], image_manifest())).await;
    assert_eq!(server.look_up(None).await, Ok(Some(image())));
}

#[tokio::test]
async fn a_manifest_that_does_not_have_its_digest_is_refused() {
    let server = Server::answering(|_| answer(200, &[("docker-content-digest", CONFIG)], image_manifest())).await;
    let (kind, message) = refusal(&server, None).await;
    assert_eq!(kind, RegistryErrorKind::DigestMismatch);
    assert!(message.contains("does not have the digest that it named"), "{message}");
}

#[tokio::test]
async fn an_unchanged_tag_is_asked_for_by_its_head_alone() {
    let registry = registry();
    let moved = Arc::new(Mutex::new(image_manifest()));
    let holds = Arc::clone(&moved);
    let server = Server::answering(move |_| manifest_answer(&holds.lock().unwrap())).await;
    for _ in 0..2 {
        let found = registry.look_up(&server.reference(), None).await;
        assert_eq!(found, Ok(Some(image())));
    }
    assert_eq!(server.methods(), ["GET", "HEAD"]);
    moved.lock().unwrap().push('\n');
    let found = registry.look_up(&server.reference(), None).await.unwrap().unwrap();
    assert_ne!(found.manifest, image().manifest);
    assert_eq!(server.methods(), ["GET", "HEAD", "HEAD", "GET"]);
}

#[tokio::test]
async fn what_one_user_may_see_is_not_told_to_another() {
    let registry = registry();
    let server = Server::answering(wants_basic).await;
    let found = registry.look_up(&server.reference(), Some(&server.credentials())).await;
    assert_eq!(found, Ok(Some(image())));
    let stranger = registry.look_up(&server.reference(), None).await;
    assert_eq!(stranger.unwrap_err().kind, RegistryErrorKind::AuthenticationRequired);
}

#[tokio::test]
async fn a_tag_that_is_not_there_is_none() {
    for code in ["MANIFEST_UNKNOWN", "NAME_UNKNOWN"] {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"unknown"}}]}}"#);
        let server = Server::answering(move |_| answer(404, &[], body.clone())).await;
        assert_eq!(server.look_up(None).await, Ok(None), "{code}");
        let objection = registry().objection(&server.reference(), None).await.unwrap();
        let is_of_the_repository = objection.kind == RegistryErrorKind::RepositoryNotFound;
        assert_eq!(is_of_the_repository, code == "NAME_UNKNOWN", "{objection:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_registrys_words_and_with_what_helps() {
    let body = r#"{"errors":[{"code":"DENIED","message":"no permission"}]}"#;
    let server = Server::answering(move |_| answer(403, &[], body)).await;
    let said = "HOST answered 403 for HOST/my-project/node-app:0.2: denied: no permission".to_owned();
    assert_eq!(refusal(&server, None).await, (RegistryErrorKind::AuthenticationRequired, said.clone()));
    assert_eq!(refusal(&server, Some(&server.credentials())).await, (RegistryErrorKind::PermissionDenied, said));
    let error = server.look_up(None).await.unwrap_err().to_string();
    assert!(error.contains("name a Secret that has some for 127.0.0.1:"), "{error}");

    let server = Server::answering(|_| answer(401, &[("www-authenticate", "Basic realm=\"x\"")], "")).await;
    for credentials in [None, Some(server.credentials())] {
        let (kind, _) = refusal(&server, credentials.as_ref()).await;
        assert_eq!(kind, RegistryErrorKind::AuthenticationRequired);
    }
}

#[tokio::test]
async fn a_token_that_is_valid_no_longer_is_told_apart() {
    let expired = "Basic realm=\"x\", Bearer realm=\"https://x/t\",error=\"invalid_token\"";
    for (username, challenge) in [("oauth2accesstoken", "Basic realm=\"x\""), ("user", expired)] {
        let server = Server::answering(move |request| match authorisation_of(request) {
            None => answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
            Some(_) => answer(401, &[("www-authenticate", challenge)], ""),
        })
        .await;
        let credentials = Credentials { username: username.to_owned(), ..server.credentials() };
        assert_eq!(refusal(&server, Some(&credentials)).await.0, RegistryErrorKind::TokenExpired, "{username}");
    }
}

#[tokio::test]
async fn trouble_of_the_registry_is_not_a_refusal_and_says_how_long_to_wait() {
    for (status, kind) in [
        (429, RegistryErrorKind::RateLimited),
        (500, RegistryErrorKind::Unavailable),
        (503, RegistryErrorKind::Unavailable),
        (412, RegistryErrorKind::Unavailable),
    ] {
        let server = Server::answering(move |_| answer(status, &[("retry-after", "7")], "")).await;
        let said = format!("HOST answered {status} for HOST/my-project/node-app:0.2");
        assert_eq!(refusal(&server, None).await, (kind, said));
        let error = server.look_up(None).await.unwrap_err();
        assert_eq!(error.retry_after.map(|wait| wait.as_secs()), Some(7));
    }
}

#[tokio::test]
async fn an_image_in_the_format_of_2015_is_told_as_such() {
    let old = r#"{"schemaVersion":1,"name":"app","fsLayers":[],"history":[]}"#;
    let server = Server::answering(move |_| answer(200, &[], old)).await;
    assert_eq!(refusal(&server, None).await.0, RegistryErrorKind::RegistryRetired);
}

#[tokio::test]
async fn a_registry_that_is_not_there_does_not_answer() {
    let server = Server::answering(|_| answer(200, &[], "")).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/app", free.local_addr().unwrap()).parse().unwrap();
    drop((server, free));
    let error = registry().look_up(&reference, None).await.unwrap_err();
    assert_eq!(error.kind, RegistryErrorKind::Unavailable);
    assert!(error.to_string().contains("does not answer: "), "{error}");
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    let server = Server::answering(|_| answer(200, &[], vec![b' '; 5 << 20])).await;
    let (_, message) = refusal(&server, None).await;
    assert!(message.contains("more than 4 MiB"), "{message}");
}

#[tokio::test]
async fn a_password_is_shown_to_a_registry_that_asks_for_it() {
    let server = Server::answering(wants_basic).await;
    let found = server.look_up(Some(&server.credentials())).await;
    assert_eq!(found, Ok(Some(image())));
    assert_eq!(server.authorisations(), [None, Some(BASIC.to_owned())]);
}

#[tokio::test]
async fn a_password_for_another_host_is_shown_to_nobody() {
    let server = Server::answering(wants_basic).await;
    let foreign = Credentials { host: "gcr.io".to_owned(), ..server.credentials() };
    assert_eq!(refusal(&server, Some(&foreign)).await.0, RegistryErrorKind::AuthenticationRequired);
    assert_eq!(server.authorisations(), [None]);
}

/// A registry with a token server of its own, at the same address.
async fn with_own_token_server() -> Server {
    Server::answering(|request| {
        let host = request.headers()["host"].to_str().unwrap();
        match (request.uri().path(), authorisation_of(request)) {
            ("/token", Some(BASIC)) => answer(200, &[], r#"{"token":"for the user","access_token":"x"}"#),
            ("/token", None) => answer(200, &[], r#"{"access_token":"for anyone"}"#),
            ("/token", _) => answer(401, &[], ""),
            (_, Some("Bearer for the user" | "Bearer for anyone")) => manifest_answer(&image_manifest()),
            _ => {
                let challenge = challenge(&format!("http://{host}/token"));
                answer(401, &[("www-authenticate", &challenge)], "")
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_token_is_asked_for_with_the_password_and_for_pulling_alone() {
    let server = with_own_token_server().await;
    assert_eq!(server.look_up(Some(&server.credentials())).await, Ok(Some(image())));
    let asked = server.asked.lock().unwrap().clone();
    let (_, path, authorisation) = &asked[1];
    assert_eq!(path, "/token?service=the+registry&scope=repository%3Amy-project%2Fnode-app%3Apull");
    assert_eq!(authorisation.as_deref(), Some(BASIC));
    assert_eq!(asked[2].2.as_deref(), Some("Bearer for the user"));
}

#[tokio::test]
async fn without_a_password_a_token_for_anyone_will_do() {
    let server = with_own_token_server().await;
    assert_eq!(server.look_up(None).await, Ok(Some(image())));
    let bearer = "Bearer for anyone".to_owned();
    assert_eq!(server.authorisations(), [None, None, Some(bearer)]);
}

#[tokio::test]
async fn a_token_server_that_refuses_the_password_is_a_refusal() {
    let server = with_own_token_server().await;
    let wrong = Credentials { password: "wrong".into(), ..server.credentials() };
    assert_eq!(refusal(&server, Some(&wrong)).await.0, RegistryErrorKind::AuthenticationRequired);
}

#[tokio::test]
async fn a_foreign_token_server_gets_no_password() {
    let foreign = Server::answering(|_| answer(200, &[], r#"{"token":"x"}"#)).await;
    let realm = format!("http://{}/token", foreign.address);
    let server = Server::answering(move |_| answer(401, &[("www-authenticate", &challenge(&realm))], "")).await;
    let (kind, message) = refusal(&server, Some(&server.credentials())).await;
    assert_eq!(kind, RegistryErrorKind::AuthenticationRequired);
    assert!(message.contains("which is another host; they are not sent there"), "{message}");
    assert_eq!(foreign.authorisations(), []);
    assert_eq!(server.authorisations(), [None]);
}

#[tokio::test]
async fn a_host_that_a_registry_redirects_to_gets_no_password() {
    let foreign = Server::answering(wants_basic).await;
    let location = format!("http://{}/v2/my-project/node-app/manifests/0.2", foreign.address);
    let redirects_strangers = location.clone();
    let server = Server::answering(move |_| answer(307, &[("location", &redirects_strangers)], "")).await;
    let denied = server.look_up(Some(&server.credentials())).await;
    assert_eq!(denied.unwrap_err().kind, RegistryErrorKind::AuthenticationRequired);
    assert_eq!(foreign.authorisations(), [None]);

    let redirects_users = Server::answering(move |request| match authorisation_of(request) {
        Some(_) => answer(307, &[("location", &location)], ""),
        None => answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
    })
    .await;
    let denied = redirects_users.look_up(Some(&redirects_users.credentials())).await;
    assert_eq!(denied.unwrap_err().kind, RegistryErrorKind::AuthenticationRequired);
    assert_eq!(redirects_users.authorisations(), [None, Some(BASIC.to_owned())]);
    assert_eq!(foreign.authorisations(), [None, None]);
}

#[tokio::test]
async fn a_registry_may_redirect_to_where_its_manifests_are() {
    let store = Server::answering(|_| manifest_answer(&image_manifest())).await;
    let location = format!("http://{}/somewhere", store.address);
    let server = Server::answering(move |_| answer(307, &[("location", &location)], "")).await;
    assert_eq!(server.look_up(None).await, Ok(Some(image())));
}

#[test]
fn a_file_that_holds_no_certificate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("ca.crt");
    std::fs::write(&empty, "").unwrap();
    let missing = folder.path().join("missing.crt");
    for (path, problem) in [(empty, " holds no certificate in PEM"), (missing, " cannot be read: ")] {
        let error = OciRegistry::trusting_file(Some(&path)).err().unwrap();
        assert!(error.starts_with(&format!("{}{problem}", path.display())), "{error}");
    }
}
