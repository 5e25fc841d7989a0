//! The records of an app's revisions: one JSON file for each, in a folder beside the app's own file.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use longshore_crds::ContainerAppRevision;

use super::state::{FOLDER_MODE, StateError, StateFolder, read, replace, unusable};
use crate::reconcile::AppKey;

const EXTENSION: &str = "revisions";

impl StateFolder {
    /// The apps of which revisions are recorded.
    pub fn with_revisions(&self) -> Result<Vec<AppKey>, StateError> {
        let mut keys = Vec::new();
        for path in entries(&self.folder)? {
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Some((namespace, name)) = path.file_stem().and_then(|stem| stem.to_str()?.split_once('.'))
            {
                keys.push(AppKey { namespace: namespace.to_owned(), name: name.to_owned() });
            }
        }
        Ok(keys)
    }

    /// The records of an app's revisions, in no order. One that cannot be understood is as if it had been deleted.
    pub fn revisions(&self, key: &AppKey) -> Result<Vec<ContainerAppRevision>, StateError> {
        let mut revisions = Vec::new();
        for path in entries(&self.revision_folder(key))? {
            if path.extension().is_some_and(|extension| extension == "json") {
                revisions.extend(read(&path)?);
            }
        }
        Ok(revisions)
    }

    /// The record of this name.
    pub fn revision(&self, key: &AppKey, name: &str) -> Result<Option<ContainerAppRevision>, StateError> {
        read(&self.revision_file(key, name))
    }

    /// Writes a record. The file is replaced as a whole.
    pub fn write_revision(&self, key: &AppKey, name: &str, revision: &ContainerAppRevision) -> Result<(), StateError> {
        let folder = self.revision_folder(key);
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder);
        made.map_err(|error| unusable(&folder, error))?;
        let file = self.revision_file(key, name);
        replace(&folder, &file, revision).map_err(|error| unusable(&file, error))
    }

    /// Removes a record.
    pub fn remove_revision(&self, key: &AppKey, name: &str) -> Result<(), StateError> {
        let file = self.revision_file(key, name);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&file, error)),
            _ => Ok(()),
        }
    }

    /// Removes all records of an app.
    pub fn remove_revisions(&self, key: &AppKey) -> Result<(), StateError> {
        let folder = self.revision_folder(key);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&folder, error)),
            _ => Ok(()),
        }
    }

    /// No file of an app ends so, and no two apps share a folder.
    fn revision_folder(&self, key: &AppKey) -> PathBuf {
        self.file(key).with_extension(EXTENSION)
    }

    fn revision_file(&self, key: &AppKey, name: &str) -> PathBuf {
        self.revision_folder(key).join(format!("{name}.json"))
    }
}

/// What is in a folder; nothing when there is none.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StateError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(folder, error)),
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(|error| unusable(folder, error))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    fn key(name: &str) -> AppKey {
        AppKey { namespace: "default".to_owned(), name: name.to_owned() }
    }

    fn revision(number: i64) -> ContainerAppRevision {
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerAppRevision",
            "metadata": {"name": format!("web-{number}")},
            "spec": {"app": "web", "revision": number, "image": "web:1"},
            "status": {"outcome": "Succeeded"},
        }))
        .unwrap()
    }

    fn folder() -> (tempfile::TempDir, StateFolder) {
        let base = tempfile::tempdir().unwrap();
        let state = StateFolder::of_project("shop", Some(base.path())).unwrap();
        (base, state)
    }

    #[test]
    fn records_are_read_again_until_they_are_removed() {
        let (_base, state) = folder();
        assert_eq!(state.revisions(&key("web")).unwrap(), []);
        for number in [1, 2] {
            state.write_revision(&key("web"), &format!("web-{number}"), &revision(number)).unwrap();
        }
        assert_eq!(state.with_revisions().unwrap(), [key("web")]);
        assert_eq!(state.revision(&key("web"), "web-2").unwrap(), Some(revision(2)));
        state.remove_revision(&key("web"), "web-2").unwrap();
        state.remove_revision(&key("web"), "web-2").unwrap();
        assert_eq!(state.revisions(&key("web")).unwrap(), [revision(1)]);
        state.remove_revisions(&key("web")).unwrap();
        state.remove_revisions(&key("web")).unwrap();
        assert_eq!(state.with_revisions().unwrap(), []);
    }

    #[test]
    fn records_are_no_apps_and_nobody_elses() {
        let (base, state) = folder();
        state.write_revision(&key("web"), "web-1", &revision(1)).unwrap();
        assert_eq!(state.read_all().unwrap(), []);
        assert_eq!(state.revisions(&key("web.revisions")).unwrap(), []);
        let mode = |path: &str| fs::metadata(base.path().join(path)).unwrap().permissions().mode() & 0o077;
        assert_eq!(mode("shop"), 0);
        assert_eq!(mode("shop/default.web.revisions"), 0);
        assert_eq!(mode("shop/default.web.revisions/web-1.json"), 0);
    }

    #[test]
    fn every_project_with_a_folder_is_found() {
        let (base, state) = folder();
        state.write_revision(&key("web"), "web-1", &revision(1)).unwrap();
        let projects = StateFolder::of_every_project(Some(base.path())).unwrap();
        let names: Vec<&str> = projects.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["shop"]);
        assert_eq!(StateFolder::of_every_project(Some(&base.path().join("none"))).unwrap().len(), 0);
    }
}
