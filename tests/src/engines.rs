//! The lab's Docker Engines, seen from outside: with the docker client, as a person would.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::programs::{from_repository, lab_variable, run};
use crate::unique_name;

/// Both of the lab's engines.
pub const ENGINES: [LabEngine; 2] = [LabEngine::Engine20, LabEngine::Engine29];

/// One of the lab's engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabEngine {
    /// Docker Engine 20.10, with the graph driver's image store.
    Engine20,
    /// Docker Engine 29, with containerd's.
    Engine29,
}

impl LabEngine {
    /// Its address, `unix:///…`.
    pub fn endpoint(self) -> String {
        lab_variable(self.variable())
    }

    /// The variable that holds its address.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Engine20 => "LONGSHORE_LAB_ENGINE20",
            Self::Engine29 => "LONGSHORE_LAB_ENGINE29",
        }
    }

    /// Where its containers, and what its builds run, reach this machine.
    pub fn host_address(self) -> IpAddr {
        let address = lab_variable(match self {
            Self::Engine20 => "LONGSHORE_LAB_ENGINE20_HOST",
            Self::Engine29 => "LONGSHORE_LAB_ENGINE29_HOST",
        });
        address.parse().unwrap_or_else(|error| panic!("{address} is not an address: {error}"))
    }

    /// Where the programs are that it is made of, as a `PATH`.
    pub fn programs(self) -> String {
        lab_variable(match self {
            Self::Engine20 => "LONGSHORE_LAB_ENGINE20_PATH",
            Self::Engine29 => "LONGSHORE_LAB_ENGINE29_PATH",
        })
    }

    /// The lab's word for it.
    pub fn component(self) -> &'static str {
        match self {
            Self::Engine20 => "engine20",
            Self::Engine29 => "engine29",
        }
    }

    /// What `docker` says of this engine.
    pub fn docker(self, arguments: &[&str]) -> Result<String, String> {
        let endpoint = self.endpoint();
        let arguments = [&["-H", &endpoint], arguments].concat();
        run(&lab_variable("LONGSHORE_LAB_DOCKER"), &arguments, "")
    }

    /// What `docker build` says when BuildKit builds, whatever the engine would take by itself.
    pub fn build(self, arguments: &[&str]) -> Result<String, String> {
        let (docker, endpoint) = (lab_variable("LONGSHORE_LAB_DOCKER"), self.endpoint());
        let build = ["DOCKER_BUILDKIT=1", &docker, "-H", &endpoint, "build", "--progress", "plain"];
        run("env", &[&build, arguments].concat(), "")
    }

    /// Whether the lab has brought docker's newest client: `lab install bench`.
    pub fn has_newest_client() -> bool {
        std::env::var_os("LONGSHORE_LAB_DOCKER_CONFIG").is_some()
    }

    /// What `docker build` says by the newest client, buildx.
    pub fn build_with_newest(self, arguments: &[&str]) -> Result<String, String> {
        let buildx = format!("{}/cli-plugins/docker-buildx", lab_variable("LONGSHORE_LAB_DOCKER_CONFIG"));
        let host = format!("DOCKER_HOST={}", self.endpoint());
        // What it remembers between builds is of no use to anyone here.
        let memory = tempfile::tempdir().expect("a folder");
        let memory = format!("BUILDX_CONFIG={}", memory.path().display());
        let build = [&host, &memory, "BUILDX_BUILDER=default", &buildx, "build", "--progress", "plain"];
        run("env", &[&build, arguments].concat(), "")
    }

    /// Pushes to the lab's `gcr.io`, with its credentials.
    pub fn push_to_gcr(self, reference: &str) {
        let user = format!("{}:{}", lab_variable("LONGSHORE_LAB_GCR_USER"), lab_variable("LONGSHORE_LAB_GCR_PASSWORD"));
        let credentials = serde_json::json!({"auths": {"gcr.io": {"auth": BASE64_STANDARD.encode(user)}}});
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config.json"), credentials.to_string()).expect("it is written");
        let folder = folder.path().to_str().expect("the path is text");
        self.docker(&["--config", folder, "push", reference]).unwrap_or_else(|error| panic!("{reference}: {error}"));
    }

    /// Everything that it keeps of an image: its history, its configuration, and what `docker save` gives, unpacked.
    pub fn everything_of(self, image: &str) -> String {
        let history = self.docker(&["history", "--no-trunc", image]).expect("a history");
        let inspected = self.docker(&["image", "inspect", image]).expect("an inspection");
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("image.tar");
        self.docker(&["save", "--output", archive.to_str().expect("text"), image]).expect("the image is saved");
        // Layers may be compressed, each a file of the archive.
        let unpack = "tar -xf image.tar && rm image.tar && find . -type f -exec zcat -f {} +";
        let saved = Command::new("sh").args(["-c", unpack]).current_dir(folder.path()).output().expect("a shell");
        assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
        format!("{history}{inspected}{}", String::from_utf8_lossy(&saved.stdout))
    }

    /// The names of all containers, those that have ended included.
    pub fn containers(self) -> Vec<String> {
        lines(&self.docker(&["ps", "--all", "--format", "{{.Names}}"]).expect("docker ps answers"))
    }

    /// The references of all images.
    pub fn images(self) -> Vec<String> {
        let format = "{{.Repository}}:{{.Tag}}";
        lines(&self.docker(&["images", "--format", format]).expect("docker images answers"))
    }

    /// Removes a container by force, as somebody would behind our back; one that is gone is well.
    pub fn remove_by_hand(self, name: &str) {
        let _ = self.docker(&["rm", "--force", name]);
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// What is answered to `GET /` on a port of this machine; `None` when nothing listens or answers.
pub fn answer_on_port(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let body = answer.split_once("\r\n\r\n")?.1;
    Some(body.trim().to_owned())
}

/// An example of the repository whose `app.js` nobody has built before, so that its last step cannot be cached.
pub fn example_never_built(file: &str) -> String {
    let text = std::fs::read_to_string(from_repository(file)).expect("the example is there");
    let first_line = "const http = require(\"http\");";
    assert!(text.contains(first_line), "{file} has the lesson's app.js");
    text.replace(first_line, &format!("{first_line} // {}", unique_name("build")))
}
