//! The context that the engine in memory is sent for a build.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::app::Digest;
use crate::engine::EngineError;

/// The files of a context by their paths. Times do not matter.
#[derive(Default)]
pub(super) struct Context {
    files: BTreeMap<String, File>,
    /// How many bytes the archive had.
    pub(super) archive_size: u64,
}

struct File {
    mode: u32,
    content: Vec<u8>,
}

/// Some files of a context, as a step takes them.
pub(super) struct Selection {
    /// What they are called and what is in them.
    pub(super) digest: Digest,
    /// The sum of their sizes in bytes.
    pub(super) size: u64,
}

impl Context {
    /// Reads the archive to its end.
    pub(super) async fn receive(mut archive: BoxStream<'static, std::io::Result<Bytes>>) -> Result<Self, EngineError> {
        let mut bytes = Vec::new();
        while let Some(piece) = archive.next().await {
            let piece = piece.map_err(|error| EngineError::Context(error.to_string()))?;
            bytes.extend_from_slice(&piece);
        }
        Self::unpack(bytes).map_err(|error| EngineError::Context(format!("the context is no tar archive: {error}")))
    }

    fn unpack(bytes: Vec<u8>) -> std::io::Result<Self> {
        let archive_size = bytes.len() as u64;
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(Cursor::new(bytes)).entries()? {
            let mut entry = entry?;
            let path = normal(&entry.path()?.to_string_lossy());
            let mode = entry.header().mode()?;
            let mut content = Vec::new();
            if let Some(target) = entry.link_name()? {
                content.extend_from_slice(target.to_string_lossy().as_bytes());
            } else if entry.header().entry_type().is_dir() {
                continue;
            } else {
                entry.read_to_end(&mut content)?;
            }
            files.insert(path, File { mode, content });
        }
        Ok(Self { files, archive_size })
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let file = self.files.get(&normal(path))?;
        Some(String::from_utf8_lossy(&file.content).into_owned())
    }

    /// The files that a source of `COPY` means: one file, what is in a folder, or what a pattern with `*` matches.
    /// `None` when there is none.
    pub(super) fn select(&self, source: &str) -> Option<Selection> {
        let source = normal(source);
        let mut descriptions = Vec::new();
        let mut size = 0;
        let mut is_empty = true;
        for (path, file) in self.files.iter().filter(|(path, _)| is_meant(&source, path)) {
            let content = Digest::of(&file.content);
            descriptions.push(format!("{path}\0{:o}\0{content}\n", file.mode));
            size += file.content.len() as u64;
            is_empty = false;
        }
        let is_whole = source.is_empty();
        (!is_empty || is_whole).then(|| Selection { digest: Digest::of(descriptions.concat()), size })
    }
}

fn is_meant(source: &str, path: &str) -> bool {
    let is_inside = || path.strip_prefix(source).is_some_and(|rest| rest.starts_with('/'));
    match source.split_once('*') {
        Some((start, end)) => path.starts_with(start) && path.ends_with(end),
        None => source.is_empty() || path == source || is_inside(),
    }
}

/// A path from the context's root, without `.` and slashes at its ends.
fn normal(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}
