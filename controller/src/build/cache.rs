//! What is remembered of files, so that an unchanged folder is not read again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::digest::ContentDigest;
use super::folder::Stamp;
use super::kept_digests::KeptDigests;

/// How many files are remembered at most; some 30 MB. When there are more, all are forgotten and read again.
const MOST_FILES: usize = 200_000;

/// How long, in seconds, a file must have been left alone before it is remembered. File systems count time in ticks,
/// some of whole seconds: a file that is changed twice within one tick looks the same after both.
const SETTLING_SECONDS: i128 = 3;

/// The digests of files by their stamps.
#[derive(Debug)]
pub(super) struct ContentCache {
    known: Mutex<HashMap<Stamp, ContentDigest>>,
    settling_seconds: i128,
    kept: Option<KeptDigests>,
    /// The contexts of which everything that was kept is known already.
    recalled: Mutex<HashSet<PathBuf>>,
}

impl Default for ContentCache {
    fn default() -> Self {
        Self::settling_within(SETTLING_SECONDS)
    }
}

impl ContentCache {
    pub(super) fn settling_within(settling_seconds: i128) -> Self {
        Self { known: Mutex::default(), settling_seconds, kept: None, recalled: Mutex::default() }
    }

    /// The same, which keeps what it knows from one process to the next.
    pub(super) fn kept_in(self, folder: PathBuf) -> Self {
        Self { kept: Some(KeptDigests::in_folder(folder)), ..self }
    }

    /// Recalls what an earlier process knew of the files of this context.
    pub(super) fn recall(&self, context: &Path) {
        let Some(kept) = &self.kept else { return };
        if self.recalled.lock().unwrap_or_else(PoisonError::into_inner).insert(context.to_owned()) {
            self.add(kept.of_context(context));
        }
    }

    /// Keeps, for the next process, what is known of the files of a context that have these stamps.
    pub(super) fn keep(&self, context: &Path, stamps: &[Stamp]) {
        let Some(kept) = &self.kept else { return };
        let known = self.lock();
        let files = stamps.iter().filter_map(|stamp| Some((*stamp, *known.get(stamp)?))).collect();
        drop(known);
        kept.keep(context, &files);
    }

    /// The digest of the file that has this stamp, if it is known.
    pub(super) fn get(&self, stamp: &Stamp) -> Option<ContentDigest> {
        self.lock().get(stamp).copied()
    }

    /// Remembers the digest of a file that was opened and read after `opened_at`, and had this stamp before and after.
    pub(super) fn remember(&self, stamp: Stamp, digest: ContentDigest, opened_at: SystemTime) {
        if !self.is_settled(&stamp, opened_at) {
            return;
        }
        self.add(vec![(stamp, digest)]);
    }

    fn add(&self, files: Vec<(Stamp, ContentDigest)>) {
        let mut known = self.lock();
        if known.len() + files.len() > MOST_FILES {
            known.clear();
        }
        known.extend(files);
    }

    fn is_settled(&self, stamp: &Stamp, opened_at: SystemTime) -> bool {
        let seconds = opened_at.duration_since(UNIX_EPOCH).map_or(0, |since| i128::from(since.as_secs()));
        stamp.changed_at() + self.settling_seconds <= seconds
    }

    /// A panic elsewhere leaves the map as it was: each change to it is a single call.
    fn lock(&self) -> MutexGuard<'_, HashMap<Stamp, ContentDigest>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
