//! The classic introduction to containers, done by `longshore` without a cluster: on both engines.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::{
    LabEngine, StandaloneProject, answer_on_port, digest_in_registry, eventually, example_never_built, from_repository,
    lab_variable, registry_secret, unique_name,
};
use tokio::sync::Mutex;

/// The lesson's ports and names are the same on both engines, so one goes after the other.
static ONE_LESSON_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn the_walkthrough_without_a_cluster_on_engine_20() {
    walk_through(LabEngine::Engine20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walkthrough_without_a_cluster_on_engine_29() {
    walk_through(LabEngine::Engine29).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_builds_on_engine_20() {
    build_the_examples(LabEngine::Engine20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_builds_on_engine_29() {
    build_the_examples(LabEngine::Engine29).await;
}

async fn build_the_examples(engine: LabEngine) {
    let _turn = ONE_LESSON_AT_A_TIME.lock().await;
    let lesson = StandaloneProject::begin(engine);

    // A secret is seen by the step that needs it, and nothing that is kept or told has it.
    let example = std::fs::read_to_string(from_repository("examples/node-app-secret/secret.yaml")).unwrap();
    let key = unique_name("key");
    let secret = lesson.file("secret.yaml", &example.replace("not-a-real-key", &key));
    let app = from_repository("examples/node-app-secret/app.yaml").to_str().unwrap().to_owned();
    let told = lesson.told_while(&["up", "-d", "-f", &app, "-f", &secret]);
    assert!(told.contains("ready   node-app-secret:0.1"), "{told}");
    eventually("my-app-secret answers", || async { answer_on_port(4002).as_deref() == Some("Hello World") }).await;
    let log = lesson.longshore(&["logs", "--build", "my-app-secret"]).unwrap();
    let history = engine.docker(&["history", "--no-trunc", "node-app-secret:0.1"]).unwrap();
    let inspected = engine.docker(&["inspect", "node-app-secret:0.1"]).unwrap();
    assert!(log.contains("node sign.js") && history.contains("sign.js"), "{log}{history}");
    for text in [told, log, history, inspected] {
        assert!(!text.contains(&key), "{text}");
    }
    // Another value of it builds nothing.
    lesson.file("secret.yaml", &example);
    let plan = lesson.longshore(&["plan", "--exit-code", "-f", &app, "-f", &secret]).unwrap();
    assert!(plan.contains("nothing to do"), "{plan}");

    // An edit of a folder is noticed while up is attached.
    let folder = lesson.folder().join("node-app-path");
    std::fs::create_dir(&folder).unwrap();
    for name in ["app.yaml", "app.js", "Dockerfile"] {
        std::fs::copy(from_repository("examples/node-app-path").join(name), folder.join(name)).unwrap();
    }
    let attached = lesson.attach(folder.to_str().unwrap());
    eventually("my-app-path answers", || async { answer_on_port(4001).as_deref() == Some("Hello World") }).await;
    let program = std::fs::read_to_string(folder.join("app.js")).unwrap();
    std::fs::write(folder.join("app.js"), program.replace("Hello World", "Hello again")).unwrap();
    eventually("up says why it builds", || async { attached.has_told("because context: app.js changed") }).await;
    eventually("the new one answers", || async { answer_on_port(4001).as_deref() == Some("Hello again") }).await;
}

async fn walk_through(engine: LabEngine) {
    let _turn = ONE_LESSON_AT_A_TIME.lock().await;
    let lesson = StandaloneProject::begin(engine);

    // 1. Run hello-world: not found locally, pulled, created, run, exits.
    let hello = lesson.file("hello.yaml", &hello_world("hello"));
    let plan = lesson.longshore(&["plan", "-f", &hello]).unwrap();
    assert!(plan.contains("pull image hello-world:latest, because hello-world:latest is not on the engine"), "{plan}");
    let up = lesson.longshore(&["up", "-d", "-f", &hello]).unwrap();
    assert!(up.contains("has run as hello and exited with 0"), "{up}");
    assert!(lesson.longshore(&["logs", "hello"]).unwrap().contains("Hello"));

    // 2. Again: now found locally, and the plan says why there is no pull.
    let again = lesson.file("again.yaml", &hello_world("hello-again"));
    let plan = lesson.longshore(&["plan", "-f", &again]).unwrap();
    assert!(plan.contains("hello-world:latest is on the engine already, so it is not pulled"), "{plan}");
    lesson.longshore(&["up", "-d", "-f", &again]).unwrap();

    // 3. The images.
    let images = lesson.longshore(&["images"]).unwrap();
    assert!(images.starts_with("REPOSITORY"), "{images}");
    assert!(images.contains("hello-world") && images.contains("latest"), "{images}");

    // 4. The containers: running ones, and ended ones with their exit code.
    assert!(!lesson.longshore(&["ps"]).unwrap().contains("hello"));
    let all = lesson.longshore(&["ps", "-a"]).unwrap();
    assert!(all.contains("hello-again") && all.contains("(0)"), "{all}");

    // 5 to 8. Build and run the first app; the command returns once it is Ready.
    let up = lesson.up("examples/node-app/my-app.yaml").well().result;
    assert!(up.contains("http://localhost:4000"), "{up}");
    eventually("my-app answers", || async { answer_on_port(4000).as_deref() == Some("Hello World") }).await;
    assert!(engine.containers().contains(&"my-app".to_owned()));

    // 9. Its log.
    let log = lesson.longshore(&["logs", "my-app"]).unwrap();
    assert!(log.contains("Server running at"), "{log}");

    // 10. The second app: the first two steps come from the cache, the later one does not.
    let second = lesson.file("my-app-2.yaml", &example_never_built("examples/node-app/my-app-2.yaml"));
    let told = lesson.told_while(&["up", "-d", "-f", &second]);
    let line_of = |step: &str| told.lines().find(|line| line.contains(step) && !line.contains("RUNNING")).unwrap_or("");
    assert!(line_of("FROM").contains("CACHED") && line_of("WORKDIR").contains("CACHED"), "{told}");
    assert!(!line_of("ADD . /app").contains("CACHED"), "{told}");

    // 11. Both run side by side.
    eventually("my-app-2 answers", || async { answer_on_port(8080).as_deref() == Some("Welcome to Cloud") }).await;
    assert_eq!(answer_on_port(4000).as_deref(), Some("Hello World"));

    // What went into each image, and what its build printed, is recorded.
    let history = lesson.longshore(&["history", "my-app"]).unwrap();
    let rows: Vec<Vec<&str>> = history.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((rows.len(), &rows[1][..3]), (2, &["1", "Succeeded", "node-app:0.1"][..]), "{history}");
    let log = lesson.longshore(&["logs", "--build", "my-app"]).unwrap();
    assert!(log.contains("FROM node:6") && log.contains("ADD . /app"), "{log}");

    // 14 and 15. Tag for gcr.io and push, with credentials, layer by layer.
    let secret = lesson.file("gcr.yaml", &registry_secret("gcr", &lab_variable("LONGSHORE_LAB_GCR_PASSWORD")));
    let pushed = lesson.file("pushed.yaml", &example_never_built("examples/node-app-push/my-app-2.yaml"));
    let told = lesson.told_while(&["up", "-d", "-f", &pushed, "-f", &secret]);
    assert!(told.contains("push") && told.contains("gcr.io/my-project/node-app:0.2"), "{told}");
    let digest = digest_in_registry("my-project/node-app", "0.2").unwrap();
    let known = engine.docker(&["image", "inspect", "--format", "{{.RepoDigests}}", "gcr.io/my-project/node-app:0.2"]);
    assert!(known.unwrap().contains(&digest));
    let again = lesson.longshore(&["plan", "--exit-code", "-f", &pushed, "-f", &secret]).unwrap();
    assert!(again.contains("nothing to do"), "{again}");

    // 18. Attached, up tells where it stands; removed behind its back, the container is back.
    let attached = lesson.attach("examples/node-app/my-app.yaml");
    eventually("up tells at once that all is well", || async { attached.has_told("ready   node-app:0.1") }).await;
    engine.remove_by_hand("my-app");
    eventually("my-app answers again", || async { answer_on_port(4000).as_deref() == Some("Hello World") }).await;
    eventually("up says why", || async { attached.has_told("the container my-app is gone, though it should run") })
        .await;
    drop(attached);
    assert!(engine.containers().contains(&"my-app".to_owned()), "what runs goes on when up has ended");

    // 19. The same YAML again and again changes nothing.
    let before = lesson.containers_with_ids();
    for _ in 0..100 {
        lesson.up("examples/node-app/my-app.yaml").well();
    }
    assert_eq!(lesson.containers_with_ids(), before);

    // 16. Nothing of ours is left, nothing of anyone else's is touched.
    let _somebody_elses = SomebodyElses::run(engine);
    lesson.longshore(&["down", "--all", "--images"]).unwrap();
    assert_eq!(lesson.containers_with_ids(), "");
    assert!(engine.containers().contains(&"somebody-elses".to_owned()));
    let left = engine.images();
    let of_the_project = format!("longshore.local/{}/", lesson.name);
    let ours = |image: &&String| [&*of_the_project, "node-app", "hello"].iter().any(|name| image.contains(name));
    assert_eq!(left.iter().filter(ours).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(left.contains(&"busybox:latest".to_owned()));
}

/// A container that no project has made.
struct SomebodyElses(LabEngine);

impl SomebodyElses {
    fn run(engine: LabEngine) -> Self {
        engine.docker(&["run", "--detach", "--name", "somebody-elses", "busybox", "sleep", "600"]).unwrap();
        Self(engine)
    }
}

impl Drop for SomebodyElses {
    fn drop(&mut self) {
        self.0.remove_by_hand("somebody-elses");
    }
}

fn hello_world(name: &str) -> String {
    format!(
        "{{apiVersion: longshore.dev/v1alpha1, kind: ContainerApp, metadata: {{name: {name}}}, \
         spec: {{image: {{name: hello-world}}, run: {{restartPolicy: Never}}}}}}"
    )
}
