//! Nothing is without an end.

use std::time::{Duration, Instant};

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use tokio::net::TcpListener;

use super::*;

async fn too_large(limits: SourceLimits, source: &RemoteSource) -> String {
    match reader_within(limits).read(source).await {
        Err(SourceError::TooLarge(sentence)) => sentence,
        Err(other) => panic!("{other}"),
        Ok((revision, _)) => panic!("{revision} is accepted"),
    }
}

#[tokio::test]
async fn a_repository_has_limits() {
    let (_folder, repository, server) = served().await;
    repository.write("zeros", vec![0; 100_000]).write("noise", noise(50_000)).commit();
    let source = branch(&format!("{}/app", server.url), "main");
    let all = SourceLimits::default();
    for (limits, expected) in [
        (SourceLimits { references: 10, ..all }, "a list of references of more than 10 bytes, which is the limit"),
        (SourceLimits { download: 20_000, ..all }, "a pack of more than 20000 bytes, which is the limit"),
        (SourceLimits { object: 90_000, ..all }, "more than 90000 bytes, which is the limit for one"),
        (SourceLimits { unpacked_pack: 120_000, ..all }, "more than 120000 bytes together, which is the limit"),
        (SourceLimits { objects: 2, ..all }, "the limit is 2"),
        (SourceLimits { bytes: 120_000, ..all }, "more than 120000 bytes together, which is the limit"),
        (SourceLimits { files: 2, ..all }, "more than 2 names, which is the limit"),
    ] {
        let sentence = too_large(limits, &source).await;
        assert!(sentence.contains(expected), "{sentence}");
    }
}

#[tokio::test]
async fn an_archive_has_limits() {
    let archives = [("/a.tar".to_owned(), (tar(&[("file", &"x".repeat(5000))]), None))].into();
    let server = Server::plain(Site { archives, ..Site::default() }).await;
    let source = RemoteSource::Archive(archive(&format!("{}/a.tar", server.url)));
    let sentence = too_large(SourceLimits { download: 1000, ..SourceLimits::default() }, &source).await;
    assert!(sentence.ends_with("has more than 1000 bytes, which is the limit for a download"), "{sentence}");
    let sentence = too_large(SourceLimits { bytes: 1000, ..SourceLimits::default() }, &source).await;
    assert!(sentence.contains("more than 1000 bytes together, which is the limit"), "{sentence}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_without_an_end() {
    let (_folder, _, server) = served().await;
    server.site.lock().unwrap().is_silent = true;
    let source = branch(&format!("{}/app", server.url), "main");
    let short = Duration::from_millis(300);
    for limits in [
        SourceLimits { silence: short, ..SourceLimits::default() },
        SourceLimits { time: short, ..SourceLimits::default() },
    ] {
        let started = Instant::now();
        let error = reader_within(limits).resolve(&source).await.err().unwrap();
        assert!(matches!(error, SourceError::Unreachable(_)), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn a_connection_ends_with_the_future_that_it_is_for() {
    for scheme in ["http", "ssh"] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("{scheme}://127.0.0.1:{}/app", listener.local_addr().unwrap().port());
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
        let credentials = (scheme == "ssh").then(|| SourceCredentials {
            authentication: Some(SourceAuthentication::Key { identity: private_key().into(), password: None }),
            known_hosts: Some(format!("* {key}")),
            certificate_authorities: None,
        });
        let source = RemoteSource::Git(GitSource { credentials, ..git(&url, GitReference::Default) });
        let reader = reader();
        let (mut connection, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            answer = reader.resolve(&source) => panic!("{scheme} is answered: {answer:?}"),
        };
        let mut nothing = tokio::io::sink();
        let rest = tokio::time::timeout(Duration::from_secs(10), tokio::io::copy(&mut connection, &mut nothing));
        assert!(rest.await.is_ok(), "the connection by {scheme} is still there");
    }
}

/// A key that opens nothing.
fn private_key() -> String {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

/// What does not become smaller when it is packed.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| rand::random()).collect()
}
