//! What is remembered of a revision: which contents its files have.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ContentKey, ContentStore, Hold, REVISIONS, hexadecimal, key_in};
use crate::source::{SourceEntry, SourceError, SourceTree};

/// How many revisions are remembered; the oldest are forgotten first. Each is a file of 64 bytes.
const MOST_REVISIONS: usize = 4096;

/// The form that a listing is written in. One of another form is fetched anew.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Listing {
    version: u32,
    time: i64,
    entries: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Entry {
    Folder,
    Link(String),
    File { executable: bool, size: u64, content: String },
}

impl ContentStore {
    /// Remembers a tree under a name that [`ContentStore::name_of`] made. Its listing is a content like any other.
    pub(in super::super) fn remember_tree(&self, name: &str, tree: &SourceTree) -> Result<(), SourceError> {
        let written = |entry: &SourceEntry| match entry {
            SourceEntry::Folder => Entry::Folder,
            SourceEntry::Link { target } => Entry::Link(target.clone()),
            SourceEntry::File { executable, size, content } => {
                Entry::File { executable: *executable, size: *size, content: hexadecimal(content) }
            }
        };
        let entries = tree.entries.iter().map(|(path, entry)| (path.clone(), written(entry))).collect();
        let listing = Listing { version: VERSION, time: tree.time, entries };
        let bytes = serde_json::to_vec(&listing).map_err(SourceError::store)?;
        let content = self.hold().put(&bytes)?;
        self.remember_content(name, &content)
    }

    /// The tree that is remembered under a name, if all of it is still there.
    pub(in super::super) fn remembered_tree(&self, name: &str) -> Option<SourceTree> {
        let content = self.remembered_content(name)?;
        let mut hold = self.hold();
        if !hold.take(&content) {
            return None;
        }
        let bytes = io::read_to_string(self.open_content(&content).ok()?).ok()?;
        let listing: Listing =
            serde_json::from_str(&bytes).ok().filter(|listing: &Listing| listing.version == VERSION)?;
        let entries = listing.entries.into_iter().map(|(path, entry)| Some((path, read(entry, &mut hold)?)));
        Some(SourceTree { entries: entries.collect::<Option<_>>()?, time: listing.time, hold: Arc::new(hold) })
    }

    /// Remembers a content under a name.
    pub(in super::super) fn remember_content(&self, name: &str, content: &ContentKey) -> Result<(), SourceError> {
        let folder = self.inner.folder.join(REVISIONS);
        forget_oldest(&folder).map_err(SourceError::store)?;
        let mut file = self.temporary()?;
        file.write_all(hexadecimal(content).as_bytes()).map_err(SourceError::store)?;
        file.persist(folder.join(name)).map_err(|error| SourceError::store(error.error))?;
        Ok(())
    }

    /// The content that is remembered under a name. It may be gone.
    pub(in super::super) fn remembered_content(&self, name: &str) -> Option<ContentKey> {
        key_in(&fs::read_to_string(self.inner.folder.join(REVISIONS).join(name)).ok()?)
    }
}

fn read(entry: Entry, hold: &mut Hold) -> Option<SourceEntry> {
    Some(match entry {
        Entry::Folder => SourceEntry::Folder,
        Entry::Link(target) => SourceEntry::Link { target },
        Entry::File { executable, size, content } => {
            let content = key_in(&content)?;
            if !hold.take(&content) {
                return None;
            }
            SourceEntry::File { executable, size, content }
        }
    })
}

fn forget_oldest(folder: &std::path::Path) -> io::Result<()> {
    let names = || fs::read_dir(folder).map(|entries| entries.filter_map(Result::ok));
    if names()?.count() < MOST_REVISIONS {
        return Ok(());
    }
    let mut found: Vec<_> =
        names()?.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    found.sort_unstable();
    for (_, path) in found.into_iter().take(MOST_REVISIONS / 10) {
        let _ = fs::remove_file(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(store: &ContentStore) -> SourceTree {
        let mut hold = store.hold();
        let content = hold.put(b"content").unwrap();
        let entries = [
            ("a".to_owned(), SourceEntry::Folder),
            ("a/file".to_owned(), SourceEntry::File { executable: true, size: 7, content }),
            ("link".to_owned(), SourceEntry::Link { target: "../../etc/passwd".to_owned() }),
        ];
        SourceTree { entries: entries.into(), time: 12, hold: Arc::new(hold) }
    }

    #[test]
    fn a_tree_is_the_same_after_it_was_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), u64::MAX).unwrap();
        let tree = tree(&store);
        store.remember_tree("name", &tree).unwrap();
        let again = ContentStore::open(folder.path(), u64::MAX).unwrap().remembered_tree("name").unwrap();
        assert_eq!((again.entries, again.time), (tree.entries, tree.time));
        assert!(store.remembered_tree("other").is_none());
    }

    #[test]
    fn a_tree_of_which_something_is_gone_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), u64::MAX).unwrap();
        let tree = tree(&store);
        store.remember_tree("name", &tree).unwrap();
        let Some(SourceEntry::File { content, .. }) = tree.entries.get("a/file") else { panic!("a file") };
        fs::remove_file(store.path_of(content)).unwrap();
        assert!(store.remembered_tree("name").is_none());
    }
}
