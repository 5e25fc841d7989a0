//! Resolving and fetching sources.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::archive::ArchiveReader;
use super::git::GitReader;
use super::stop::blocking;
use super::store::ContentStore;
use super::web;
use super::{RemoteSource, SourceCredentials, SourceError, SourceLimits, SourceRevision, SourceTree};

/// How many packs are read at the same time. One at its worst takes half of the memory that the chart gives.
const PACKS_AT_ONCE: usize = 1;

/// Reads remote sources into a [`ContentStore`].
///
/// # Guarantees
/// - Credentials are sent to exactly the scheme, host and port of the source, never by plain HTTP, and not after a
///   redirect to another. ssh servers must show a key that `known_hosts` has.
/// - A revision that lies in the store is given only to who asks with the same address and credentials that it was
///   fetched with. To others it is fetched anew, so that its server decides who may have it.
/// - Everything has a limit, [`SourceLimits`]. A future that is dropped ends what was done for it.
///
/// # Caveats
/// A context is what the commit or the archive holds: Git LFS pointers stay pointers, and neither `.gitattributes`
/// nor line endings change anything.
pub struct SourceReader {
    store: ContentStore,
    limits: SourceLimits,
    git: GitReader,
    archives: ArchiveReader,
}

impl SourceReader {
    /// A reader with its store in a folder, which is made when it is not there and may have so many bytes, and that
    /// trusts the certificate authorities in a PEM file as well, when one is named.
    pub fn new(
        folder: &Path,
        most_bytes: u64,
        authorities: Option<&Path>,
        limits: SourceLimits,
    ) -> Result<Self, SourceError> {
        let store = ContentStore::open(folder, most_bytes)?;
        let authorities = match authorities {
            None => Vec::new(),
            Some(file) => {
                let shown = file.display().to_string();
                let pem = std::fs::read(file).map_err(|error| {
                    SourceError::Other(format!("the certificates in {shown} cannot be read: {error}"))
                })?;
                web::certificates_in(&pem, &shown)?
            }
        };
        let client = web::client(authorities.clone(), &limits)?;
        let git = GitReader {
            store: store.clone(),
            limits,
            client: client.clone(),
            authorities: authorities.clone(),
            room: Arc::new(Semaphore::new(PACKS_AT_ONCE)),
        };
        let archives =
            ArchiveReader { store: store.clone(), limits, client, authorities, last_states: Mutex::default() };
        Ok(Self { store, limits, git, archives })
    }

    /// Where the contents of trees are found.
    pub fn store(&self) -> &ContentStore {
        &self.store
    }

    /// Which revision a source stands for now. Its server is asked as little as possible: a git server for the
    /// references that may be meant, a web server whether an archive is still the same. Where the source names a
    /// commit or a digest, nobody is asked.
    pub async fn resolve(&self, source: &RemoteSource) -> Result<SourceRevision, SourceError> {
        self.in_time(async {
            match source {
                RemoteSource::Git(git) => self.git.resolve(git).await,
                RemoteSource::Archive(archive) => self.archives.resolve(archive).await,
            }
        })
        .await
    }

    /// The files of a revision, out of the store when they are all there.
    pub async fn fetch(&self, source: &RemoteSource, revision: &SourceRevision) -> Result<SourceTree, SourceError> {
        self.in_time(async {
            let name = self.name_of(source, revision);
            if let Some(tree) = self.remembered(name.clone()).await? {
                return Ok(tree);
            }
            let tree = match (source, revision.commit(), revision.digest()) {
                (RemoteSource::Git(git), Some(commit), _) => self.git.fetch(git, commit).await?,
                (RemoteSource::Archive(archive), _, Some(digest)) => self.archives.fetch(archive, digest).await?,
                _ => return Err(SourceError::Invalid(format!("{revision} is no revision of such a source"))),
            };
            self.remember(name, tree.clone()).await?;
            Ok(tree)
        })
        .await
    }

    /// A name for a revision that only those can make who know the source's address and credentials.
    fn name_of(&self, source: &RemoteSource, revision: &SourceRevision) -> String {
        let (kind, url, credentials) = match source {
            RemoteSource::Git(git) if git.submodules => ("git with submodules", &git.url, &git.credentials),
            RemoteSource::Git(git) => ("git", &git.url, &git.credentials),
            RemoteSource::Archive(archive) => ("files of archive", &archive.url, &archive.credentials),
        };
        let what = match (revision.commit(), revision.digest()) {
            (Some(commit), _) => commit,
            (None, digest) => digest.map_or("", crate::app::Digest::as_str),
        };
        let nobody = SourceCredentials::default();
        let who = credentials.as_ref().unwrap_or(&nobody).parts();
        self.store.name_of(&[&[kind, url.as_str(), what], who.as_slice()].concat())
    }

    async fn remembered(&self, name: String) -> Result<Option<SourceTree>, SourceError> {
        let store = self.store.clone();
        blocking(move |_| Ok(store.remembered_tree(&name))).await
    }

    async fn remember(&self, name: String, tree: SourceTree) -> Result<(), SourceError> {
        let store = self.store.clone();
        blocking(move |_| store.remember_tree(&name, &tree)).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
        match tokio::time::timeout(self.limits.time, work).await {
            Ok(result) => result,
            Err(_) => Err(SourceError::Unreachable(format!(
                "the source was not read within {} seconds, which is the limit",
                self.limits.time.as_secs()
            ))),
        }
    }
}
