//! The remote sources of build contexts: git repositories and archives.
//!
//! A source is first *resolved* to a revision, which asks its server as little as possible, and then *fetched*: its
//! files go into a [`ContentStore`], a folder of our own where each content lies under its SHA-256, and a
//! [`SourceTree`] says which path has which. Nothing is ever unpacked under a name that came from outside, and no
//! process is started: git's protocol and ssh are spoken by this process itself.

mod address;
mod archive;
mod credentials;
mod error;
mod git;
mod limits;
mod options;
mod paths;
mod reader;
mod reference;
mod revision;
mod stop;
mod store;
#[cfg(test)]
mod tests;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::Digest;

pub use address::shown_address;
pub use credentials::{SourceAuthentication, SourceCredentials, archive_credentials, git_credentials};
pub use error::SourceError;
pub use limits::SourceLimits;
pub use options::SourceOptions;
pub use reader::SourceReader;
pub use reference::GitReference;
pub use revision::{RevisionError, SourceRevision};
pub use store::{ContentKey, ContentStore};

/// Where files come from that are not on this machine.
#[derive(Clone, Debug)]
pub enum RemoteSource {
    /// From a git repository.
    Git(GitSource),
    /// From an archive on a web server.
    Archive(ArchiveSource),
}

/// A git repository, and which state of it.
#[derive(Clone, Debug)]
pub struct GitSource {
    /// Its address: `https://…`, `ssh://git@host/path`, `git@host:path`, or `http://…` without credentials.
    pub url: String,
    /// Which state of it.
    pub reference: GitReference,
    /// Whether the files of its submodules are wanted too. Without, they are empty folders, as git leaves them.
    pub submodules: bool,
    /// Who the server is told that we are, and how it is known.
    pub credentials: Option<SourceCredentials>,
}

/// An archive on a web server: tar, or tar with gzip around it.
#[derive(Clone, Debug)]
pub struct ArchiveSource {
    /// Its address: `https://…`, or `http://…` without credentials.
    pub url: String,
    /// What its SHA-256 must be. With it, nothing is asked to know the revision.
    pub digest: Option<Digest>,
    /// Who the server is told that we are.
    pub credentials: Option<SourceCredentials>,
}

/// The files of a revision. Their contents stay in the store for as long as this, or a clone of it, lives.
#[derive(Clone)]
pub struct SourceTree {
    /// What there is, by its path from the root, with `/` between names. Each folder is there before what is in it.
    pub entries: BTreeMap<String, SourceEntry>,
    /// When the commit was made, or for an archive the newest time in it; seconds since 1970.
    pub time: i64,
    /// Never read: it keeps the contents.
    #[expect(dead_code, reason = "it is there to be dropped")]
    hold: Arc<store::Hold>,
}

/// One thing in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEntry {
    /// A folder.
    Folder,
    /// A symbolic link, kept as it is; its target may lie anywhere and is not followed here.
    Link {
        /// What it points to.
        target: String,
    },
    /// A file.
    File {
        /// Whether it may be executed.
        executable: bool,
        /// Its bytes.
        size: u64,
        /// The SHA-256 of its content, by which the store has it.
        content: ContentKey,
    },
}
