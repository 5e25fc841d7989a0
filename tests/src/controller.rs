//! A controller process in the lab's cluster, with the rights that the chart gives, never more.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::metadata_server::NO_METADATA_SERVER;
use crate::programs::run;
use crate::{Installation, Rights, from_repository, kubectl, lab_variable, unique_name};

/// A controller that ends with the test.
pub struct Controller {
    process: Child,
    _installation: Installation,
    system_namespace: String,
    release: String,
    folder: PathBuf,
    log_filter: String,
}

impl Controller {
    /// Installs the chart's rights in a namespace of their own and starts the controller for one namespace.
    pub fn start(watched_namespace: &str) -> Self {
        Self::start_logging(watched_namespace, "info")
    }

    /// The same with another filter for what it logs.
    pub fn start_logging(watched_namespace: &str, log: &str) -> Self {
        let release = unique_name("lab");
        let system_namespace = unique_name("longshore-system");
        kubectl(&["create", "namespace", &system_namespace], "").expect("a namespace is made");
        let installation = Installation::of(&release, &system_namespace, Rights::EveryNamespace);
        let folder = std::env::temp_dir().join(&release);
        std::fs::create_dir_all(&folder).expect("a folder for the kubeconfig is made");
        let process = start_process(&folder, &release, &system_namespace, watched_namespace, log);
        let log_filter = log.to_owned();
        Self { process, _installation: installation, system_namespace, release, folder, log_filter }
    }

    /// Ends the process as a kill or a power cut would, and starts another.
    pub fn die_and_start_again(&mut self, watched_namespace: &str) {
        self.process.kill().expect("the controller runs");
        let _ = self.process.wait();
        self.process =
            start_process(&self.folder, &self.release, &self.system_namespace, watched_namespace, &self.log_filter);
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The release's name, which is part of what marks its things on an engine.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The process's ID.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = run("kill", &["-TERM", &self.process.id().to_string()], "");
        let _ = self.process.wait();
        #[expect(clippy::print_stderr, reason = "what a failing test prints is what is left of it")]
        if std::thread::panicking() {
            eprintln!("the controller's log:\n{}", self.log());
        }
        let _ = kubectl(&["delete", "namespace", &self.system_namespace, "--wait=false"], "");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn start_process(
    folder: &Path,
    release: &str,
    system_namespace: &str,
    watched_namespace: &str,
    log_filter: &str,
) -> Child {
    let account = format!("{release}-longshore");
    let token = kubectl(&["--namespace", system_namespace, "create", "token", &account], "");
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, kubeconfig_with(token.expect("the ServiceAccount has tokens").trim()))
        .expect("the kubeconfig is written");
    let log = File::options().create(true).append(true).open(folder.join("log")).expect("the log is opened");
    Command::new(longshore_binary())
        .args(["controller", "--release", release, "--namespace", watched_namespace])
        .args(["--probe-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"])
        .args(["--engine-secrets-namespace", system_namespace, "--log", log_filter])
        // What is told of an engine that stays away is the same after a short time as after a long one.
        .args(["--engine-patience", "5s"])
        .arg("--cache-dir")
        .arg(folder.join("cache"))
        .env("KUBECONFIG", &kubeconfig)
        .env("GCE_METADATA_HOST", NO_METADATA_SERVER)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log is shared"))
        .stderr(log)
        .spawn()
        .expect("the controller is started: cargo build makes it")
}

/// The administrator's kubeconfig with another token.
fn kubeconfig_with(token: &str) -> String {
    let arguments = ["config", "view", "--raw", "--minify", "-o", "json"];
    let text = kubectl(&arguments, "").expect("kubectl shows its configuration");
    let mut config: serde_json::Value = serde_json::from_str(&text).expect("kubectl writes JSON");
    config["users"][0]["user"] = serde_json::json!({"token": token});
    config.to_string()
}

/// The program under test, which `cargo build` puts beside the tests' own folder.
pub fn longshore_binary() -> PathBuf {
    let this_test = std::env::current_exe().expect("a test has a path");
    let folder = this_test.parent().and_then(|deps| deps.parent()).expect("tests lie in target/…/deps");
    folder.join("longshore")
}

/// What `longshore` says, run in the repository with this engine; its standard error when it fails.
pub fn longshore(endpoint: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(longshore_binary())
        .args(arguments)
        .current_dir(from_repository(""))
        .env("DOCKER_HOST", endpoint)
        .env("DOCKER_CONFIG", "/nowhere")
        .env("GCE_METADATA_HOST", NO_METADATA_SERVER)
        .env("SSL_CERT_FILE", lab_variable("LONGSHORE_LAB_CA_BUNDLE"))
        .stdin(Stdio::null())
        .output()
        .expect("longshore is there: cargo build makes it");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("exit code {:?}\n{}{}", output.status.code(), text(&output.stdout), text(&output.stderr)))
    }
}
