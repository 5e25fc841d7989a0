//! What a project remembers between runs: one JSON file for each app. It may be deleted at any time, at the cost of
//! that memory (`Memory` says what it is).

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use kube::ResourceExt;
use longshore_crds::ContainerApp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use super::revision_files::entries;
use crate::reconcile::AppKey;

/// Only the user may look: an app's environment may hold what is nobody else's business.
pub(super) const FOLDER_MODE: u32 = 0o700;

/// The folder in which a project's apps are remembered.
#[derive(Clone, Debug)]
pub struct StateFolder {
    pub(super) folder: PathBuf,
}

/// Why the folder of state could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error("the state in {path} cannot be used: {error}; choose another folder with --state-dir")]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process looks after the app.
    #[error("another longshore is looking after {0} of this project; end it with Ctrl-C where it runs, then try again")]
    Busy(AppKey),
    /// The app was brought up on another engine than the one that is to be used now.
    #[error(
        "{app} of this project was brought up on the engine at {endpoint}, and another one is to be used now; remove it \
         there first with --engine-host {endpoint}, or, if that engine is no more, delete {file}"
    )]
    Elsewhere {
        /// The app.
        app: AppKey,
        /// Where it was brought up.
        endpoint: String,
        /// The file that remembers so.
        file: PathBuf,
    },
    /// There is no place for it.
    #[error("there is no folder for the state: neither XDG_STATE_HOME nor HOME is set; choose one with --state-dir")]
    NoHome,
}

/// As long as it lives, no other process looks after the app.
#[derive(Debug)]
pub struct Tenure {
    _lock: File,
}

impl StateFolder {
    /// The folder of a project in this base folder, or in the user's own: `$XDG_STATE_HOME/longshore/<project>`, which
    /// is `~/.local/state/longshore/<project>` when the variable is not set.
    pub fn of_project(project: &str, base: Option<&Path>) -> Result<Self, StateError> {
        Ok(Self { folder: base_folder(base)?.join(project) })
    }

    /// The names and folders of all projects of which something is remembered there.
    pub fn of_every_project(base: Option<&Path>) -> Result<Vec<(String, Self)>, StateError> {
        let folders = entries(&base_folder(base)?)?.into_iter().filter(|path| path.is_dir());
        let named = folders.filter_map(|folder| Some((folder.file_name()?.to_str()?.to_owned(), Self { folder })));
        Ok(named.collect())
    }

    /// What is remembered of an app; nothing when there is no file or it cannot be understood.
    pub fn read(&self, key: &AppKey) -> Result<Option<ContainerApp>, StateError> {
        read(&self.file(key))
    }

    /// What is remembered of all apps.
    pub fn read_all(&self) -> Result<Vec<ContainerApp>, StateError> {
        let mut apps = Vec::new();
        for path in entries(&self.folder)? {
            if path.extension().is_some_and(|extension| extension == "json") {
                apps.extend(read(&path)?);
            }
        }
        Ok(apps)
    }

    /// The apps of every project beside this one, and of its own. Those of which only images are left are none.
    pub fn apps_of_every_project(&self) -> Result<Vec<ContainerApp>, StateError> {
        let Some(base) = self.folder.parent() else {
            return self.read_all();
        };
        let mut apps = Vec::new();
        for (_, project) in Self::of_every_project(Some(base))? {
            apps.extend(project.read_all()?.into_iter().filter(|app| !app.finalizers().is_empty()));
        }
        Ok(apps)
    }

    /// Remembers an app. The file is replaced as a whole: a process that dies leaves the old one or the new one.
    pub fn write(&self, key: &AppKey, app: &ContainerApp) -> Result<(), StateError> {
        self.make_folder()?;
        let file = self.file(key);
        replace(&self.folder, &file, app).map_err(|error| unusable(&file, error))
    }

    /// Forgets an app.
    pub fn remove(&self, key: &AppKey) -> Result<(), StateError> {
        let file = self.file(key);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&file, error)),
            _ => Ok(()),
        }
    }

    /// Takes an app into this process's care; an error when another process has it.
    pub fn take(&self, key: &AppKey) -> Result<Tenure, StateError> {
        self.make_folder()?;
        let path = self.folder.join(format!("{}.lock", stem(key)));
        let file = File::options().create(true).append(true).open(&path).map_err(|error| unusable(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Tenure { _lock: file }),
            Err(TryLockError::WouldBlock) => Err(StateError::Busy(key.clone())),
            Err(TryLockError::Error(error)) => Err(unusable(&path, error)),
        }
    }

    fn make_folder(&self) -> Result<(), StateError> {
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&self.folder)
            .map_err(|error| unusable(&self.folder, error))
    }

    /// The file in which an app is remembered.
    pub fn file(&self, key: &AppKey) -> PathBuf {
        self.folder.join(format!("{}.json", stem(key)))
    }
}

/// A namespace has no dot, so no two apps share a file.
fn stem(key: &AppKey) -> String {
    format!("{}.{}", key.namespace, key.name)
}

fn base_folder(base: Option<&Path>) -> Result<PathBuf, StateError> {
    match base {
        Some(base) => Ok(base.to_owned()),
        None => users_own().ok_or(StateError::NoHome),
    }
}

/// An absolute path only: a relative one in the environment is to be ignored (XDG Base Directory Specification).
fn users_own() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("longshore"))
}

/// What a file holds; nothing when there is none or it cannot be understood.
pub(super) fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, StateError> {
    match fs::read(file) {
        // What cannot be understood was written by another version; it is as if it had been deleted.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(file = %file.display(), %error, "the state is not understood"))
            .ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(file, error)),
    }
}

/// The temporary file is readable by the user only, and so is what it becomes.
pub(super) fn replace(folder: &Path, file: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut temporary = NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut temporary, value)?;
    temporary.flush()?;
    temporary.persist(file)?;
    Ok(())
}

pub(super) fn unusable(path: &Path, error: io::Error) -> StateError {
    StateError::Unusable { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    fn key(name: &str) -> AppKey {
        AppKey { namespace: "default".to_owned(), name: name.to_owned() }
    }

    fn app(name: &str) -> ContainerApp {
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"image": {"name": "a"}},
        }))
        .unwrap()
    }

    fn folder() -> (tempfile::TempDir, StateFolder) {
        let base = tempfile::tempdir().unwrap();
        let state = StateFolder::of_project("shop", Some(base.path())).unwrap();
        (base, state)
    }

    #[test]
    fn what_was_written_is_read_again_until_it_is_removed() {
        let (_base, state) = folder();
        assert_eq!(state.read(&key("web")).unwrap(), None);
        state.write(&key("web"), &app("web")).unwrap();
        assert_eq!(state.read(&key("web")).unwrap(), Some(app("web")));
        assert_eq!(state.read_all().unwrap(), [app("web")]);
        state.remove(&key("web")).unwrap();
        state.remove(&key("web")).unwrap();
        assert_eq!(state.read_all().unwrap(), []);
    }

    #[test]
    fn a_file_that_is_not_understood_is_as_good_as_none() {
        let (base, state) = folder();
        state.write(&key("web"), &app("web")).unwrap();
        fs::write(base.path().join("shop/default.web.json"), "{").unwrap();
        assert_eq!(state.read(&key("web")).unwrap(), None);
    }

    #[test]
    fn nobody_else_may_read_it() {
        let (base, state) = folder();
        state.write(&key("web"), &app("web")).unwrap();
        let mode = |path: &str| fs::metadata(base.path().join(path)).unwrap().permissions().mode() & 0o077;
        assert_eq!(mode("shop"), 0);
        assert_eq!(mode("shop/default.web.json"), 0);
    }

    #[test]
    fn an_app_is_looked_after_by_one_at_a_time() {
        let (_base, state) = folder();
        let tenure = state.take(&key("web")).unwrap();
        let error = state.take(&key("web")).unwrap_err();
        assert!(error.to_string().contains("looking after default/web"), "{error}");
        state.take(&key("other")).unwrap();
        drop(tenure);
        state.take(&key("web")).unwrap();
    }
}
