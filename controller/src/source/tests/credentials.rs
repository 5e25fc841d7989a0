//! Who is shown which credentials.

use super::*;

/// A repository behind HTTPS and a password.
async fn guarded() -> (TempDir, Repository, Server) {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path().join("app"));
    repository.write("file", "one\n").commit();
    let site = Site { repositories: folder.path().to_owned(), authorization: Some(right()), ..Site::default() };
    let server = Server::secure(site).await;
    (folder, repository, server)
}

fn with(source: GitSource, credentials: SourceCredentials) -> RemoteSource {
    RemoteSource::Git(GitSource { credentials: Some(credentials), ..source })
}

#[tokio::test]
async fn the_right_password_opens_and_a_wrong_one_is_denied() {
    let (_folder, _, server) = guarded().await;
    let url = format!("{}/app", server.url);
    let source = || git(&url, GitReference::Default);
    let reader = reader();
    let right_one = with(source(), basic("right", &server));
    let (_, tree) = reader.read(&right_one).await.unwrap();
    assert_eq!(reader.text(&tree, "file"), "one\n");

    let wrong = reader.read(&with(source(), basic("canary", &server))).await.err().unwrap();
    let SourceError::Denied(sentence) = &wrong else { panic!("{wrong}") };
    assert!(sentence.contains("refuses the credentials") && !sentence.contains("canary"), "{sentence}");
    let none = reader.read(&with(source(), basic("", &server).without_secrets())).await.err().unwrap();
    let SourceError::Denied(sentence) = &none else { panic!("{none}") };
    assert!(sentence.contains("name a Secret"), "{sentence}");
}

#[tokio::test]
async fn what_one_fetched_is_not_given_to_another_without_asking_the_server() {
    let (_folder, repository, server) = guarded().await;
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let source = || git(&format!("{}/app", server.url), GitReference::Commit(commit.clone()));
    let reader = reader();
    reader.read(&with(source(), basic("right", &server))).await.unwrap();
    for credentials in [basic("wrong", &server), basic("", &server).without_secrets()] {
        let other = reader.read(&with(source(), credentials)).await.err();
        assert!(matches!(other, Some(SourceError::Denied(_))), "{other:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (_folder, _, server) = guarded().await;
    let unknown = reader().resolve(&branch(&format!("{}/app", server.url), "main")).await;
    let Err(SourceError::CertificateUnknown(sentence)) = unknown else { panic!("{unknown:?}") };
    assert!(sentence.contains("ca.crt"), "{sentence}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn credentials_are_not_sent_to_where_a_redirect_leads() {
    let (_folder, _, server) = guarded().await;
    let elsewhere = Server::secure(Site { authorization: Some("never".to_owned()), ..Site::default() }).await;
    server.site.lock().unwrap().redirects.insert("/app".to_owned(), format!("{}/app", elsewhere.url));
    server.site.lock().unwrap().redirects.insert("/a.tar".to_owned(), format!("{}/a.tar", elsewhere.url));
    let mut credentials = basic("right", &server);
    credentials.certificate_authorities = Some(format!("{}{}", server.certificate, elsewhere.certificate));
    let repository = with(git(&format!("{}/app", server.url), GitReference::Default), credentials.clone());
    let archive = RemoteSource::Archive(ArchiveSource {
        credentials: Some(credentials),
        ..archive(&format!("{}/a.tar", server.url))
    });
    for source in [repository, archive] {
        let result = reader().resolve(&source).await;
        let Err(SourceError::Denied(sentence)) = result else { panic!("{result:?}") };
        assert!(sentence.contains("for the host that redirected"), "{sentence}");
        assert!(server.asked().iter().all(|asked| asked.authorization == Some(right())));
        let asked = elsewhere.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].authorization, None);
    }
}

#[tokio::test]
async fn a_redirect_on_the_same_server_is_followed_with_credentials() {
    let (_folder, _, server) = guarded().await;
    server.site.lock().unwrap().redirects.insert("/old".to_owned(), format!("{}/app", server.url));
    let source = with(git(&format!("{}/old", server.url), GitReference::Default), basic("right", &server));
    let reader = reader();
    let (_, tree) = reader.read(&source).await.unwrap();
    assert_eq!(reader.text(&tree, "file"), "one\n");
}

#[tokio::test]
async fn a_redirect_to_plain_http_or_without_end_is_not_followed() {
    let (_folder, _, server) = guarded().await;
    let plain = Server::plain(Site::default()).await;
    server.site.lock().unwrap().redirects.insert("/app".to_owned(), format!("{}/app", plain.url));
    server.site.lock().unwrap().redirects.insert("/loop".to_owned(), "/loop".to_owned());
    server.site.lock().unwrap().redirects.insert("/user".to_owned(), format!("https://me:canary@localhost{}", ""));
    let at = |path: &str| with(git(&format!("{}/{path}", server.url), GitReference::Default), basic("right", &server));
    assert!(matches!(reader().resolve(&at("app")).await, Err(SourceError::Denied(_))));
    assert!(plain.asked().is_empty());
    assert!(matches!(reader().resolve(&at("loop")).await, Err(SourceError::Unreachable(_))));
    let Err(SourceError::Denied(sentence)) = reader().resolve(&at("user")).await else { panic!("it is refused") };
    assert!(!sentence.contains("canary"), "{sentence}");
}

#[tokio::test]
async fn credentials_are_not_sent_by_plain_http() {
    let (_folder, _, server) = served().await;
    let source = with(
        git(&format!("{}/app", server.url), GitReference::Default),
        SourceCredentials { certificate_authorities: None, ..basic("right", &server) },
    );
    assert!(matches!(reader().resolve(&source).await, Err(SourceError::Invalid(_))));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_token_is_sent_as_one() {
    let (_folder, _, server) = guarded().await;
    server.site.lock().unwrap().authorization = Some("Bearer token".to_owned());
    let credentials =
        SourceCredentials { authentication: Some(SourceAuthentication::Bearer("token".into())), ..basic("", &server) };
    let source = with(git(&format!("{}/app", server.url), GitReference::Default), credentials);
    assert!(reader().read(&source).await.is_ok());
}
