//! Where a Dockerfile may lie, and that it is no part of the context.

use std::os::unix::fs::symlink;

use super::*;

const TEXT: &str = "FROM scratch\nADD . /\n";

async fn read_with(source: ContextSource, dockerfile: DockerfileSource) -> Result<ReadContext, ContextError> {
    ContextReader::default().read(source, dockerfile).await
}

fn beside(path: &str) -> DockerfileSource {
    DockerfileSource::Beside(path.to_owned())
}

/// A folder with a context in `app` and a Dockerfile in `docker`.
fn with_a_dockerfile_beside() -> (TempDir, ContextSource) {
    let folder = folder_of(&[("app/app.js", "1"), ("docker/Dockerfile", TEXT)]);
    let source = ContextSource::Folder(folder.path().join("app"));
    (folder, source)
}

#[tokio::test]
async fn a_dockerfile_that_a_pattern_leaves_out_is_not_in_the_context() {
    let files = &[(".dockerignore", "Dockerfile\n.dockerignore\n"), ("Dockerfile", TEXT), ("a", "1")];
    for source in [inline(files), in_folder(&folder_of(files))] {
        let context = read(source).await.unwrap();
        assert_eq!(paths(&context), ["a"]);
        assert_eq!((context.dockerfile().name(), context.dockerfile().text()), ("Dockerfile", TEXT.as_bytes()));
    }
}

#[tokio::test]
async fn the_dockerfile_counts_wherever_it_lies() {
    let (folder, source) = with_a_dockerfile_beside();
    let digest = async || read_with(source.clone(), beside("../docker/Dockerfile")).await.unwrap().digest();
    let before = digest().await;
    write(&folder, "docker/Dockerfile", "FROM scratch\nADD / /\n");
    assert_ne!(digest().await, before);
}

#[tokio::test]
async fn a_dockerfile_outside_of_the_context_is_found_from_its_folder() {
    let (folder, source) = with_a_dockerfile_beside();
    symlink("app", folder.path().join("link")).unwrap();
    let by_link = ContextSource::Folder(folder.path().join("link"));
    for source in [source, by_link] {
        for path in ["../docker/Dockerfile", "./../docker//Dockerfile", "x/../../docker/Dockerfile"] {
            let context = read_with(source.clone(), beside(path)).await.unwrap();
            assert_eq!(context.dockerfile().text(), TEXT.as_bytes(), "{path}");
            assert_eq!(paths(&context), ["app.js"]);
        }
    }
}

#[tokio::test]
async fn a_dockerfile_outside_brings_its_own_patterns() {
    let (folder, source) = with_a_dockerfile_beside();
    write(&folder, "docker/Dockerfile.dockerignore", "*.tmp\n");
    write(&folder, "app/.dockerignore", "*.js\n");
    write(&folder, "app/x.tmp", "");
    let context = read_with(source, beside("../docker/Dockerfile")).await.unwrap();
    assert_eq!(paths(&context), [".dockerignore", "app.js"]);
    let own = context.dockerfile().own_ignore_file().unwrap();
    assert_eq!((own.0.as_str(), own.1.as_ref()), ("Dockerfile.dockerignore", b"*.tmp\n".as_slice()));
}

#[tokio::test]
async fn a_dockerfile_outside_that_is_missing_or_a_link_is_named() {
    let (folder, source) = with_a_dockerfile_beside();
    symlink("Dockerfile", folder.path().join("docker/link")).unwrap();
    for path in ["../docker/nowhere", "../docker/link", "../docker"] {
        let error = read_with(source.clone(), beside(path)).await.err();
        assert_eq!(error, Some(ContextError::NoDockerfileBeside { path: path.to_owned() }));
    }
    let error = read_with(inline(&[("a", "")]), beside("../Dockerfile")).await.err();
    assert_eq!(error, Some(ContextError::NothingBeside { path: "../Dockerfile".to_owned() }));
}

#[tokio::test]
async fn a_dockerfile_may_stand_in_the_resource() {
    let files = &[(".dockerignore", "*.tmp\n"), ("a", "1"), ("x.tmp", "")];
    let context = read_with(inline(files), DockerfileSource::Inline(TEXT.to_owned())).await.unwrap();
    assert_eq!(paths(&context), [".dockerignore", "a"]);
    assert_eq!(context.dockerfile().text(), TEXT.as_bytes());
}

#[tokio::test]
async fn a_dockerfile_that_is_a_link_within_the_context_is_followed() {
    let folder = folder_of(&[("docker/Dockerfile.prod", TEXT)]);
    symlink("docker/Dockerfile.prod", folder.path().join("Dockerfile")).unwrap();
    let context = read_folder(&folder).await;
    assert_eq!((context.dockerfile().name(), context.dockerfile().text()), ("Dockerfile", TEXT.as_bytes()));
}

#[tokio::test]
async fn a_dockerfile_that_is_a_link_out_of_the_context_is_refused() {
    let (folder, source) = with_a_dockerfile_beside();
    let link = folder.path().join("app/Dockerfile");
    let absolute = folder.path().join("docker/Dockerfile");
    for (target, expected) in [
        (Path::new("../docker/Dockerfile"), "leads out of the build context"),
        (absolute.as_path(), "is not in the build context"),
        (Path::new("Dockerfile"), "leads to itself"),
    ] {
        symlink(target, &link).unwrap();
        let error = read(source.clone()).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        fs::remove_file(&link).unwrap();
    }
}

#[tokio::test]
async fn an_archive_takes_a_dockerfile_along_that_is_none_of_its_files() {
    let files = &[(".dockerignore", "Dockerfile\n"), ("Dockerfile", TEXT), ("a", "1")];
    let context = Arc::new(read(inline(files)).await.unwrap());
    let name = context.archive().dockerfile;
    assert!(name.starts_with(".dockerfile."), "{name}");
    drop(name);
    let context = Arc::into_inner(context).unwrap();
    let unpacked = unpacked(context).await;
    let name = unpacked.keys().find(|name| name.starts_with(".dockerfile.")).unwrap();
    assert_eq!(unpacked[name], TEXT);
    assert_eq!(unpacked[".dockerignore"], format!("Dockerfile\n\n{name}\n"));
    assert!(!unpacked.contains_key("Dockerfile"));
}

#[tokio::test]
async fn a_dockerfile_without_end_is_refused() {
    let large = "#".repeat((1 << 20) + 1);
    let error = read(inline(&[("Dockerfile", &large)])).await.err().unwrap().to_string();
    assert!(error.contains("more than 1 MiB"), "{error}");
}
