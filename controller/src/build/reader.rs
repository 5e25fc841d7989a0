//! Reading a build context.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::cache::ContentCache;
use super::context::ReadContext;
use super::dockerfile;
use super::files::{Files, FilesInStore, FolderFiles, MemoryFiles};
use super::source::{ContextSource, DockerfileSource};
use super::tree::Tree;
use super::{ContextError, ContextPath};

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

impl ContextReader {
    /// A reader that remembers digests in this folder of the user's as well, for the next process.
    pub fn remembering_in(folder: PathBuf) -> Self {
        Self { cache: Arc::new(ContentCache::default().kept_in(folder)), limits: ContextLimits::default() }
    }

    #[cfg(test)]
    pub(super) fn with_limits(limits: ContextLimits) -> Self {
        Self { cache: Arc::default(), limits }
    }

    #[cfg(test)]
    pub(super) fn with_cache(cache: Arc<ContentCache>) -> Self {
        Self { cache, limits: ContextLimits::default() }
    }

    /// Reads a context and its Dockerfile, which must be there. `<Dockerfile>.dockerignore` comes before the
    /// `.dockerignore` of the context's root.
    pub async fn read(&self, source: ContextSource, dockerfile: DockerfileSource) -> Result<ReadContext, ContextError> {
        let reader = self.clone();
        let reading = tokio::task::spawn_blocking(move || reader.read_blocking(source, &dockerfile));
        match reading.await {
            Ok(read) => read,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(ContextError::Interrupted),
            },
        }
    }

    /// Reads a context whose files are all in memory, at once.
    pub fn read_files(
        &self,
        files: BTreeMap<String, Vec<u8>>,
        dockerfile: &DockerfileSource,
    ) -> Result<ReadContext, ContextError> {
        self.read_blocking(ContextSource::Files(files), dockerfile)
    }

    fn read_blocking(&self, source: ContextSource, from: &DockerfileSource) -> Result<ReadContext, ContextError> {
        let modified = match &source {
            ContextSource::Stored(stored) => stored.modified,
            ContextSource::Files(_) | ContextSource::Folder(_) => 0,
        };
        let files: Box<dyn Files> = match source {
            ContextSource::Files(files) => Box::new(MemoryFiles::new(files)?),
            ContextSource::Folder(path) => Box::new(FolderFiles::open(path)?),
            ContextSource::Stored(stored) => Box::new(FilesInStore::new(stored)?),
        };
        let (dockerfile, rules) = dockerfile::find(&*files, from)?;
        let mut tree = Tree::within(self.limits);
        let files_read = files.collect(&rules, &self.cache, &mut tree)?;
        match (dockerfile, from) {
            (Some(dockerfile), _) => {
                ReadContext::new(tree, rules, files.into_origin(), dockerfile, modified, files_read)
            }
            (None, DockerfileSource::InContext(path) | DockerfileSource::Beside(path)) => {
                Err(ContextError::NoDockerfile { path: path.clone(), names: a_few_names(&tree) })
            }
            (None, DockerfileSource::Inline(_)) => Err(ContextError::Interrupted),
        }
    }
}

/// How many names an error lists of those that are there.
const NAMES_IN_AN_ERROR: usize = 5;

fn a_few_names(tree: &Tree) -> String {
    let names: Vec<&str> = tree.names().map(ContextPath::as_str).collect();
    match names.split_at_checked(NAMES_IN_AN_ERROR) {
        _ if names.is_empty() => "no files".to_owned(),
        Some((few, others)) if !others.is_empty() => {
            format!("{} and {} more", few.join(", "), others.len())
        }
        _ => names.join(", "),
    }
}
