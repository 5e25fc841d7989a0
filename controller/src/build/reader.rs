//! Reads contexts, and remembers the digests of files that have not changed.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

use super::entry::{Entry, Kind, checked_path, digest};
use super::folder::{self, DigestCache};
use super::{ContextError, archive};
use crate::app::ContextDigest;

/// The most files in a context.
const MOST_FILES: usize = 200_000;

/// The largest sum of the files' sizes in bytes.
const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Where a context comes from.
#[derive(Clone, Debug)]
pub enum ContextSource {
    /// Files by their paths. There is no `.dockerignore` to heed: whoever wrote them wrote what is meant.
    Files(BTreeMap<String, Vec<u8>>),
    /// A folder on this machine.
    Folder(PathBuf),
}

/// A reader of contexts. Clones share what they remember.
#[derive(Clone, Debug, Default)]
pub struct ContextReader {
    cache: Arc<DigestCache>,
}

/// A context as it was when it was read.
#[derive(Clone, Debug)]
pub struct ReadContext {
    digest: ContextDigest,
    entries: Vec<Entry>,
}

impl ContextReader {
    /// Reads a context, in which the Dockerfile must be.
    pub async fn read(&self, source: ContextSource, dockerfile: &str) -> Result<ReadContext, ContextError> {
        let cache = Arc::clone(&self.cache);
        let dockerfile = dockerfile.to_owned();
        let read = tokio::task::spawn_blocking(move || ReadContext::new(source, &dockerfile, &cache));
        read.await.unwrap_or_else(|error| {
            Err(ContextError::Unreadable { path: "the context".to_owned(), message: error.to_string() })
        })
    }
}

impl ReadContext {
    fn new(source: ContextSource, dockerfile: &str, cache: &DigestCache) -> Result<Self, ContextError> {
        let mut entries = match source {
            ContextSource::Files(files) => files_in_memory(files)?,
            ContextSource::Folder(folder) => folder::read(&folder, dockerfile, MOST_FILES, cache)?,
        };
        entries.sort_by(|left, right| left.path.cmp(&right.path));
        if entries.iter().map(Entry::size).sum::<u64>() > MOST_BYTES {
            return Err(ContextError::TooLarge(MOST_BYTES));
        }
        let context = Self { digest: digest(&entries), entries };
        if !context.contains(dockerfile) {
            return Err(ContextError::NoDockerfile {
                dockerfile: dockerfile.to_owned(),
                files: context.entries.into_iter().map(|entry| entry.path).collect(),
            });
        }
        Ok(context)
    }

    /// The digest of its content.
    pub fn digest(&self) -> ContextDigest {
        self.digest.clone()
    }

    /// How many files it has.
    pub fn files(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.kind, Kind::File { .. })).count()
    }

    /// The sum of their sizes in bytes.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(Entry::size).sum()
    }

    /// Whether there is a file or a link at this path.
    pub fn contains(&self, path: &str) -> bool {
        let path = path.trim_start_matches("./");
        let is_there = |entry: &Entry| entry.path == path && !matches!(entry.kind, Kind::EmptyFolder);
        self.entries.iter().any(is_there)
    }

    /// The archive to send. It ends with an error when a file is not what it was when the context was read.
    pub fn into_archive(self) -> BoxStream<'static, io::Result<Bytes>> {
        archive::stream(self.entries)
    }
}

fn files_in_memory(files: BTreeMap<String, Vec<u8>>) -> Result<Vec<Entry>, ContextError> {
    let mut entries = Vec::with_capacity(files.len());
    for path in files.keys() {
        let below = format!("{path}/");
        if files.range(below.clone()..).next().is_some_and(|(other, _)| other.starts_with(&below)) {
            return Err(ContextError::FileAndFolder(path.clone()));
        }
    }
    for (path, bytes) in files {
        entries.push(Entry::file_in_memory(checked_path(&path)?, bytes));
    }
    Ok(entries)
}
