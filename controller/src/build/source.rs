//! Where the files of a context come from, and its Dockerfile.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a context's files come from.
#[derive(Clone, Debug)]
pub enum ContextSource {
    /// They stand in the resource or in a ConfigMap: contents by their paths.
    Files(BTreeMap<String, Vec<u8>>),
    /// They lie in this folder. It alone may be a link, or lie behind one: the user named it.
    Folder(PathBuf),
    /// They lie in a store of contents, as those of a commit or of an archive do.
    Stored(StoredFiles),
}

/// Where a context's Dockerfile comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DockerfileSource {
    /// It lies at this path in the context, or a link to a file of the context does.
    InContext(String),
    /// It lies at this path, relative to the context's folder, which may lead out of it: `../docker/Dockerfile`. Only
    /// a folder and stored files have something beside them. No link is followed, and no stored file's path leads out
    /// of what is stored.
    Beside(String),
    /// This is its text.
    Inline(String),
}

/// Files whose contents lie in a store.
#[derive(Clone)]
pub struct StoredFiles {
    /// What there is, by paths.
    pub entries: Arc<BTreeMap<String, StoredEntry>>,
    /// Where the contents are.
    pub store: Arc<dyn ContentStore>,
    /// The folder among them that is the context; all of them when there is none.
    pub folder: Option<String>,
    /// When they were made, in seconds since 1970: a commit's time.
    pub modified: i64,
}

/// One thing among stored files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredEntry {
    /// A folder. Those that something lies in need not be named.
    Folder,
    /// A symbolic link, with what is written in it.
    Link {
        /// What it points at.
        target: String,
    },
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// The SHA-256 of its content.
        sha256: [u8; 32],
        /// Whether its owner may execute it.
        executable: bool,
    },
}

/// Contents by their SHA-256.
pub trait ContentStore: Send + Sync {
    /// Opens the content that has this SHA-256. What is read is digested again: a store cannot pass off another.
    fn open(&self, sha256: &[u8; 32]) -> io::Result<File>;
}

impl fmt::Debug for StoredFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredFiles")
            .field("entries", &self.entries.len())
            .field("folder", &self.folder)
            .field("modified", &self.modified)
            .finish_non_exhaustive()
    }
}
