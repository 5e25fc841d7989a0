//! A context as the tar archive that an engine builds from.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::content::ContextFile;
use super::context::ReadContext;
use super::dockerfile::IGNORE_FILE;
use super::tree::Entry;
use super::{ContextError, ContextPath};
use crate::app::Digest;

/// The bytes of one piece of the archive.
const PIECE: usize = 64 << 10;
/// How many pieces are made ahead of the engine: at most a mebibyte is held in memory.
const PIECES_AHEAD: usize = 16;

const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;
const LINK_MODE: u32 = 0o777;

/// The longest target of a link that fits into a header, in bytes; a longer one gets an entry of its own before it.
const TARGET_IN_HEADER: usize = 100;

/// A context on its way as an archive.
pub struct Archive {
    /// The path of the Dockerfile in it.
    pub dockerfile: String,
    /// An uncompressed tar archive.
    pub stream: BoxStream<'static, io::Result<Bytes>>,
}

impl ReadContext {
    /// The context as an uncompressed tar archive: in order, without times and owners, so that the same context makes
    /// the same bytes. The Dockerfile is in it under its own name where it is a file of the context; else under a name
    /// that `.dockerignore` leaves out, as the docker command does it: whoever builds reads it first and removes it.
    ///
    /// Files are read from disk while it is sent. If one is not what was digested, the stream ends in an error that
    /// holds a [`ContextError`] and names the file. It must be polled in a tokio runtime; dropping it ends the work.
    pub fn archive(self: &Arc<Self>) -> Archive {
        let context = Arc::clone(self);
        let dockerfile = match self.dockerfile_in_context() {
            Some((path, _)) => path.to_string(),
            None => self.name_for_dockerfile(),
        };
        Archive { dockerfile, stream: stream::once(async move { start(context) }).flatten().boxed() }
    }

    /// A name that no file of the context has.
    fn name_for_dockerfile(&self) -> String {
        let digest = Digest::of(self.dockerfile().text());
        format!(".dockerfile.{}", digest.as_str().trim_start_matches("sha256:").get(..20).unwrap_or_default())
    }

    /// The files that take the Dockerfile along, where it is none of the context.
    fn files_beside(&self) -> io::Result<Vec<(String, Vec<u8>)>> {
        if self.dockerfile_in_context().is_some() {
            return Ok(Vec::new());
        }
        let name = self.name_for_dockerfile();
        let patterns = match self.entries().find(|(path, _)| path.as_str() == IGNORE_FILE) {
            Some((path, Entry::File(file))) => {
                let mut content = Vec::new();
                self.open(path, file).map_err(io::Error::other)?.read_to_end(&mut content)?;
                content
            }
            // It is left out itself, or there is none.
            _ => IGNORE_FILE.as_bytes().to_vec(),
        };
        let patterns = [&patterns, format!("\n{name}\n").as_bytes()].concat();
        Ok(vec![(IGNORE_FILE.to_owned(), patterns), (name, self.dockerfile().text().to_vec())])
    }
}

/// Starts to write the archive on a thread that may block.
fn start(context: Arc<ReadContext>) -> impl futures::Stream<Item = io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let writing = tokio::task::spawn_blocking(move || {
        let mut builder = Builder::new(PieceWriter::to(sender));
        let beside = context.files_beside()?;
        for (name, content) in &beside {
            let mut header = header(EntryType::Regular, FILE_MODE, content.len() as u64);
            builder.append_data(&mut header, name, content.as_slice())?;
        }
        for (path, entry) in context.entries() {
            if !beside.iter().any(|(name, _)| name == path.as_str()) {
                append(&mut builder, &context, path, entry)?;
            }
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
    context: &ReadContext,
    path: &ContextPath,
    entry: &Entry,
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
        Entry::File(file) => {
            let mode = if file.executable { EXECUTABLE_MODE } else { FILE_MODE };
            let mut header = header(EntryType::Regular, mode, file.size);
            let mut opened: ContextFile = context.open(path, file).map_err(io::Error::other)?;
            builder.append_data(&mut header, path.as_str(), &mut opened)
        }
    }
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
