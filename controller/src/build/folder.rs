//! A folder on disk as a context. Nothing in it is followed out of it: symbolic links are sent as they are.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

use super::entry::{Content, Entry, Kind, Stamp, checked_path};
use super::{ContextError, DockerIgnore};
use crate::app::Digest;

/// A file system's clock may be this coarse: a file that was changed more recently may change again unseen.
const CLOCK_GRANULARITY: Duration = Duration::from_secs(2);

/// The digests of files that were read before, so that an unchanged folder is not read again.
#[derive(Debug, Default)]
pub(super) struct DigestCache(Mutex<HashMap<PathBuf, (Stamp, Digest)>>);

impl DigestCache {
    fn get(&self, path: &Path, stamp: Stamp) -> Option<Digest> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(path).filter(|(known, _)| *known == stamp).map(|(_, digest)| digest.clone())
    }

    fn put(&self, path: &Path, stamp: Stamp, digest: &Digest) {
        let age = nanoseconds(SystemTime::now()) - stamp.changed.max(stamp.modified);
        if age > i128::try_from(CLOCK_GRANULARITY.as_nanos()).unwrap_or(i128::MAX) {
            let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert(path.to_owned(), (stamp, digest.clone()));
        }
    }
}

fn nanoseconds(time: SystemTime) -> i128 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

/// Everything in a folder but what `.dockerignore` leaves out. The Dockerfile and `.dockerignore` itself are always in.
pub(super) fn read(
    folder: &Path,
    dockerfile: &str,
    most_files: usize,
    cache: &DigestCache,
) -> Result<Vec<Entry>, ContextError> {
    // The folder itself may be a link; nothing in it is followed.
    let root = folder.canonicalize().map_err(|_| ContextError::NoFolder(folder.display().to_string()))?;
    if !root.is_dir() {
        return Err(ContextError::NoFolder(folder.display().to_string()));
    }
    let ignore = read_ignore(&root, dockerfile)?;
    let is_always_in = |path: &str| path == dockerfile || path == ".dockerignore";
    let goes_in = |entry: &DirEntry| match relative(&root, entry.path()) {
        Ok(path) if path.is_empty() || is_always_in(&path) => true,
        // A folder may hold an exception, or the Dockerfile.
        Ok(path) if entry.file_type().is_dir() => {
            !ignore.ignores(&path) || ignore.has_exceptions() || dockerfile.starts_with(&format!("{path}/"))
        }
        Ok(path) => !ignore.ignores(&path),
        // A name that is not text is an error, which is told below.
        Err(_) => true,
    };
    let mut entries = Vec::new();
    let walk = WalkDir::new(&root).follow_links(false).min_depth(1).sort_by_file_name();
    for found in walk.into_iter().filter_entry(goes_in) {
        let found = found.map_err(|error| {
            let path = error.path().unwrap_or(&root).to_owned();
            ContextError::unreadable(&path, &error.into_io_error().unwrap_or_else(|| io::Error::other("a loop")))
        })?;
        let path = relative(&root, found.path())?;
        entries.extend(entry(&found, &path, &ignore, cache)?);
        if entries.len() > most_files {
            return Err(ContextError::TooManyFiles(most_files));
        }
    }
    Ok(entries)
}

fn read_ignore(root: &Path, dockerfile: &str) -> Result<DockerIgnore, ContextError> {
    // A file that belongs to one Dockerfile comes before the one for all.
    for name in [format!("{dockerfile}.dockerignore"), ".dockerignore".to_owned()] {
        let path = root.join(name);
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                let bytes = std::fs::read(&path).map_err(|error| ContextError::unreadable(&path, &error))?;
                return DockerIgnore::parse(&String::from_utf8_lossy(&bytes));
            }
            _ => {}
        }
    }
    Ok(DockerIgnore::default())
}

fn relative(root: &Path, path: &Path) -> Result<String, ContextError> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    relative.to_str().map(str::to_owned).ok_or_else(|| ContextError::NotText(relative.to_string_lossy().into_owned()))
}

fn entry(
    found: &DirEntry,
    path: &str,
    ignore: &DockerIgnore,
    cache: &DigestCache,
) -> Result<Option<Entry>, ContextError> {
    let path = checked_path(path)?;
    let metadata = found.metadata().map_err(|error| {
        ContextError::unreadable(found.path(), &error.into_io_error().unwrap_or_else(|| io::Error::other("a loop")))
    })?;
    let kind = if metadata.is_dir() {
        let is_empty = std::fs::read_dir(found.path()).is_ok_and(|mut inside| inside.next().is_none());
        if !is_empty || ignore.ignores(&path) {
            return Ok(None);
        }
        Kind::EmptyFolder
    } else if metadata.is_symlink() {
        let target =
            std::fs::read_link(found.path()).map_err(|error| ContextError::unreadable(found.path(), &error))?;
        Kind::Link { target: target.to_str().ok_or(ContextError::NotText(path.clone()))?.to_owned() }
    } else if metadata.is_file() {
        let stamp = stamp_of(&metadata);
        let digest = match cache.get(found.path(), stamp) {
            Some(digest) => digest,
            None => read_digest(found.path(), stamp, &path, cache)?,
        };
        Kind::File {
            is_executable: metadata.permissions().mode() & 0o111 != 0,
            size: stamp.size,
            digest,
            content: Content::Disk { path: found.path().to_owned(), stamp },
        }
    } else {
        return Err(ContextError::Special(path));
    };
    Ok(Some(Entry { path, kind }))
}

fn read_digest(file: &Path, stamp: Stamp, path: &str, cache: &DigestCache) -> Result<Digest, ContextError> {
    let mut opened = open(file, stamp, path)?;
    let mut hasher = Sha256::new();
    io::copy(&mut (&mut opened).take(stamp.size), &mut hasher)
        .map_err(|error| ContextError::unreadable(file, &error))?;
    let digest = Digest::from_sha256(&hasher.finalize());
    cache.put(file, stamp, &digest);
    Ok(digest)
}

/// Opens a file that was seen before, and only that one: what was put in its place meanwhile, a link out of the folder
/// or a pipe, is refused.
pub(super) fn open(file: &Path, stamp: Stamp, path: &str) -> Result<File, ContextError> {
    let changed = || ContextError::Changed(path.to_owned());
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(file).map_err(
        |error| match error.kind() {
            io::ErrorKind::NotFound => changed(),
            _ if error.raw_os_error() == Some(libc::ELOOP) => changed(),
            _ => ContextError::unreadable(file, &error),
        },
    )?;
    let metadata = opened.metadata().map_err(|error| ContextError::unreadable(file, &error))?;
    let now = stamp_of(&metadata);
    let is_the_same = metadata.is_file() && (now.device, now.inode) == (stamp.device, stamp.inode);
    if is_the_same { Ok(opened) } else { Err(changed()) }
}

fn stamp_of(metadata: &std::fs::Metadata) -> Stamp {
    let nanoseconds = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}
