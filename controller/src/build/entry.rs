//! What a context consists of, and its digest.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::ContextError;
use crate::app::{ContextDigest, Digest};

/// One thing in a context, at a path relative to its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file. Of its mode only whether it can be executed counts.
    File { is_executable: bool, size: u64, digest: Digest, content: Content },
    /// A symbolic link, sent as it is and never followed.
    Link { target: String },
    /// A folder with nothing in it; others are there by what they hold.
    EmptyFolder,
}

/// Where a file's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Memory(bytes::Bytes),
    Disk { path: PathBuf, stamp: Stamp },
}

/// What tells that a file on disk is still the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: i128,
    /// Nanoseconds since 1970.
    pub(super) changed: i128,
}

impl Entry {
    pub(super) fn file_in_memory(path: String, bytes: Vec<u8>) -> Self {
        let kind = Kind::File {
            is_executable: false,
            size: bytes.len() as u64,
            digest: Digest::of(&bytes),
            content: Content::Memory(bytes.into()),
        };
        Self { path, kind }
    }

    pub(super) fn size(&self) -> u64 {
        match &self.kind {
            Kind::File { size, .. } => *size,
            Kind::Link { .. } | Kind::EmptyFolder => 0,
        }
    }
}

/// Refuses a path that would lead out of the context.
pub(super) fn checked_path(path: &str) -> Result<String, ContextError> {
    const LONGEST: usize = 4096;
    let is_good_component = |component: &str| !component.is_empty() && component != "." && component != "..";
    let is_good = path.len() <= LONGEST && !path.contains('\0') && path.split('/').all(is_good_component);
    if is_good { Ok(path.to_owned()) } else { Err(ContextError::Path(path.to_owned())) }
}

/// The digest of sorted entries. Each part has its length before it, so that no two contexts read alike.
pub(super) fn digest(entries: &[Entry]) -> ContextDigest {
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    part(b"longshore build context, version 1");
    for entry in entries {
        let (kind, content) = match &entry.kind {
            Kind::File { is_executable: false, digest, .. } => ("file", digest.as_str()),
            Kind::File { is_executable: true, digest, .. } => ("program", digest.as_str()),
            Kind::Link { target } => ("link", target.as_str()),
            Kind::EmptyFolder => ("folder", ""),
        };
        for text in [kind, &entry.path, content] {
            part(text.as_bytes());
        }
    }
    ContextDigest(Digest::from_sha256(&hasher.finalize()))
}
