//! The files that a context is made of, wherever they are.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

use super::cache::ContentCache;
use super::content::Origin;
use super::digest::ContentDigest;
use super::dockerignore::{IgnoreRules, clean};
use super::folder::{Folder, Kind};
use super::source::{StoredEntry, StoredFiles};
use super::tree::{Entry, FileEntry, Tree};
use super::walk;
use super::{ContextError, ContextPath};

/// Files by paths.
pub(super) trait Files {
    /// What lies at a path; `None` when nothing does, or when a link is on the way.
    fn look(&self, path: &ContextPath) -> Result<Option<Look>, ContextError>;

    /// The content of a file that has no more bytes than this; `None` when it has more.
    fn read(&self, path: &ContextPath, limit: u64) -> Result<Option<Bytes>, ContextError>;

    /// The files among which one lies that is named relative to the context's folder and may lead out of it, where
    /// they are others than these, and its path among them.
    fn beside(&self, path: &str) -> Result<(Option<Box<dyn Files>>, ContextPath), ContextError>;

    /// Adds what the rules keep. It returns how many files had to be read.
    fn collect(&self, rules: &IgnoreRules, cache: &ContentCache, tree: &mut Tree) -> Result<usize, ContextError>;

    /// Where the contents are from now on.
    fn into_origin(self: Box<Self>) -> Origin;
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A file.
    File,
    /// A symbolic link, with what is written in it.
    Link(String),
    /// Anything else.
    Other,
}

/// Files in memory.
pub(super) struct MemoryFiles(BTreeMap<ContextPath, Bytes>);

/// Files in a folder.
pub(super) struct FolderFiles {
    folder: Folder,
    path: PathBuf,
}

/// Files in a store, with the whole path of each.
pub(super) struct FilesInStore {
    entries: BTreeMap<ContextPath, StoredEntry>,
    stored: StoredFiles,
}

impl MemoryFiles {
    pub(super) fn new(files: BTreeMap<String, Vec<u8>>) -> Result<Self, ContextError> {
        let files = files.into_iter().map(|(path, content)| Ok((path.parse()?, content.into())));
        files.collect::<Result<_, ContextError>>().map(Self)
    }
}

impl Files for MemoryFiles {
    fn look(&self, path: &ContextPath) -> Result<Option<Look>, ContextError> {
        Ok(self.0.contains_key(path).then_some(Look::File))
    }

    fn read(&self, path: &ContextPath, limit: u64) -> Result<Option<Bytes>, ContextError> {
        Ok(self.0.get(path).filter(|content| content.len() as u64 <= limit).cloned())
    }

    fn beside(&self, path: &str) -> Result<(Option<Box<dyn Files>>, ContextPath), ContextError> {
        Err(ContextError::NothingBeside { path: path.to_owned() })
    }

    fn collect(&self, rules: &IgnoreRules, _cache: &ContentCache, tree: &mut Tree) -> Result<usize, ContextError> {
        let kept = self.0.iter().filter(|(path, _)| !rules.excludes(path));
        let mut files_read = 0;
        for (path, content) in kept {
            files_read += 1;
            let entry = FileEntry {
                executable: false,
                size: content.len() as u64,
                content: ContentDigest::of(content),
                modified: 0,
                data: Some(content.clone()),
            };
            tree.add(path.clone(), Entry::File(entry))?;
        }
        Ok(files_read)
    }

    fn into_origin(self: Box<Self>) -> Origin {
        Origin::Memory
    }
}

impl FolderFiles {
    pub(super) fn open(path: PathBuf) -> Result<Self, ContextError> {
        Ok(Self { folder: Folder::open(&path)?, path })
    }
}

impl Files for FolderFiles {
    fn look(&self, path: &ContextPath) -> Result<Option<Look>, ContextError> {
        let Some(found) = self.folder.find(path)? else {
            return Ok(None);
        };
        Ok(Some(match found.kind {
            Kind::File { .. } => Look::File,
            Kind::Link => Look::Link(self.folder.read_link(path)?),
            _ => Look::Other,
        }))
    }

    fn read(&self, path: &ContextPath, limit: u64) -> Result<Option<Bytes>, ContextError> {
        walk::read_small_file(&self.folder, path, limit)
    }

    fn beside(&self, path: &str) -> Result<(Option<Box<dyn Files>>, ContextPath), ContextError> {
        let cleaned = clean(path);
        let parents = cleaned.split('/').take_while(|component| *component == "..").count();
        let below = cleaned.splitn(parents + 1, '/').nth(parents).unwrap_or_default().parse()?;
        let base = without_detours(&self.path);
        let base = base.ancestors().nth(parents).unwrap_or(Path::new("/"));
        Ok((Some(Box::new(Self::open(base.to_owned())?)), below))
    }

    fn collect(&self, rules: &IgnoreRules, cache: &ContentCache, tree: &mut Tree) -> Result<usize, ContextError> {
        let path = without_detours(&self.path);
        cache.recall(&path);
        let collected = walk::collect(&self.folder, rules, cache, tree)?;
        if collected.files_read > 0 {
            cache.keep(&path, &collected.stamps);
        }
        Ok(collected.files_read)
    }

    fn into_origin(self: Box<Self>) -> Origin {
        Origin::Folder(self.folder)
    }
}

/// The absolute path, without `.` and `..`, as it is written: a link on the way is not looked into, so that what lies
/// beside a folder lies beside the name that the user gave it.
fn without_detours(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut direct = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                direct.pop();
            }
            Component::CurDir => {}
            other => direct.push(other),
        }
    }
    direct
}

impl FilesInStore {
    pub(super) fn new(stored: StoredFiles) -> Result<Self, ContextError> {
        let entries = stored.entries.iter().map(|(path, entry)| Ok((path.parse()?, entry.clone())));
        let files = Self { entries: entries.collect::<Result<_, ContextError>>()?, stored };
        match &files.stored.folder {
            Some(folder) if files.below(folder).next().is_none() => Err(ContextError::Folder {
                path: folder.clone(),
                problem: "there is no such folder in the source".to_owned(),
            }),
            _ => Ok(files),
        }
    }

    /// The whole path of something in the context.
    fn whole(&self, path: &ContextPath) -> Result<ContextPath, ContextError> {
        match &self.stored.folder {
            Some(folder) => format!("{folder}/{path}").parse(),
            None => Ok(path.clone()),
        }
    }

    fn below(&self, folder: &str) -> impl Iterator<Item = (&str, &StoredEntry)> {
        let in_folder =
            move |path: &'_ ContextPath| path.as_str().strip_prefix(folder)?.strip_prefix('/').map(str::len);
        self.entries.iter().filter_map(move |(path, entry)| {
            let length = in_folder(path)?;
            Some((&path.as_str()[path.as_str().len() - length..], entry))
        })
    }

    fn file(&self, size: u64, sha256: [u8; 32], executable: bool) -> FileEntry {
        let content = ContentDigest::from_bytes(sha256);
        FileEntry { executable, size, content, modified: self.stored.modified, data: None }
    }
}

impl Files for FilesInStore {
    fn look(&self, path: &ContextPath) -> Result<Option<Look>, ContextError> {
        let entry = self.entries.get(&self.whole(path)?);
        Ok(entry.map(|entry| match entry {
            StoredEntry::File { .. } => Look::File,
            StoredEntry::Link { target } => Look::Link(target.clone()),
            StoredEntry::Folder => Look::Other,
        }))
    }

    fn read(&self, path: &ContextPath, limit: u64) -> Result<Option<Bytes>, ContextError> {
        let Some(StoredEntry::File { size, sha256, executable }) = self.entries.get(&self.whole(path)?) else {
            return Err(ContextError::changed(path));
        };
        let file = self.file(*size, *sha256, *executable);
        let origin = Origin::Store(self.stored.store.clone());
        Ok(origin.open(path, &file)?.read_whole(limit)?.map(Bytes::from))
    }

    fn beside(&self, path: &str) -> Result<(Option<Box<dyn Files>>, ContextPath), ContextError> {
        let folder = self.stored.folder.as_deref().unwrap_or_default();
        let whole = clean(&format!("./{folder}/{path}")).parse()?;
        let stored = StoredFiles { folder: None, ..self.stored.clone() };
        Ok((Some(Box::new(Self { entries: self.entries.clone(), stored })), whole))
    }

    fn collect(&self, rules: &IgnoreRules, _cache: &ContentCache, tree: &mut Tree) -> Result<usize, ContextError> {
        let all: Vec<(&str, &StoredEntry)> = match &self.stored.folder {
            Some(folder) => self.below(folder).collect(),
            None => self.entries.iter().map(|(path, entry)| (path.as_str(), entry)).collect(),
        };
        for (path, entry) in all {
            let path: ContextPath = path.parse()?;
            if rules.excludes(&path) {
                continue;
            }
            let entry = match entry {
                StoredEntry::Folder => Entry::Folder,
                StoredEntry::Link { target } => Entry::Link { target: target.clone() },
                StoredEntry::File { size, sha256, executable } => Entry::File(self.file(*size, *sha256, *executable)),
            };
            tree.add(path, entry)?;
        }
        // What they hold is known by their digests.
        Ok(0)
    }

    fn into_origin(self: Box<Self>) -> Origin {
        Origin::Store(self.stored.store)
    }
}
