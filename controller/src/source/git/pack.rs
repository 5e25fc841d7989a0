//! The objects of a pack, as a server sent it.

use std::collections::HashMap;
use std::path::Path;

use gix_hash::ObjectId;
use gix_object::{CommitRef, Kind, TreeRefIter};
use gix_pack::cache::lru::MemoryCappedHashmap;
use gix_pack::data::decode::entry::ResolvedBase;
use gix_pack::data::entry::Header;
use gix_pack::data::{Entry, File};
use gix_zlib::Inflate;

use crate::source::limits::for_people;
use crate::source::stop::Stop;
use crate::source::{SourceError, SourceLimits};

/// The bytes of objects that are kept in memory, since others are made from them.
const CACHE: usize = 32 << 20;
/// The bytes before a pack's first object.
const HEADER: u64 = 12;
/// The bytes of what tells how one object is made from another, in memory beside the two.
const INSTRUCTIONS: u64 = 32 << 20;

/// The objects of a pack. Each object's name is the SHA-1 of its content, computed here, with the check for made
/// collisions that git has too; so whatever is reached from a commit is what the commit means.
pub(super) struct Pack {
    file: File,
    offsets: HashMap<ObjectId, u64>,
    cache: MemoryCappedHashmap,
    inflate: Inflate,
    buffer: Vec<u8>,
    limits: SourceLimits,
    address: String,
    stop: Stop,
}

/// What a commit says.
pub(super) struct Commit {
    pub(super) tree: ObjectId,
    pub(super) time: i64,
}

/// A name in a folder of a repository.
pub(super) struct Named {
    pub(super) name: Vec<u8>,
    pub(super) kind: NamedKind,
    pub(super) id: ObjectId,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedKind {
    Folder,
    Link,
    File { executable: bool },
    Submodule,
}

impl Pack {
    /// Reads a pack from its beginning to its end, to learn the names of its objects.
    pub(super) fn read(path: &Path, address: &str, limits: &SourceLimits, stop: Stop) -> Result<Self, SourceError> {
        let invalid = |_| broken(address);
        let file = File::at(path, gix_hash::Kind::Sha1).map_err(invalid)?;
        let memory = limits.object.saturating_mul(2).saturating_add(INSTRUCTIONS);
        let mut pack = Self {
            file: file.with_alloc_limit_bytes(Some(usize::try_from(memory).unwrap_or(usize::MAX))),
            offsets: HashMap::new(),
            cache: MemoryCappedHashmap::new(CACHE),
            inflate: Inflate::default(),
            buffer: Vec::new(),
            limits: *limits,
            address: address.to_owned(),
            stop,
        };
        pack.learn_names()?;
        Ok(pack)
    }

    fn learn_names(&mut self) -> Result<(), SourceError> {
        let objects = u64::from(self.file.num_objects());
        if objects > self.limits.objects {
            return Err(SourceError::TooLarge(format!(
                "{} sent a pack of {objects} objects; the limit is {}",
                self.address, self.limits.objects
            )));
        }
        let mut unpacked = 0_u64;
        let mut offset = HEADER;
        // Those that are made from an object further on in the pack, which git itself does not send.
        let mut waiting = Vec::new();
        for _ in 0..objects {
            self.stop.check()?;
            let entry = self.entry(offset)?;
            self.check_size(entry.decompressed_size)?;
            let after_header = entry.data_offset;
            let is_resolvable = match entry.header {
                Header::RefDelta { base_id } => self.offsets.contains_key(&base_id),
                Header::OfsDelta { base_distance } => {
                    entry.checked_base_pack_offset(base_distance).is_some_and(|base| base >= HEADER)
                }
                _ => true,
            };
            let length = if is_resolvable {
                let (kind, length) = self.decode(entry)?;
                self.name(kind, offset)?;
                unpacked += self.buffer.len() as u64;
                length
            } else {
                waiting.push(offset);
                unpacked += entry.decompressed_size;
                self.skip(&entry)?
            };
            self.check_unpacked(unpacked)?;
            offset = after_header + length;
        }
        self.resolve_waiting(waiting, unpacked)
    }

    fn resolve_waiting(&mut self, mut waiting: Vec<u64>, mut unpacked: u64) -> Result<(), SourceError> {
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut still_waiting = Vec::new();
            for offset in waiting {
                self.stop.check()?;
                let entry = self.entry(offset)?;
                if matches!(entry.header, Header::RefDelta { base_id } if self.offsets.contains_key(&base_id)) {
                    let (kind, _) = self.decode(entry)?;
                    unpacked += self.buffer.len() as u64;
                    self.check_unpacked(unpacked)?;
                    self.name(kind, offset)?;
                } else {
                    still_waiting.push(offset);
                }
            }
            if still_waiting.len() == before {
                return Err(broken(&self.address));
            }
            waiting = still_waiting;
        }
        Ok(())
    }

    /// Gives the object in the buffer its name.
    fn name(&mut self, kind: Kind, offset: u64) -> Result<(), SourceError> {
        let id =
            gix_object::compute_hash(gix_hash::Kind::Sha1, kind, &self.buffer).map_err(|_| broken(&self.address))?;
        self.offsets.insert(id, offset);
        Ok(())
    }

    /// Whether the pack has an object.
    pub(super) fn has(&self, id: &ObjectId) -> bool {
        self.offsets.contains_key(id)
    }

    /// What a commit says.
    pub(super) fn commit(&mut self, id: &ObjectId) -> Result<Commit, SourceError> {
        self.object(id, Kind::Commit)?;
        let commit = CommitRef::from_bytes(&self.buffer, gix_hash::Kind::Sha1).map_err(|_| broken(&self.address))?;
        let time = commit.time().map_err(|_| broken(&self.address))?.seconds;
        Ok(Commit { tree: commit.tree(), time })
    }

    /// The names in a folder.
    pub(super) fn folder(&mut self, id: &ObjectId) -> Result<Vec<Named>, SourceError> {
        self.object(id, Kind::Tree)?;
        let mut named = Vec::new();
        for entry in TreeRefIter::from_bytes(&self.buffer, gix_hash::Kind::Sha1) {
            let entry = entry.map_err(|_| broken(&self.address))?;
            let kind = match entry.mode.kind() {
                gix_object::tree::EntryKind::Tree => NamedKind::Folder,
                gix_object::tree::EntryKind::Blob => NamedKind::File { executable: false },
                gix_object::tree::EntryKind::BlobExecutable => NamedKind::File { executable: true },
                gix_object::tree::EntryKind::Link => NamedKind::Link,
                gix_object::tree::EntryKind::Commit => NamedKind::Submodule,
            };
            named.push(Named { name: entry.filename.to_vec(), kind, id: entry.oid.to_owned() });
            if named.len() as u64 > self.limits.files {
                return Err(SourceError::TooLarge(format!(
                    "{} has a folder of more than {} names, which is the limit for files, folders and links",
                    self.address, self.limits.files
                )));
            }
        }
        Ok(named)
    }

    /// The content of a file or the target of a link.
    pub(super) fn content(&mut self, id: &ObjectId) -> Result<&[u8], SourceError> {
        self.object(id, Kind::Blob)?;
        Ok(&self.buffer)
    }

    /// Puts an object into the buffer.
    fn object(&mut self, id: &ObjectId, expected: Kind) -> Result<(), SourceError> {
        self.stop.check()?;
        let offset = self.offsets.get(id).copied().ok_or_else(|| {
            SourceError::Invalid(format!("{} did not send the {expected} {id}, which the commit names", self.address))
        })?;
        let entry = self.entry(offset)?;
        let (kind, _) = self.decode(entry)?;
        if kind == expected { Ok(()) } else { Err(broken(&self.address)) }
    }

    fn entry(&self, offset: u64) -> Result<Entry, SourceError> {
        self.file.entry(offset).map_err(|_| broken(&self.address))
    }

    /// Puts an object together in the buffer, and says what it is and how long it is in the pack.
    fn decode(&mut self, entry: Entry) -> Result<(Kind, u64), SourceError> {
        let (file, offsets) = (&self.file, &self.offsets);
        let base = |id: &gix_hash::oid, _: &mut Vec<u8>| match offsets.get(id) {
            Some(offset) => file.entry(*offset).map(ResolvedBase::InPack).map(Some),
            None => Ok(None),
        };
        let decoded = file.decode_entry(entry, &mut self.buffer, &mut self.inflate, &base, &mut self.cache);
        let outcome = decoded.map_err(|error| {
            if error.is_resource_exhausted() { self.object_too_large() } else { broken(&self.address) }
        })?;
        self.check_size(self.buffer.len() as u64)?;
        Ok((outcome.kind, outcome.compressed_size as u64))
    }

    /// The length in the pack of an object that cannot be put together yet.
    fn skip(&mut self, entry: &Entry) -> Result<u64, SourceError> {
        let size = usize::try_from(entry.decompressed_size).map_err(|_| self.object_too_large())?;
        self.buffer.clear();
        self.buffer.resize(size, 0);
        let read = self.file.decompress_entry(entry, &mut self.inflate, &mut self.buffer);
        read.map(|length| length as u64).map_err(|_| broken(&self.address))
    }

    fn check_size(&self, size: u64) -> Result<(), SourceError> {
        if size > self.limits.object { Err(self.object_too_large()) } else { Ok(()) }
    }

    fn check_unpacked(&self, unpacked: u64) -> Result<(), SourceError> {
        if unpacked <= self.limits.unpacked_pack {
            return Ok(());
        }
        Err(SourceError::TooLarge(format!(
            "the objects that {} sent have more than {} together, which is the limit",
            self.address,
            for_people(self.limits.unpacked_pack)
        )))
    }

    fn object_too_large(&self) -> SourceError {
        SourceError::TooLarge(format!(
            "{} has a file or another object of more than {}, which is the limit for one",
            self.address,
            for_people(self.limits.object)
        ))
    }
}

fn broken(address: &str) -> SourceError {
    SourceError::Invalid(format!("{address} sent objects that are damaged"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    const BLOB: u8 = 3;
    const OFFSET_DELTA: u8 = 6;
    const REFERENCE_DELTA: u8 = 7;

    /// A number in parts of seven bits, the lowest first, with a mark on all but the last.
    fn varint(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let part = u8::try_from(number & 0x7f).unwrap();
            number >>= 7;
            bytes.push(if number > 0 { part | 0x80 } else { part });
            if number == 0 {
                return bytes;
            }
        }
    }

    /// An object as it lies in a pack: its kind and size, what names the object that it is made from, its content.
    fn object(kind: u8, base: &[u8], content: &[u8]) -> Vec<u8> {
        let first = kind << 4 | u8::try_from(content.len() & 15).unwrap();
        let rest = content.len() >> 4;
        let mut bytes = if rest > 0 { [vec![first | 0x80], varint(rest)].concat() } else { vec![first] };
        bytes.extend_from_slice(base);
        let mut encoder = ZlibEncoder::new(bytes, Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// How an object of this size is made by copying the whole base so many times.
    fn copies(base: usize, times: usize) -> Vec<u8> {
        let mut delta = [varint(base), varint(base * times)].concat();
        for _ in 0..times {
            // Copy from offset 0, with one byte of size.
            delta.extend_from_slice(&[0x90, u8::try_from(base).unwrap()]);
        }
        delta
    }

    fn read(objects: &[Vec<u8>], limits: SourceLimits) -> Result<Pack, SourceError> {
        let count = u32::try_from(objects.len()).unwrap();
        let mut bytes = [&b"PACK\0\0\0\x02"[..], &count.to_be_bytes()].concat();
        bytes.extend(objects.concat());
        bytes.extend([0; 20]);
        read_bytes(&bytes, limits)
    }

    fn read_bytes(bytes: &[u8], limits: SourceLimits) -> Result<Pack, SourceError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Pack::read(file.path(), "the server", &limits, Stop::default())
    }

    fn blob(content: &[u8]) -> ObjectId {
        gix_object::compute_hash(gix_hash::Kind::Sha1, Kind::Blob, content).unwrap()
    }

    fn too_large(result: Result<Pack, SourceError>) -> String {
        match result {
            Err(SourceError::TooLarge(sentence)) => sentence,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it is accepted"),
        }
    }

    #[test]
    fn objects_are_found_however_they_are_stored() {
        let base = object(BLOB, b"", b"0123456789");
        let before = u8::try_from(base.len()).unwrap();
        let by_offset = object(OFFSET_DELTA, &[before], &copies(10, 2));
        // Made from an object that comes after it, which is made from another.
        let by_name = object(REFERENCE_DELTA, blob(b"later").as_bytes(), &copies(5, 3));
        let later = object(BLOB, b"", b"later");
        let mut pack = read(&[base, by_offset, by_name, later], SourceLimits::default()).unwrap();
        for content in [&b"0123456789"[..], b"01234567890123456789", b"laterlaterlater", b"later"] {
            assert_eq!(pack.content(&blob(content)).unwrap(), content);
        }
        assert!(!pack.has(&blob(b"other")));
        assert!(pack.commit(&blob(b"later")).is_err(), "a file is no commit");
    }

    #[test]
    fn a_pack_has_limits() {
        let limits = SourceLimits { object: 100, unpacked_pack: 150, objects: 3, ..SourceLimits::default() };
        let sentence = too_large(read(&[object(BLOB, b"", &[7; 101])], limits));
        assert_eq!(
            sentence,
            "the server has a file or another object of more than 100 bytes, which is the limit for one"
        );
        let many: Vec<_> = (0..4_u8).map(|number| object(BLOB, b"", &[number])).collect();
        assert_eq!(too_large(read(&many, limits)), "the server sent a pack of 4 objects; the limit is 3");
        let sentence = too_large(read(&[object(BLOB, b"", &[1; 90]), object(BLOB, b"", &[2; 90])], limits));
        assert!(sentence.contains("more than 150 bytes together"), "{sentence}");
    }

    #[test]
    fn an_object_that_is_made_to_fill_the_memory_is_refused() {
        let base = object(BLOB, b"", &[7; 255]);
        let bomb = object(OFFSET_DELTA, &[u8::try_from(base.len()).unwrap()], &copies(255, 100_000));
        let limits = SourceLimits { object: 1 << 20, ..SourceLimits::default() };
        assert!(too_large(read(&[base, bomb], limits)).contains("more than 1 MiB"));
    }

    #[test]
    fn a_damaged_pack_is_refused_and_ends_nothing_else() {
        let whole = object(BLOB, b"", b"0123456789");
        for objects in [
            vec![whole[..4].to_vec()],
            vec![object(OFFSET_DELTA, &[100], &copies(10, 2))],
            vec![object(REFERENCE_DELTA, blob(b"not there").as_bytes(), &copies(9, 2))],
            vec![whole.clone(), object(OFFSET_DELTA, &[u8::try_from(whole.len()).unwrap()], &copies(11, 2))],
            vec![object(5, b"", b"x")],
        ] {
            assert!(matches!(read(&objects, SourceLimits::default()), Err(SourceError::Invalid(_))));
        }
        for bytes in [&b""[..], b"PACK", &[0; 40], b"PACK\0\0\0\x02\0\0\0\x01aaaaaaaaaaaaaaaaaaaaaaaa"] {
            assert!(matches!(read_bytes(bytes, SourceLimits::default()), Err(SourceError::Invalid(_))));
        }
    }

    #[test]
    fn a_pack_that_nobody_waits_for_is_not_read_on() {
        let stop = Stop::default();
        stop.set();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[b"PACK\0\0\0\x02\0\0\0\x01".as_slice(), &object(BLOB, b"", b"x"), &[0; 20]].concat()).unwrap();
        let result = Pack::read(file.path(), "the server", &SourceLimits::default(), stop);
        assert_eq!(result.err(), Some(SourceError::stopped()));
    }
}
