//! Repositories that tests make with git.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with a work tree.
pub(super) struct Repository {
    pub(super) folder: PathBuf,
}

impl Repository {
    pub(super) fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let repository = Self { folder };
        repository.git(&["init", "--quiet", "--initial-branch=main", "."]);
        repository
    }

    /// Runs git in it, and gives what it prints.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(&self.folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_AUTHOR_NAME", "a")
            .env("GIT_AUTHOR_EMAIL", "a@example.com")
            .env("GIT_COMMITTER_NAME", "a")
            .env("GIT_COMMITTER_EMAIL", "a@example.com")
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(super) fn make_executable(&self, path: &str) -> &Self {
        fs::set_permissions(self.folder.join(path), fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    pub(super) fn link(&self, path: &str, target: &str) -> &Self {
        symlink(target, self.folder.join(path)).unwrap();
        self
    }

    /// Commits all that there is, and gives the commit.
    pub(super) fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a commit"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Puts a submodule in place, whose address in `.gitmodules` is this one.
    pub(super) fn add_submodule(&self, path: &str, other: &Path, address: &str) -> &Self {
        self.git(&["submodule", "--quiet", "add", other.to_str().unwrap(), path]);
        self.git(&["config", "--file", ".gitmodules", &format!("submodule.{path}.url"), address]);
        self
    }
}
