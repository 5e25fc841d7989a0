//! The context that the engine in memory is sent for a build.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::Digest;
use crate::build::{ContextError, Entry, ReadContext};
use crate::engine::EngineError;

/// The files of a context by their paths. Times do not matter.
#[derive(Default)]
pub(super) struct Context {
    files: BTreeMap<String, File>,
}

struct File {
    mode: u32,
    content: Vec<u8>,
}

impl File {
    fn digest(&self) -> Digest {
        Digest::of([self.mode.to_string().as_bytes(), &self.content].concat())
    }
}

/// Some files of a context, as a step takes them.
pub(super) struct Selection {
    /// What they are called and what is in them.
    pub(super) digest: Digest,
    /// The sum of their sizes in bytes.
    pub(super) size: u64,
}

impl Context {
    /// Reads every file, on a thread that may block.
    pub(super) async fn receive(context: Arc<ReadContext>) -> Result<Self, EngineError> {
        let reading = tokio::task::spawn_blocking(move || Self::read(&context));
        let read = reading.await.unwrap_or(Err(ContextError::Interrupted));
        read.map_err(|error| EngineError::Context(format!("the build's context could not be sent: {error}")))
    }

    fn read(context: &ReadContext) -> Result<Self, ContextError> {
        let mut files = BTreeMap::new();
        for (path, entry) in context.entries() {
            let (mode, read) = match entry {
                Entry::Folder => continue,
                Entry::Link { target } => (0o777, target.clone().into_bytes()),
                Entry::File(file) => {
                    let mut read = Vec::new();
                    let mut opened = context.open(path, file)?;
                    let mut piece = [0; 8192];
                    loop {
                        match opened.next_piece(&mut piece)? {
                            0 => break,
                            count => read.extend_from_slice(&piece[..count]),
                        }
                    }
                    (if file.executable { 0o755 } else { 0o644 }, read)
                }
            };
            files.insert(path.to_string(), File { mode, content: read });
        }
        Ok(Self { files })
    }

    /// What of it is not the same as in what was sent before: the bytes of these files.
    pub(super) fn bytes_beyond(&self, sent: &BTreeMap<String, Digest>) -> u64 {
        let is_new = |(path, file): &(&String, &File)| sent.get(*path) != Some(&file.digest());
        self.files.iter().filter(is_new).map(|(_, file)| file.content.len() as u64).sum()
    }

    /// The digest of each file, by its path.
    pub(super) fn digests(&self) -> BTreeMap<String, Digest> {
        self.files.iter().map(|(path, file)| (path.clone(), file.digest())).collect()
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
