//! A build context that was read.

use std::collections::BTreeMap;

use super::content::{ContextFile, Origin};
use super::digest::{ContentDigest, context_digest};
use super::dockerfile::Dockerfile;
use super::dockerignore::IgnoreRules;
use super::fingerprints::fingerprints;
use super::tree::{Entry, FileEntry, Tree};
use super::{ContextError, ContextPath};
use crate::app::ContextDigest;

/// A context that was read: what is in it, its Dockerfile, and the digest of both.
pub struct ReadContext {
    digest: ContextDigest,
    files_read: usize,
    tree: Tree,
    rules: IgnoreRules,
    origin: Origin,
    dockerfile: Dockerfile,
    modified: i64,
}

impl ReadContext {
    pub(super) fn new(
        tree: Tree,
        rules: IgnoreRules,
        origin: Origin,
        dockerfile: Dockerfile,
        modified: i64,
        files_read: usize,
    ) -> Result<Self, ContextError> {
        let digest = context_digest(&tree, dockerfile.text());
        let context = Self { digest, files_read, tree, rules, origin, dockerfile, modified };
        match context.dockerfile_in_context() {
            // It was read for itself and as a file of the context.
            Some((path, file)) if file.content != ContentDigest::of(context.dockerfile.text()) => {
                Err(ContextError::changed(path))
            }
            _ => Ok(context),
        }
    }

    /// The digest of everything in it and of its Dockerfile.
    pub fn digest(&self) -> ContextDigest {
        self.digest.clone()
    }

    /// How many files and links there are.
    pub fn files(&self) -> usize {
        self.tree.names().count()
    }

    /// How many files were read for it; the others were known.
    pub fn files_read(&self) -> usize {
        self.files_read
    }

    /// The bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.tree.bytes()
    }

    /// The Dockerfile.
    pub fn dockerfile(&self) -> &Dockerfile {
        &self.dockerfile
    }

    /// A few digits for each file, by their paths. Of many files it is the top level, of very many nothing.
    pub fn fingerprints(&self) -> BTreeMap<String, String> {
        fingerprints(&self.tree)
    }

    /// Whether there is a file, or a link, at this path.
    pub fn contains(&self, path: &str) -> bool {
        let entry = path.parse().ok().and_then(|path: ContextPath| self.tree.entries().get(&path));
        matches!(entry, Some(Entry::File(_) | Entry::Link { .. }))
    }

    /// What is in it, in the order of the paths' bytes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&ContextPath, &Entry)> {
        self.tree.entries().iter()
    }

    /// What lies at a path.
    pub(crate) fn entry(&self, path: &ContextPath) -> Option<&Entry> {
        self.tree.entries().get(path)
    }

    /// The rules by which files were left out of it.
    pub(crate) fn rules(&self) -> &IgnoreRules {
        &self.rules
    }

    /// When its folders and links were made, in seconds since 1970.
    pub(crate) fn modified(&self) -> i64 {
        self.modified
    }

    /// Opens a file of it. It may block.
    pub(crate) fn open(&self, path: &ContextPath, file: &FileEntry) -> Result<ContextFile, ContextError> {
        self.origin.open(path, file)
    }

    /// The Dockerfile's entry, where it is a file of the context.
    pub(super) fn dockerfile_in_context(&self) -> Option<(&ContextPath, &FileEntry)> {
        let path = self.dockerfile.path()?;
        match self.entry(path) {
            Some(Entry::File(file)) => Some((path, file)),
            _ => None,
        }
    }
}
