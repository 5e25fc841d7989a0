//! Submodules.

use super::*;

fn with_submodules(url: &str) -> RemoteSource {
    RemoteSource::Git(GitSource { submodules: true, ..git(url, GitReference::Default) })
}

#[tokio::test]
async fn submodules_are_read_when_they_are_asked_for() {
    let (folder, repository, server) = served().await;
    let inner = Repository::new(folder.path().join("inner"));
    inner.write("deep", "deep\n").commit();
    let library = Repository::new(folder.path().join("library"));
    library.write("code", "code\n").add_submodule("nested/inner", &inner.folder, "../inner").commit();
    repository.add_submodule("vendor/library", &library.folder, "../library").commit();
    // The submodule's own branch goes on; the commit that is named is what counts.
    library.write("code", "newer\n").commit();
    let reader = reader();
    let url = format!("{}/app", server.url);

    let (revision, tree) = reader.read(&RemoteSource::Git(git(&url, GitReference::Default))).await.unwrap();
    assert_eq!(paths(&tree), [".gitmodules", "file", "vendor", "vendor/library"]);
    assert_eq!(tree.entries["vendor/library"], SourceEntry::Folder);

    let (same, tree) = reader.read(&with_submodules(&url)).await.unwrap();
    assert_eq!(revision, same);
    assert_eq!(
        paths(&tree),
        [
            ".gitmodules",
            "file",
            "vendor",
            "vendor/library",
            "vendor/library/.gitmodules",
            "vendor/library/code",
            "vendor/library/nested",
            "vendor/library/nested/inner",
            "vendor/library/nested/inner/deep",
        ]
    );
    assert_eq!(reader.text(&tree, "vendor/library/code"), "code\n");
    assert_eq!(reader.text(&tree, "vendor/library/nested/inner/deep"), "deep\n");
    server.asked();
    reader.read(&with_submodules(&url)).await.unwrap();
    assert_eq!(server.asked().len(), 2, "the revision alone is asked for");
}

#[tokio::test]
async fn credentials_are_shown_to_submodules_on_the_same_server_only() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path().join("app"));
    let library = Repository::new(folder.path().join("library"));
    library.write("code", "code\n").commit();
    let site = || Site { repositories: folder.path().to_owned(), authorization: Some(right()), ..Site::default() };
    let (server, other) = (Server::secure(site()).await, Server::secure(site()).await);
    let mut credentials = basic("right", &server);
    credentials.certificate_authorities = Some(format!("{}{}", server.certificate, other.certificate));
    let source = RemoteSource::Git(GitSource {
        submodules: true,
        credentials: Some(credentials),
        ..git(&format!("{}/app", server.url), GitReference::Default)
    });
    repository.add_submodule("library", &library.folder, "../library").commit();
    let reader = reader();
    let (_, tree) = reader.read(&source).await.unwrap();
    assert_eq!(reader.text(&tree, "library/code"), "code\n");

    repository.git(&["config", "--file", ".gitmodules", "submodule.library.url", &format!("{}/library", other.url)]);
    repository.commit();
    let denied = reader.read(&source).await.err();
    let Some(SourceError::Denied(sentence)) = denied else { panic!("{denied:?}") };
    assert!(sentence.starts_with("the submodule \"library\":"), "{sentence}");
    let asked = other.asked();
    assert_eq!((asked.len(), asked[0].authorization.as_deref()), (1, None));
}

#[tokio::test]
async fn addresses_that_are_no_remote_ones_are_refused() {
    let (folder, repository, server) = served().await;
    let library = Repository::new(folder.path().join("library"));
    library.write("code", "code\n").commit();
    repository.add_submodule("library", &library.folder, "../library").commit();
    for address in ["file:///etc", "/etc", "ext::sh -c id", "-oProxyCommand=id:x", "git://localhost/a", "../../../a"] {
        repository.git(&["config", "--file", ".gitmodules", "submodule.library.url", address]);
        repository.commit();
        let error = reader().read(&with_submodules(&format!("{}/app", server.url))).await.err();
        assert!(matches!(error, Some(SourceError::Invalid(_) | SourceError::Unsafe(_))), "{address}: {error:?}");
    }
    repository.git(&["config", "--file", ".gitmodules", "--unset", "submodule.library.url"]);
    repository.commit();
    let error = reader().read(&with_submodules(&format!("{}/app", server.url))).await.err();
    let Some(SourceError::Invalid(sentence)) = error else { panic!("{error:?}") };
    assert!(sentence.contains("has no address in .gitmodules"), "{sentence}");
}

#[tokio::test]
async fn submodules_have_limits() {
    let (folder, repository, server) = served().await;
    let inner = Repository::new(folder.path().join("inner"));
    inner.write("deep", "deep\n").commit();
    let library = Repository::new(folder.path().join("library"));
    library.add_submodule("inner", &inner.folder, "../inner").commit();
    repository.add_submodule("library", &library.folder, "../library").commit();
    let source = with_submodules(&format!("{}/app", server.url));
    for limits in [
        SourceLimits { submodule_depth: 1, ..SourceLimits::default() },
        SourceLimits { submodules: 1, ..SourceLimits::default() },
    ] {
        let error = reader_within(limits).read(&source).await.err();
        let Some(SourceError::TooLarge(sentence)) = error else { panic!("{error:?}") };
        assert!(sentence.contains("submodules") && sentence.contains("which is the limit"), "{sentence}");
    }
}
