//! From one version of an app to the next, and back when the next one fails: on both engines, as whoever asks the port
//! sees it.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::{Ipv4Addr, TcpListener};

use longshore_tests::{ENGINES, LabEngine, StandaloneProject, answer_on_port, eventually, unique_name};
use serde_json::{Value, json};

/// An app on a port of its own.
struct App {
    project: StandaloneProject,
    port: u16,
    /// What makes its images its own.
    mark: String,
}

impl App {
    fn on(engine: LabEngine) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { project: StandaloneProject::begin(engine), port, mark: unique_name("page") }
    }

    /// The container's name.
    fn name(&self) -> String {
        format!("{}-web", self.project.name)
    }

    /// A version with a page, served or not, whose container runs so.
    fn version(&self, page: &str, command: &str, run: &Value) -> String {
        let dockerfile =
            format!("FROM busybox\nRUN mkdir /www && echo {page} > /www/index.html && : {}\n{command}\n", self.mark);
        let mut spec = json!({
            "image": {"name": self.mark, "build": {"context": {"inline": {"Dockerfile": dockerfile}}}},
            "run": {
                "containerName": self.name(), "terminationGracePeriodSeconds": 0,
                "ports": [{"hostPort": self.port, "containerPort": 80}],
            },
        });
        spec["run"].as_object_mut().unwrap().extend(run.as_object().unwrap().clone());
        self.project.app("web", &spec, &[])
    }

    /// A version that serves its page.
    fn serving(&self, page: &str, run: &Value) -> String {
        self.version(page, SERVES, run)
    }

    fn answer(&self) -> Option<String> {
        answer_on_port(self.port)
    }

    fn id(&self) -> String {
        self.project.engine.docker(&["inspect", "--format", "{{.Id}}", &self.name()]).unwrap()
    }

    fn ready(&self) -> Value {
        self.project.condition("web", "Ready")
    }

    /// The messages and everything else that `Ready` says.
    fn assert_rolled_back(&self, because: &str) -> String {
        let ready = self.ready();
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("RolledBack")), "{ready}");
        assert_eq!(self.project.condition("web", "Stalled")["status"], "True");
        let message = ready["message"].as_str().unwrap().to_owned();
        assert!(message.contains(because), "{message}");
        message
    }
}

/// Whether the progress tells of a step of this kind: its word stands after the app's name.
fn did(step: &str, progress: &str) -> bool {
    progress.lines().any(|line| line.split_whitespace().nth(1) == Some(step))
}

const SERVES: &str = r#"CMD ["httpd", "-f", "-p", "80", "-h", "/www"]"#;

/// A container that runs and serves nothing.
const SLEEPS: &str = r#"CMD ["sleep", "3600"]"#;

/// The page is asked for, every second.
fn asked() -> Value {
    let command = ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:80/"];
    json!({"readinessProbe": {"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 3, "timeoutSeconds": 5}})
}

#[test]
#[expect(clippy::print_stdout, reason = "how long nobody answered is what the test is asked for")]
fn a_broken_version_gives_way_to_the_old_one_which_answers_again() {
    for engine in ENGINES {
        let app = App::on(engine);
        app.project.up(&app.serving("one", &asked())).well();
        assert_eq!(app.answer().as_deref(), Some("one"));
        assert_eq!(app.project.status("web")["container"]["health"], "healthy");
        let before = app.id();

        let broken = app.version("two", SLEEPS, &asked());
        let said = app.project.up(&broken);
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        let message =
            app.assert_rolled_back("its health check has failed 3 times in a row, last with exit code 1: wget");
        assert!(message.contains("so the one before it runs again, after "), "{message}");
        println!("{engine:?}: {message}");
        assert_eq!((app.answer().as_deref(), app.id()), (Some("one"), before.clone()));

        // The broken version is not tried again, however often it is asked for.
        for _ in 0..3 {
            let said = app.project.up(&broken);
            assert_eq!(said.exit_code, Some(1), "{}", said.all());
            assert!(!did("start", &said.progress) && !did("create", &said.progress), "{}", said.all());
        }
        // Nor by who is attached, at fifty looks: an update that changes nothing is an event, and each event a look.
        let second = || engine.docker(&["info", "--format", "{{.SystemTime}}"]).unwrap().trim().to_owned();
        let attached = app.project.attach(&broken);
        let since = second();
        for _ in 0..50 {
            engine.docker(&["update", "--restart", "always", &app.name()]).unwrap();
        }
        let until = second();
        let ours = format!("label=longshore.dev/instance={}", app.project.name);
        let filters =
            ["--filter", &ours, "--filter", "event=create", "--filter", "event=start", "--filter", "event=update"];
        let events =
            engine.docker(&[&["events", "--since", &since, "--until", &until], &filters[..]].concat()).unwrap();
        let told = |action: &str| events.lines().filter(|line| line.contains(&format!("container {action} "))).count();
        assert_eq!((told("update"), told("create"), told("start")), (50, 0, 0), "{events}");
        app.assert_rolled_back("its health check has failed 3 times in a row");
        drop(attached);
        assert_eq!((app.answer().as_deref(), app.id()), (Some("one"), before.clone()));

        // The old file is asked for again: nothing is built, nothing is started.
        let said = app.project.up(&app.serving("one", &asked())).well();
        assert!(!did("build", &said.progress) && !did("start", &said.progress), "{}", said.all());
        assert_eq!(app.id(), before);

        // Another edit is tried.
        app.project.up(&app.serving("three", &asked())).well();
        assert_eq!(app.answer().as_deref(), Some("three"));
    }
}

#[test]
fn the_gap_of_a_replacement_is_told_and_going_back_builds_nothing() {
    for engine in ENGINES {
        let app = App::on(engine);
        app.project.up(&app.serving("one", &asked())).well();
        let image = |app: &App| app.project.status("web")["image"]["id"].clone();
        let first = image(&app);
        let said = app.project.up(&app.serving("two", &asked())).well();
        assert!(said.progress.contains("; the gap was "), "{}", said.all());
        assert_eq!(app.answer().as_deref(), Some("two"));
        let said = app.project.up(&app.serving("one", &asked())).well();
        assert!(!said.progress.contains("  build"), "{}", said.all());
        assert_eq!((app.answer().as_deref(), image(&app)), (Some("one"), first));
        // By the number of the revision, too.
        let file = app.serving("one", &asked());
        let mut spec: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        spec["spec"]["rollbackTo"] = json!(2);
        std::fs::write(&file, spec.to_string()).unwrap();
        let said = app.project.up(&file).well();
        assert!(!said.progress.contains("  build"), "{}", said.all());
        assert_eq!(app.answer().as_deref(), Some("two"));
    }
}

#[test]
fn the_images_own_health_check_counts_where_the_spec_has_no_probe() {
    for engine in ENGINES {
        let app = App::on(engine);
        let checked = |test: &str| format!("HEALTHCHECK --interval=1s --retries=2 CMD {test}\n{SERVES}");
        app.project.up(&app.version("one", &checked("wget -q -O /dev/null http://127.0.0.1:80/"), &json!({}))).well();
        assert_eq!(app.project.status("web")["container"]["health"], "healthy");
        let said = app.project.up(&app.version("two", &checked("echo no such database; exit 1"), &json!({})));
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        app.assert_rolled_back("last with exit code 1: no such database");
        assert_eq!(app.answer().as_deref(), Some("one"));
    }
}

#[tokio::test]
async fn where_somebody_removed_the_old_container_meanwhile_its_image_runs_again() {
    for engine in ENGINES {
        let app = App::on(engine);
        app.project.up(&app.serving("one", &asked())).well();
        let attached = app.project.attach(&app.version("two", SLEEPS, &asked()));
        let previous = format!("{}.previous", app.name());
        eventually("the new one is tried", || async { app.ready()["reason"] == "BecomingReady" }).await;
        engine.remove_by_hand(&previous);
        eventually("it is rolled back", || async { app.ready()["reason"] == "RolledBack" }).await;
        eventually("the old image serves", || async { app.answer().as_deref() == Some("one") }).await;
        app.assert_rolled_back("its health check has failed");
        assert!(!engine.containers().contains(&previous));
        drop(attached);
    }
}

#[test]
fn min_ready_seconds_are_waited_for() {
    for engine in ENGINES {
        let app = App::on(engine);
        let said = app.project.up(&app.serving("one", &json!({"minReadySeconds": 3}))).well();
        assert!(said.progress.contains("is ready once it has been up for 3s (BecomingReady)"), "{}", said.all());
        // One that ends before that is not taken for ready.
        let brief = app.version("two", r#"CMD ["sh", "-c", "sleep 2; exit 7"]"#, &json!({"minReadySeconds": 30}));
        let said = app.project.up(&brief);
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        // What the engine has started once more by the time of a look shows no more how it ended.
        let message = app.assert_rolled_back("the new container failed (it ");
        let is_told = message.contains("it ended with exit code 7") || message.contains("it keeps ending");
        assert!(is_told, "{message}");
        assert_eq!(app.answer().as_deref(), Some("one"));
    }
}

#[tokio::test]
async fn with_overlap_the_old_container_runs_until_the_new_one_is_healthy() {
    for engine in ENGINES {
        let app = App::on(engine);
        let ready = |second: u32| {
            let command = ["sh", "-c", "test -f /tmp/well"];
            let probe = json!({"exec": {"command": command}, "periodSeconds": 1, "timeoutSeconds": 5});
            let start = format!("sleep {second}; touch /tmp/well; sleep 3600");
            json!({
                "strategy": "Overlap", "ports": [], "readinessProbe": probe, "command": ["sh", "-c", start],
            })
        };
        app.project.up(&app.version("one", SLEEPS, &ready(0))).well();
        let before = app.id();
        let attached = app.project.attach(&app.version("two", SLEEPS, &ready(3)));
        let next = format!("{}.next", app.name());
        let state = |name: &str| engine.docker(&["inspect", "--format", "{{.State.Status}}", name]).unwrap_or_default();
        eventually("both run", || async { state(&next).trim() == "running" && app.id() == before }).await;
        assert_eq!(state(&app.name()).trim(), "running");
        eventually("the new one has taken over", || async { app.ready()["status"] == "True" && app.id() != before })
            .await;
        assert!(attached.has_told("; the gap was 0.0 s"), "{}", attached.told());
        drop(attached);
        assert_eq!(app.project.containers_with_ids().lines().count(), 1);

        // A broken one never touches the old one.
        let (before, started) = (app.id(), "{{.State.StartedAt}}");
        let started = || engine.docker(&["inspect", "--format", started, &app.name()]).unwrap();
        let since = started();
        let mut broken = ready(3600);
        broken["readinessProbe"]["failureThreshold"] = json!(1);
        let said = app.project.up(&app.version("three", SLEEPS, &broken));
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        app.assert_rolled_back("its health check has failed once");
        assert_eq!((app.id(), started()), (before, since));
    }
}
