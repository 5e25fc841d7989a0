//! Git repositories as sources.

mod checkout;
mod connection;
mod known_hosts;
mod modules;
mod pack;
mod packets;
mod session;
mod ssh;

use std::sync::Arc;

use gix_hash::ObjectId;
use reqwest::Client;
use tempfile::NamedTempFile;
use tokio::io::BufWriter;
use tokio::sync::Semaphore;

use self::checkout::{Checkout, Submodule, check_out};
use self::pack::Pack;
use self::session::{Depth, Session};
use super::address::GitAddress;
use super::paths::TreeBuilder;
use super::stop::blocking;
use super::store::ContentStore;
use super::web;
use super::{GitReference, GitSource, SourceCredentials, SourceError, SourceLimits, SourceRevision, SourceTree};

/// What is gathered in memory before it is written to the file of a pack.
const WRITE_BUFFER: usize = 1 << 20;

/// Reads git repositories.
pub(super) struct GitReader {
    pub(super) store: ContentStore,
    pub(super) limits: SourceLimits,
    /// For servers whose certificates the system trusts.
    pub(super) client: Client,
    /// Those of the reader's own authorities, for clients with more.
    pub(super) authorities: Vec<reqwest::Certificate>,
    /// How many packs may be read at the same time; reading one takes memory.
    pub(super) room: Arc<Semaphore>,
}

/// A repository whose files belong into a folder of the tree.
struct Wanted {
    address: GitAddress,
    credentials: SourceCredentials,
    commit: String,
    below: String,
    depth: u32,
}

impl GitReader {
    /// Which commit a source stands for now.
    pub(super) async fn resolve(&self, source: &GitSource) -> Result<SourceRevision, SourceError> {
        source.reference.check()?;
        let address = GitAddress::parse(&source.url)?;
        if let GitReference::Commit(commit) = &source.reference {
            return Ok(SourceRevision::of_commit(None, commit.clone()));
        }
        let credentials = source.credentials.clone().unwrap_or_default();
        let client = self.client_for(&credentials)?;
        let mut session = Session::open(&address, &credentials, &client, &self.limits).await?;
        let found = session.references(&source.reference.prefixes()).await?;
        session.close().await;
        match source.reference.choose(&found) {
            Some((name, commit)) => Ok(SourceRevision::of_commit(Some(name), commit)),
            None => Err(SourceError::ReferenceNotFound(format!("{address} does not have {}", source.reference))),
        }
    }

    /// The files of a commit, and of its submodules when they are asked for.
    pub(super) async fn fetch(&self, source: &GitSource, commit: &str) -> Result<SourceTree, SourceError> {
        let credentials = source.credentials.clone().unwrap_or_default();
        let root = GitAddress::parse(&source.url)?;
        let mut tree = TreeBuilder::new(&self.store, self.limits);
        let mut time = 0;
        let mut fetched = 0;
        let mut waiting = vec![Wanted {
            address: root.clone(),
            credentials: credentials.clone(),
            commit: commit.to_owned(),
            below: String::new(),
            depth: 0,
        }];
        while let Some(wanted) = waiting.pop() {
            let (grown, checkout) = self.add(&wanted, tree).await.map_err(|error| wanted.explain(error))?;
            tree = grown;
            if wanted.depth == 0 {
                time = checkout.time;
            }
            if !source.submodules {
                continue;
            }
            for submodule in checkout.submodules {
                fetched += 1;
                self.check_submodules(fetched, wanted.depth + 1)?;
                waiting.push(wanted.submodule(submodule, &root, &credentials)?);
            }
        }
        Ok(tree.finish(time))
    }

    /// Adds the files of one repository.
    async fn add(&self, wanted: &Wanted, tree: TreeBuilder) -> Result<(TreeBuilder, Checkout), SourceError> {
        let store = self.store.clone();
        let file = blocking(move |_| store.temporary()).await?;
        let depth = self.download(wanted, &file).await?;
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(SourceError::store)?;
        let id = ObjectId::from_hex(wanted.commit.as_bytes()).map_err(|_| {
            SourceError::Invalid(format!("\"{}\" is not a commit of a SHA-1 repository", wanted.commit))
        })?;
        let (address, limits, below) = (wanted.address.to_string(), self.limits, wanted.below.clone());
        blocking(move |stop| {
            let _room = room;
            let mut tree = tree;
            let mut pack = Pack::read(file.path(), &address, &limits, stop)?;
            if !pack.has(&id) {
                let history = if depth == Depth::Whole { " in its branches and tags" } else { "" };
                return Err(SourceError::ReferenceNotFound(format!(
                    "{address} does not have the commit {id}{history}"
                )));
            }
            let checkout = check_out(&mut pack, &id, &below, &mut tree)?;
            Ok((tree, checkout))
        })
        .await
    }

    async fn download(&self, wanted: &Wanted, file: &NamedTempFile) -> Result<Depth, SourceError> {
        let client = self.client_for(&wanted.credentials)?;
        let mut session = Session::open(&wanted.address, &wanted.credentials, &client, &self.limits).await?;
        let file = file.as_file().try_clone().map_err(SourceError::store)?;
        let mut writer = BufWriter::with_capacity(WRITE_BUFFER, tokio::fs::File::from_std(file));
        let depth = session.pack(&wanted.commit, &mut writer).await?;
        session.close().await;
        Ok(depth)
    }

    fn client_for(&self, credentials: &SourceCredentials) -> Result<Client, SourceError> {
        let Some(pem) = &credentials.certificate_authorities else { return Ok(self.client.clone()) };
        let more = web::certificates_in(pem.as_bytes(), "the key ca.crt of the source's Secret")?;
        web::client(self.authorities.iter().cloned().chain(more).collect(), &self.limits)
    }

    fn check_submodules(&self, fetched: u32, depth: u32) -> Result<(), SourceError> {
        let limits = &self.limits;
        if fetched > limits.submodules {
            return Err(SourceError::TooLarge(format!(
                "the repository has more than {} submodules, which is the limit",
                limits.submodules
            )));
        }
        if depth > limits.submodule_depth {
            return Err(SourceError::TooLarge(format!(
                "submodules lie more than {} deep in one another, which is the limit",
                limits.submodule_depth
            )));
        }
        Ok(())
    }
}

impl Wanted {
    /// The repository of a submodule. Only where it is on exactly the server of the source itself is it shown the
    /// source's secrets.
    fn submodule(
        &self,
        submodule: Submodule,
        root: &GitAddress,
        credentials: &SourceCredentials,
    ) -> Result<Self, SourceError> {
        let Submodule { path, commit, address } = submodule;
        let address = address.ok_or_else(|| {
            SourceError::Invalid(format!("the submodule \"{path}\" of {} has no address in .gitmodules", self.address))
        })?;
        let address = self.address.submodule(&address).map_err(|error| {
            error.reworded(|sentence| format!("the submodule \"{path}\" of {}: {sentence}", self.address))
        })?;
        let credentials =
            if address.is_same_server(root) { credentials.clone() } else { credentials.without_secrets() };
        Ok(Self { address, credentials, commit, below: path, depth: self.depth + 1 })
    }

    /// Says which submodule an error is about.
    fn explain(&self, error: SourceError) -> SourceError {
        if self.below.is_empty() {
            return error;
        }
        error.reworded(|sentence| format!("the submodule \"{}\": {sentence}", self.below))
    }
}
