//! From the files of a remote source to those of a build context.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::build::{self, StoredEntry, StoredFiles};
use crate::source::{ContentStore, SourceEntry, SourceTree};

/// Contents that stay in their store for as long as a context is made of them.
struct HeldContents {
    store: ContentStore,
    _tree: SourceTree,
}

impl build::ContentStore for HeldContents {
    fn open(&self, sha256: &[u8; 32]) -> io::Result<File> {
        self.store.open_content(sha256)
    }
}

/// The files of a source, for a context.
pub(super) fn files_of(tree: SourceTree, store: &ContentStore) -> StoredFiles {
    let entries: BTreeMap<String, StoredEntry> =
        tree.entries.iter().map(|(path, entry)| (path.clone(), entry_of(entry))).collect();
    StoredFiles {
        entries: Arc::new(entries),
        modified: tree.time,
        store: Arc::new(HeldContents { store: store.clone(), _tree: tree }),
        folder: None,
    }
}

fn entry_of(entry: &SourceEntry) -> StoredEntry {
    match entry {
        SourceEntry::Folder => StoredEntry::Folder,
        SourceEntry::Link { target } => StoredEntry::Link { target: target.clone() },
        SourceEntry::File { executable, size, content } => {
            StoredEntry::File { size: *size, sha256: *content, executable: *executable }
        }
    }
}
