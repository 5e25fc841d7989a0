//! Sources on servers of this process's own.

mod archives;
mod credentials;
mod limits;
mod repositories;
mod repository;
mod server;
mod submodules;

use std::collections::BTreeMap;

use tempfile::TempDir;

use self::repository::Repository;
use self::server::{Server, Site};
use super::{
    ArchiveSource, GitReference, GitSource, RemoteSource, SourceAuthentication, SourceCredentials, SourceEntry,
    SourceError, SourceLimits, SourceReader, SourceTree,
};

/// A reader whose store is removed with it.
struct TestReader {
    reader: SourceReader,
    folder: TempDir,
}

impl std::ops::Deref for TestReader {
    type Target = SourceReader;

    fn deref(&self) -> &SourceReader {
        &self.reader
    }
}

fn reader_within(limits: SourceLimits) -> TestReader {
    let folder = tempfile::tempdir().unwrap();
    let reader = SourceReader::new(folder.path(), 1 << 30, None, limits).unwrap();
    TestReader { reader, folder }
}

fn reader() -> TestReader {
    reader_within(SourceLimits::default())
}

/// A reader with another one's store, as after a restart.
fn restarted(reader: TestReader) -> TestReader {
    let folder = reader.folder;
    let reader = SourceReader::new(folder.path(), 1 << 30, None, SourceLimits::default()).unwrap();
    TestReader { reader, folder }
}

impl TestReader {
    /// What a source stands for now, and its files.
    async fn read(&self, source: &RemoteSource) -> Result<(String, SourceTree), SourceError> {
        let revision = self.resolve(source).await?;
        let tree = self.fetch(source, &revision).await?;
        Ok((revision.to_string(), tree))
    }

    /// The text of a file.
    fn text(&self, tree: &SourceTree, path: &str) -> String {
        match &tree.entries[path] {
            SourceEntry::File { content, .. } => {
                std::io::read_to_string(self.store().open_content(content).unwrap()).unwrap()
            }
            other => panic!("{path} is no file: {other:?}"),
        }
    }
}

fn git(url: &str, reference: GitReference) -> GitSource {
    GitSource { url: url.to_owned(), reference, submodules: false, credentials: None }
}

fn branch(url: &str, name: &str) -> RemoteSource {
    RemoteSource::Git(git(url, GitReference::Branch(name.to_owned())))
}

fn archive(url: &str) -> ArchiveSource {
    ArchiveSource { url: url.to_owned(), digest: None, credentials: None }
}

/// Credentials for a server with this certificate.
fn basic(password: &str, server: &Server) -> SourceCredentials {
    SourceCredentials {
        authentication: Some(SourceAuthentication::Basic { username: "me".to_owned(), password: password.into() }),
        certificate_authorities: Some(server.certificate.clone()),
        known_hosts: None,
    }
}

/// What a server must be shown for [`basic`] with the password `right`.
fn right() -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("me:right"))
}

fn paths(tree: &SourceTree) -> Vec<&str> {
    tree.entries.keys().map(String::as_str).collect()
}

/// A folder with one repository, `app`, and a server that gives it out by plain HTTP.
async fn served() -> (TempDir, Repository, Server) {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path().join("app"));
    repository.write("file", "one\n").commit();
    let server = Server::plain(Site { repositories: folder.path().to_owned(), ..Site::default() }).await;
    (folder, repository, server)
}

/// A tar archive with these files.
fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let files: BTreeMap<_, _> = files.iter().copied().collect();
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}
