//! The records of an app's revisions: one JSON file for each, in a folder beside the app's own file.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use longshore_crds::ContainerAppRevision;

use super::state::{FOLDER_MODE, StateError, StateFolder, read, replace, unusable};
use crate::reconcile::AppKey;

impl StateFolder {
    /// The records of an app's revisions, in no order. One that cannot be understood is as if it had been deleted.
    pub fn revisions(&self, key: &AppKey) -> Result<Vec<ContainerAppRevision>, StateError> {
        let folder = self.revision_folder(key);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unusable(&folder, error)),
        };
        let mut revisions = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| unusable(&folder, error))?.path();
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
        self.file(key).with_extension("revisions")
    }

    fn revision_file(&self, key: &AppKey, name: &str) -> PathBuf {
        self.revision_folder(key).join(format!("{name}.json"))
    }
}
