//! What an engine does with a build's context, its Dockerfile and its base images.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use longshore::app::{Credentials, RegistryErrorKind};
use longshore::build::{ContextReader, ContextSource, DockerfileSource, ReadContext};
use longshore::engine::{BuildRequest, EngineError};

use super::scene::{Fixture, Scene, ignored, play};

/// The folder that is named may be a link; in it no link is followed.
pub async fn a_context_that_is_a_link_is_built(fixture: Fixture) {
    play(fixture, async |scene| {
        let folder = folder_of(&scene, &[("app/Dockerfile", "COPY own /own"), ("app/own", "own")]);
        std::os::unix::fs::symlink("app", folder.path().join("link")).expect("a link");
        let context = read(&folder.path().join("link"), in_context("Dockerfile")).await;
        builds(&scene, "link", context).await;
    })
    .await;
}

/// A Dockerfile need not lie in its context.
pub async fn a_dockerfile_outside_of_the_context_is_built(fixture: Fixture) {
    play(fixture, async |scene| {
        let folder = folder_of(&scene, &[("docker/Dockerfile", "COPY own /own"), ("app/own", "own")]);
        let dockerfile = DockerfileSource::Beside("../docker/Dockerfile".to_owned());
        let context = read(&folder.path().join("app"), dockerfile).await;
        assert!(!context.contains("Dockerfile"));
        builds(&scene, "outside", context).await;
    })
    .await;
}

/// What `.dockerignore` leaves out is no part of the context, the Dockerfile included; it is built from nevertheless.
pub async fn a_dockerfile_that_a_pattern_leaves_out_is_built(fixture: Fixture) {
    play(fixture, async |scene| {
        let ignore = ("app/.dockerignore", "Dockerfile\n.dockerignore\n");
        let folder = folder_of(&scene, &[ignore, ("app/Dockerfile", "COPY . /app"), ("app/own", "own")]);
        let context = read(&folder.path().join("app"), in_context("Dockerfile")).await;
        assert_eq!(context.files(), 1);
        builds(&scene, "excluded", context).await;
    })
    .await;
}

/// The base may be chosen by an argument, and a stage may take files from another.
pub async fn an_argument_before_from_and_a_stage_to_copy_from_are_honoured(fixture: Fixture) {
    play(fixture, async |scene| {
        let base = &scene.fixture.base_image;
        let dockerfile = format!(
            "ARG BASE=missing.example/nowhere:1\nFROM ${{BASE}} AS builder\nWORKDIR /built\nFROM {base}\n\
             COPY --from=builder /built /built\n"
        );
        let request = || BuildRequest {
            args: BTreeMap::from([("BASE".to_owned(), base.clone())]),
            ..scene.build_request("stages", &[("Dockerfile", &dockerfile)])
        };
        scene.try_build(request, ignored()).await.expect("a build");
        assert!(scene.image(&scene.reference("stages")).await.is_some());
    })
    .await;
}

/// Without the cache every step is done anew, though the same was built before.
pub async fn without_the_cache_every_step_is_done_anew(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile(&format!("RUN echo {}", scene.name("step")));
        let files = [("Dockerfile", dockerfile.as_str())];
        scene.build("first", &files).await;
        let again = scene.build("again", &files).await;
        assert_eq!(again.cached_steps, again.steps);
        let request = || BuildRequest { no_cache: true, ..scene.build_request("anew", &files) };
        let anew = scene.try_build(request, ignored()).await.expect("a build");
        assert!(anew.cached_steps < anew.steps, "{anew:?}");
    })
    .await;
}

/// A base image that a registry shows to those alone who say who they are.
pub async fn a_private_base_image_wants_credentials(fixture: Fixture) {
    play(fixture, async |scene| {
        let base = scene.remote_reference("base");
        let own = scene.name("content");
        scene.build("local", &[("Dockerfile", &scene.dockerfile("COPY own /own")), ("own", &own)]).await;
        let local = scene.reference("local");
        let image = scene.image(&local).await.expect("what was built");
        scene.engine().tag_image(&image.id, &base).await.expect("a tag");
        let credentials = &scene.fixture.credentials;
        scene.engine().push_image(&base, Some(credentials), ignored()).await.expect("a push");
        for reference in [&base, &local] {
            scene.engine().remove_image(reference).await.expect("a removal");
        }

        let dockerfile = format!("FROM {base}\nWORKDIR /private\n");
        let with = |credentials: Vec<Credentials>| {
            let request = scene.build_request("private", &[("Dockerfile", &dockerfile)]);
            BuildRequest { credentials, ..request }
        };
        let elsewhere = Credentials { host: format!("{}.example", credentials.host), ..credentials.clone() };
        for not_shown in [Vec::new(), vec![elsewhere]] {
            let built = scene.engine().build_image(with(not_shown), ignored()).await;
            let kind = built.as_ref().err().and_then(EngineError::registry_kind);
            assert_eq!(kind, Some(RegistryErrorKind::AuthenticationRequired), "{built:?}");
        }
        let built = scene.try_build(|| with(vec![credentials.clone()]), ignored()).await;
        built.expect("a build with credentials");
    })
    .await;
}

async fn builds(scene: &Scene, tag: &str, context: ReadContext) {
    let context = Arc::new(context);
    let request = || BuildRequest::new(Arc::clone(&context), scene.reference(tag), scene.name("context"));
    scene.try_build(request, ignored()).await.expect("a build");
    assert!(scene.image(&scene.reference(tag)).await.is_some());
}

/// A folder with these files; a Dockerfile begins with the base image.
fn folder_of(scene: &Scene, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let text = if path.ends_with("Dockerfile") { scene.dockerfile(text) } else { (*text).to_owned() };
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

fn in_context(path: &str) -> DockerfileSource {
    DockerfileSource::InContext(path.to_owned())
}

async fn read(folder: &Path, dockerfile: DockerfileSource) -> ReadContext {
    let source = ContextSource::Folder(folder.to_owned());
    let read = ContextReader::default().read(source, dockerfile).await;
    read.unwrap_or_else(|error| panic!("{error}"))
}
