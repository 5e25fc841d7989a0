//! Folders that have just been read as contexts.
//!
//! A pass looks once for each of its steps, and reading a folder of ten thousand files takes a fifth of a second. What
//! was read a moment ago is not read again: what is sent of it is held against what was read all the same.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::build::{ContextError, ContextReader, ContextSource, DockerfileSource, ReadContext};

/// How old what was read may be.
const FRESH: Duration = Duration::from_secs(2);

/// A folder and where its Dockerfile is.
type Key = (PathBuf, DockerfileSource);

/// What was read, and when.
type Known = HashMap<Key, (Instant, Arc<ReadContext>)>;

/// What was read of folders.
#[derive(Default)]
pub(super) struct RecentFolders(Mutex<Known>);

impl RecentFolders {
    /// Reads a context, or gives what was read a moment ago where it is a folder.
    pub(super) async fn read(
        &self,
        contexts: &ContextReader,
        source: ContextSource,
        dockerfile: DockerfileSource,
    ) -> Result<Arc<ReadContext>, ContextError> {
        let ContextSource::Folder(folder) = &source else {
            return contexts.read(source, dockerfile).await.map(Arc::new);
        };
        let key = (folder.clone(), dockerfile.clone());
        if let Some(read) = self.fresh(&key) {
            return Ok(read);
        }
        let began = Instant::now();
        let read = Arc::new(contexts.read(source, dockerfile).await?);
        let mut known = self.lock();
        known.retain(|_, (when, _)| when.elapsed() < FRESH);
        known.insert(key, (began, Arc::clone(&read)));
        Ok(read)
    }

    fn fresh(&self, key: &Key) -> Option<Arc<ReadContext>> {
        let known = self.lock();
        let (when, read) = known.get(key)?;
        (when.elapsed() < FRESH).then(|| Arc::clone(read))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
