//! The remote sources of build contexts, each asked at its interval, and never waited for in a look: a source that is
//! being read wakes its resource when it has been.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{GitContext, HttpContext};
use tokio::sync::{OnceCell, watch};
use tokio_util::task::AbortOnDropHandle;

use super::resources::Artifact;
use super::source_files::files_of;
use crate::build::StoredFiles;
use crate::source::{RemoteSource, SourceError, SourceOptions, SourceReader, SourceRevision};

/// How soon a source that could not be read is asked again.
const RETRY: Duration = Duration::from_secs(30);

/// What a resource says of its source: another one is read anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SourceAddress {
    Git(GitContext),
    Http(HttpContext),
    Artifact(Artifact),
}

/// Files of a revision.
#[derive(Clone)]
pub(super) struct FoundSource {
    pub(super) revision: SourceRevision,
    pub(super) files: StoredFiles,
}

/// How a source stands.
pub(super) enum SourceState {
    /// It was read; at the last time perhaps in vain, and then this is what it was before.
    Found(FoundSource, Option<SourceError>),
    /// It is being read for the first time.
    Reading,
    /// It could not be read.
    Trouble(SourceError),
}

/// The looks of one pass over one resource.
pub(super) struct SourceLooks<'a> {
    pub(super) store: &'a Arc<SourceStore>,
    pub(super) uid: &'a str,
    pub(super) interval: Duration,
    pub(super) now: Timestamp,
    /// Asks for another look at the resource.
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
}

impl SourceLooks<'_> {
    pub(super) fn look_up(&self, address: &SourceAddress, source: RemoteSource) -> SourceState {
        let wake = Arc::clone(&self.wake);
        self.store.look_up(self.uid, address, source, self.interval, self.now, move || wake())
    }
}

/// What is known of the sources of all resources. It may be lost at any time.
pub(super) struct SourceStore {
    options: SourceOptions,
    /// Made for the first source that is read.
    reader: OnceCell<SourceReader>,
    known: Mutex<HashMap<String, KnownSource>>,
    /// Hears when a source has been read.
    reads: watch::Sender<()>,
}

struct KnownSource {
    address: SourceAddress,
    found: Option<FoundSource>,
    trouble: Option<SourceError>,
    /// When it was last asked to the end.
    asked_at: Option<Timestamp>,
    reading: Option<AbortOnDropHandle<()>>,
}

impl SourceStore {
    pub(super) fn new(options: SourceOptions) -> Arc<Self> {
        Arc::new(Self { options, reader: OnceCell::new(), known: Mutex::default(), reads: watch::Sender::default() })
    }

    /// What is known of the source of the resource with this UID, as of at most an interval ago or being asked for
    /// anew. Whoever looks is woken when there is something to see.
    pub(super) fn look_up(
        self: &Arc<Self>,
        uid: &str,
        address: &SourceAddress,
        source: RemoteSource,
        interval: Duration,
        now: Timestamp,
        wake: impl FnOnce() + Send + 'static,
    ) -> SourceState {
        let mut known = self.lock();
        let entry = known.entry(uid.to_owned()).or_insert_with(|| KnownSource::new(address));
        if entry.address != *address {
            *entry = KnownSource::new(address);
        }
        if entry.reading.is_none() && entry.is_due(interval, now) {
            let reading = tokio::spawn(Arc::clone(self).read(uid.to_owned(), source, now, wake));
            entry.reading = Some(AbortOnDropHandle::new(reading));
        }
        match (&entry.found, &entry.trouble) {
            (Some(found), trouble) => SourceState::Found(found.clone(), trouble.clone()),
            (None, Some(trouble)) => SourceState::Trouble(trouble.clone()),
            (None, None) => SourceState::Reading,
        }
    }

    /// Forgets the source of a resource, and ends what is being read for it.
    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Waits until nothing is being read for the resource with this UID.
    pub(super) async fn settled(&self, uid: &str) {
        let mut reads = self.reads.subscribe();
        while self.lock().get(uid).is_some_and(|known| known.reading.is_some()) {
            // The sender lives as long as the store.
            let _ = reads.changed().await;
        }
    }

    async fn read(self: Arc<Self>, uid: String, source: RemoteSource, now: Timestamp, wake: impl FnOnce()) {
        let before = self.lock().get(&uid).and_then(|known| known.found.clone());
        let result = self.revision(&source, before).await;
        if let Some(known) = self.lock().get_mut(&uid) {
            known.asked_at = Some(now);
            known.reading = None;
            match result {
                Ok(found) => (known.found, known.trouble) = (Some(found), None),
                Err(error) => known.trouble = Some(error),
            }
        }
        self.reads.send_replace(());
        wake();
    }

    async fn revision(&self, source: &RemoteSource, before: Option<FoundSource>) -> Result<FoundSource, SourceError> {
        let reader = self.reader.get_or_try_init(|| async { self.options.open() }).await?;
        let revision = reader.resolve(source).await?;
        if let Some(before) = before.filter(|before| before.revision == revision) {
            return Ok(before);
        }
        let tree = reader.fetch(source, &revision).await?;
        Ok(FoundSource { files: files_of(tree, reader.store()), revision })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, KnownSource>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownSource {
    fn new(address: &SourceAddress) -> Self {
        Self { address: address.clone(), found: None, trouble: None, asked_at: None, reading: None }
    }

    fn is_due(&self, interval: Duration, now: Timestamp) -> bool {
        let limit = if self.trouble.is_some() { RETRY.min(interval) } else { interval };
        let age = self.asked_at.and_then(|asked_at| Duration::try_from(now.duration_since(asked_at)).ok());
        age.is_none_or(|age| age >= limit)
    }
}
