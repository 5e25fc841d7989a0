//! Reading a build context.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use longshore_crds::SourceStatus;

use super::cache::ContentCache;
use super::digest::{ContentDigest, context_digest};
use super::dockerignore::IgnoreRules;
use super::fingerprints::fingerprints;
use super::folder::Folder;
use super::tree::{Entry, FileEntry, Tree};
use super::walk;
use super::{ContextError, ContextPath};
use crate::app::{ContextContent, ContextDigest};

/// The name of the file with the patterns, and what stands behind a Dockerfile's name in that of its own.
const IGNORE_FILE: &str = ".dockerignore";

/// How many names an error lists of those that are there.
const NAMES_IN_AN_ERROR: usize = 5;

/// Where a context's files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextSource {
    /// They stand in the resource or in a ConfigMap: contents by their paths.
    Files(BTreeMap<String, Vec<u8>>),
    /// They lie in this folder.
    Folder(PathBuf),
}

/// How large a context may be, after `.dockerignore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContextLimits {
    /// The bytes of all files together.
    pub(super) bytes: u64,
    /// The number of files, folders and links.
    pub(super) files: u64,
}

impl Default for ContextLimits {
    fn default() -> Self {
        Self { bytes: 2 << 30, files: 200_000 }
    }
}

/// Reads contexts. It remembers the digests of files that it has read, by size, times and inode, so that reading an
/// unchanged folder again reads no file. Clones share what is remembered. A context may have 2 GiB and 200,000 files,
/// folders and links, after `.dockerignore`.
#[derive(Clone, Debug, Default)]
pub struct ContextReader {
    cache: Arc<ContentCache>,
    limits: ContextLimits,
}

/// A context that was read: what is in it, and its digest.
pub struct ReadContext {
    digest: ContextDigest,
    files_read: usize,
    pub(super) tree: Tree,
    /// The folder that it was read from, for the files that are not held in memory.
    pub(super) folder: Option<Folder>,
}

impl ContextReader {
    #[cfg(test)]
    pub(super) fn with_limits(limits: ContextLimits) -> Self {
        Self { cache: Arc::default(), limits }
    }

    #[cfg(test)]
    pub(super) fn with_cache(cache: Arc<ContentCache>) -> Self {
        Self { cache, limits: ContextLimits::default() }
    }

    /// Reads a context. The path of the Dockerfile says which `.dockerignore` is meant,
    /// `<Dockerfile>.dockerignore` before the root's, and which file no pattern can leave out; it must be there.
    pub async fn read(&self, source: ContextSource, dockerfile: &str) -> Result<ReadContext, ContextError> {
        let reader = self.clone();
        let dockerfile = dockerfile.parse()?;
        let reading = tokio::task::spawn_blocking(move || {
            let context = reader.read_blocking(source, &dockerfile)?;
            context.require(&dockerfile)?;
            Ok(context)
        });
        match reading.await {
            Ok(read) => read,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(ContextError::Interrupted),
            },
        }
    }

    fn read_blocking(&self, source: ContextSource, dockerfile: &ContextPath) -> Result<ReadContext, ContextError> {
        match source {
            ContextSource::Files(files) => self.read_memory(files, dockerfile),
            ContextSource::Folder(path) => self.read_folder(Folder::open(&path)?, dockerfile),
        }
    }

    fn read_memory(
        &self,
        files: BTreeMap<String, Vec<u8>>,
        dockerfile: &ContextPath,
    ) -> Result<ReadContext, ContextError> {
        let files: BTreeMap<ContextPath, Bytes> = files
            .into_iter()
            .map(|(path, content)| Ok((path.parse()?, content.into())))
            .collect::<Result<_, ContextError>>()?;
        let ignore_file = ignore_file_for(dockerfile, |path| Ok(files.contains_key(path)))?;
        let rules = match &ignore_file {
            Some(path) => IgnoreRules::parse(path.as_str(), &files[path])?,
            None => IgnoreRules::default(),
        };
        let mut tree = Tree::within(self.limits);
        let mut files_read = 0;
        for (path, content) in files {
            if path == *dockerfile || Some(&path) == ignore_file.as_ref() || !rules.excludes(&path) {
                files_read += 1;
                tree.add(path, in_memory(content))?;
            }
        }
        Ok(ReadContext::of(tree, None, files_read))
    }

    fn read_folder(&self, folder: Folder, dockerfile: &ContextPath) -> Result<ReadContext, ContextError> {
        let ignore_file = ignore_file_for(dockerfile, |path| Ok(folder.find(path)?.is_some()))?;
        let rules = match &ignore_file {
            Some(path) => IgnoreRules::parse(path.as_str(), &walk::read_ignore_file(&folder, path)?)?,
            None => IgnoreRules::default(),
        };
        let always: Vec<&ContextPath> = std::iter::once(dockerfile).chain(&ignore_file).collect();
        let mut tree = Tree::within(self.limits);
        let files_read = walk::collect(&folder, &rules, &always, &self.cache, &mut tree)?;
        Ok(ReadContext::of(tree, Some(folder), files_read))
    }
}

impl ReadContext {
    fn of(tree: Tree, folder: Option<Folder>, files_read: usize) -> Self {
        Self { digest: context_digest(&tree), files_read, tree, folder }
    }

    /// The digest of everything in it.
    pub fn digest(&self) -> ContextDigest {
        self.digest.clone()
    }

    /// How many files and links there are.
    pub fn files(&self) -> usize {
        self.names().count()
    }

    /// How many files were read for it; the others were known.
    pub fn files_read(&self) -> usize {
        self.files_read
    }

    /// The bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.tree.bytes()
    }

    /// What is recorded of it.
    pub fn content(&self) -> ContextContent {
        ContextContent {
            source: SourceStatus {
                revision: self.digest.0.to_string(),
                files: i64::try_from(self.files()).unwrap_or(i64::MAX),
                size: i64::try_from(self.bytes()).unwrap_or(i64::MAX),
            },
            files: fingerprints(&self.tree),
        }
    }

    /// Whether there is a file, or a link, at this path.
    pub fn contains(&self, path: &str) -> bool {
        path.parse().is_ok_and(|path| self.holds(&path))
    }

    fn holds(&self, path: &ContextPath) -> bool {
        matches!(self.tree.entries().get(path), Some(Entry::File(_) | Entry::Link { .. }))
    }

    fn require(&self, dockerfile: &ContextPath) -> Result<(), ContextError> {
        if self.holds(dockerfile) {
            return Ok(());
        }
        Err(ContextError::NoDockerfile { path: dockerfile.to_string(), names: self.a_few_names() })
    }

    /// The paths of its files and links.
    fn names(&self) -> impl Iterator<Item = &ContextPath> {
        let is_no_folder = |(_, entry): &(&ContextPath, &Entry)| !matches!(entry, Entry::Folder);
        self.tree.entries().iter().filter(is_no_folder).map(|(path, _)| path)
    }

    fn a_few_names(&self) -> String {
        let names: Vec<&str> = self.names().map(ContextPath::as_str).collect();
        match names.split_at_checked(NAMES_IN_AN_ERROR) {
            _ if names.is_empty() => "no files".to_owned(),
            Some((few, others)) if !others.is_empty() => {
                format!("{} and {} more", few.join(", "), others.len())
            }
            _ => names.join(", "),
        }
    }
}

/// The file that says what is left out: `<Dockerfile>.dockerignore` if there is one, as BuildKit has it, else that of
/// the root if there is one.
fn ignore_file_for(
    dockerfile: &ContextPath,
    exists: impl Fn(&ContextPath) -> Result<bool, ContextError>,
) -> Result<Option<ContextPath>, ContextError> {
    for path in [dockerfile.with_suffix(IGNORE_FILE)?, IGNORE_FILE.parse()?] {
        if exists(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn in_memory(content: Bytes) -> Entry {
    Entry::File(FileEntry {
        executable: false,
        size: content.len() as u64,
        content: ContentDigest::of(&content),
        data: Some(content),
    })
}
