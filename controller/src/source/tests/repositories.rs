//! References, revisions and files of repositories.

use super::*;

/// How often a pack was asked for.
fn packs(server: &Server) -> usize {
    server.asked().iter().filter(|asked| String::from_utf8_lossy(&asked.body).contains("want ")).count()
}

#[tokio::test]
async fn a_branch_that_moves_is_another_revision_and_one_that_does_not_is_not_fetched_again() {
    let (_folder, repository, server) = served().await;
    let (reader, source) = (reader(), branch(&format!("{}/app", server.url), "main"));
    let one = repository.git(&["rev-parse", "HEAD"]);
    let (revision, tree) = reader.read(&source).await.unwrap();
    assert_eq!(revision, format!("main@sha1:{one}"));
    assert_eq!((reader.text(&tree, "file").as_str(), tree.time), ("one\n", 1_700_000_000));
    assert_eq!(server.addresses_asked().len(), 4, "two for the revision, two for the files");

    assert_eq!(reader.read(&source).await.unwrap().0, revision);
    assert_eq!(server.addresses_asked().len(), 2, "two for the revision alone");
    let reader = restarted(reader);
    assert_eq!(reader.read(&source).await.unwrap().1.entries, tree.entries);
    assert_eq!(server.addresses_asked().len(), 2, "nor after a restart");

    let two = repository.write("file", "two\n").commit();
    let (revision, tree) = reader.read(&source).await.unwrap();
    assert_eq!(revision, format!("main@sha1:{two}"));
    assert_eq!(reader.text(&tree, "file"), "two\n");
}

#[tokio::test]
async fn files_are_as_the_commit_has_them() {
    let (_folder, repository, server) = served().await;
    repository
        .write("run.sh", "#!/bin/sh\n")
        .make_executable("run.sh")
        .write("folder/text", "a\r\nb\r\n")
        .write(".gitattributes", "*.txt export-ignore\ntext text eol=lf\n* filter=lfs\n")
        .write("ignored.txt", "is here\n")
        .link("outside", "/etc/passwd")
        .link("folder/up", "../../../secret")
        .link("to-folder", "folder")
        .commit();
    let reader = reader();
    let (_, tree) = reader.read(&branch(&format!("{}/app", server.url), "main")).await.unwrap();
    let expected = [
        ".gitattributes",
        "file",
        "folder",
        "folder/text",
        "folder/up",
        "ignored.txt",
        "outside",
        "run.sh",
        "to-folder",
    ];
    assert_eq!(paths(&tree), expected);
    assert_eq!(tree.entries["outside"], SourceEntry::Link { target: "/etc/passwd".to_owned() });
    assert_eq!(tree.entries["folder/up"], SourceEntry::Link { target: "../../../secret".to_owned() });
    assert!(matches!(tree.entries["run.sh"], SourceEntry::File { executable: true, size: 10, .. }));
    assert!(matches!(tree.entries["file"], SourceEntry::File { executable: false, .. }));
    assert_eq!(reader.text(&tree, "ignored.txt"), "is here\n");
}

/// Reads every kind of reference, from a server that speaks the newest version of the protocol or the oldest.
async fn reads_every_kind_of_reference(is_old: bool) {
    let (_folder, repository, server) = served().await;
    server.site.lock().unwrap().is_old = is_old;
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["tag", "--annotate", "--message", "a tag", "v1.2.0"]);
    repository.git(&["update-ref", "refs/pull/1/head", "HEAD"]);
    let second = repository.write("file", "two\n").commit();
    repository.git(&["tag", "1.10.0"]);
    repository.git(&["tag", "v2.0.0-rc.1"]);
    let third = repository.write("file", "three\n").commit();
    repository.git(&["branch", "other", "v1.2.0"]);
    let reader = reader();
    let url = format!("{}/app", server.url);
    for (reference, name, commit, text) in [
        (GitReference::Default, "main@", &third, "three\n"),
        (GitReference::Branch("other".into()), "other@", &first, "one\n"),
        (GitReference::Tag("v1.2.0".into()), "v1.2.0@", &first, "one\n"),
        (GitReference::Tag("1.10.0".into()), "1.10.0@", &second, "two\n"),
        (GitReference::Semver(">=1.0, <2".parse().unwrap()), "1.10.0@", &second, "two\n"),
        (GitReference::Semver("1.2".parse().unwrap()), "1.10.0@", &second, "two\n"),
        (GitReference::Semver("~1.2".parse().unwrap()), "v1.2.0@", &first, "one\n"),
        (GitReference::Name("refs/pull/1/head".into()), "refs/pull/1/head@", &first, "one\n"),
        (GitReference::Commit(second.clone()), "", &second, "two\n"),
    ] {
        let source = RemoteSource::Git(git(&url, reference.clone()));
        let (revision, tree) = reader.read(&source).await.unwrap_or_else(|error| panic!("{reference}: {error}"));
        assert_eq!(revision, format!("{name}sha1:{commit}"), "{reference}");
        assert_eq!(reader.text(&tree, "file"), text, "{reference}");
    }
    for reference in [
        GitReference::Branch("v1.2.0".into()),
        GitReference::Tag("main".into()),
        GitReference::Semver("^3".parse().unwrap()),
        GitReference::Name("refs/pull/2/head".into()),
        GitReference::Commit("0123456789abcdef0123456789abcdef01234567".into()),
    ] {
        let error = reader.read(&RemoteSource::Git(git(&url, reference.clone()))).await.err();
        assert!(matches!(error, Some(SourceError::ReferenceNotFound(_))), "{reference}: {error:?}");
    }
}

#[tokio::test]
async fn every_kind_of_reference_is_read() {
    reads_every_kind_of_reference(false).await;
}

#[tokio::test]
async fn every_kind_of_reference_is_read_from_an_old_server() {
    reads_every_kind_of_reference(true).await;
}

#[tokio::test]
async fn a_commit_comes_without_those_before_it() {
    let (_folder, repository, server) = served().await;
    let wanted = repository.write("file", "two\n").commit();
    repository.write("file", "three\n").commit();
    let reader = reader();
    let source = RemoteSource::Git(git(&format!("{}/app", server.url), GitReference::Commit(wanted.clone())));
    let revision = reader.resolve(&source).await.unwrap();
    assert!(server.asked().is_empty(), "the commit is known");
    let tree = reader.fetch(&source, &revision).await.unwrap();
    assert_eq!(reader.text(&tree, "file"), "two\n");
    let request = server.asked().pop().unwrap();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    assert!(body.contains("deepen 1") && body.contains(&format!("want {wanted}")), "{body}");
}

#[tokio::test]
async fn an_empty_repository_has_no_reference() {
    for is_old in [false, true] {
        let (folder, _, server) = served().await;
        server.site.lock().unwrap().is_old = is_old;
        Repository::new(folder.path().join("empty"));
        let source = RemoteSource::Git(git(&format!("{}/empty", server.url), GitReference::Default));
        assert!(matches!(reader().resolve(&source).await, Err(SourceError::ReferenceNotFound(_))));
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let (_folder, _, server) = served().await;
    let reader = reader();
    let missing = reader.resolve(&branch(&format!("{}/missing", server.url), "main")).await;
    assert!(matches!(missing, Err(SourceError::NotFound(_))), "{missing:?}");
    server.site.lock().unwrap().archives.insert("/page/info/refs".to_owned(), (b"<html>canary".to_vec(), None));
    let Err(SourceError::Invalid(sentence)) = reader.resolve(&branch(&format!("{}/page", server.url), "main")).await
    else {
        panic!("a page is no repository")
    };
    assert!(sentence.contains("does not answer as a git server does") && !sentence.contains("canary"), "{sentence}");
    let unused = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let unreachable = reader.resolve(&branch(&format!("http://localhost:{unused}/app"), "main")).await;
    assert!(matches!(unreachable, Err(SourceError::Unreachable(_))), "{unreachable:?}");
}

#[tokio::test]
async fn what_was_spoilt_in_the_store_is_fetched_anew() {
    let (_folder, _, server) = served().await;
    let (reader, source) = (reader(), branch(&format!("{}/app", server.url), "main"));
    let (_, tree) = reader.read(&source).await.unwrap();
    let SourceEntry::File { content, .. } = tree.entries["file"] else { panic!("a file") };
    let name = crate::source::store::hexadecimal(&content);
    let path = reader.folder.path().join("contents").join(&name[..2]).join(&name[2..]);
    assert_eq!(std::fs::read(&path).unwrap(), b"one\n");
    for spoil in
        [|path: &std::path::Path| std::fs::write(path, "bad\n"), |path: &std::path::Path| std::fs::remove_file(path)]
    {
        spoil(&path).unwrap();
        packs(&server);
        let (_, tree) = reader.read(&source).await.unwrap();
        assert_eq!(reader.text(&tree, "file"), "one\n");
        assert_eq!(packs(&server), 1);
    }
}

#[tokio::test]
async fn many_files_that_are_alike_are_read() {
    let (_folder, repository, server) = served().await;
    // Git stores them as differences from one another.
    let text = |number: usize| {
        let lines: Vec<_> = (0..400).map(|line| format!("line {} of many\n", line + line / 390 * number)).collect();
        lines.concat()
    };
    for number in 0..150 {
        repository.write(&format!("folder{}/file{number}", number % 7), text(number));
    }
    repository.commit();
    repository.git(&["gc", "--quiet", "--aggressive"]);
    let reader = reader();
    let (_, tree) = reader.read(&branch(&format!("{}/app", server.url), "main")).await.unwrap();
    for number in 0..150 {
        assert_eq!(reader.text(&tree, &format!("folder{}/file{number}", number % 7)), text(number));
    }
}
