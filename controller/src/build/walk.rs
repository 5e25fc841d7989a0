//! Collecting the entries of a context from its folder.

use std::io::Read;
use std::time::SystemTime;

use bytes::Bytes;

use super::cache::ContentCache;
use super::digest::{ContentDigest, DigestingReader};
use super::dockerignore::{IgnoreRules, Verdict};
use super::folder::{Folder, Found, Kind, Stamp};
use super::tree::{Entry, FileEntry, Tree};
use super::{ContextError, ContextPath};

/// Reads a file that has no more bytes than this; `None` when it has more.
pub(super) fn read_small_file(folder: &Folder, path: &ContextPath, limit: u64) -> Result<Option<Bytes>, ContextError> {
    let (file, _) = folder.open_file(path)?;
    let mut content = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|error| ContextError::unreadable(path, error.to_string()))?;
    Ok((content.len() as u64 <= limit).then(|| content.into()))
}

/// What collecting a folder's entries has brought beside them.
pub(super) struct Collected {
    /// How many files had to be read.
    pub(super) files_read: usize,
    /// The stamps of all of its files.
    pub(super) stamps: Vec<Stamp>,
}

/// Adds to the tree what the rules keep of the folder.
pub(super) fn collect(
    folder: &Folder,
    rules: &IgnoreRules,
    cache: &ContentCache,
    tree: &mut Tree,
) -> Result<Collected, ContextError> {
    let collected = Collected { files_read: 0, stamps: Vec::new() };
    let mut collector = Collector { folder, cache, tree, collected };
    let mut waiting: Vec<Option<(ContextPath, Verdict)>> = vec![None];
    while let Some(next) = waiting.pop() {
        let (path, of_folder) = match &next {
            Some((path, verdict)) => (Some(path), Some(verdict)),
            None => (None, None),
        };
        for (path, found) in folder.list(path)? {
            let verdict = rules.judge(&path, of_folder);
            let keep = !verdict.excluded;
            let is_folder = found.kind == Kind::Folder;
            if is_folder && (keep || rules.may_bring_back_below(&path)) {
                waiting.push(Some((path.clone(), verdict)));
            }
            if keep {
                collector.add(path, &found)?;
            }
        }
    }
    Ok(collector.collected)
}

struct Collector<'a> {
    folder: &'a Folder,
    cache: &'a ContentCache,
    tree: &'a mut Tree,
    collected: Collected,
}

impl Collector<'_> {
    fn add(&mut self, path: ContextPath, found: &Found) -> Result<(), ContextError> {
        let entry = match found.kind {
            Kind::Folder => Entry::Folder,
            Kind::Link => Entry::Link { target: self.folder.read_link(&path)? },
            Kind::Socket => return Ok(()),
            Kind::Special(kind) => {
                return Err(ContextError::Special { path: path.to_string(), kind });
            }
            Kind::File { executable } => Entry::File(FileEntry {
                executable,
                size: found.size,
                content: self.content(&path, found)?,
                modified: found.stamp.modified_at(),
                data: None,
            }),
        };
        self.tree.add(path, entry)
    }

    fn content(&mut self, path: &ContextPath, found: &Found) -> Result<ContentDigest, ContextError> {
        self.collected.stamps.push(found.stamp);
        if let Some(content) = self.cache.get(&found.stamp) {
            return Ok(content);
        }
        self.tree.check_bytes(found.size)?;
        self.collected.files_read += 1;
        let opened_at = SystemTime::now();
        let (file, opened) = self.folder.open_file(path)?;
        // One byte more than was listed tells whether the file grows; without an end to it, a file that grows as
        // fast as it is read would be read for ever.
        let mut reader = DigestingReader::new((&file).take(found.size.saturating_add(1)));
        std::io::copy(&mut reader, &mut std::io::sink())
            .map_err(|error| ContextError::unreadable(path, error.to_string()))?;
        let is_what_was_listed = opened.stamp == found.stamp
            && Found::of_file(&file).is_ok_and(|after| after.stamp == found.stamp)
            && reader.bytes == found.size;
        if !is_what_was_listed {
            return Err(ContextError::changed(path));
        }
        let content = reader.digest();
        self.cache.remember(found.stamp, content, opened_at);
        Ok(content)
    }
}
