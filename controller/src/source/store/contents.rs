//! Which contents are there, who holds them, and which must go.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{ContentKey, hexadecimal, key_in};

/// How much of the room is kept when there is too little, in percent; so that not every new content removes one.
const KEPT_PERCENT: u64 = 90;

/// How much more must have come, in percent of the room, before it is looked again for what may go when everything
/// is held. Looking at each content that comes would take the longer the more there are.
const PATIENCE_PERCENT: u64 = 5;

/// A file's size and the time of its last change.
pub(super) type Stamp = (u64, SystemTime);

/// What is known of the contents in the folder.
pub(super) struct Contents {
    known: HashMap<ContentKey, Known>,
    held: HashMap<ContentKey, usize>,
    bytes: u64,
    most_bytes: u64,
    /// Up to how many bytes nothing is looked for that may go, since there was nothing when it was looked for last.
    patience: u64,
    uses: u64,
}

struct Known {
    bytes: u64,
    /// The number of the last use.
    used: u64,
    /// What the file looked like when its content was found to be what its name says.
    verified: Option<Stamp>,
}

/// Where a content lies.
pub(super) fn path_in(folder: &Path, content: &ContentKey) -> PathBuf {
    let name = hexadecimal(content);
    folder.join(&name[..2]).join(&name[2..])
}

impl Contents {
    /// What lies in the folder; the files that were written first count as used longest ago.
    pub(super) fn found_in(folder: &Path, most_bytes: u64) -> io::Result<Self> {
        let mut found = Vec::new();
        for group in fs::read_dir(folder)? {
            let group = group?;
            let Ok(files) = fs::read_dir(group.path()) else { continue };
            for file in files {
                let file = file?;
                let name = format!("{}{}", group.file_name().to_string_lossy(), file.file_name().to_string_lossy());
                if let (Some(key), Ok(metadata)) = (key_in(&name), file.metadata()) {
                    found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), key, metadata.len()));
                }
            }
        }
        found.sort_unstable();
        let mut contents =
            Self { known: HashMap::new(), held: HashMap::new(), bytes: 0, most_bytes, patience: 0, uses: 0 };
        for (_, key, bytes) in found {
            contents.uses += 1;
            contents.bytes += bytes;
            contents.known.insert(key, Known { bytes, used: contents.uses, verified: None });
        }
        Ok(contents)
    }

    pub(super) fn hold(&mut self, content: ContentKey) {
        *self.held.entry(content).or_default() += 1;
    }

    pub(super) fn release(&mut self, content: &ContentKey) {
        if let Some(holds) = self.held.get_mut(content) {
            *holds -= 1;
            if *holds == 0 {
                self.held.remove(content);
                self.patience = 0;
            }
        }
    }

    /// Whether a content was found to be what its name says when its file looked like this. Asking is using.
    pub(super) fn is_verified(&mut self, content: &ContentKey, stamp: Stamp) -> bool {
        self.uses += 1;
        let Some(known) = self.known.get_mut(content) else { return false };
        known.used = self.uses;
        known.verified == Some(stamp)
    }

    pub(super) fn verified(&mut self, content: ContentKey, stamp: Stamp) {
        self.uses += 1;
        let known = Known { bytes: stamp.0, used: self.uses, verified: Some(stamp) };
        let before = self.known.insert(content, known).map_or(0, |known| known.bytes);
        self.bytes = self.bytes - before + stamp.0;
    }

    pub(super) fn forget(&mut self, content: &ContentKey) {
        if let Some(known) = self.known.remove(content) {
            self.bytes -= known.bytes;
        }
    }

    /// What must go, which is forgotten here: what was used longest ago and is not held.
    pub(super) fn superfluous(&mut self) -> Vec<ContentKey> {
        if self.bytes <= self.most_bytes.max(self.patience) {
            return Vec::new();
        }
        let mut candidates: Vec<_> = self
            .known
            .iter()
            .filter(|(key, _)| !self.held.contains_key(*key))
            .map(|(key, known)| (known.used, *key))
            .collect();
        candidates.sort_unstable();
        let wanted = self.most_bytes / 100 * KEPT_PERCENT + self.most_bytes % 100 * KEPT_PERCENT / 100;
        let mut gone = Vec::new();
        for (_, key) in candidates {
            if self.bytes <= wanted {
                break;
            }
            self.forget(&key);
            gone.push(key);
        }
        if self.bytes > self.most_bytes {
            self.patience = self.bytes.saturating_add(self.most_bytes / 100 * PATIENCE_PERCENT);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(most_bytes: u64) -> Contents {
        Contents::found_in(tempfile::tempdir().unwrap().path(), most_bytes).unwrap()
    }

    /// A content of 100 bytes comes.
    fn come(contents: &mut Contents, number: u8) -> Vec<ContentKey> {
        contents.verified([number; 32], (100, SystemTime::UNIX_EPOCH));
        contents.superfluous()
    }

    #[test]
    fn the_room_is_kept_with_some_to_spare() {
        let mut contents = contents(1000);
        for number in 0..10 {
            assert_eq!(come(&mut contents, number), Vec::<ContentKey>::new());
        }
        assert!(contents.is_verified(&[0; 32], (100, SystemTime::UNIX_EPOCH)));
        assert_eq!(come(&mut contents, 10), [[1; 32], [2; 32]], "the first was used since");
    }

    #[test]
    fn what_is_held_stays_and_goes_when_it_is_let_go() {
        let mut contents = contents(1000);
        for number in 0..12 {
            contents.hold([number; 32]);
            assert_eq!(come(&mut contents, number), Vec::<ContentKey>::new());
        }
        contents.release(&[5; 32]);
        assert_eq!(contents.superfluous(), [[5; 32]]);
    }
}
