//! The folders that an engine may have: the context, and the Dockerfile's.

use std::cmp::Ordering;
use std::sync::Arc;

use bollard_buildkit_proto::fsutil::types::Stat;
use bytes::Bytes;

use crate::build::{ContextError, ContextFile, ContextPath, Entry, FileEntry, IgnoreRules, ReadContext};

/// The bits of a mode, as Go's `io/fs` has them and BuildKit sends them.
const FOLDER: u32 = 1 << 31;
const LINK: u32 = 1 << 27;
const FILE_RIGHTS: u32 = 0o644;
const EXECUTABLE_RIGHTS: u32 = 0o755;
const LINK_RIGHTS: u32 = 0o777;

const NANOSECONDS: i64 = 1_000_000_000;
/// The latest second whose nanoseconds still fit into 64 bits, in the year 2262.
const LATEST: i64 = 9_223_372_035;

/// A folder as it is sent, in the order in which it is sent.
pub(super) struct SyncedFolder {
    entries: Vec<SyncedEntry>,
    /// The patterns that were applied to it already.
    rules: IgnoreRules,
    /// Whether its bytes are those of the context's files.
    pub(super) is_context: bool,
    context: Arc<ReadContext>,
}

/// One thing in a folder.
pub(super) struct SyncedEntry {
    pub(super) path: ContextPath,
    pub(super) stat: Stat,
    content: Content,
}

enum Content {
    None,
    Memory(Bytes),
    Context(FileEntry),
}

impl SyncedFolder {
    /// The context's files.
    pub(super) fn of_context(context: &Arc<ReadContext>, epoch: Option<i64>) -> Self {
        let seconds = |own: i64| epoch.unwrap_or(own);
        let entries = context.entries().map(|(path, entry)| {
            let (stat, held) = match entry {
                Entry::Folder => (stat(path, FOLDER | EXECUTABLE_RIGHTS, seconds(context.modified())), Content::None),
                Entry::Link { target } => {
                    let stat = stat(path, LINK | LINK_RIGHTS, seconds(context.modified()));
                    let size = target.len().try_into().unwrap_or_default();
                    (Stat { linkname: target.clone(), size, ..stat }, Content::None)
                }
                Entry::File(file) => {
                    let rights = if file.executable { EXECUTABLE_RIGHTS } else { FILE_RIGHTS };
                    let size = file.size.try_into().unwrap_or(i64::MAX);
                    let stat = Stat { size, ..stat(path, rights, seconds(file.modified)) };
                    (marked(stat, file.content.as_bytes()), Content::Context(file.clone()))
                }
            };
            SyncedEntry { path: path.clone(), stat, content: held }
        });
        let entries = entries.collect();
        Self::sorted(entries, context.rules().clone(), true, context)
    }

    /// The Dockerfile and, where it has them, its own patterns, by which BuildKit knows that those of the context do
    /// not count.
    pub(super) fn of_dockerfile(context: &Arc<ReadContext>, epoch: Option<i64>) -> Self {
        let dockerfile = context.dockerfile();
        let own = (dockerfile.name().to_owned(), dockerfile.bytes());
        let files = [Some(own), dockerfile.own_ignore_file()].into_iter().flatten();
        let entries = files.filter_map(|(name, content)| {
            let path: ContextPath = name.parse().ok()?;
            let size = content.len().try_into().ok()?;
            let stat = Stat { size, ..stat(&path, FILE_RIGHTS, epoch.unwrap_or(context.modified())) };
            let digest = <sha2::Sha256 as sha2::Digest>::digest(&content).into();
            Some(SyncedEntry { path, stat: marked(stat, &digest), content: Content::Memory(content) })
        });
        let entries = entries.collect();
        Self::sorted(entries, IgnoreRules::default(), false, context)
    }

    fn sorted(mut entries: Vec<SyncedEntry>, rules: IgnoreRules, is_context: bool, context: &Arc<ReadContext>) -> Self {
        entries.sort_by(|one, other| one.path.by_names(&other.path));
        Self { entries, rules, is_context, context: Arc::clone(context) }
    }

    /// What is in it: name by name, a folder right before what is in it.
    pub(super) fn entries(&self) -> &[SyncedEntry] {
        &self.entries
    }

    /// Whether these patterns have been applied to it.
    pub(super) fn has_applied(&self, rules: &IgnoreRules) -> bool {
        self.rules == *rules
    }

    /// What is written in the link at a path; `None` when there is none.
    pub(super) fn link(&self, path: &ContextPath) -> Option<&str> {
        let place = self.entries.binary_search_by(|entry| entry.path.by_names(path)).ok()?;
        let entry = &self.entries[place];
        entry.is_link().then_some(entry.stat.linkname.as_str())
    }

    /// The paths of what lies right in a folder, or in the root.
    pub(super) fn paths_in<'a>(&'a self, folder: Option<&'a ContextPath>) -> impl Iterator<Item = &'a ContextPath> {
        let depth = folder.map_or(0, |folder| folder.components().count());
        let start = match folder {
            Some(folder) => self.entries.partition_point(|entry| entry.path.by_names(folder) != Ordering::Greater),
            None => 0,
        };
        self.entries[start..]
            .iter()
            .map(|entry| &entry.path)
            .take_while(move |path| folder.is_none_or(|folder| path.is_below(folder)))
            .filter(move |path| path.components().count() == depth + 1)
    }

    /// Opens one of its files. It may block.
    pub(super) fn open(&self, entry: &SyncedEntry) -> Result<ContextFile, ContextError> {
        match &entry.content {
            Content::Memory(content) => Ok(ContextFile::in_memory(entry.path.clone(), content.clone())),
            Content::Context(file) => self.context.open(&entry.path, file),
            Content::None => Err(ContextError::Interrupted),
        }
    }
}

impl SyncedEntry {
    pub(super) fn is_folder(&self) -> bool {
        self.stat.mode & FOLDER != 0
    }

    fn is_link(&self) -> bool {
        self.stat.mode & LINK != 0
    }

    /// Whether its content can be asked for.
    pub(super) fn is_file(&self) -> bool {
        !self.is_folder() && !self.is_link()
    }
}

/// Owners do not count, and no attribute is sent.
fn stat(path: &ContextPath, mode: u32, seconds: i64) -> Stat {
    let mod_time = seconds.clamp(0, LATEST) * NANOSECONDS;
    Stat { path: path.to_string(), mode, mod_time, ..Stat::default() }
}

/// The same with nanoseconds that the content decides. An engine takes a file as unchanged when its size and time are:
/// so an edit that keeps both the length and the second is seen, and a file that is only touched in the same second
/// is not sent again.
fn marked(stat: Stat, sha256: &[u8; 32]) -> Stat {
    let number = sha256.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let nanoseconds = i64::try_from(number % NANOSECONDS.unsigned_abs()).unwrap_or_default();
    Stat { mod_time: stat.mod_time + nanoseconds, ..stat }
}
