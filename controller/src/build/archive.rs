//! A context as the tar archive that an engine builds from.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::context::ReadContext;
use super::digest::DigestingReader;
use super::folder::{Folder, Found, Kind};
use super::tree::{Entry, FileEntry};
use super::{ContextError, ContextPath};

/// The bytes of one piece of the archive.
const PIECE: usize = 64 << 10;
/// How many pieces are made ahead of the engine: at most a mebibyte is held in memory.
const PIECES_AHEAD: usize = 16;

const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;
const LINK_MODE: u32 = 0o777;

/// The longest target of a link that fits into a header, in bytes; a longer one gets an entry of its own before it.
const TARGET_IN_HEADER: usize = 100;

impl ReadContext {
    /// The context as an uncompressed tar archive: in order, without times and owners, so that the same context makes
    /// the same bytes.
    ///
    /// Files are read from disk while it is sent. If one is not what was digested, the stream ends in an error that
    /// holds a [`ContextError`] and names the file. It must be polled in a tokio runtime; dropping it ends the work.
    pub fn into_archive(self) -> BoxStream<'static, io::Result<Bytes>> {
        stream::once(async move { start(self) }).flatten().boxed()
    }
}

/// Starts to write the archive on a thread that may block.
fn start(context: ReadContext) -> impl futures::Stream<Item = io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let writing = tokio::task::spawn_blocking(move || {
        let mut builder = Builder::new(PieceWriter::to(sender));
        for (path, entry) in context.tree.entries() {
            append(&mut builder, path, entry, context.folder.as_ref())?;
        }
        builder.into_inner()?.flush()
    });
    // Its end is looked at, not only the channel's: an archive that merely stops looks whole to an engine.
    let end = stream::once(writing).filter_map(|ended| async {
        match ended {
            Ok(written) => written.err().map(Err),
            Err(_) => Some(Err(io::Error::other(ContextError::Interrupted))),
        }
    });
    ReceiverStream::new(receiver).map(Ok).chain(end)
}

fn append(
    builder: &mut Builder<PieceWriter>,
    path: &ContextPath,
    entry: &Entry,
    folder: Option<&Folder>,
) -> io::Result<()> {
    match entry {
        Entry::Folder => {
            let mut header = header(EntryType::Directory, EXECUTABLE_MODE, 0);
            builder.append_data(&mut header, path.as_str(), io::empty())
        }
        Entry::Link { target } => {
            let mut header = header(EntryType::Symlink, LINK_MODE, 0);
            if target.len() > TARGET_IN_HEADER {
                return builder.append_link(&mut header, path.as_str(), target);
            }
            header.set_link_name_literal(target)?;
            builder.append_data(&mut header, path.as_str(), io::empty())
        }
        Entry::File(file) => append_file(builder, path, file, folder),
    }
}

fn append_file(
    builder: &mut Builder<PieceWriter>,
    path: &ContextPath,
    file: &FileEntry,
    folder: Option<&Folder>,
) -> io::Result<()> {
    let mode = if file.executable { EXECUTABLE_MODE } else { FILE_MODE };
    let mut header = header(EntryType::Regular, mode, file.size);
    match (&file.data, folder) {
        (Some(data), _) => builder.append_data(&mut header, path.as_str(), data.as_ref()),
        (None, Some(folder)) => {
            let (on_disk, found) = folder.open_file(path).map_err(io::Error::other)?;
            check(path, is_as_listed(&found, file))?;
            let mut reader = DigestingReader::new(on_disk.take(file.size));
            builder.append_data(&mut header, path.as_str(), &mut reader)?;
            check(path, is_as_digested(reader, file))
        }
        (None, None) => Err(io::Error::other(ContextError::changed(path))),
    }
}

fn is_as_listed(found: &Found, file: &FileEntry) -> bool {
    found.size == file.size && found.kind == Kind::File { executable: file.executable }
}

fn is_as_digested(reader: DigestingReader<impl Read>, file: &FileEntry) -> bool {
    reader.bytes == file.size && reader.digest() == file.content
}

fn check(path: &ContextPath, is_unchanged: bool) -> io::Result<()> {
    if is_unchanged { Ok(()) } else { Err(io::Error::other(ContextError::changed(path))) }
}

/// A header without a time and an owner.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Cuts what is written into pieces and hands them on. It waits for the engine to take them.
struct PieceWriter {
    sender: mpsc::Sender<Bytes>,
    piece: BytesMut,
}

impl PieceWriter {
    fn to(sender: mpsc::Sender<Bytes>) -> Self {
        Self { sender, piece: BytesMut::with_capacity(PIECE) }
    }

    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, BytesMut::with_capacity(PIECE));
        self.sender.blocking_send(piece.freeze()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
