//! Where sources are kept and who is trusted, for a reader that is made when the first source is read.

use std::env;
use std::path::PathBuf;

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
    /// Sources are kept in a folder of this cache; without one in that of the user, as
    /// <https://specifications.freedesktop.org/basedir-spec/latest/> has it.
    pub fn in_cache(cache: Option<PathBuf>, authorities: Option<PathBuf>) -> Self {
        Self { folder: cache.unwrap_or_else(cache_of_the_user).join("sources"), authorities }
    }

    /// A reader, with its folder made where it is not there.
    pub fn open(&self) -> Result<SourceReader, SourceError> {
        SourceReader::new(&self.folder, MOST_BYTES, self.authorities.as_deref(), SourceLimits::default())
    }
}

fn cache_of_the_user() -> PathBuf {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(env::temp_dir).join("longshore")
}
