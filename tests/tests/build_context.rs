//! What a build sees of a folder is what `docker build` shows it, on both engines.
//!
//! One thing is left out here, as docker's clients differ: an exception that begins with a wildcard brings back what lies
//! in a folder that is left out with those that have BuildKit's present filter, and with Longshore, not with 20.10.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use longshore_tests::{LabEngine, lab, unique_name};

const DOCKERFILE: &str = "FROM busybox:latest\nADD . /context\n";

const IGNORED: &str = "# a comment
node_modules
!node_modules/kept
/anchored
*.md
!README.md
**/*.tmp
docs/*
!docs/index
**/cache
  spaces-around\t
log/
!**/important.tmp
";

const FILES: &[&str] = &[
    ".dockerignore",
    "Dockerfile",
    "anchored",
    "a/anchored",
    "CHANGES.md",
    "README.md",
    "a/CHANGES.md",
    "a/b/x.tmp",
    "a/important.tmp",
    "a/cache/c",
    "app.js",
    "docs/chapter",
    "docs/index",
    "log/today",
    "log/deep/yesterday",
    "node_modules/kept/index.js",
    "node_modules/other/index.js",
    "spaces-around",
    "grüße/世界",
];

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder() -> Folder {
    let root = std::env::temp_dir().join(unique_name("context"));
    let long = format!("{}/{}", "folder".repeat(30), "name".repeat(30));
    for path in FILES.iter().copied().chain([long.as_str()]) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().expect("it lies in the folder")).expect("a folder is made");
        fs::write(&file, path).expect("a file is written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode is set");
    }
    fs::write(root.join("Dockerfile"), DOCKERFILE).expect("the Dockerfile is written");
    fs::write(root.join(".dockerignore"), IGNORED).expect("the patterns are written");
    fs::set_permissions(root.join("app.js"), fs::Permissions::from_mode(0o755)).expect("a mode is set");
    fs::create_dir(root.join("empty")).expect("a folder is made");
    for (name, target) in [("in", "app.js"), ("out", "../../etc/passwd"), ("root", "/etc//passwd")] {
        symlink(target, root.join(name)).expect("a link is made");
    }
    Folder(root)
}

/// Kind, mode, size and target of everything in the image's `/context`, and the content of its files.
fn seen(engine: LabEngine, image: &str) -> Vec<String> {
    let list =
        "cd /context && find . ! -name . -exec stat -c '%F %a %s %N' {} + && find . -type f -exec sha256sum {} +";
    let listed = engine.docker(&["run", "--rm", "--network", "none", image, "sh", "-c", list]);
    let mut lines: Vec<String> = listed.expect("the image lists its context").lines().map(str::to_owned).collect();
    // Folders have a size of the file system's making.
    for line in &mut lines {
        if let Some(rest) = line.strip_prefix("directory ") {
            let mut words = rest.splitn(3, ' ');
            let (mode, name) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
            *line = format!("directory {mode} {name}");
        }
    }
    lines.sort_unstable();
    lines
}

async fn shows_what_docker_shows(engine: LabEngine) {
    let folder = folder();
    let (ours, theirs) = (unique_name("context-ours"), unique_name("context-docker"));
    lab::build_folder(engine, &folder.0, "Dockerfile", &ours).await;
    let root = folder.0.to_str().expect("the path is text");
    engine.docker(&["build", "--quiet", "--tag", &theirs, root]).expect("docker builds");
    let (seen_of_ours, seen_of_theirs) = (seen(engine, &ours), seen(engine, &theirs));
    engine.docker(&["rmi", &ours, &theirs]).expect("the images are removed");
    assert_eq!(seen_of_ours, seen_of_theirs);
    assert!(seen_of_ours.iter().any(|line| line.contains("important.tmp")), "{seen_of_ours:?}");
}

#[tokio::test]
async fn on_docker_20() {
    shows_what_docker_shows(LabEngine::Engine20).await;
}

#[tokio::test]
async fn on_docker_29() {
    shows_what_docker_shows(LabEngine::Engine29).await;
}
