//! A Docker Engine that is restarted, or dies, while an attached `up` works: with and without live-restore, on engines of
//! the test's own.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::{Attached, LabEngine, OwnEngine, Signal, StandaloneProject, eventually};
use serde_json::{Value, json};

const APPS: [&str; 5] = ["web", "plain", "job", "halted", "changing"];

/// Those that nothing changes: a restart of the engine is no reason to make them anew.
const STEADY: [&str; 2] = ["web", "plain"];

struct Apps {
    project: StandaloneProject,
}

impl Apps {
    fn name(&self, app: &str) -> String {
        format!("{}-{app}", self.project.name)
    }

    fn app(&self, name: &str, run: &Value) -> Value {
        let mut spec = json!({"image": {"name": "busybox"}, "run": run});
        spec["run"]["containerName"] = json!(self.name(name));
        spec["run"]["terminationGracePeriodSeconds"] = json!(0);
        json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "ContainerApp", "metadata": {"name": name}, "spec": spec,
        })
    }

    /// The file with all of them, before or after two of them have changed.
    fn file(&self, has_changed: bool) -> String {
        let sleep = |seconds: u32| json!(["sleep", seconds.to_string()]);
        let probe = |command: &str| {
            let command = ["sh", "-c", command];
            json!({"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 60, "timeoutSeconds": 5})
        };
        // The second version is ready after some seconds, in the middle of which the engine goes away.
        let second = ["sh", "-c", "sleep 4; touch /tmp/well; sleep 3600"];
        let changing = if has_changed { json!(second) } else { json!(["sh", "-c", "touch /tmp/well; sleep 3600"]) };
        let apps = [
            self.app("web", &json!({"command": sleep(3601), "readinessProbe": probe("true")})),
            self.app("plain", &json!({"command": sleep(3602)})),
            self.app("job", &json!({"command": ["true"], "restartPolicy": "Never"})),
            self.app("halted", &json!({"command": sleep(3603), "stopped": has_changed})),
            self.app("changing", &json!({"command": changing, "readinessProbe": probe("test -f /tmp/well")})),
        ];
        let documents: Vec<String> = apps.iter().map(Value::to_string).collect();
        self.project.file("apps.yaml", &documents.join("\n---\n"))
    }

    fn attach(&self, engine: &OwnEngine, file: &str) -> Attached {
        self.project.attach_where(file, &[("DOCKER_HOST", &engine.endpoint())])
    }

    fn reason(&self, app: &str) -> String {
        self.project.condition(app, "Ready")["reason"].as_str().unwrap_or_default().to_owned()
    }

    fn are_all_ready(&self) -> bool {
        APPS.iter().all(|app| self.project.condition(app, "Ready")["status"] == "True")
    }
}

fn inspect(engine: &OwnEngine, container: &str, format: &str) -> String {
    engine.docker(&["inspect", "--format", format, container]).unwrap_or_default().trim().to_owned()
}

/// The names of all containers, in order.
fn containers(engine: &OwnEngine) -> Vec<String> {
    let told = engine.docker(&["ps", "--all", "--format", "{{.Names}}"]).unwrap();
    let mut names: Vec<String> = told.lines().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

/// Says how things stand when a test fails.
struct Tell<'a> {
    attached: &'a Attached,
    engine: &'a OwnEngine,
}

impl Drop for Tell<'_> {
    #[expect(clippy::print_stdout, reason = "it is what a failed test says")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}\n{}", self.attached.told(), self.engine.docker(&["ps", "--all"]).unwrap_or_default());
        }
    }
}

async fn converges(version: LabEngine, signal: Signal, restores_live: bool) {
    let case = format!("{version:?}, {signal:?}, live-restore {restores_live}");
    let mut engine = OwnEngine::start(version, restores_live);
    let apps = Apps { project: StandaloneProject::begin(version) };
    let attached = apps.attach(&engine, &apps.file(false));
    eventually(&format!("{case}: all are ready"), || async { apps.are_all_ready() }).await;
    drop(attached);
    let attached = apps.attach(&engine, &apps.file(true));
    let is_in_the_middle =
        || async { apps.reason("changing") == "BecomingReady" && apps.reason("halted") == "Stopped" };
    eventually(&format!("{case}: one is replaced"), is_in_the_middle).await;
    let lasting = |engine: &OwnEngine| STEADY.map(|app| inspect(engine, &apps.name(app), "{{.Id}}"));
    let runs = |engine: &OwnEngine| STEADY.map(|app| inspect(engine, &apps.name(app), "{{.Id}} {{.State.StartedAt}}"));
    let (before, runs_before) = (lasting(&engine), runs(&engine));

    engine.end(signal);
    eventually(&format!("{case}: it is told"), || async { apps.reason("web") == "EngineUnavailable" }).await;
    engine.begin();
    let mut expected: Vec<String> = APPS.iter().map(|app| apps.name(app)).collect();
    expected.sort_unstable();
    let is_right = || async {
        apps.are_all_ready()
            && apps.reason("halted") == "Stopped"
            && containers(&engine) == expected
            && inspect(&engine, &apps.name("halted"), "{{.State.Running}}") == "false"
            && inspect(&engine, &apps.name("changing"), "{{json .Config.Cmd}}{{json .Config.Entrypoint}}")
                .contains("sleep 4")
    };
    let on_failure = Tell { attached: &attached, engine: &engine };
    eventually(&format!("{case}: all is as asked again"), is_right).await;
    drop(on_failure);
    assert_eq!(lasting(&engine), before, "{case}: {}", attached.told());
    if restores_live {
        assert_eq!(runs(&engine), runs_before, "{case}: {}", attached.told());
    }
    assert_eq!(inspect(&engine, &apps.name("job"), "{{.State.ExitCode}} {{.State.Running}}"), "0 false", "{case}");
    drop(attached);
}

async fn converges_however_it_ends(version: LabEngine, restores_live: bool) {
    for signal in [Signal::Term, Signal::Kill] {
        converges(version, signal, restores_live).await;
    }
}

#[tokio::test]
async fn engine_20_may_be_restarted_in_the_middle_of_everything() {
    converges_however_it_ends(LabEngine::Engine20, false).await;
}

#[tokio::test]
#[ignore = "before 23.0 no container's health is checked any more after a restart with live-restore (moby/moby#41871), \
            so what was starting stays so"]
async fn engine_20_may_be_restarted_while_containers_live_on() {
    converges_however_it_ends(LabEngine::Engine20, true).await;
}

#[tokio::test]
async fn engine_29_may_be_restarted_in_the_middle_of_everything() {
    converges_however_it_ends(LabEngine::Engine29, false).await;
}

#[tokio::test]
async fn engine_29_may_be_restarted_while_containers_live_on() {
    converges_however_it_ends(LabEngine::Engine29, true).await;
}
