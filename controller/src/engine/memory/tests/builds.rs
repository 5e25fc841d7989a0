use super::*;
use crate::app::RegistryErrorKind;
use crate::build::ContextSource;
use crate::engine::{BuildReport, StepState};

const DOCKERFILE: &str = "FROM node:6\nWORKDIR /app\nADD . /app\nEXPOSE 80\nCMD [\"node\", \"app.js\"]\n";

fn world_with_node(kind: ImageStore) -> World {
    let world = world(kind);
    world.engine.load(&reference("node:6"), &MemoryImage::new("node"));
    world
}

async fn build(world: &World, files: &[(&str, &str)], tag: &str) -> Result<BuildReport, EngineError> {
    world.engine.build_image(build_of(files, tag), silent()).await
}

/// The failure of a build of this Dockerfile.
async fn failure_of(dockerfile: &str) -> crate::engine::BuildFailed {
    let world = world_with_node(ImageStore::GraphDriver);
    let result = build(&world, &[("Dockerfile", dockerfile), ("app.js", "1")], "app").await;
    match result {
        Err(EngineError::BuildFailed(failed)) => failed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_build_tags_its_image_and_counts_its_steps() {
    for kind in BOTH {
        let world = world_with_node(kind);
        let files = [("Dockerfile", DOCKERFILE), ("app.js", "hello")];
        let report = build(&world, &files, "node-app:0.1").await.unwrap();
        assert_eq!((report.steps, report.cached_steps), (3, 1), "the base is there");
        let image = world.engine.image(&reference("node-app:0.1")).unwrap();
        assert_eq!(image.created_at, Some(world.clock.now()));
    }
}

#[tokio::test]
async fn the_same_files_come_from_the_cache_and_give_the_same_image() {
    let world = world_with_node(ImageStore::GraphDriver);
    let files = [("Dockerfile", DOCKERFILE), ("app.js", "hello")];
    build(&world, &files, "node-app:0.1").await.unwrap();
    let again = build(&world, &files, "node-app:0.2").await.unwrap();
    assert_eq!((again.steps, again.cached_steps), (3, 3));
    let one = world.engine.image(&reference("node-app:0.1")).unwrap();
    assert!(one.has(&reference("node-app:0.2")));

    let elsewhere = world_with_node(ImageStore::GraphDriver);
    build(&elsewhere, &files, "node-app:0.1").await.unwrap();
    let there = elsewhere.engine.image(&reference("node-app:0.1")).unwrap();
    assert_eq!(there.id, one.id);
}

#[tokio::test]
async fn another_file_is_built_from_the_step_on_that_takes_it() {
    let world = world_with_node(ImageStore::GraphDriver);
    build(&world, &[("Dockerfile", DOCKERFILE), ("app.js", "hello")], "app:1").await.unwrap();
    let (sink, told) = recorder();
    let request = build_of(&[("Dockerfile", DOCKERFILE), ("app.js", "welcome")], "app:2");
    let report = world.engine.build_image(request, sink).await.unwrap();
    assert_eq!((report.steps, report.cached_steps), (3, 2));

    let told = told.lock().unwrap();
    let ends: Vec<(usize, &str, bool)> = told
        .iter()
        .filter_map(|progress| match progress {
            Progress::BuildStep {
                number, name, state: state @ (StepState::Cached | StepState::Done { .. }), ..
            } => Some((*number, name.as_str(), *state == StepState::Cached)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(1, "FROM node:6", true), (2, "WORKDIR /app", true), (3, "ADD . /app", false)]);
    assert_ne!(
        world.engine.image(&reference("app:1")).unwrap().id,
        world.engine.image(&reference("app:2")).unwrap().id
    );
}

#[tokio::test]
async fn labels_go_into_the_image_and_its_digest_but_not_into_the_cache() {
    let world = world_with_node(ImageStore::GraphDriver);
    let files = [("Dockerfile", DOCKERFILE), ("app.js", "hello")];
    let mut ids = Vec::new();
    for hash in ["v1-a", "v1-b"] {
        let mut request = build_of(&files, hash);
        request.labels = [("longshore.dev/input-hash".to_owned(), hash.to_owned())].into();
        world.engine.build_image(request, silent()).await.unwrap();
        let image = world.engine.image(&reference(hash)).unwrap();
        assert_eq!(image.labels["longshore.dev/input-hash"], hash);
        ids.push(image.id);
    }
    assert_ne!(ids[0], ids[1]);
    let report = build(&world, &files, "again").await.unwrap();
    assert_eq!(report.cached_steps, report.steps);
}

#[tokio::test]
async fn a_failing_step_is_named_with_its_exit_code_and_what_it_printed() {
    let failed = failure_of("FROM node:6\nRUN echo compiling; exit 7\nRUN true\n").await;
    assert_eq!(failed.failure.step.as_deref(), Some("RUN echo compiling; exit 7"));
    assert_eq!(failed.failure.exit_code, Some(7));
    assert_eq!(failed.failure.log_tail, "compiling");
    assert_eq!(failed.report.steps, 3);
}

#[tokio::test]
async fn a_broken_dockerfile_says_where() {
    let cases = [
        ("FROM node:6\nFRMO x\n", "line 2: unknown instruction: FRMO"),
        ("RUN true\n", "line 1: no build stage"),
        ("# nothing\n", "cannot be empty"),
        ("FROM node:6\nCOPY missing /\n", "\"/missing\": not found"),
        ("FROM node:6 AS\n", "line 1: FROM requires"),
    ];
    for (dockerfile, expected) in cases {
        let failed = failure_of(dockerfile).await;
        assert!(failed.message.contains(expected), "{}", failed.message);
    }
}

#[tokio::test]
async fn only_what_has_changed_is_sent_again() {
    let world = world_with_node(ImageStore::GraphDriver);
    let files = [("Dockerfile", DOCKERFILE), ("app.js", "hello")];
    let first = build(&world, &files, "app:1").await.unwrap();
    assert_eq!(first.bytes_sent, (DOCKERFILE.len() + "hello".len()) as u64);
    let again = build(&world, &files, "app:2").await.unwrap();
    assert_eq!(again.bytes_sent, 0);
    let edited = build(&world, &[("Dockerfile", DOCKERFILE), ("app.js", "welcome")], "app:3").await.unwrap();
    assert_eq!(edited.bytes_sent, "welcome".len() as u64);
}

#[tokio::test]
async fn a_base_that_is_not_here_comes_from_the_registry() {
    let world = world(ImageStore::Containerd);
    let files = [("Dockerfile", DOCKERFILE), ("app.js", "hello")];
    let missing = build(&world, &files, "app").await;
    assert_eq!(missing.unwrap_err().registry_kind(), Some(RegistryErrorKind::ManifestUnknown));
    world.registry.set_available("docker.io", false);
    let away = build(&world, &files, "app").await;
    assert_eq!(away.unwrap_err().registry_kind(), Some(RegistryErrorKind::Unavailable));
    world.registry.set_available("docker.io", true);

    world.registry.put_index(&reference("node:6"), &MemoryImage::new("node"));
    let first = build(&world, &files, "app").await.unwrap();
    assert_eq!(first.cached_steps, 0);
    let second = build(&world, &files, "app").await.unwrap();
    assert_eq!(second.cached_steps, 3);
    assert_eq!(world.engine.image(&reference("node:6")), None, "it is no image of the engine");
}

#[tokio::test]
async fn only_the_stages_that_the_target_needs_are_built() {
    let world = world_with_node(ImageStore::GraphDriver);
    let dockerfile = "FROM node:6 AS build\nRUN make\nFROM node:6 AS check\nRUN exit 1\n\
                      FROM scratch AS release\nCOPY --from=build /app /app\nCMD exit 4\n";
    let report = build(&world, &[("Dockerfile", dockerfile)], "app").await.unwrap();
    assert_eq!(report.steps, 3, "FROM node:6, RUN make, COPY");

    let mut request = build_of(&[("Dockerfile", dockerfile)], "app");
    request.target = Some("check".to_owned());
    let failed = world.engine.build_image(request, silent()).await;
    assert!(matches!(failed, Err(EngineError::BuildFailed(_))), "{failed:?}");
    let mut request = build_of(&[("Dockerfile", dockerfile)], "app");
    request.target = Some("nowhere".to_owned());
    let Err(EngineError::BuildFailed(failed)) = world.engine.build_image(request, silent()).await else {
        panic!("there is no such stage");
    };
    assert!(failed.message.contains("\"nowhere\" could not be found"), "{}", failed.message);
}

#[tokio::test]
async fn arguments_reach_the_base_and_the_steps() {
    let world = world_with_node(ImageStore::GraphDriver);
    let dockerfile = "ARG BASE=missing:1\nFROM ${BASE}\nARG VERSION=1\nENV VERSION=$VERSION\nRUN make\n";
    let with_version = async |version: &str| {
        let mut request = build_of(&[("Dockerfile", dockerfile)], "app");
        request.args =
            [("BASE", "node:6"), ("VERSION", version)].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        world.engine.build_image(request, silent()).await.unwrap();
        world.engine.image(&reference("app")).unwrap().id
    };
    assert_ne!(with_version("1").await, with_version("2").await);
}

#[tokio::test]
async fn what_the_image_runs_is_what_its_dockerfile_says() {
    let world = world_with_node(ImageStore::GraphDriver);
    let dockerfile = "FROM node:6\nLABEL stage=\"the last\"\nCMD echo hello && exit 3\n";
    build(&world, &[("Dockerfile", dockerfile)], "app").await.unwrap();
    let id = world.engine.run_by_hand("app", &reference("app"), &[]).unwrap();
    assert_eq!(world.detail(&id).await.exit_code, 3);
    assert_eq!(text_of(&world.engine, &id, &crate::engine::LogOptions::default()).await, "hello\n");
    let image = world.engine.image(&reference("app")).unwrap();
    assert_eq!(image.labels["stage"], "the last");
}

#[tokio::test]
async fn a_context_that_has_changed_fails_the_build() {
    let world = world_with_node(ImageStore::GraphDriver);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Dockerfile"), DOCKERFILE).unwrap();
    std::fs::write(folder.path().join("app.js"), "hello").unwrap();
    let source = ContextSource::Folder(folder.path().to_owned());
    let dockerfile = DockerfileSource::InContext("Dockerfile".to_owned());
    let context = ContextReader::default().read(source, dockerfile).await.unwrap();
    std::fs::write(folder.path().join("app.js"), "Hello").unwrap();
    let request = BuildRequest::new(Arc::new(context), reference("app"), "longshore/test");
    let result = world.engine.build_image(request, silent()).await;
    let Err(EngineError::Context(message)) = result else {
        panic!("{result:?}");
    };
    assert!(message.contains("\"app.js\" changed"), "{message}");
    assert_eq!(world.engine.cancelled(), Vec::<String>::new());
}
