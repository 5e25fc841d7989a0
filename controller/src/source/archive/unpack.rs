//! The files of an archive, into the store. Nothing is made under a name that the archive has.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use super::bounded::{Bounds, Packed, Unpacked};
use crate::source::paths::{TreeBuilder, clean, link_target};
use crate::source::stop::Stop;
use crate::source::store::PutError;
use crate::source::{SourceEntry, SourceError, SourceTree};

/// How many bytes the headers of one entry may have, long names and extended headers included.
const LONGEST_HEADERS: u64 = 1 << 20;
/// Where a tar archive says that it is one, and with what.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");
/// The size of tar's blocks; the smallest archive has two.
const BLOCK: usize = 512;

/// Reads an archive into a tree.
pub(super) fn unpack(file: File, address: &str, mut tree: TreeBuilder, stop: Stop) -> Result<SourceTree, SourceError> {
    let bounds = Bounds::new(&tree.limits, stop);
    bounds.begin_part(LONGEST_HEADERS);
    let mut packed = BufReader::with_capacity(128 << 10, Packed(file, Rc::clone(&bounds)));
    let start = packed.fill_buf().map_err(|error| unreadable(&bounds, address, &error))?;
    let format = format_of(start).map_err(|problem| SourceError::Invalid(format!("{address} {problem}")))?;
    let time = match format {
        Format::Tar => add_all(Unpacked(packed, Rc::clone(&bounds)), &bounds, address, &mut tree),
        Format::Gzip => add_all(Unpacked(MultiGzDecoder::new(packed), Rc::clone(&bounds)), &bounds, address, &mut tree),
    }?;
    Ok(tree.finish(time))
}

#[derive(Debug, PartialEq, Eq)]
enum Format {
    Tar,
    Gzip,
}

/// What an archive is, by its first bytes; its name and what the server calls it may be wrong.
fn format_of(start: &[u8]) -> Result<Format, String> {
    const SUPPORTED: &str = "supported are tar, and tar with gzip around it";
    let named: &[(&[u8], &str)] = &[
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"BZh", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"PK", "a zip archive"),
    ];
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Format::Gzip);
    }
    if let Some((_, name)) = named.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(format!("is {name}, which is not supported; {SUPPORTED}"));
    }
    let (at, magic) = TAR_MAGIC;
    let is_empty_tar = start.len() >= 2 * BLOCK && start[..2 * BLOCK].iter().all(|byte| *byte == 0);
    if start.get(at..).is_some_and(|rest| rest.starts_with(magic)) || is_empty_tar {
        return Ok(Format::Tar);
    }
    Err(format!("is not an archive; {SUPPORTED}"))
}

/// Adds all entries, and gives the newest time among them.
fn add_all(reader: impl Read, bounds: &Bounds, address: &str, tree: &mut TreeBuilder) -> Result<i64, SourceError> {
    let mut archive = Archive::new(reader);
    let mut newest = 0;
    bounds.begin_part(LONGEST_HEADERS);
    let entries = archive.entries().map_err(|error| unreadable(bounds, address, &error))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| unreadable(bounds, address, &error))?;
        newest = newest.max(i64::try_from(entry.header().mtime().unwrap_or(0)).unwrap_or(0));
        // What an entry has, and the rest of its last block.
        bounds.begin_part(entry.size().saturating_add(BLOCK as u64));
        add(&mut entry, tree).map_err(|problem| match problem {
            Problem::Refused(error) => error,
            Problem::Unreadable(error) => unreadable(bounds, address, &error),
        })?;
        // What was not read is passed over now, so that the next headers are all that the next part has.
        std::io::copy(&mut entry, &mut std::io::sink()).map_err(|error| unreadable(bounds, address, &error))?;
        bounds.begin_part(LONGEST_HEADERS);
    }
    Ok(newest)
}

enum Problem {
    Refused(SourceError),
    Unreadable(std::io::Error),
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        Self::Refused(error)
    }
}

fn add(entry: &mut Entry<'_, impl Read>, tree: &mut TreeBuilder) -> Result<(), Problem> {
    let kind = entry.header().entry_type();
    // The comment that `git archive` puts in front.
    if kind == EntryType::XGlobalHeader {
        return Ok(());
    }
    let Some(path) = clean(&entry.path_bytes())? else { return Ok(()) };
    let added = match kind {
        EntryType::Directory => SourceEntry::Folder,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => file(entry, tree)?,
        EntryType::Symlink => {
            let target = entry.link_name_bytes().unwrap_or_default();
            SourceEntry::Link { target: link_target(&path, &target)? }
        }
        EntryType::Link => linked(&path, entry, tree)?,
        EntryType::Char | EntryType::Block => return Err(special(&path, "a device").into()),
        EntryType::Fifo => return Err(special(&path, "a named pipe").into()),
        _ => return Err(special(&path, "of a kind that is not known").into()),
    };
    Ok(tree.add(&path, added)?)
}

fn file(entry: &mut Entry<'_, impl Read>, tree: &mut TreeBuilder) -> Result<SourceEntry, Problem> {
    tree.check_room(entry.size())?;
    let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
    let (content, size) = tree.hold.put_all_of(entry).map_err(|error| match error {
        PutError::Read(error) => Problem::Unreadable(error),
        PutError::Store(error) => Problem::Refused(error),
    })?;
    Ok(SourceEntry::File { executable, size, content })
}

/// A hard link is another name for a file that came before it in the same archive, and for nothing else.
fn linked(path: &str, entry: &Entry<'_, impl Read>, tree: &TreeBuilder) -> Result<SourceEntry, SourceError> {
    let target = clean(&entry.link_name_bytes().unwrap_or_default())?.unwrap_or_default();
    match tree.get(&target) {
        Some(file @ SourceEntry::File { .. }) => Ok(file.clone()),
        _ => Err(SourceError::Unsafe(format!(
            "\"{}\" in the archive is a hard link to \"{}\", which is no file that came before it",
            path.escape_debug(),
            target.escape_debug()
        ))),
    }
}

fn special(path: &str, kind: &str) -> SourceError {
    SourceError::Unsafe(format!(
        "\"{}\" in the archive is {kind}; a source holds only files, folders and links",
        path.escape_debug()
    ))
}

fn unreadable(bounds: &Bounds, address: &str, error: &std::io::Error) -> SourceError {
    let damaged = || {
        let kind =
            if error.kind() == std::io::ErrorKind::UnexpectedEof { "it ends too early" } else { "it is damaged" };
        SourceError::Invalid(format!("the archive {address} cannot be read: {kind}"))
    };
    bounds.problem().unwrap_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};
    use tempfile::TempDir;

    use super::*;
    use crate::source::SourceLimits;
    use crate::source::store::ContentStore;

    /// An archive whose names are written as they are, however bad.
    fn archive(entries: &[(&str, EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, target, content) in entries {
            let mut header = Header::new_gnu();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(if content.starts_with(b"#!") { 0o755 } else { 0o644 });
            header.set_mtime(1_700_000_000);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack_in(
        folder: &TempDir,
        bytes: &[u8],
        limits: SourceLimits,
        stop: Stop,
    ) -> Result<(SourceTree, ContentStore), SourceError> {
        let store = ContentStore::open(folder.path(), u64::MAX).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        unpack(file, "https://host/a.tar", TreeBuilder::new(&store, limits), stop).map(|tree| (tree, store))
    }

    fn read_within(bytes: &[u8], limits: SourceLimits) -> Result<SourceTree, SourceError> {
        unpack_in(&tempfile::tempdir().unwrap(), bytes, limits, Stop::default()).map(|(tree, _)| tree)
    }

    fn read(bytes: &[u8]) -> Result<SourceTree, SourceError> {
        read_within(bytes, SourceLimits::default())
    }

    fn refusal(entries: &[(&str, EntryType, &str, &[u8])]) -> SourceError {
        match read(&archive(entries)) {
            Err(error) => error,
            Ok(tree) => panic!("it is accepted: {:?}", tree.entries),
        }
    }

    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn an_archive_is_read_with_and_without_gzip() {
        let plain = archive(&[
            ("./", EntryType::Directory, "", b""),
            ("./app/run.sh", FILE, "", b"#!/bin/sh\n"),
            ("./app/link", EntryType::Symlink, "../../../etc/passwd", b""),
            ("./app/hard", EntryType::Link, "./app/run.sh", b""),
        ]);
        for bytes in [plain.clone(), gzip(&plain), [gzip(&plain[..600]), gzip(&plain[600..])].concat()] {
            let folder = tempfile::tempdir().unwrap();
            let (tree, store) = unpack_in(&folder, &bytes, SourceLimits::default(), Stop::default()).unwrap();
            let paths: Vec<_> = tree.entries.keys().map(String::as_str).collect();
            assert_eq!(paths, ["app", "app/hard", "app/link", "app/run.sh"]);
            assert_eq!(tree.entries["app/link"], SourceEntry::Link { target: "../../../etc/passwd".to_owned() });
            assert_eq!(tree.entries["app/hard"], tree.entries["app/run.sh"]);
            let SourceEntry::File { executable: true, size: 10, content } = &tree.entries["app/run.sh"] else {
                panic!("an executable file")
            };
            let text = std::io::read_to_string(store.open_content(content).unwrap()).unwrap();
            assert_eq!((text.as_str(), tree.time), ("#!/bin/sh\n", 1_700_000_000));
        }
    }

    #[test]
    fn long_names_are_read() {
        let path = format!("{}/file", "x".repeat(200));
        let mut gnu = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(1);
        gnu.append_data(&mut header, &path, &b"a"[..]).unwrap();
        let mut pax = Builder::new(Vec::new());
        pax.append_pax_extensions([("path", path.as_bytes())]).unwrap();
        let mut header = Header::new_ustar();
        header.set_size(1);
        header.set_path("short").unwrap();
        header.set_cksum();
        pax.append(&header, &b"a"[..]).unwrap();
        for bytes in [gnu.into_inner().unwrap(), pax.into_inner().unwrap()] {
            let tree = read(&bytes).unwrap();
            assert!(tree.entries.contains_key(&path), "{:?}", tree.entries.keys());
        }
    }

    #[test]
    fn what_leads_out_is_refused() {
        for (path, kind, target) in [
            ("../a", FILE, ""),
            ("a/../../b", FILE, ""),
            ("/etc/passwd", FILE, ""),
            ("a", EntryType::Link, "/etc/passwd"),
            ("a", EntryType::Link, "../a"),
            ("a", EntryType::Link, "not-there"),
            ("a", EntryType::Char, ""),
            ("a", EntryType::Block, ""),
            ("a", EntryType::Fifo, ""),
        ] {
            let error = refusal(&[(path, kind, target, b"")]);
            assert!(matches!(error, SourceError::Unsafe(_)), "{path} {kind:?} {target}: {error}");
        }
    }

    #[test]
    fn nothing_is_written_behind_a_link() {
        let link = ("a", EntryType::Symlink, "/tmp", &b""[..]);
        assert!(matches!(refusal(&[link, ("a/b", FILE, "", b"x")]), SourceError::Unsafe(_)));
        assert!(matches!(refusal(&[link, ("b", EntryType::Link, "a", b"")]), SourceError::Unsafe(_)));
    }

    #[test]
    fn what_comes_later_stands() {
        let tree = read(&archive(&[("a", FILE, "", b"one"), ("a", FILE, "", b"second")])).unwrap();
        assert!(matches!(tree.entries["a"], SourceEntry::File { size: 6, .. }));
    }

    #[test]
    fn an_archive_that_grows_too_much_is_refused() {
        let zeros = vec![0; 32 << 20];
        let bytes = gzip(&archive(&[("zeros", FILE, "", &zeros)]));
        let Err(SourceError::TooLarge(sentence)) = read(&bytes) else { panic!("it is refused") };
        assert!(sentence.starts_with("the archive grows to more than 200 times its size"), "{sentence}");
        let generous = SourceLimits { expansion: 2000, ..SourceLimits::default() };
        assert!(read_within(&bytes, generous).is_ok());
    }

    #[test]
    fn sizes_and_numbers_of_files_have_limits() {
        let limits = SourceLimits { bytes: 5, files: 2, ..SourceLimits::default() };
        let large = archive(&[("a", FILE, "", b"123456")]);
        assert!(matches!(read_within(&large, limits), Err(SourceError::TooLarge(_))));
        let many = archive(&[("a", FILE, "", b""), ("b", FILE, "", b""), ("c", FILE, "", b"")]);
        assert!(matches!(read_within(&many, limits), Err(SourceError::TooLarge(_))));
    }

    #[test]
    fn a_name_without_end_is_refused_before_it_fills_the_memory() {
        let name = vec![b'x'; 4 << 20];
        let bytes = archive(&[("././@LongLink", EntryType::GNULongName, "", &name), ("a", FILE, "", b"")]);
        let Err(SourceError::Invalid(sentence)) = read(&bytes) else { panic!("it is refused") };
        assert!(sentence.contains("longer than any should be"), "{sentence}");
    }

    #[test]
    fn an_archive_that_is_cut_is_refused() {
        let bytes = archive(&[("a", FILE, "", &[7; 2000])]);
        for bytes in [bytes[..1000].to_vec(), gzip(&bytes)[..40].to_vec()] {
            assert!(matches!(read(&bytes), Err(SourceError::Invalid(_))));
        }
    }

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        assert_eq!(format_of(&archive(&[("a", FILE, "", b"")])), Ok(Format::Tar));
        assert_eq!(format_of(&archive(&[])), Ok(Format::Tar));
        for (bytes, name) in [
            (&b"\x28\xb5\x2f\xfd"[..], "zstd"),
            (b"BZh9", "bzip2"),
            (b"\xfd7zXZ\0", "xz"),
            (b"PK\x03\x04", "zip"),
            (b"<html>", "not an archive"),
            (b"", "not an archive"),
        ] {
            let problem = format_of(bytes).unwrap_err();
            assert!(problem.contains(name) && problem.contains("supported are tar"), "{problem}");
        }
    }

    #[test]
    fn an_archive_that_nobody_waits_for_is_not_read_on() {
        let stop = Stop::default();
        stop.set();
        let bytes = archive(&[("a", FILE, "", b"content")]);
        let folder = tempfile::tempdir().unwrap();
        let error = unpack_in(&folder, &bytes, SourceLimits::default(), stop).err();
        assert_eq!(error, Some(SourceError::stopped()));
    }
}
