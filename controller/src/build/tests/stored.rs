//! Contexts whose files lie in a store of contents, as those of a commit do.

use std::collections::BTreeMap;
use std::io;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::build::{ContentStore, StoredEntry, StoredFiles};

/// A folder with a file for each content, named by its digest in hexadecimal.
struct FolderStore(TempDir);

impl ContentStore for FolderStore {
    fn open(&self, sha256: &[u8; 32]) -> io::Result<fs::File> {
        fs::File::open(self.0.path().join(name_of(sha256)))
    }
}

fn name_of(sha256: &[u8]) -> String {
    crate::app::Digest::from_sha256(sha256).to_string()
}

/// A commit with these files, and the folder that its contents lie in.
fn commit(files: &[(&str, &str)], folder: Option<&str>) -> (StoredFiles, std::path::PathBuf) {
    let contents = tempfile::tempdir().unwrap();
    let entries: BTreeMap<String, StoredEntry> = files
        .iter()
        .map(|(path, text)| {
            let sha256: [u8; 32] = Sha256::digest(text).into();
            fs::write(contents.path().join(name_of(&sha256)), text).unwrap();
            let entry = StoredEntry::File { size: text.len() as u64, sha256, executable: path.starts_with("bin/") };
            ((*path).to_owned(), entry)
        })
        .collect();
    let path = contents.path().to_owned();
    let stored = StoredFiles {
        entries: Arc::new(entries),
        store: Arc::new(FolderStore(contents)),
        folder: folder.map(str::to_owned),
        modified: 1_700_000_000,
    };
    (stored, path)
}

const FILES: &[(&str, &str)] = &[
    ("app/.dockerignore", "*.tmp\n"),
    ("app/Dockerfile", "FROM scratch\nADD . /\n"),
    ("app/src/a.js", "1"),
    ("app/x.tmp", "2"),
    ("docker/Dockerfile", "FROM scratch\n"),
    ("README.md", "3"),
];

#[tokio::test]
async fn a_folder_of_a_commit_is_what_it_is_on_disk() {
    let (stored, _contents) = commit(FILES, Some("app"));
    let of_commit = read(ContextSource::Stored(stored)).await.unwrap();
    let folder = folder_of(FILES);
    let of_folder = read(ContextSource::Folder(folder.path().join("app"))).await.unwrap();
    assert_eq!(of_commit.digest(), of_folder.digest());
    assert_eq!((of_commit.files(), of_commit.files_read()), (3, 0));
    assert_eq!(of_commit.modified(), 1_700_000_000);
    assert_eq!(unpacked(of_commit).await, unpacked(of_folder).await);
}

#[tokio::test]
async fn the_whole_of_a_commit_may_be_the_context() {
    let (stored, _contents) = commit(&[("Dockerfile", "FROM scratch\n"), ("bin/run", "1")], None);
    let names = unpacked(read(ContextSource::Stored(stored)).await.unwrap()).await;
    assert_eq!(names.into_keys().collect::<Vec<_>>(), ["Dockerfile", "bin", "bin/run"]);
}

#[tokio::test]
async fn a_dockerfile_elsewhere_in_the_commit_is_found_and_none_outside_of_it() {
    let (stored, _contents) = commit(FILES, Some("app"));
    let read_with = async |path: &str| {
        let dockerfile = DockerfileSource::Beside(path.to_owned());
        ContextReader::default().read(ContextSource::Stored(stored.clone()), dockerfile).await
    };
    let context = read_with("../docker/Dockerfile").await.unwrap();
    assert_eq!(context.dockerfile().text(), b"FROM scratch\n");
    let error = read_with("../../docker/Dockerfile").await.err().unwrap();
    assert!(matches!(error, ContextError::Path { .. }), "{error}");
}

#[tokio::test]
async fn a_store_cannot_pass_off_another_content() {
    let (stored, contents) = commit(FILES, Some("app"));
    let context = read(ContextSource::Stored(stored.clone())).await.unwrap();
    let path = contents.join(name_of(&Sha256::digest("1")));
    for text in ["2", "", "12"] {
        fs::write(&path, text).unwrap();
        let (_, error) = archive::error_of(read(ContextSource::Stored(stored.clone())).await.unwrap()).await;
        assert!(error.starts_with("\"src/a.js\" changed"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let (_, error) = archive::error_of(context).await;
    assert!(error.starts_with("\"src/a.js\" in the build context cannot be read"), "{error}");
}

#[tokio::test]
async fn a_folder_that_the_commit_does_not_have_is_named() {
    let (stored, _contents) = commit(FILES, Some("nowhere"));
    let error = read(ContextSource::Stored(stored)).await.err().unwrap().to_string();
    assert!(error.contains("nowhere") && error.contains("no such folder in the source"), "{error}");
}
