//! What somebody does to a container, or to its image, behind the back of an attached `up`: every row of the table in
//! `docs/drift.md`, on both engines.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::{ENGINES, LabEngine, Place, StandaloneProject, eventually, unique_name};
use serde_json::{Value, json};

/// An app with bounds, of an image that is built, whose attached `up` runs.
struct App {
    project: StandaloneProject,
    image: String,
}

impl App {
    fn on(engine: LabEngine) -> Self {
        Self { project: StandaloneProject::begin(engine), image: unique_name("drift") }
    }

    fn name(&self) -> String {
        format!("{}-web", self.project.name)
    }

    fn file(&self, is_suspended: bool) -> String {
        let mut spec = spec(&self.image);
        spec["suspend"] = json!(is_suspended);
        spec["run"]["containerName"] = json!(self.name());
        self.project.app("web", &spec, &[])
    }

    fn docker(&self, arguments: &[&str]) -> String {
        self.project.engine.docker(arguments).unwrap().trim().to_owned()
    }

    /// What an inspection tells in this format; nothing when there is no container of the name.
    fn inspect(&self, format: &str) -> String {
        let told = self.project.engine.docker(&["inspect", "--format", format, &self.name()]);
        told.unwrap_or_default().trim().to_owned()
    }

    fn id(&self) -> String {
        self.inspect("{{.Id}}")
    }

    fn is_ready(&self) -> bool {
        self.project.condition("web", "Ready")["status"] == "True"
    }

    /// The references on the engine that point at the image of the container.
    fn references(&self) -> Vec<String> {
        let image = self.inspect("{{.Image}}");
        let told = self.docker(&["image", "inspect", "--format", "{{json .RepoTags}}", &image]);
        let mut references: Vec<String> = serde_json::from_str(&told).unwrap();
        references.sort_unstable();
        references
    }
}

fn spec(image: &str) -> Value {
    let dockerfile = format!("FROM busybox\nRUN : {image}\nCMD [\"sleep\", \"3600\"]\n");
    json!({
        "image": {"name": image, "build": {"context": {"inline": {"Dockerfile": dockerfile}}}},
        "run": {
            "terminationGracePeriodSeconds": 0,
            "resources": {"limits": {"memory": "64Mi", "longshore.dev/pids": "50"}},
        },
    })
}

/// What an inspection tells of all that can be edited, and of what it does.
const EVERYTHING: &str = "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Memory}} \
                          {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}}";

/// What was done by hand, what is said of it, and whether the same container serves afterwards.
const ROWS: [(&[&str], &str, bool); 12] = [
    (&["kill"], "somebody has stopped or killed it (exit code 137)", true),
    (&["stop", "--time", "0"], "somebody has stopped or killed it (exit code 137)", true),
    (&["rm", "--force"], "is gone, though it should run", false),
    (&["rename"], "somebody has renamed it to ", true),
    (&["pause"], "somebody has paused it", true),
    (&["update", "--restart", "no"], "restart policy no → always", true),
    (&["update", "--restart", "on-failure:3"], "restart policy on-failure:3 → always", true),
    (&["update", "--memory", "32m", "--memory-swap", "32m"], "memory limit 32Mi → 64Mi", true),
    (&["update", "--pids-limit", "20"], "process limit 20 → 50", true),
    (&["update", "--pids-limit", "-1"], "process limit none → 50", true),
    (&["update", "--cpus", "0.5"], "processor limit 500m → none", false),
    (&["update", "--cpu-shares", "512"], "processor shares 512 → none", false),
];

#[tokio::test]
async fn what_somebody_does_to_a_container_is_put_right_and_told() {
    futures::future::join_all(ENGINES.map(a_container_is_put_right)).await;
}

async fn a_container_is_put_right(engine: LabEngine) {
    let app = App::on(engine);
    app.project.up(&app.file(false)).well();
    let attached = app.project.attach(&app.file(false));
    eventually("the attached process looks", || async { app.is_ready() }).await;
    let expected = app.inspect(EVERYTHING);
    for (deed, cause, is_kept) in ROWS {
        let (id, told_before) = (app.id(), attached.told().matches(cause).count());
        let name = app.name();
        let other = format!("{name}-mine");
        let mut words = deed.to_vec();
        words.push(&name);
        words.extend((deed == ["rename"]).then_some(other.as_str()));
        app.docker(&words);
        let is_right = || async {
            attached.told().matches(cause).count() > told_before
                && app.inspect(EVERYTHING) == expected
                && app.project.containers_with_ids().lines().count() == 1
                && app.is_ready()
        };
        eventually(&format!("{engine:?}: {deed:?}: {cause}"), is_right).await;
        assert_eq!(app.id() == id, is_kept, "{engine:?}: {deed:?}\n{}", attached.told());
        let pids = app.inspect("{{.HostConfig.PidsLimit}}");
        assert_eq!(pids, "50", "{engine:?}: {deed:?}");
    }
    // The kernel heeds what was set back, too.
    let limit = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null";
    let heeded = engine.docker(&["exec", &app.name(), "sh", "-c", limit]).unwrap_or_default();
    assert!(heeded.is_empty() || heeded.contains(&(64 << 20).to_string()), "{engine:?}: {heeded}");
    drop(attached);
}

#[tokio::test]
async fn an_image_that_somebody_untags_or_removes_is_tagged_again_without_a_build() {
    futures::future::join_all(ENGINES.map(an_image_is_tagged_again)).await;
}

async fn an_image_is_tagged_again(engine: LabEngine) {
    let app = App::on(engine);
    app.project.up(&app.file(false)).well();
    let attached = app.project.attach(&app.file(false));
    eventually("the attached process looks", || async { app.is_ready() }).await;
    let (id, expected) = (app.id(), app.references());
    let private = expected.iter().find(|reference| reference.starts_with("longshore.local/")).unwrap();
    let public = expected.iter().find(|reference| !reference.starts_with("longshore.local/")).unwrap();
    assert_eq!(expected.len(), 2, "{expected:?}");
    for taken in [vec![public], vec![private], vec![public, private], vec![private, public]] {
        let before = attached.told().matches("somebody has removed").count();
        let words: Vec<&str> = ["rmi", "--force"].into_iter().chain(taken.iter().map(|name| name.as_str())).collect();
        app.docker(&words);
        let is_right = || async {
            attached.told().matches("somebody has removed").count() > before
                && app.references() == expected
                && app.is_ready()
        };
        eventually(&format!("{engine:?}: {taken:?}"), is_right).await;
        assert_eq!(app.id(), id, "{engine:?}: {taken:?}\n{}", attached.told());
    }
    assert!(!attached.has_told("  build"), "{}", attached.told());
    drop(attached);
}

#[tokio::test]
async fn what_is_suspended_is_left_as_somebody_has_made_it() {
    for engine in ENGINES {
        let app = App::on(engine);
        app.project.up(&app.file(false)).well();
        let (name, id) = (app.name(), app.id());
        let attached = app.project.attach(&app.file(true));
        // Nothing is told by whoever does nothing; that a deed is not undone shows in another app that is put right.
        let other = App::on(engine);
        other.project.up(&other.file(false)).well();
        let attached_other = other.project.attach(&other.file(false));
        eventually("the other process looks", || async { other.is_ready() }).await;
        app.docker(&["update", "--restart", "no", &name]);
        app.docker(&["stop", "--time", "0", &name]);
        app.docker(&["rmi", "--force", &format!("{}:latest", app.image)]);
        other.docker(&["stop", "--time", "0", &other.name()]);
        let cause = "somebody has stopped or killed it";
        eventually("the other is put right", || async { attached_other.has_told(cause) }).await;
        let left = app.inspect("{{.Id}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}}");
        assert_eq!(left, format!("{id} exited no"), "{}", attached.told());
        assert!(!app.references().iter().any(|reference| reference.starts_with(&app.image)));
        drop((attached, attached_other));
        app.project.up(&app.file(false)).well();
        assert_eq!(
            app.inspect("{{.Id}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"),
            format!("{id} running always")
        );
    }
}

#[tokio::test]
async fn in_a_cluster_an_event_tells_the_cause() {
    Place::with(LabEngine::Engine29, async |place| {
        place.apply("web", spec(&unique_name("drift")));
        place.ready("web").await;
        let name = place.container("web");
        let (engine, mine) = (LabEngine::Engine29, format!("{name}-mine"));
        for (deed, cause) in [
            (vec!["update", "--restart", "no", &name], "restart policy no → always"),
            (vec!["pause", &name], "somebody has paused it"),
            (vec!["rename", &name, &mine], "somebody has renamed it to "),
        ] {
            engine.docker(&deed).unwrap();
            let is_told = || async {
                let arguments = [
                    "--namespace",
                    &place.namespace,
                    "get",
                    "events",
                    "-o",
                    "jsonpath={.items[*].note}{.items[*].message}",
                ];
                longshore_tests::kubectl(&arguments, "").unwrap_or_default().contains(cause)
            };
            eventually(cause, is_told).await;
            place.ready("web").await;
        }
    })
    .await;
}
