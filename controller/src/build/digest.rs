//! The digest of a context's content.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ContextPath;
use super::tree::{Entry, Tree};
use crate::app::{ContextDigest, Digest};

/// Stands in front of what is digested: what is digested differently one day gets another digest, not a wrong one.
const VERSION: &[u8] = b"longshore context v2\n";

/// The SHA-256 of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContentDigest([u8; 32]);

/// A reader that digests and counts what is read through it.
pub(super) struct DigestingReader<R> {
    inner: R,
    hasher: Sha256,
    /// How many bytes were read.
    pub(super) bytes: u64,
}

impl<R: Read> DigestingReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    /// The digest of what was read so far.
    pub(super) fn digest(self) -> ContentDigest {
        ContentDigest(self.hasher.finalize().into())
    }
}

impl<R: Read> Read for DigestingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

impl ContentDigest {
    pub(super) fn from_bytes(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// The 32 bytes of it.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// The first twelve hexadecimal digits of a digest over these entries of a context, links by what is written in them.
/// That of one file is the beginning of its content's SHA-256.
pub(super) fn short_digest(entries: &[(&ContextPath, &Entry)]) -> String {
    let digest: [u8; 32] = match entries {
        [(_, Entry::File(file))] => file.content.0,
        [(_, Entry::Link { target })] => Sha256::digest(target).into(),
        several => {
            let mut hasher = Sha256::new_with_prefix(VERSION);
            for (path, entry) in several {
                add_entry(&mut hasher, path, entry);
            }
            hasher.finalize().into()
        }
    };
    let digits = Digest::from_sha256(&digest).to_string();
    digits.trim_start_matches("sha256:").chars().take(12).collect()
}

/// The digest of a context: for each entry, in the order of their paths' bytes, what it is, its path, and the
/// digest of its content or the target of its link; and the Dockerfile's digest, wherever it lies. Each text has its
/// length in front, so no two contexts look alike.
pub(super) fn context_digest(tree: &Tree, dockerfile: &[u8]) -> ContextDigest {
    let mut hasher = Sha256::new_with_prefix(VERSION);
    for (path, entry) in tree.entries() {
        add_entry(&mut hasher, path, entry);
    }
    hasher.update(b"D");
    hasher.update(ContentDigest::of(dockerfile).0);
    ContextDigest(Digest::from_sha256(&hasher.finalize()))
}

fn add_entry(hasher: &mut Sha256, path: &ContextPath, entry: &Entry) {
    match entry {
        Entry::Folder => add_text(hasher, b'd', path),
        Entry::Link { target } => {
            add_text(hasher, b'l', path);
            add_length(hasher, target);
            hasher.update(target);
        }
        Entry::File(file) => {
            let kind = if file.executable { b'x' } else { b'f' };
            add_text(hasher, kind, path);
            hasher.update(file.content.0);
        }
    }
}

fn add_text(hasher: &mut Sha256, kind: u8, path: &ContextPath) {
    hasher.update([kind]);
    add_length(hasher, path.as_str());
    hasher.update(path.as_str());
}

fn add_length(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_be_bytes());
}
