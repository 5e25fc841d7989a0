//! The project: which apps of which files belong together on an engine.

use std::env;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use uuid::Builder;

use crate::app::Instance;
use crate::reconcile::AppKey;

/// A project: what `up` makes carries its name, and `down` removes only what does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    instance: Instance,
}

impl Project {
    /// The project of this name. Capital letters become small ones, and what is neither letter nor digit becomes `-`.
    pub fn named(name: &str) -> Self {
        Self { instance: Instance::new(name) }
    }

    /// The project that is meant by these files: the one of the folder that the first of them lies in, or of the
    /// current folder when there is none or it is the standard input.
    pub fn of_files(files: &[PathBuf]) -> Self {
        let folder = match files.first() {
            Some(first) if first.is_dir() => first.clone(),
            Some(first) if first != Path::new("-") => first.parent().map(Path::to_owned).unwrap_or_default(),
            _ => PathBuf::new(),
        };
        Self::named(&name_of(&folder))
    }

    /// Its name, as it stands in the labels of what it has made.
    pub fn name(&self) -> &str {
        self.instance.as_str()
    }

    /// It as an installation.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The UID of an app of this project: the same on every machine and in every run, so that what an earlier run has
    /// made is found again when its memory is lost.
    pub fn uid_of(&self, key: &AppKey) -> String {
        // A zero byte is in no name, so that no two apps run together into the same text.
        let text = [self.name(), &key.namespace, &key.name].join("\0");
        let hash = Sha256::digest(text);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        // Version 8 is the one for values that are made by rules of one's own (RFC 9562, 5.8).
        Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }
}

/// The folder's own name; what `.` and `..` mean is looked up.
fn name_of(folder: &Path) -> String {
    let base = env::current_dir().unwrap_or_default();
    let folder = base.join(folder);
    let folder = folder.canonicalize().unwrap_or(folder);
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, name: &str) -> AppKey {
        AppKey { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn the_project_is_called_like_the_folder_of_the_first_file() {
        assert_eq!(Project::of_files(&["/srv/Node App/app.yaml".into()]).name(), "node-app");
        assert_eq!(Project::of_files(&["/srv/one/app.yaml".into(), "/srv/two/b.yaml".into()]).name(), "one");
    }

    #[test]
    fn a_folder_that_is_given_as_such_names_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("shop");
        std::fs::create_dir(&inside).unwrap();
        assert_eq!(Project::of_files(&[inside]).name(), "shop");
    }

    #[test]
    fn the_same_app_of_the_same_project_has_the_same_uid_everywhere() {
        let uid = Project::named("shop").uid_of(&key("default", "web"));
        assert_eq!(uid, "27accd80-b6ad-8ccd-8ce8-3f5ffa676fc1");
    }

    #[test]
    fn no_two_apps_share_a_uid() {
        let shop = Project::named("shop");
        let uids = [
            shop.uid_of(&key("default", "web")),
            shop.uid_of(&key("default", "web2")),
            shop.uid_of(&key("defaultw", "eb")),
            Project::named("shop2").uid_of(&key("default", "web")),
        ];
        let distinct: std::collections::BTreeSet<_> = uids.iter().collect();
        assert_eq!(distinct.len(), uids.len());
    }
}
