//! A repository that a test makes, commit by commit.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// The branch that a repository begins with.
const FIRST_BRANCH: &str = "main";

/// Committed at this second of the epoch, or later: the same commits have the same names in every run.
const FIRST_SECOND: u64 = 1_700_000_000;

/// What a commit does at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A file with this content, which anyone may read.
    File(&'a [u8]),
    /// The same, and anyone may execute it.
    Executable(&'a [u8]),
    /// A link with this target, wherever that leads.
    Symlink(&'a str),
    /// Another repository's commit, by its name. Where that repository is stands in a file of its own, `.gitmodules`.
    Submodule(&'a str),
    /// Nothing is there any more.
    Removal,
}

/// A bare repository in a server's folder.
#[derive(Debug)]
pub struct Repository {
    folder: PathBuf,
    name: String,
    commits: AtomicU64,
}

impl Repository {
    pub(super) fn create(root: &Path, name: &str) -> Self {
        let folder = root.join(format!("{name}.git"));
        std::fs::create_dir_all(&folder).expect("a folder for the repository");
        let repository = Self { folder, name: name.to_owned(), commits: AtomicU64::new(0) };
        repository.git(&["init", "--quiet", "--bare", "--initial-branch", FIRST_BRANCH, "."], b"");
        // As the large hosts have it: a client may ask for any commit by its name, and for less than all of it.
        repository.git(&["config", "uploadpack.allowAnySHA1InWant", "true"], b"");
        repository.git(&["config", "uploadpack.allowFilter", "true"], b"");
        repository
    }

    /// Its name in an address, without `.git`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Commits files to `main`, beside those that are there. The name of the commit.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        let changes: Vec<_> = files.iter().map(|(path, content)| (*path, Change::File(content.as_bytes()))).collect();
        self.commit_on(FIRST_BRANCH, &changes)
    }

    /// Commits a link to `main`. The name of the commit.
    pub fn symlink(&self, path: &str, target: &str) -> String {
        self.commit_on(FIRST_BRANCH, &[(path, Change::Symlink(target))])
    }

    /// Commits another repository at this path of `main`. The name of the commit.
    pub fn submodule(&self, path: &str, url: &str, commit: &str) -> String {
        let modules = format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n");
        let changes = [(".gitmodules", Change::File(modules.as_bytes())), (path, Change::Submodule(commit))];
        self.commit_on(FIRST_BRANCH, &changes)
    }

    /// Commits changes to a branch, which begins with them when it is new. The name of the commit.
    pub fn commit_on(&self, branch: &str, changes: &[(&str, Change<'_>)]) -> String {
        let reference = format!("refs/heads/{branch}");
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let mut stream = format!(
            "commit {reference}\ncommitter Somebody <somebody@example.com> {} +0000\ndata <<END\ncommit {number}\nEND\n",
            FIRST_SECOND + number,
        )
        .into_bytes();
        if self.try_git(&["rev-parse", "--verify", "--quiet", &reference], b"").is_ok() {
            stream.extend(format!("from {reference}^0\n").bytes());
        }
        for (path, change) in changes {
            change.append_to(&mut stream, path);
        }
        self.git(&["fast-import", "--quiet"], &stream);
        self.resolve(&reference)
    }

    /// Lets a branch point at a commit, whether it was there before or not, as after a forced push.
    pub fn branch(&self, name: &str, commit: &str) {
        self.git(&["update-ref", &format!("refs/heads/{name}"), commit], b"");
    }

    /// Lets a tag point at a commit, whether it was there before or not.
    pub fn tag(&self, name: &str, commit: &str) {
        self.git(&["update-ref", &format!("refs/tags/{name}"), commit], b"");
    }

    /// A tag that is an object of its own. The name of that object, which is not the commit's.
    pub fn annotated_tag(&self, name: &str, commit: &str) -> String {
        self.git(&["tag", "--force", "--annotate", "--message", name, name, commit], b"");
        self.resolve(&format!("refs/tags/{name}"))
    }

    /// Removes a branch or a tag by its full name, `refs/heads/…`.
    pub fn remove_reference(&self, reference: &str) {
        self.git(&["update-ref", "-d", reference], b"");
    }

    /// What a revision is, in full.
    pub fn resolve(&self, revision: &str) -> String {
        self.git(&["rev-parse", "--verify", revision], b"").trim().to_owned()
    }

    /// What git says in this repository; a test that makes git fail has failed.
    pub fn git(&self, arguments: &[&str], input: &[u8]) -> String {
        self.try_git(arguments, input).unwrap_or_else(|problem| panic!("git {}: {problem}", arguments.join(" ")))
    }

    fn try_git(&self, arguments: &[&str], input: &[u8]) -> Result<String, String> {
        let mut git = git_command();
        git.args(arguments).current_dir(&self.folder);
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = git.spawn().unwrap_or_else(|error| panic!("git cannot be started: {error}"));
        // What git says here fits into a pipe, so that it never waits for us to read while we write.
        let written = child.stdin.take().expect("it was asked for").write_all(input);
        let output = child.wait_with_output().expect("it was started");
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() && written.is_ok() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(problem)
        }
    }
}

impl Change<'_> {
    /// As `git fast-import` reads it.
    fn append_to(self, stream: &mut Vec<u8>, path: &str) {
        let path = quoted(path);
        let (mode, content) = match self {
            Self::File(content) => ("100644", content),
            Self::Executable(content) => ("100755", content),
            Self::Symlink(target) => ("120000", target.as_bytes()),
            Self::Submodule(commit) => return stream.extend(format!("M 160000 {commit} {path}\n").bytes()),
            Self::Removal => return stream.extend(format!("D {path}\n").bytes()),
        };
        stream.extend(format!("M {mode} inline {path}\ndata {}\n", content.len()).bytes());
        stream.extend(content);
        stream.push(b'\n');
    }
}

fn quoted(path: &str) -> String {
    let mut text = String::from("\"");
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\') {
            text.push(byte.into());
        } else {
            let _ = write!(text, "\\{byte:03o}");
        }
    }
    text + "\""
}

/// git without anything that a person or a machine has configured.
pub(super) fn git_command() -> Command {
    let mut git = Command::new("git");
    git.env_clear();
    git.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    git.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_TERMINAL_PROMPT", "0")]);
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), "Somebody");
        git.env(format!("GIT_{role}_EMAIL"), "somebody@example.com");
        git.env(format!("GIT_{role}_DATE"), format!("{FIRST_SECOND} +0000"));
    }
    git
}
