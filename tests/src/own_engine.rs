//! A Docker Engine of a test's own, which may be killed: of the lab's versions, with a containerd, a folder and a network
//! namespace of its own, so that its bridge and its rules are in nobody's way.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::programs::run;
use crate::{LabEngine, lab_variable, unique_name};

/// How long a daemon has to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an engine is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// As a service manager does.
    Term,
    /// As a machine that runs out of memory does.
    Kill,
}

/// An engine of a test's own.
pub struct OwnEngine {
    version: LabEngine,
    folder: PathBuf,
    containerd: Child,
    engine: Option<Child>,
    restores_live: bool,
}

impl OwnEngine {
    /// Starts one of this version that has busybox. `restores_live` is Docker's `live-restore`: whether containers go on
    /// while the engine is away.
    pub fn start(version: LabEngine, restores_live: bool) -> Self {
        let folder = Path::new(&lab_variable("LONGSHORE_LAB_STATE")).join("own").join(unique_name("engine"));
        fs::create_dir_all(folder.join("run")).expect("a folder for an engine");
        fs::write(folder.join("daemon.json"), "{}").expect("a configuration");
        fs::write(folder.join("containerd.toml"), containerd_configuration(&folder)).expect("a configuration");
        let mut containerd = Command::new("unshare");
        containerd.args(["--net", "containerd", "--config"]).arg(folder.join("containerd.toml"));
        let containerd = launch(containerd, version, &folder, "containerd");
        wait_for("containerd", || folder.join("run/containerd.sock").exists());
        let mut engine = Self { version, folder, containerd, engine: None, restores_live };
        engine.begin();
        engine.load("busybox:latest");
        engine
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.folder.join("docker.sock").display())
    }

    /// What `docker` says of it.
    pub fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        let endpoint = self.endpoint();
        run(&lab_variable("LONGSHORE_LAB_DOCKER"), &[&["-H", &endpoint], arguments].concat(), "")
    }

    /// Ends it by this signal.
    pub fn end(&mut self, signal: Signal) {
        let Some(mut engine) = self.engine.take() else { return };
        send(signal, engine.id());
        let begun = Instant::now();
        while engine.try_wait().expect("it is a child").is_none() {
            if begun.elapsed() > PATIENCE {
                send(Signal::Kill, engine.id());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts it again.
    pub fn begin(&mut self) {
        let mut engine = Command::new("nsenter");
        engine.arg(format!("--net=/proc/{}/ns/net", self.containerd.id())).arg("dockerd");
        engine.args(["--host", &self.endpoint(), "--group", "root", "--iptables=false", "--ip6tables=false"]);
        engine.arg("--config-file").arg(self.folder.join("daemon.json"));
        engine.arg("--containerd").arg(self.folder.join("run/containerd.sock"));
        engine.arg("--data-root").arg(self.folder.join("data"));
        engine.arg("--exec-root").arg(self.folder.join("run/docker"));
        engine.arg("--pidfile").arg(self.folder.join("run/docker.pid"));
        engine.args(["--cgroup-parent", &format!("/longshore-lab/{}", self.name())]);
        engine.arg(format!("--live-restore={}", self.restores_live));
        self.engine = Some(launch(engine, self.version, &self.folder, "dockerd"));
        wait_for("dockerd", || self.docker(&["version"]).is_ok());
    }

    fn name(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).expect("it has a name")
    }

    /// Takes an image over from the lab's engine of the same version, which has a registry to pull it from.
    fn load(&self, image: &str) {
        if self.version.docker(&["image", "inspect", image]).is_err() {
            self.version.docker(&["pull", image]).expect("the lab's engine pulls");
        }
        let archive = self.folder.join("image.tar");
        let archive = archive.to_str().expect("the path is text");
        self.version.docker(&["save", "--output", archive, image]).expect("the image is saved");
        self.docker(&["load", "--input", archive]).expect("the image is loaded");
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        if self.engine.is_none() && !std::thread::panicking() {
            self.begin();
        }
        if let Ok(ids) = self.docker(&["ps", "--all", "--quiet"]) {
            let ids: Vec<&str> = ids.lines().collect();
            let _ = self.docker(&[&["rm", "--force", "--volumes"], ids.as_slice()].concat());
        }
        self.end(Signal::Term);
        send(Signal::Term, self.containerd.id());
        let _ = self.containerd.wait();
        unmount_below(&self.folder);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// An engine leaves its own network namespace mounted.
fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let below =
        mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|place| Path::new(place).starts_with(folder));
    // The innermost first.
    for place in below.collect::<Vec<_>>().into_iter().rev() {
        let _ = Command::new("umount").arg(place).status();
    }
}

fn launch(mut command: Command, version: LabEngine, folder: &Path, name: &str) -> Child {
    let log = File::options().create(true).append(true).open(folder.join(format!("{name}.log"))).expect("a log");
    let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", version.programs());
    command.env("PATH", path).stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"))
}

fn send(signal: Signal, process: u32) {
    let signal = match signal {
        Signal::Term => "-TERM",
        Signal::Kill => "-KILL",
    };
    let _ = Command::new("kill").args([signal, &process.to_string()]).status();
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn containerd_configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "version = 2\nroot = \"{folder}/data/containerd\"\nstate = \"{folder}/run/containerd\"\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.cri.v1.images\", \
         \"io.containerd.cri.v1.runtime\", \"io.containerd.internal.v1.opt\", \"io.containerd.nri.v1.nri\"]\n\
         [grpc]\n  address = \"{folder}/run/containerd.sock\"\n"
    )
}
