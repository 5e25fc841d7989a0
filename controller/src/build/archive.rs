//! A context as the uncompressed tar archive that engines take.
//!
//! Times, owners and modes are fixed, so that the same content is the same archive. Each file is compared with what was
//! read before while it is sent.

use std::io::{self, Read, Write};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::ContextError;
use super::entry::{Content, Entry, Kind};
use super::folder;
use crate::app::Digest;

/// How many pieces wait to be sent, and how large they are: the whole context is never in memory.
const PIECES: usize = 16;
const PIECE: usize = 64 * 1024;

/// The archive of these entries. It ends with an error when a file is not what it was.
pub(super) fn stream(entries: Vec<Entry>) -> BoxStream<'static, io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut pieces = io::BufWriter::with_capacity(PIECE, Pieces { sender: sender.clone() });
        if let Err(error) = write(&entries, &mut pieces).and_then(|()| pieces.flush()) {
            // Nobody listens any more when the build was cancelled.
            let _ = sender.blocking_send(Err(error));
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver).boxed()
}

struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Ok(Bytes::copy_from_slice(bytes));
        self.sender.blocking_send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(entries: &[Entry], to: &mut impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        match &entry.kind {
            Kind::EmptyFolder => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                archive.append_data(&mut header, format!("{}/", entry.path), io::empty())?;
            }
            Kind::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                archive.append_link(&mut header, &entry.path, target)?;
            }
            Kind::File { is_executable, size, digest, content } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(if *is_executable { 0o755 } else { 0o644 });
                header.set_size(*size);
                write_file(&mut archive, &mut header, &entry.path, *size, digest, content)?;
            }
        }
    }
    archive.finish()
}

fn write_file(
    archive: &mut tar::Builder<&mut impl Write>,
    header: &mut tar::Header,
    path: &str,
    size: u64,
    digest: &Digest,
    content: &Content,
) -> io::Result<()> {
    let (file, stamp) = match content {
        Content::Memory(bytes) => return archive.append_data(header, path, bytes.as_ref()),
        Content::Disk { path, stamp } => (path, stamp),
    };
    let opened = folder::open(file, *stamp, path).map_err(io::Error::other)?;
    let mut hashing = Hashing { inner: opened.take(size), hasher: Sha256::new(), count: 0 };
    archive.append_data(header, path, &mut hashing)?;
    let is_the_same = hashing.count == size && Digest::from_sha256(&hashing.hasher.finalize()) == *digest;
    if is_the_same { Ok(()) } else { Err(io::Error::other(ContextError::Changed(path.to_owned()))) }
}

struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    count: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}
