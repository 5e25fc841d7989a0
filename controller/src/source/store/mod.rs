//! Where the contents of sources lie on this machine.

mod contents;
mod listing;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ring::hmac;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::SourceError;
use contents::Contents;

/// The SHA-256 of a content.
pub type ContentKey = [u8; 32];

/// How old a temporary file is that was left behind, not one that is being written.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

const CONTENTS: &str = "contents";
const TEMPORARY: &str = "temporary";
const REVISIONS: &str = "revisions";
const SALT: &str = "salt";

/// A folder of our own with the contents of sources, each named by the SHA-256 of its content, never by a stranger's
/// name.
///
/// # Guarantees
/// - A content appears under its name only when it is whole.
/// - It has no more bytes than it may; the contents that were used longest ago are removed first, but none that a
///   living [`SourceTree`](super::SourceTree) has. When those alone are more, they stay.
/// - A content is compared with its name before it is used for the first time in a process, and again when the file
///   has another time or size than then; one that does not fit is removed, and the source is fetched anew.
///
/// # Caveats
/// One process uses a folder at a time. If another removes something, the source is fetched anew.
#[derive(Clone)]
pub struct ContentStore {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    contents: Mutex<Contents>,
    /// Makes names out of credentials that cannot be guessed back.
    salt: hmac::Key,
}

/// Keeps contents from being removed, for as long as it lives.
pub(super) struct Hold {
    store: ContentStore,
    keys: Vec<ContentKey>,
}

impl ContentStore {
    /// Opens the store in a folder, which is made when it is not there, with so many bytes at most.
    pub(super) fn open(folder: &Path, most_bytes: u64) -> Result<Self, SourceError> {
        Self::open_folder(folder, most_bytes)
            .map_err(|error| SourceError::store(format!("{}: {error}", folder.display())))
    }

    fn open_folder(folder: &Path, most_bytes: u64) -> io::Result<Self> {
        for name in [CONTENTS, TEMPORARY, REVISIONS] {
            make_private_folder(&folder.join(name))?;
        }
        remove_left_behind(&folder.join(TEMPORARY))?;
        let contents = Contents::found_in(&folder.join(CONTENTS), most_bytes)?;
        let salt = hmac::Key::new(hmac::HMAC_SHA256, &salt_in(folder)?);
        let store = Self { inner: Arc::new(Inner { folder: folder.to_owned(), contents: Mutex::new(contents), salt }) };
        store.make_room();
        Ok(store)
    }

    /// Opens a content. It is there as long as a tree that has it lives, if nobody else removes it.
    pub fn open_content(&self, content: &ContentKey) -> io::Result<File> {
        File::open(self.path_of(content))
    }

    pub(super) fn hold(&self) -> Hold {
        Hold { store: self.clone(), keys: Vec::new() }
    }

    /// A file of no name yet.
    pub(super) fn temporary(&self) -> Result<NamedTempFile, SourceError> {
        NamedTempFile::new_in(self.inner.folder.join(TEMPORARY)).map_err(SourceError::store)
    }

    /// A name for something that only those learn of who ask with the same words. What is secret among them cannot
    /// be guessed back from it, since the salt is secret too.
    pub(super) fn name_of(&self, words: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.inner.salt);
        for word in words {
            context.update(&(word.len() as u64).to_le_bytes());
            context.update(word.as_bytes());
        }
        hexadecimal(context.sign().as_ref())
    }

    fn path_of(&self, content: &ContentKey) -> PathBuf {
        contents::path_in(&self.inner.folder.join(CONTENTS), content)
    }

    /// Whether a content is there and is what its name says.
    fn is_intact(&self, content: &ContentKey) -> bool {
        let path = self.path_of(content);
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            self.contents().forget(content);
            return false;
        };
        let stamp = (metadata.len(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        if self.contents().is_verified(content, stamp) {
            return true;
        }
        let is_intact = metadata.is_file()
            && File::open(&path)
                .is_ok_and(|file| digest_of(file, &mut io::sink()).is_ok_and(|(found, _)| found == *content));
        if is_intact {
            self.contents().verified(*content, stamp);
        } else {
            tracing::warn!(path = %path.display(), "a content of a source is not what its name says; it is removed and fetched anew");
            let _ = fs::remove_file(&path);
            self.contents().forget(content);
        }
        is_intact
    }

    /// Gives a file that was written its name.
    fn keep(&self, file: NamedTempFile, content: ContentKey) -> Result<(), SourceError> {
        let path = self.path_of(&content);
        if let Some(folder) = path.parent() {
            make_private_folder(folder).map_err(SourceError::store)?;
        }
        let file = file.persist(&path).map_err(|error| SourceError::store(error.error))?;
        let metadata = file.metadata().map_err(SourceError::store)?;
        let stamp = (metadata.len(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        self.contents().verified(content, stamp);
        self.make_room();
        Ok(())
    }

    /// Removes what was used longest ago until there are no more bytes than may be.
    fn make_room(&self) {
        let mut contents = self.contents();
        for content in contents.superfluous() {
            let _ = fs::remove_file(contents::path_in(&self.inner.folder.join(CONTENTS), &content));
        }
    }

    /// A panic elsewhere leaves it as it was, or at worst with a wrong number of bytes.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.inner.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Keeps these bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<ContentKey, SourceError> {
        let content: ContentKey = Sha256::digest(bytes).into();
        if self.take(&content) {
            return Ok(content);
        }
        let mut file = self.store.temporary()?;
        file.write_all(bytes).map_err(SourceError::store)?;
        self.store.keep(file, content)?;
        Ok(content)
    }

    /// Keeps what a reader gives, and says how much it was. A reader's own error is given back as it is.
    pub(super) fn put_all_of(&mut self, reader: impl Read) -> Result<(ContentKey, u64), PutError> {
        let mut file = self.store.temporary().map_err(PutError::Store)?;
        let (content, bytes) = digest_of(reader, file.as_file_mut())?;
        self.put_file(file, content).map_err(PutError::Store)?;
        Ok((content, bytes))
    }

    /// Keeps a file whose content has this digest.
    pub(super) fn put_file(&mut self, file: NamedTempFile, content: ContentKey) -> Result<(), SourceError> {
        if self.take(&content) { Ok(()) } else { self.store.keep(file, content) }
    }

    /// Keeps a content that is there already, if it is.
    pub(super) fn take(&mut self, content: &ContentKey) -> bool {
        // Held before it is looked at, so that it is not removed in between.
        self.store.contents().hold(*content);
        self.keys.push(*content);
        self.store.is_intact(content)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut contents = self.store.contents();
        for key in &self.keys {
            contents.release(key);
        }
    }
}

/// Why what a reader gives was not kept.
#[derive(Debug)]
pub(super) enum PutError {
    /// The reader said so.
    Read(io::Error),
    /// The store cannot be used, since the disk is full for one.
    Store(SourceError),
}

/// Reads to the end, writes it elsewhere, and gives its digest and how much it was.
fn digest_of(mut reader: impl Read, writer: &mut impl Write) -> Result<(ContentKey, u64), PutError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut bytes = 0;
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finalize().into(), bytes)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PutError::Read(error)),
        };
        hasher.update(&buffer[..read]);
        writer.write_all(&buffer[..read]).map_err(|error| PutError::Store(SourceError::store(error)))?;
        bytes += read as u64;
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn key_in(hexadecimal: &str) -> Option<ContentKey> {
    let digits = hexadecimal.as_bytes();
    let mut key = [0; 32];
    if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hexadecimal.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(key)
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The folder's salt, made when there is none.
fn salt_in(folder: &Path) -> io::Result<Vec<u8>> {
    let path = folder.join(SALT);
    if let Ok(salt) = fs::read(&path)
        && salt.len() == 32
    {
        return Ok(salt);
    }
    let salt: [u8; 32] = rand::random();
    let mut file = NamedTempFile::new_in(folder.join(TEMPORARY))?;
    file.write_all(&salt)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(salt.to_vec())
}

fn remove_left_behind(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > LEFT_BEHIND) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(most_bytes: u64) -> (tempfile::TempDir, ContentStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), most_bytes).unwrap();
        (folder, store)
    }

    fn content(store: &ContentStore, key: &ContentKey) -> Option<String> {
        store.open_content(key).ok().map(|file| io::read_to_string(file).unwrap())
    }

    #[test]
    fn what_was_put_is_found_by_its_digest_and_lies_under_no_other_name() {
        let (folder, store) = store(u64::MAX);
        let mut hold = store.hold();
        let one = hold.put(b"one").unwrap();
        let (two, bytes) = hold.put_all_of(&b"two!"[..]).unwrap();
        assert_eq!(one, <[u8; 32]>::from(Sha256::digest(b"one")));
        assert_eq!((content(&store, &one).as_deref(), content(&store, &two).as_deref()), (Some("one"), Some("two!")));
        assert_eq!(bytes, 4);
        let path = contents::path_in(&folder.path().join(CONTENTS), &one);
        assert!(path.to_string_lossy().replace('/', "").ends_with(&hexadecimal(&one)));
        assert_eq!(fs::read_dir(folder.path().join(TEMPORARY)).unwrap().count(), 0);
    }

    #[test]
    fn what_was_used_longest_ago_is_removed_and_nothing_that_is_held() {
        let (_folder, store) = store(250);
        let mut held = store.hold();
        let kept = held.put(&[0; 100]).unwrap();
        let one = store.hold().put(&[1; 100]).unwrap();
        let two = store.hold().put(&[2; 50]).unwrap();
        assert!(store.hold().take(&one), "all of it fits");
        let three = store.hold().put(&[3; 20]).unwrap();
        assert!(content(&store, &two).is_none(), "it was used longest ago");
        for there in [kept, one, three] {
            assert!(content(&store, &there).is_some());
        }
        drop(held);
        store.hold().put(&[4; 200]).unwrap();
        assert!(content(&store, &kept).is_none(), "nothing holds it any more");
    }

    #[test]
    fn a_content_that_was_spoilt_is_not_taken() {
        let (folder, store) = store(u64::MAX);
        let one = store.hold().put(b"one").unwrap();
        fs::write(contents::path_in(&folder.path().join(CONTENTS), &one), "two").unwrap();
        let again = ContentStore::open(folder.path(), u64::MAX).unwrap();
        assert!(!again.hold().take(&one));
        again.hold().put(b"one").unwrap();
        assert_eq!(content(&again, &one).as_deref(), Some("one"));
    }

    #[test]
    fn what_is_there_is_found_again_and_counts() {
        let (folder, store) = store(u64::MAX);
        let one = store.hold().put(&[1; 10]).unwrap();
        let again = ContentStore::open(folder.path(), 15).unwrap();
        assert!(again.hold().take(&one));
        again.hold().put(&[2; 10]).unwrap();
        assert!(content(&again, &one).is_none());
    }

    #[test]
    fn names_tell_words_apart_and_stay_the_same_in_a_folder() {
        let (folder, store) = store(u64::MAX);
        assert_ne!(store.name_of(&["a", "bc"]), store.name_of(&["ab", "c"]));
        let again = ContentStore::open(folder.path(), 0).unwrap();
        assert_eq!(again.name_of(&["a"]), store.name_of(&["a"]));
        let (_other_folder, other) = self::store(0);
        assert_ne!(other.name_of(&["a"]), store.name_of(&["a"]));
    }

    #[test]
    fn a_key_is_the_same_after_it_was_written_and_read() {
        let key: ContentKey = Sha256::digest(b"x").into();
        assert_eq!(key_in(&hexadecimal(&key)), Some(key));
        for text in ["", "12", &"g".repeat(64), &"+1".repeat(32)] {
            assert_eq!(key_in(text), None);
        }
    }
}
