//! Nothing is without an end.

use std::time::{Duration, Instant};

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
        (SourceLimits { files: 2, ..all }, "more than 2 files, folders and links, which is the limit"),
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

/// What does not become smaller when it is packed.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| rand::random()).collect()
}
