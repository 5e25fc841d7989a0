//! Archives on web servers.

use super::*;
use crate::app::Digest;

async fn serving(content: Vec<u8>, tag: Option<&'static str>) -> Server {
    let archives = [("/a.tar".to_owned(), (content, tag))].into();
    Server::plain(Site { archives, ..Site::default() }).await
}

fn put(server: &Server, content: Vec<u8>, tag: Option<&'static str>) {
    server.site.lock().unwrap().archives.insert("/a.tar".to_owned(), (content, tag));
}

fn source(server: &Server, digest: Option<Digest>) -> RemoteSource {
    RemoteSource::Archive(ArchiveSource { digest, ..archive(&format!("{}/a.tar", server.url)) })
}

#[tokio::test]
async fn an_archive_is_its_digest_and_is_downloaded_once() {
    let (one, two) = (tar(&[("file", "one\n")]), tar(&[("file", "two\n")]));
    let server = serving(one.clone(), Some("\"1\"")).await;
    let (reader, source) = (reader(), source(&server, None));
    let (revision, tree) = reader.read(&source).await.unwrap();
    assert_eq!(revision, Digest::of(&one).to_string());
    assert_eq!(reader.text(&tree, "file"), "one\n");
    assert_eq!(server.asked().len(), 1, "what was downloaded to know the revision is read");

    assert_eq!(reader.read(&source).await.unwrap().0, revision);
    assert_eq!(server.asked().len(), 1, "whether it changed");

    put(&server, two.clone(), Some("\"2\""));
    let (revision, tree) = reader.read(&source).await.unwrap();
    assert_eq!(revision, Digest::of(&two).to_string());
    assert_eq!(reader.text(&tree, "file"), "two\n");
}

#[tokio::test]
async fn a_server_without_tags_is_asked_for_the_whole_archive() {
    let content = tar(&[("file", "one\n")]);
    let server = serving(content.clone(), None).await;
    let (reader, source) = (reader(), source(&server, None));
    for _ in 0..2 {
        assert_eq!(reader.resolve(&source).await.unwrap().to_string(), Digest::of(&content).to_string());
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn an_archive_whose_digest_is_given_is_not_asked_for_its_revision() {
    let content = tar(&[("file", "one\n")]);
    let server = serving(content.clone(), None).await;
    let (reader, source) = (reader(), source(&server, Some(Digest::of(&content))));
    let revision = reader.resolve(&source).await.unwrap();
    assert!(server.asked().is_empty());
    for _ in 0..2 {
        let tree = reader.fetch(&source, &revision).await.unwrap();
        assert_eq!(reader.text(&tree, "file"), "one\n");
    }
    assert_eq!(server.asked().len(), 1);
    let reader = restarted(reader);
    assert!(reader.fetch(&source, &revision).await.is_ok());
    assert_eq!(server.asked().len(), 0, "it lies in the store");
}

#[tokio::test]
async fn an_archive_with_another_digest_is_refused() {
    let server = serving(tar(&[("file", "one\n")]), None).await;
    let error = reader().read(&source(&server, Some(Digest::of("other")))).await.err();
    let Some(SourceError::DigestMismatch(sentence)) = error else { panic!("{error:?}") };
    assert!(sentence.contains(&Digest::of("other").to_string()), "{sentence}");
}

#[tokio::test]
async fn an_archive_that_changes_between_two_looks_is_looked_at_again() {
    let server = serving(tar(&[("file", "one\n")]), None).await;
    let (reader, source) = (reader(), source(&server, None));
    let revision = reader.resolve(&source).await.unwrap();
    put(&server, tar(&[("file", "two\n")]), None);
    reader.resolve(&source).await.unwrap();
    let error = reader.fetch(&source, &revision).await.err().unwrap();
    assert!(error.may_pass(), "{error}");
}

#[tokio::test]
async fn what_is_no_archive_is_not_quoted() {
    let server = serving(b"<html>canary</html>".to_vec(), None).await;
    let error = reader().read(&source(&server, None)).await.err();
    let Some(SourceError::Invalid(sentence)) = error else { panic!("{error:?}") };
    assert!(sentence.ends_with("is not an archive; supported are tar, and tar with gzip around it"), "{sentence}");
    let missing = RemoteSource::Archive(archive(&format!("{}/missing?token=canary", server.url)));
    let error = reader().resolve(&missing).await.err();
    let Some(SourceError::NotFound(sentence)) = error else { panic!("{error:?}") };
    assert!(!sentence.contains("canary"), "{sentence}");
}

#[tokio::test]
async fn what_one_downloaded_is_not_given_to_another() {
    let content = tar(&[("file", "one\n")]);
    let site = Site {
        authorization: Some(right()),
        archives: [("/a.tar".to_owned(), (content.clone(), Some("\"1\"")))].into(),
        ..Site::default()
    };
    let server = Server::secure(site).await;
    let with = |credentials: SourceCredentials, digest| {
        RemoteSource::Archive(ArchiveSource {
            digest,
            credentials: Some(credentials),
            ..archive(&format!("{}/a.tar", server.url))
        })
    };
    let reader = reader();
    reader.read(&with(basic("right", &server), None)).await.unwrap();
    for digest in [None, Some(Digest::of(&content))] {
        let other = reader.read(&with(basic("wrong", &server), digest)).await.err();
        assert!(matches!(other, Some(SourceError::Denied(_))), "{other:?}");
    }
}

#[tokio::test]
async fn an_archive_that_leads_out_is_refused_and_leaves_nothing() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..11].copy_from_slice(b"../../canar");
    header.set_size(1);
    header.set_cksum();
    builder.append(&header, &b"x"[..]).unwrap();
    let server = serving(builder.into_inner().unwrap(), None).await;
    let reader = reader();
    let error = reader.read(&source(&server, None)).await.err();
    assert!(matches!(error, Some(SourceError::Unsafe(_))), "{error:?}");
    let folder = reader.folder.path();
    for above in [folder.to_owned(), folder.join(".."), folder.join("../..")] {
        assert!(!above.join("canar").exists());
    }
}
