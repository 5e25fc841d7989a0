//! Every field of `run`, seen from inside the container or by its engine: on both engines, by `longshore up`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod environment;
mod naming;
mod resources;
mod security;
mod stopping;
mod volumes;

use std::time::Duration;

use longshore_tests::{LabEngine, StandaloneProject, unique_name};
use serde_json::{Value, json};

/// An app of a project of its own, made of the image busybox.
struct App {
    project: StandaloneProject,
    name: String,
}

impl App {
    fn on(engine: LabEngine) -> Self {
        Self { project: StandaloneProject::begin(engine), name: unique_name("run-field") }
    }

    /// Lets it run as these fields say, until it is stopped where they name no program.
    fn up(&self, run: &Value, others: &[Value]) -> String {
        self.project.up(&self.file(run, others)).well().all()
    }

    /// What `up` says of fields that it must refuse.
    fn refusal_of(&self, run: &Value) -> String {
        let said = self.project.up(&self.file(run, &[]));
        assert_eq!(said.exit_code, Some(2), "{}", said.all());
        said.all()
    }

    /// Why something would be done.
    fn plan(&self, run: &Value, others: &[Value]) -> String {
        self.project.longshore(&["plan", "-f", &self.file(run, others)]).unwrap()
    }

    fn file(&self, run: &Value, others: &[Value]) -> String {
        let mut run = run.clone();
        if run["command"].is_null() {
            run["command"] = json!(["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]);
        }
        let spec = json!({"image": {"name": "busybox"}, "run": run});
        self.project.app(&self.name, &spec, others)
    }

    /// What a command in the container prints.
    fn inside(&self, command: &str) -> String {
        let printed = self.project.engine.docker(&["exec", &self.name, "sh", "-c", command]);
        printed.unwrap_or_else(|error| panic!("{command}: {error}")).trim_end().to_owned()
    }

    /// Waits until something is so that must become so.
    fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..600 {
            if is_so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{}: it never comes to it that {what}", self.name);
    }

    fn until_it_has_ended(&self) {
        self.until("it has ended", |app| app.inspected("{{.State.Status}}") == "exited");
    }

    /// What the engine says of the container.
    fn inspected(&self, format: &str) -> String {
        self.project.engine.docker(&["inspect", "--format", format, &self.name]).unwrap().trim_end().to_owned()
    }
}

fn object(kind: &str, name: &str, values: &[(&str, &str)]) -> Value {
    let values: serde_json::Map<String, Value> =
        values.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let field = if kind == "Secret" { "stringData" } else { "data" };
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: values})
}

fn secret(name: &str, values: &[(&str, &str)]) -> Value {
    object("Secret", name, values)
}

fn config_map(name: &str, values: &[(&str, &str)]) -> Value {
    object("ConfigMap", name, values)
}

/// Makes of each behaviour a test for each engine.
macro_rules! on_both_engines {
    ($($behaviour:ident)*) => {
        mod on_engine_20 {
            $(
                #[test]
                fn $behaviour() {
                    super::$behaviour(&super::App::on(longshore_tests::LabEngine::Engine20));
                }
            )*
        }
        mod on_engine_29 {
            $(
                #[test]
                fn $behaviour() {
                    super::$behaviour(&super::App::on(longshore_tests::LabEngine::Engine29));
                }
            )*
        }
    };
}
use on_both_engines;
