//! The digests of folders' files, kept from one process to the next.

use std::fs;
use std::io::{self, BufWriter};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::digest::ContentDigest;
use super::folder::Stamp;
use crate::app::Digest;

/// How long the digests of a folder are kept that has not changed since. The folder is read once more then.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A folder of our own with a file for each context: the stamps of the context's files, and what they held then.
///
/// It may be lost at any time. Whoever can write to it can as well write to the contexts: both are the user's own.
#[derive(Debug)]
pub(super) struct KeptDigests(PathBuf);

/// A context's files. Files of another form are read as none.
type Kept = Vec<(Stamp, ContentDigest)>;

impl KeptDigests {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// What was known of the files of this context; nothing when that cannot be read.
    pub(super) fn of_context(&self, context: &Path) -> Kept {
        let read = fs::read(self.path_for(context));
        read.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Keeps what is known of the files of this context, in place of what was known before. When it cannot be kept,
    /// the files are read anew the next time.
    pub(super) fn keep(&self, context: &Path, files: &Kept) {
        if let Err(error) = self.write(context, files) {
            tracing::debug!(folder = %self.0.display(), %error, "the digests of a folder's files cannot be kept");
        }
    }

    fn write(&self, context: &Path, files: &Kept) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        self.remove_old()?;
        let mut file = NamedTempFile::new_in(&self.0)?;
        serde_json::to_writer(BufWriter::new(&mut file), files)?;
        file.persist(self.path_for(context))?;
        Ok(())
    }

    fn remove_old(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let age =
                entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > KEPT) {
                // Another process may have removed it, or will.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    fn path_for(&self, context: &Path) -> PathBuf {
        let name = Digest::of(context.as_os_str().as_encoded_bytes());
        self.0.join(name.as_str().replace(':', "-"))
    }
}
