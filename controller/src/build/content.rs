//! The content of a context's files, held against what was digested.

use std::fs::File;
use std::io::{self, Cursor, Read, Take};
use std::sync::Arc;

use bytes::Bytes;

use super::digest::{ContentDigest, DigestingReader};
use super::folder::{Folder, Kind};
use super::source::ContentStore;
use super::tree::FileEntry;
use super::{ContextError, ContextPath};

/// Where the contents of a context's files are that are not held in memory.
pub(super) enum Origin {
    /// All of them are held in memory.
    Memory,
    /// In the folder, each at its path.
    Folder(Folder),
    /// In a store, each at its digest.
    Store(Arc<dyn ContentStore>),
}

/// A file of a context that is being sent. Its last piece is given only when everything was what was digested.
pub(crate) struct ContextFile {
    path: ContextPath,
    size: u64,
    content: ContentDigest,
    /// `None` once its end was reached.
    reader: Option<DigestingReader<Source>>,
}

enum Source {
    Memory(Cursor<Bytes>),
    Disk(Take<File>),
}

impl Origin {
    /// Opens a file that the context has. It may block.
    pub(super) fn open(&self, path: &ContextPath, file: &FileEntry) -> Result<ContextFile, ContextError> {
        let source = match (&file.data, self) {
            (Some(data), _) => Source::Memory(Cursor::new(data.clone())),
            (None, Self::Folder(folder)) => {
                let (on_disk, found) = folder.open_file(path)?;
                let is_as_listed = found.size == file.size && found.kind == Kind::File { executable: file.executable };
                if !is_as_listed {
                    return Err(ContextError::changed(path));
                }
                Source::Disk(on_disk.take(file.size))
            }
            (None, Self::Store(store)) => {
                let stored = store
                    .open(file.content.as_bytes())
                    .map_err(|error| ContextError::unreadable(path, error.to_string()))?;
                Source::Disk(stored.take(file.size.saturating_add(1)))
            }
            (None, Self::Memory) => return Err(ContextError::changed(path)),
        };
        let reader = Some(DigestingReader::new(source));
        Ok(ContextFile { path: path.clone(), size: file.size, content: file.content, reader })
    }
}

impl ContextFile {
    /// A content that is held in memory.
    pub(crate) fn in_memory(path: ContextPath, content: Bytes) -> Self {
        let (size, digest) = (content.len() as u64, ContentDigest::of(&content));
        Self { path, size, content: digest, reader: Some(DigestingReader::new(Source::Memory(Cursor::new(content)))) }
    }

    /// Reads the next piece; 0 bytes at the end. A content that is not what was digested ends in
    /// [`ContextError::Changed`], and never in that. It may block.
    pub(crate) fn next_piece(&mut self, buffer: &mut [u8]) -> Result<usize, ContextError> {
        let Some(reader) = &mut self.reader else {
            return Ok(0);
        };
        let count = loop {
            match reader.read(buffer) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ContextError::unreadable(&self.path, error.to_string())),
            }
        };
        if count == 0
            && let Some(reader) = self.reader.take()
            && (reader.bytes != self.size || reader.digest() != self.content)
        {
            return Err(ContextError::changed(&self.path));
        }
        Ok(count)
    }

    /// Reads all of it, when it has no more bytes than this.
    pub(super) fn read_whole(mut self, limit: u64) -> Result<Option<Vec<u8>>, ContextError> {
        if self.size > limit {
            return Ok(None);
        }
        let mut content = Vec::new();
        let mut piece = [0; 8192];
        loop {
            match self.next_piece(&mut piece)? {
                0 => return Ok(Some(content)),
                count => content.extend_from_slice(&piece[..count]),
            }
        }
    }
}

/// For a writer that copies: what is wrong with the file is inside the error.
impl Read for ContextFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next_piece(buffer).map_err(io::Error::other)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Memory(content) => content.read(buffer),
            Self::Disk(file) => file.read(buffer),
        }
    }
}
