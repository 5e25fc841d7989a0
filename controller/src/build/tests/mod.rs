//! Contexts on a real file system.

mod archive;
mod dockerfile;
mod escape;
mod fingerprints;
mod reading;
mod stored;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::cache::ContentCache;
use super::{ContextError, ContextReader, ContextSource, DockerfileSource, ReadContext};

/// A folder with these files in it.
fn folder_of(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(&folder, path, text);
    }
    folder
}

fn write(folder: impl AsRef<Path>, path: &str, text: &str) {
    let path = folder.as_ref().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn set_mode(folder: &TempDir, path: &str, mode: u32) {
    fs::set_permissions(folder.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
}

fn inline(files: &[(&str, &str)]) -> ContextSource {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
    ContextSource::Files(files.iter().map(owned).collect())
}

fn in_context(path: &str) -> DockerfileSource {
    DockerfileSource::InContext(path.to_owned())
}

fn in_folder(folder: &TempDir) -> ContextSource {
    ContextSource::Folder(folder.path().to_owned())
}

async fn read(source: ContextSource) -> Result<ReadContext, ContextError> {
    ContextReader::default().read(source, in_context("Dockerfile")).await
}

async fn read_folder(folder: &TempDir) -> ReadContext {
    read(in_folder(folder)).await.unwrap()
}

/// A reader that trusts even the files that were changed a moment ago.
fn trusting_reader() -> ContextReader {
    ContextReader::with_cache(Arc::new(ContentCache::settling_within(0)))
}

/// The same in a process of its own, whose cache on disk is in this folder.
fn reader_of_another_process(cache: &TempDir) -> ContextReader {
    let cache = ContentCache::settling_within(0).kept_in(cache.path().to_owned());
    ContextReader::with_cache(Arc::new(cache))
}

/// Every path of a context and, where it is a file, its text in the archive.
async fn unpacked(context: ReadContext) -> BTreeMap<String, String> {
    use std::io::Read;
    let bytes = archive::bytes_of(context).await.unwrap();
    tar::Archive::new(bytes.as_slice())
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.path().unwrap().to_str().unwrap().to_owned(), text)
        })
        .collect()
}

async fn names(source: ContextSource) -> Vec<String> {
    paths(&read(source).await.unwrap())
}

/// Every path of a context.
fn paths(context: &ReadContext) -> Vec<String> {
    context.entries().map(|(path, _)| path.to_string()).collect()
}
