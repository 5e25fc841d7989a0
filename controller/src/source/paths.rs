//! Paths in a source, and the tree that is made of them.

use std::collections::BTreeMap;

use super::limits::for_people;
use super::store::{ContentStore, Hold};
use super::{SourceEntry, SourceError, SourceLimits, SourceTree};

/// The longest path that is accepted, in bytes: Linux's `PATH_MAX`.
const LONGEST_PATH: usize = 4096;
/// The longest component of a path, in bytes: Linux's `NAME_MAX`.
const LONGEST_COMPONENT: usize = 255;

/// A path as it is written in a repository or an archive, made into one that leads nowhere else; `None` for the
/// root. A `./` at its beginning and a slash at its end are usual in archives.
pub(super) fn clean(path: &[u8]) -> Result<Option<String>, SourceError> {
    let shown = String::from_utf8_lossy(path);
    let refused = |problem: &str| {
        let start: String = shown.chars().take(200).collect();
        SourceError::Unsafe(format!("the source holds \"{}\", which is refused: {problem}", start.escape_debug()))
    };
    let text = std::str::from_utf8(path).map_err(|_| refused("its name is not UTF-8"))?;
    if text.starts_with('/') {
        return Err(refused("its path is absolute"));
    }
    let mut components = Vec::new();
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." => return Err(refused("its path leads out of the source")),
            name if name.contains('\0') => return Err(refused("its name has a NUL character")),
            name if name.len() > LONGEST_COMPONENT => return Err(refused("a name may have 255 bytes")),
            name => components.push(name),
        }
    }
    let path = components.join("/");
    if path.len() > LONGEST_PATH {
        return Err(refused("a path may have 4096 bytes"));
    }
    Ok(Some(path).filter(|path| !path.is_empty()))
}

/// The path of a name in a folder of a repository. Git itself makes no tree with such names as are refused here.
pub(super) fn in_folder(folder: &str, name: &[u8]) -> Result<String, SourceError> {
    let whole = [folder.as_bytes(), name].join(if folder.is_empty() { &b""[..] } else { b"/" });
    let is_one_name = !name.is_empty() && name != b"." && !name.contains(&b'/');
    match clean(&whole)? {
        Some(path) if is_one_name && !name.eq_ignore_ascii_case(b".git") => Ok(path),
        _ => Err(SourceError::Unsafe(format!(
            "the repository holds \"{}\", a name that git does not allow",
            String::from_utf8_lossy(&whole).escape_debug()
        ))),
    }
}

/// A link's target, kept as it is: nothing follows it here.
pub(super) fn link_target(path: &str, target: &[u8]) -> Result<String, SourceError> {
    match std::str::from_utf8(target) {
        Ok(text) if !text.is_empty() && text.len() <= LONGEST_PATH && !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(SourceError::Unsafe(format!("the target of the link \"{}\" is not a path", path.escape_debug()))),
    }
}

/// A tree that grows, within limits.
pub(super) struct TreeBuilder {
    entries: BTreeMap<String, SourceEntry>,
    /// The bytes of all files that were added, those that another one took the place of as well.
    bytes: u64,
    /// How often something was added.
    added: u64,
    pub(super) limits: SourceLimits,
    pub(super) hold: Hold,
}

impl TreeBuilder {
    pub(super) fn new(store: &ContentStore, limits: SourceLimits) -> Self {
        Self { entries: BTreeMap::new(), bytes: 0, added: 0, limits, hold: store.hold() }
    }

    /// Adds something, and the folders that it is in. What came later stands, as when an archive is unpacked.
    pub(super) fn add(&mut self, path: &str, entry: SourceEntry) -> Result<(), SourceError> {
        self.added += 1;
        if self.added > self.limits.files {
            return Err(self.too_many());
        }
        for (index, _) in path.match_indices('/') {
            let folder = &path[..index];
            match self.entries.get(folder) {
                Some(SourceEntry::Folder) => {}
                None => {
                    self.entries.insert(folder.to_owned(), SourceEntry::Folder);
                }
                Some(SourceEntry::Link { .. }) => {
                    return Err(SourceError::Unsafe(format!(
                        "\"{}\" lies behind the link \"{}\", and links are not followed",
                        path.escape_debug(),
                        folder.escape_debug()
                    )));
                }
                Some(SourceEntry::File { .. }) => return Err(file_and_folder(folder)),
            }
        }
        if let SourceEntry::File { size, .. } = &entry {
            self.check_room(*size)?;
            self.bytes += size;
        }
        let is_folder = entry == SourceEntry::Folder;
        match self.entries.get(path) {
            Some(SourceEntry::Folder) if !is_folder => return Err(file_and_folder(path)),
            Some(SourceEntry::Folder) => return Ok(()),
            Some(_) if is_folder => return Err(file_and_folder(path)),
            Some(SourceEntry::File { .. } | SourceEntry::Link { .. }) | None => {}
        }
        self.entries.insert(path.to_owned(), entry);
        if self.entries.len() as u64 > self.limits.files {
            return Err(self.too_many());
        }
        Ok(())
    }

    fn too_many(&self) -> SourceError {
        SourceError::TooLarge(format!(
            "the source has more than {} files, folders and links, which is the limit",
            self.limits.files
        ))
    }

    /// Whether so many more bytes may be added.
    pub(super) fn check_room(&self, more: u64) -> Result<(), SourceError> {
        if self.bytes.saturating_add(more) <= self.limits.bytes {
            return Ok(());
        }
        Err(SourceError::TooLarge(format!(
            "the files of the source have more than {} together, which is the limit",
            for_people(self.limits.bytes)
        )))
    }

    /// What stands at a path.
    pub(super) fn get(&self, path: &str) -> Option<&SourceEntry> {
        self.entries.get(path)
    }

    pub(super) fn finish(self, time: i64) -> SourceTree {
        SourceTree { entries: self.entries, time, hold: std::sync::Arc::new(self.hold) }
    }
}

fn file_and_folder(path: &str) -> SourceError {
    SourceError::Invalid(format!("\"{}\" is both a file and a folder of the source", path.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(limits: SourceLimits) -> (tempfile::TempDir, TreeBuilder) {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), u64::MAX).unwrap();
        (folder, TreeBuilder::new(&store, limits))
    }

    fn file(size: u64) -> SourceEntry {
        SourceEntry::File { executable: false, size, content: [0; 32] }
    }

    fn link() -> SourceEntry {
        SourceEntry::Link { target: "/etc".to_owned() }
    }

    #[test]
    fn the_usual_spellings_of_archives_are_cleaned() {
        for (path, expected) in
            [("./a/b", Some("a/b")), ("a/", Some("a")), ("./", None), (".", None), ("a//b/./c", Some("a/b/c"))]
        {
            assert_eq!(clean(path.as_bytes()).unwrap().as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["..", "../a", "a/../../b", "a/..", "/etc/passwd", "//a", "a\0b"] {
            assert!(matches!(clean(path.as_bytes()), Err(SourceError::Unsafe(_))), "{path}");
        }
        assert!(clean(b"a\xff").is_err());
        assert!(clean("x".repeat(256).as_bytes()).is_err());
        assert!(clean("xx/".repeat(1400).as_bytes()).is_err());
    }

    #[test]
    fn names_that_git_does_not_allow_are_refused() {
        assert_eq!(in_folder("a", b"b").unwrap(), "a/b");
        assert_eq!(in_folder("", b".gitignore").unwrap(), ".gitignore");
        for name in ["", ".", "..", "a/b", ".git", ".GIT", "a/"] {
            assert!(in_folder("a", name.as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_lies_behind_a_link() {
        let (_folder, mut tree) = builder(SourceLimits::default());
        tree.add("a/link", link()).unwrap();
        assert!(matches!(tree.add("a/link/passwd", file(1)), Err(SourceError::Unsafe(_))));
        assert!(matches!(tree.add("a/link", SourceEntry::Folder), Err(SourceError::Invalid(_))));
    }

    #[test]
    fn folders_stand_although_nothing_names_them() {
        let (_folder, mut tree) = builder(SourceLimits::default());
        tree.add("a/b/c", file(1)).unwrap();
        let paths: Vec<_> = tree.finish(0).entries.into_keys().collect();
        assert_eq!(paths, ["a", "a/b", "a/b/c"]);
    }

    #[test]
    fn a_file_is_no_folder() {
        let (_folder, mut tree) = builder(SourceLimits::default());
        tree.add("a", file(1)).unwrap();
        assert!(matches!(tree.add("a/b", file(1)), Err(SourceError::Invalid(_))));
        tree.add("c/d", file(1)).unwrap();
        assert!(matches!(tree.add("c", link()), Err(SourceError::Invalid(_))));
    }

    #[test]
    fn what_is_added_again_and_again_has_an_end_too() {
        let (_folder, mut tree) = builder(SourceLimits { bytes: 10, files: 3, ..SourceLimits::default() });
        tree.add("a", file(5)).unwrap();
        tree.add("a", file(5)).unwrap();
        assert!(matches!(tree.add("a", file(5)), Err(SourceError::TooLarge(_))));
        assert!(matches!(tree.add("a", file(0)), Err(SourceError::TooLarge(_))));
    }

    #[test]
    fn a_tree_has_an_end() {
        let (_folder, mut tree) = builder(SourceLimits { bytes: 10, files: 3, ..SourceLimits::default() });
        tree.add("a", file(10)).unwrap();
        let error = tree.add("b", file(1)).unwrap_err();
        assert_eq!(
            error,
            SourceError::TooLarge(
                "the files of the source have more than 10 bytes together, which is the limit".to_owned()
            )
        );
        tree.add("c/d", file(0)).unwrap();
        let error = tree.add("e", file(0)).unwrap_err();
        assert_eq!(
            error,
            SourceError::TooLarge("the source has more than 3 files, folders and links, which is the limit".to_owned())
        );
    }
}
