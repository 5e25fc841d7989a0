//! A folder on disk, read without ever leaving it.
//!
//! Everything is opened by way of handles, name by name, and no name is followed when it is a link. So a link that
//! takes the place of a file or of a folder, at whatever moment, leads nowhere.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result as SystemResult};
use serde::{Deserialize, Serialize};

use super::{ContextError, ContextPath};

/// The folder of a context, open.
pub(super) struct Folder(OwnedFd);

/// Something that lies in the folder.
pub(super) struct Found {
    /// What it is.
    pub(super) kind: Kind,
    /// What tells whether it changed.
    pub(super) stamp: Stamp,
    /// Its size in bytes.
    pub(super) size: u64,
}

/// What something in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, and whether its owner may execute it.
    File { executable: bool },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A socket. Docker's client leaves it out without a word, as a tar archive cannot hold one.
    Socket,
    /// Anything else, by what people call it.
    Special(&'static str),
}

/// What tells a file from what it was before, as far as a file system does: which file it is, its size in bytes, and
/// when its content and its attributes changed, in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "[i128; 7]", into = "[i128; 7]")]
pub(super) struct Stamp {
    device: i128,
    inode: i128,
    size: i128,
    modified: (i128, i128),
    changed: (i128, i128),
}

impl From<[i128; 7]> for Stamp {
    fn from([device, inode, size, modified, modified_nanoseconds, changed, changed_nanoseconds]: [i128; 7]) -> Self {
        let (modified, changed) = ((modified, modified_nanoseconds), (changed, changed_nanoseconds));
        Self { device, inode, size, modified, changed }
    }
}

impl From<Stamp> for [i128; 7] {
    fn from(Stamp { device, inode, size, modified, changed }: Stamp) -> Self {
        [device, inode, size, modified.0, modified.1, changed.0, changed.1]
    }
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev.into(),
            inode: stat.st_ino.into(),
            size: stat.st_size.into(),
            modified: (stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: (stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        }
    }

    /// When its content was last changed, in seconds since 1970, as programs may set it.
    pub(super) fn modified_at(&self) -> i64 {
        i64::try_from(self.modified.0).unwrap_or_default()
    }

    /// When it last changed, in seconds since 1970. A program cannot set this time.
    pub(super) fn changed_at(&self) -> i128 {
        self.changed.0
    }
}

impl Found {
    /// What an open file is now.
    pub(super) fn of_file(file: &File) -> SystemResult<Self> {
        rustix::fs::fstat(file).map(|stat| Self::of(&stat))
    }

    fn of(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File { executable: Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR) },
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            FileType::Socket => Kind::Socket,
            FileType::Fifo => Kind::Special("named pipe"),
            _ => Kind::Special("device"),
        };
        Self { kind, stamp: Stamp::of(stat), size: u64::try_from(stat.st_size).unwrap_or_default() }
    }
}

impl Folder {
    /// Opens a context's folder. It alone may be a link, or lie behind one: the user named it.
    pub(super) fn open(path: &Path) -> Result<Self, ContextError> {
        rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map(Self).map_err(|error| {
            ContextError::Folder {
                path: path.display().to_string(),
                problem: match error {
                    Errno::NOENT => "there is no such folder".to_owned(),
                    Errno::NOTDIR => "it is not a folder".to_owned(),
                    other => other.to_string(),
                },
            }
        })
    }

    /// The names in a folder of the context, or in its root, and what they are.
    pub(super) fn list(&self, folder: Option<&ContextPath>) -> Result<Vec<(ContextPath, Found)>, ContextError> {
        let handle = match folder {
            Some(folder) => self.descend(folder.components()).map_err(|error| gone_or(error, folder))?,
            None => self.duplicate().map_err(unreadable_root)?,
        };
        let of_folder = |error: Errno| match folder {
            Some(folder) => gone_or(error, folder),
            None => unreadable_root(error),
        };
        let mut listed = Vec::new();
        for entry in Dir::read_from(&handle).map_err(of_folder)? {
            let entry = entry.map_err(of_folder)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(text) = name.to_str() else {
                return Err(not_text(folder, &name.to_string_lossy()));
            };
            let path = ContextPath::in_folder(folder, text)?;
            match rustix::fs::statat(&handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => listed.push((path, Found::of(&stat))),
                // It was removed in the meantime, as if it had never been there.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(ContextError::unreadable(&path, error.to_string())),
            }
        }
        Ok(listed)
    }

    /// What lies at a path; `None` when nothing does.
    pub(super) fn find(&self, path: &ContextPath) -> Result<Option<Found>, ContextError> {
        let stat = self.in_its_folder(path, |folder, name| rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW));
        match stat {
            Ok(stat) => Ok(Some(Found::of(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(ContextError::unreadable(path, error.to_string())),
        }
    }

    /// Opens a file, and tells what was opened.
    pub(super) fn open_file(&self, path: &ContextPath) -> Result<(File, Found), ContextError> {
        // Without NONBLOCK, a named pipe that took the file's place would be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = self
            .in_its_folder(path, |folder, name| {
                let handle = rustix::fs::openat(folder, name, flags, Mode::empty())?;
                let file = File::from(handle);
                let found = Found::of_file(&file)?;
                Ok((file, found))
            })
            .map_err(|error| gone_or(error, path))?;
        match opened.1.kind {
            Kind::File { .. } => Ok(opened),
            _ => Err(ContextError::changed(path)),
        }
    }

    /// What a symbolic link points at, as it is written.
    pub(super) fn read_link(&self, path: &ContextPath) -> Result<String, ContextError> {
        let target = self
            .in_its_folder(path, |folder, name| rustix::fs::readlinkat(folder, name, Vec::new()))
            .map_err(|error| match error {
                Errno::INVAL => ContextError::changed(path),
                other => gone_or(other, path),
            })?;
        target.into_string().map_err(|_| ContextError::unreadable(path, "it is a link to a name that is not UTF-8"))
    }

    fn in_its_folder<T>(
        &self,
        path: &ContextPath,
        act: impl FnOnce(&OwnedFd, &str) -> SystemResult<T>,
    ) -> SystemResult<T> {
        let mut components = path.components();
        let name = components.next_back().unwrap_or_default();
        let folder = self.descend(components)?;
        act(&folder, name)
    }

    fn descend<'a>(&self, components: impl Iterator<Item = &'a str>) -> SystemResult<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut folder = self.duplicate()?;
        for component in components {
            folder = rustix::fs::openat(&folder, component, flags, Mode::empty())?;
        }
        Ok(folder)
    }

    fn duplicate(&self) -> SystemResult<OwnedFd> {
        rustix::io::fcntl_dupfd_cloexec(&self.0, 0)
    }
}

/// A name that was there and is gone, or is something else now, has changed; anything else keeps us from reading it.
fn gone_or(error: Errno, path: &ContextPath) -> ContextError {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO => ContextError::changed(path),
        other => ContextError::unreadable(path, other.to_string()),
    }
}

fn unreadable_root(error: Errno) -> ContextError {
    ContextError::unreadable(".", error.to_string())
}

fn not_text(folder: Option<&ContextPath>, name: &str) -> ContextError {
    ContextError::NotText {
        path: match folder {
            Some(folder) => format!("{folder}/{name}"),
            None => name.to_owned(),
        },
    }
}
