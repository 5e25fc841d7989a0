//! A project without a cluster: `longshore` run as a person would, on one engine, with folders of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::metadata_server::NO_METADATA_SERVER;
use crate::{LabEngine, from_repository, lab_variable, longshore_binary, unique_name};

/// A project of its own on one engine, with a folder for its files, its state and its cache. What it has made on the
/// engine goes with it.
pub struct StandaloneProject {
    /// The engine.
    pub engine: LabEngine,
    /// Its name, which no other test has.
    pub name: String,
    folder: PathBuf,
}

/// What a command has said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit code; `None` when a signal ended it.
    pub exit_code: Option<i32>,
    /// Its standard output: the result.
    pub result: String,
    /// Its standard error: the progress.
    pub progress: String,
}

impl Said {
    /// All of it.
    pub fn all(&self) -> String {
        format!("exit code {:?}\n{}{}", self.exit_code, self.progress, self.result)
    }

    /// The same, of a command that must have done what it was to do.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "that it went well is often all that is asked")]
    pub fn well(self) -> Self {
        assert_eq!(self.exit_code, Some(0), "{}", self.all());
        self
    }
}

impl StandaloneProject {
    /// An empty project.
    pub fn begin(engine: LabEngine) -> Self {
        let name = unique_name("project");
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).expect("a folder for the project");
        Self { engine, name, folder }
    }

    /// An empty project whose user has logged in to the lab's gcr.io.
    pub fn logged_in(engine: LabEngine) -> Self {
        let project = Self::begin(engine);
        let (user, password) = (lab_variable("LONGSHORE_LAB_GCR_USER"), lab_variable("LONGSHORE_LAB_GCR_PASSWORD"));
        let config = json!({"auths": {"gcr.io": {"username": user, "password": password}}});
        project.file("docker/config.json", &config.to_string());
        project
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file, and the folders that it lies in; its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().expect("it lies in the project's folder"))
            .expect("a folder for the file");
        std::fs::write(&path, content).expect("the file is written");
        path.to_str().expect("the path is text").to_owned()
    }

    /// Writes a file with a `ContainerApp` of this name and this spec, and what it refers to; the file's path.
    pub fn app(&self, name: &str, spec: &Value, others: &[Value]) -> String {
        let app = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": name},
            "spec": spec,
        });
        let documents: Vec<String> = std::iter::once(&app).chain(others).map(Value::to_string).collect();
        self.file(&format!("{name}.yaml"), &documents.join("\n---\n"))
    }

    /// What `longshore` says to this, whether it does it or not.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().expect("longshore is there: cargo build makes it");
        Said {
            exit_code: output.status.code(),
            result: String::from_utf8_lossy(&output.stdout).into_owned(),
            progress: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The result of a command; all that was said when it fails.
    pub fn longshore(&self, arguments: &[&str]) -> Result<String, String> {
        let said = self.run(arguments);
        if said.exit_code == Some(0) { Ok(said.result) } else { Err(said.all()) }
    }

    /// What `up -d` says.
    pub fn up(&self, file: &str) -> Said {
        self.run(&["up", "-d", "-f", file])
    }

    /// What a command tells while it works.
    pub fn told_while(&self, arguments: &[&str]) -> String {
        self.run(arguments).well().progress
    }

    /// Runs `up` attached.
    pub fn attach(&self, file: &str) -> Attached {
        self.attach_where(file, &[])
    }

    /// The same with these variables in its environment.
    pub fn attach_where(&self, file: &str, variables: &[(&str, &str)]) -> Attached {
        let log = self.folder.join(unique_name("attached"));
        let told = File::create(&log).expect("a file for what is told");
        let mut command = self.command(&["up", "-f", file]);
        command.envs(variables.iter().copied());
        let process = command.stdout(Stdio::null()).stderr(told).spawn().expect("longshore is there");
        Attached { process, log }
    }

    /// A command of this project.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(longshore_binary());
        command.args(arguments).args(["--project", &self.name]).current_dir(from_repository("")).stdin(Stdio::null());
        command.env("LONGSHORE_STATE_DIR", self.state_folder()).env("LONGSHORE_CACHE_DIR", self.folder.join("cache"));
        command.env("DOCKER_HOST", self.engine.endpoint()).env("NO_COLOR", "1");
        command.env("SSL_CERT_FILE", lab_variable("LONGSHORE_LAB_CA_BUNDLE"));
        // Whoever runs the tests may be logged in somewhere, or be on one of Google's machines.
        command.env("DOCKER_CONFIG", self.folder.join("docker")).env("GCE_METADATA_HOST", NO_METADATA_SERVER);
        command
    }

    /// Where it remembers.
    pub fn state_folder(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// What it remembers of an app's status; nothing before the app is known.
    pub fn status(&self, app: &str) -> Value {
        let file = self.state_folder().join(&self.name).join(format!("default.{app}.json"));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let app: Value = serde_json::from_str(&text).unwrap_or_default();
        app["status"].clone()
    }

    /// Its condition of this type; nothing when it has none.
    pub fn condition(&self, app: &str, kind: &str) -> Value {
        let status = self.status(app);
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
    }

    /// The IDs and names of the project's containers, those that have ended included.
    pub fn containers_with_ids(&self) -> String {
        let ours = format!("label=longshore.dev/instance={}", self.name);
        let format = "{{.ID}} {{.Names}}";
        let listed = self.engine.docker(&["ps", "--all", "--no-trunc", "--filter", &ours, "--format", format]);
        listed.expect("docker ps answers")
    }
}

impl Drop for StandaloneProject {
    fn drop(&mut self) {
        let _ = self.run(&["down", "--all", "--images"]);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An `up` that is attached; it is interrupted as Ctrl-C does, and waited for.
pub struct Attached {
    process: Child,
    log: PathBuf,
}

impl Attached {
    /// What it has told so far.
    pub fn told(&self) -> String {
        std::fs::read_to_string(&self.log).expect("what it tells goes to a file")
    }

    /// Whether it has told this.
    pub fn has_told(&self, words: &str) -> bool {
        self.told().contains(words)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}
