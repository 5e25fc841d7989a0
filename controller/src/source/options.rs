//! Where sources are kept and who is trusted, for a reader that is made when the first source is read.

use std::path::{Path, PathBuf};

use super::{SourceError, SourceLimits, SourceReader};

/// How many bytes of sources are kept for the next time.
const MOST_BYTES: u64 = 2 << 30;

/// Where sources are kept and who is trusted.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// The folder in which they are kept. It may be deleted at any time when nothing runs.
    pub folder: PathBuf,
    /// A file of certificate authorities (PEM) to trust beside the system's own.
    pub authorities: Option<PathBuf>,
}

impl SourceOptions {
    /// Sources are kept in a folder of this cache.
    pub fn in_cache(cache: &Path, authorities: Option<PathBuf>) -> Self {
        Self { folder: cache.join("sources"), authorities }
    }

    /// A reader, with its folder made where it is not there.
    pub fn open(&self) -> Result<SourceReader, SourceError> {
        SourceReader::new(&self.folder, MOST_BYTES, self.authorities.as_deref(), SourceLimits::default())
    }
}
