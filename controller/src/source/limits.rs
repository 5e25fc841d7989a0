//! How much a source may be. Everything that comes from a stranger's server has an end.

use std::time::Duration;

const MIB: u64 = 1 << 20;

/// How much a source may be, and how long reading it may take. What is over one of these is refused, with a sentence
/// that names the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// The bytes of all files of a source together, those of its submodules too: 2 GiB.
    pub bytes: u64,
    /// The number of files, folders and links: 200,000.
    pub files: u64,
    /// The bytes that a server may send in one download, a pack of git's or an archive: 1 GiB.
    pub download: u64,
    /// The bytes of one object of git's, so of one file in a repository: 100 MiB, which is GitHub's limit as well.
    /// Putting one together may take twice as much memory.
    pub object: u64,
    /// The bytes of all objects of one pack, unpacked: 4 GiB. More than `bytes`, since a server that does not give
    /// out single commits sends the history as well.
    pub unpacked_pack: u64,
    /// The number of objects in one pack: 2,000,000.
    pub objects: u64,
    /// How many times larger than what was downloaded an archive's content may be: 200. The first 16 MiB are free.
    pub expansion: u64,
    /// The bytes of a server's list of references: 64 MiB.
    pub references: u64,
    /// How deep submodules may lie in one another: 8.
    pub submodule_depth: u32,
    /// How many submodules there may be in all: 64.
    pub submodules: u32,
    /// How long one resolve or one fetch may take in all: 15 minutes.
    pub time: Duration,
    /// How long a server may say nothing: 60 seconds.
    pub silence: Duration,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            bytes: 2048 * MIB,
            files: 200_000,
            download: 1024 * MIB,
            object: 100 * MIB,
            unpacked_pack: 4096 * MIB,
            objects: 2_000_000,
            expansion: 200,
            references: 64 * MIB,
            submodule_depth: 8,
            submodules: 64,
            time: Duration::from_secs(15 * 60),
            silence: Duration::from_secs(60),
        }
    }
}

/// A number of bytes for people: `64 MiB`, `1500 bytes`.
pub(super) fn for_people(bytes: u64) -> String {
    if bytes >= MIB && bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_for_people() {
        assert_eq!(for_people(64 * MIB), "64 MiB");
        assert_eq!(for_people(1500), "1500 bytes");
    }
}
