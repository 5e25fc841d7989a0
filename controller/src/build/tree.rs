//! The entries of a context, in order and within the limits.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use bytes::Bytes;

use super::digest::ContentDigest;
use super::reader::ContextLimits;
use super::{ContextError, ContextPath};

/// What a context holds, in the order of the paths' bytes, so that a folder comes before what is in it.
#[derive(Debug)]
pub(super) struct Tree {
    entries: BTreeMap<ContextPath, Entry>,
    bytes: u64,
    limits: ContextLimits,
}

/// One thing in a context.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A folder. Its mode is always 0755.
    Folder,
    /// A symbolic link, with what is written in it.
    Link { target: String },
    /// A file.
    File(FileEntry),
}

/// A file in a context.
#[derive(Clone, Debug)]
pub(crate) struct FileEntry {
    /// Whether its mode is 0755, else 0644.
    pub(crate) executable: bool,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// The digest of its content.
    pub(crate) content: ContentDigest,
    /// When it was last changed, in seconds since 1970, as far as its source tells.
    pub(crate) modified: i64,
    /// The content itself, where it does not lie on disk.
    pub(super) data: Option<Bytes>,
}

impl Tree {
    pub(super) fn within(limits: ContextLimits) -> Self {
        Self { entries: BTreeMap::new(), bytes: 0, limits }
    }

    /// Adds an entry, and the folders that it is in.
    pub(super) fn add(&mut self, path: ContextPath, entry: Entry) -> Result<(), ContextError> {
        for folder in path.folders() {
            self.put(folder, Entry::Folder)?;
        }
        if let Entry::File(file) = &entry {
            self.bytes = self.bytes.saturating_add(file.size);
        }
        self.put(path, entry)?;
        self.check_bytes(0)
    }

    /// Whether so many more bytes are within the limit, so that what is not need not be read.
    pub(super) fn check_bytes(&self, more: u64) -> Result<(), ContextError> {
        let limit = self.limits.bytes;
        if self.bytes.saturating_add(more) > limit {
            return Err(ContextError::TooLarge { limit });
        }
        Ok(())
    }

    fn put(&mut self, path: ContextPath, entry: Entry) -> Result<(), ContextError> {
        let limit = self.limits.files;
        let is_full = self.entries.len() as u64 >= limit;
        match self.entries.entry(path) {
            Place::Occupied(place) => match (place.get(), entry) {
                (Entry::Folder, Entry::Folder) => Ok(()),
                _ => Err(ContextError::FileAndFolder { path: place.key().to_string() }),
            },
            Place::Vacant(_) if is_full => Err(ContextError::TooManyFiles { limit }),
            Place::Vacant(place) => {
                place.insert(entry);
                Ok(())
            }
        }
    }

    pub(super) fn entries(&self) -> &BTreeMap<ContextPath, Entry> {
        &self.entries
    }

    /// The paths of its files and links.
    pub(super) fn names(&self) -> impl Iterator<Item = &ContextPath> {
        let is_no_folder = |(_, entry): &(&ContextPath, &Entry)| !matches!(entry, Entry::Folder);
        self.entries.iter().filter(is_no_folder).map(|(path, _)| path)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
