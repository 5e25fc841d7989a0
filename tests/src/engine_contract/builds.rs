//! What an engine does with builds.

use std::collections::BTreeMap;

use longshore::build::{ContextReader, ContextSource, DockerfileSource};
use longshore::engine::{BuildRequest, EngineError, Progress, StepState};

use super::scene::{Fixture, Scene, ignored, kept, play, script};

/// Each step is told when it begins and when it is over, in the words of the Dockerfile.
pub async fn a_build_tells_its_steps(fixture: Fixture) {
    play(fixture, async |scene| {
        let own = scene.name("content");
        let dockerfile = scene.dockerfile("WORKDIR /app\nADD . /app\nRUN echo building\nCMD [\"sh\"]");
        let files = [("Dockerfile", dockerfile.as_str()), ("own", own.as_str())];
        let (sink, told) = kept();
        let report = scene.try_build(|| scene.build_request("steps", &files), sink).await;
        let report = report.expect("a build");
        let told = told.lock().expect("the progress").clone();

        for (number, step) in [(2, "WORKDIR /app"), (3, "ADD . /app"), (4, "RUN echo building")] {
            let states = states_of(&told, number, step);
            assert!(!states.is_empty(), "{step} is told: {told:?}");
            let last = states.last();
            let is_over = matches!(last, Some(StepState::Done { .. } | StepState::Cached));
            assert!(is_over, "{step}: {states:?}");
        }
        assert!(told.contains(&Progress::BuildLog { line: "building".to_owned() }));
        let sent = told.iter().filter_map(|progress| match progress {
            Progress::ContextSent { bytes } => Some(*bytes),
            _ => None,
        });
        assert_eq!(sent.max(), Some(report.bytes_sent));
        assert!(report.bytes_sent >= own.len() as u64, "{report:?}");
        // Only BuildKit leaves out the steps that change no files.
        assert!((4..=5).contains(&report.steps), "{report:?}");
    })
    .await;
}

/// Labels go into the image, where its list shows them.
pub async fn a_built_image_has_its_labels(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile("WORKDIR /labelled");
        let labels = BTreeMap::from([("dev.longshore.contract".to_owned(), scene.name("label"))]);
        let request = || BuildRequest {
            labels: labels.clone(),
            ..scene.build_request("labelled", &[("Dockerfile", &dockerfile)])
        };
        let report = scene.try_build(request, ignored()).await;
        // The labels are none of the Dockerfile's steps.
        assert_eq!(report.expect("a build").steps, 2);
        let image = scene.image(&scene.reference("labelled")).await.expect("the image");
        for (name, value) in &labels {
            assert_eq!(image.labels.get(name), Some(value));
        }
        assert!(image.size > 0);
    })
    .await;
}

/// Nothing is done twice, and the image is the same.
pub async fn the_same_context_builds_from_the_cache(fixture: Fixture) {
    play(fixture, async |scene| {
        let own = scene.name("content");
        let dockerfile = scene.dockerfile("WORKDIR /app\nADD . /app");
        let files = [("Dockerfile", dockerfile.as_str()), ("own", own.as_str())];
        let first = scene.build("first", &files).await;
        assert_eq!(first.steps, 3);
        assert!(first.cached_steps < 3, "{first:?}");
        let again = scene.build("again", &files).await;
        assert_eq!((again.steps, again.cached_steps), (3, 3));
    })
    .await;
}

/// Steps before the edit come from the cache, those from it on do not; also when the file is as long as before.
pub async fn an_edit_that_keeps_the_length_is_built_from_its_step_on(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile("WORKDIR /app\nADD . /app");
        let built = async |tag: &str, content: &str| {
            let files = [("Dockerfile", dockerfile.as_str()), ("app", content)];
            scene.build(tag, &files).await
        };
        built("before", &scene.name("Hello")).await;
        let report = built("after", &scene.name("Cloud")).await;
        assert_eq!((report.steps, report.cached_steps), (3, 2));
        let image = async |tag: &str| scene.image(&scene.reference(tag)).await;
        let (before, after) = (image("before").await, image("after").await);
        assert_ne!(before.expect("the image").id, after.expect("the image").id);
    })
    .await;
}

/// Only the stage that is asked for is built, with the arguments that are given.
pub async fn a_target_and_its_arguments_are_honoured(fixture: Fixture) {
    play(fixture, async |scene| {
        let base = &scene.fixture.base_image;
        let dockerfile = format!(
            "FROM {base} AS wanted\nARG GREETING\nENV GREETING=$GREETING\nFROM {base} AS unwanted\nRUN exit 7\n"
        );
        let request = || BuildRequest {
            target: Some("wanted".to_owned()),
            args: BTreeMap::from([("GREETING".to_owned(), "Welcome to Cloud".to_owned())]),
            ..scene.build_request("target", &[("Dockerfile", &dockerfile)])
        };
        let built = scene.try_build(request, ignored()).await;
        built.expect("a build");

        let image = scene.image(&scene.reference("target")).await.expect("the image");
        let created = scene.try_create("app", image.id, script("true")).await;
        let detail = scene.inspect(&created.expect("a container")).await.detail;
        let greeting = detail.expect("a detail").env.remove("GREETING");
        assert_eq!(greeting.as_deref(), Some("Welcome to Cloud"));
    })
    .await;
}

/// The step, its exit code and the last that it printed are told.
pub async fn a_failing_step_names_itself(fixture: Fixture) {
    play(fixture, async |scene| {
        let instruction = format!("RUN echo {}; exit 7", scene.name("reason"));
        let dockerfile = scene.dockerfile(&format!("WORKDIR /app\n{instruction}"));
        let (sink, told) = kept();
        let request = || scene.build_request("failing", &[("Dockerfile", &dockerfile)]);
        let built = scene.try_build(request, sink).await;
        let Err(EngineError::BuildFailed(failed)) = built else {
            panic!("the build fails by its own fault: {built:?}");
        };
        assert_eq!(failed.failure.step, Some(instruction.clone()));
        assert_eq!(failed.failure.exit_code, Some(7));
        assert_eq!(failed.failure.log_tail, scene.name("reason"));
        assert!(failed.message.contains(&instruction), "{}", failed.message);
        let told = told.lock().expect("the progress").clone();
        assert_eq!(states_of(&told, 3, &instruction).last(), Some(&StepState::Failed));
        assert_eq!(scene.image(&scene.reference("failing")).await, None);
    })
    .await;
}

/// A Dockerfile that is none fails the build, and building it again would not help.
pub async fn a_broken_dockerfile_is_the_builds_fault(fixture: Fixture) {
    play(fixture, async |scene| {
        for dockerfile in ["FORM busybox\n".to_owned(), scene.dockerfile("COPY nowhere /app")] {
            let error = failure(&scene, &dockerfile).await;
            let EngineError::BuildFailed(failed) = error else {
                panic!("{dockerfile} is the build's fault: {error:?}");
            };
            let named = failed.message.contains("FORM") || failed.message.contains("nowhere");
            assert!(named, "{}", failed.message);
            assert_eq!(failed.failure.exit_code, None);
        }
    })
    .await;
}

/// The base image that is nowhere is the one that the message names, and what its registry says of it.
pub async fn a_missing_base_image_is_named(fixture: Fixture) {
    play(fixture, async |scene| {
        let missing = scene.missing_reference();
        let error = failure(&scene, &format!("FROM {missing}\n")).await;
        assert!(error.registry_kind().is_some() && error.to_string().contains(&missing.to_string()), "{error:?}");
    })
    .await;
}

/// What is wrong with the context is told as such, and not as a fault of the Dockerfile or the engine.
pub async fn a_context_that_changes_is_told_as_such(fixture: Fixture) {
    play(fixture, async |scene| {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("Dockerfile", &scene.dockerfile("ADD . /app"));
        write("app.js", &scene.name("Hello"));
        let source = ContextSource::Folder(folder.path().to_owned());
        let dockerfile = DockerfileSource::InContext("Dockerfile".to_owned());
        let context = ContextReader::default().read(source, dockerfile).await.expect("a context");
        write("app.js", &scene.name("Cloud"));
        let request = BuildRequest { context: context.into(), ..scene.build_request("cut", &[("Dockerfile", "")]) };
        let built = scene.engine().build_image(request, ignored()).await;
        let Err(EngineError::Context(message)) = built else {
            panic!("the context is what is wrong: {built:?}");
        };
        assert!(message.contains("\"app.js\" changed while the build context was read or sent"), "{message}");
    })
    .await;
}

/// How a build of this Dockerfile alone fails.
async fn failure(scene: &Scene, dockerfile: &str) -> EngineError {
    let request = || scene.build_request("broken", &[("Dockerfile", dockerfile)]);
    let built = scene.try_build(request, ignored()).await;
    built.expect_err("a build that fails")
}

/// The states that were told of a step.
fn states_of(told: &[Progress], step_number: usize, step: &str) -> Vec<StepState> {
    told.iter()
        .filter_map(|progress| match progress {
            Progress::BuildStep { number, name, state, .. } if *number == step_number && name == step => Some(*state),
            _ => None,
        })
        .collect()
}
