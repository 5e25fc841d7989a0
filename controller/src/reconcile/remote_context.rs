//! Contexts that lie on a server: git repositories, archives, and what Flux offers.

use longshore_crds::{GitContext, GitReference as GitReferenceSpec, HttpContext, LocalReference, SourceReference};

use super::build_context::{Found, refused};
use super::dereference::Dereference;
use super::resources::ArtifactState;
use super::source_store::{FoundSource, SourceAddress, SourceState};
use super::{ResourceError, SecretData};
use crate::app::{Block, Origin, Part, Reason};
use crate::build::StoredFiles;
use crate::source::{
    ArchiveSource, GitReference, GitSource, RemoteSource, SourceCredentials, SourceError, archive_credentials,
    git_credentials, shown_address,
};

/// The files of a remote source, and where it stands.
pub(super) struct RemoteContext {
    pub(super) files: StoredFiles,
    pub(super) revision: String,
    pub(super) origin: Option<Origin>,
    /// Why it may be older than its source is.
    pub(super) trouble: Option<Block>,
}

type Credentials =
    fn(&str, &std::collections::BTreeMap<String, Vec<u8>>, &str) -> Result<SourceCredentials, SourceError>;

impl Dereference<'_> {
    pub(super) async fn git(&self, git: &GitContext) -> Found<RemoteContext> {
        let reference = match git.reference.as_ref().map_or(Ok(GitReference::Default), git_reference) {
            Ok(reference) => reference,
            Err(block) => return Ok(Err(block)),
        };
        let credentials = match self.source_credentials(git.secret_ref.as_ref(), &git.url, git_credentials).await? {
            Ok(credentials) => credentials,
            Err(block) => return Ok(Err(block)),
        };
        let source = RemoteSource::Git(GitSource {
            url: git.url.clone(),
            reference,
            submodules: git.recurse_submodules,
            credentials,
        });
        let found = self.remote(&SourceAddress::Git(git.clone()), source, &git.url);
        Ok(found.map(|(found, trouble)| RemoteContext {
            origin: found
                .revision
                .commit()
                .map(|commit| Origin { url: shown_address(&git.url), revision: commit.to_owned() }),
            ..context_of(found, git.path.as_ref(), trouble)
        }))
    }

    pub(super) async fn archive(&self, http: &HttpContext) -> Found<RemoteContext> {
        let digest = match http.digest.as_deref().map(str::parse).transpose() {
            Ok(digest) => digest,
            Err(error) => return Ok(Err(refused(".http.digest", &format!("{error}")))),
        };
        let credentials =
            match self.source_credentials(http.secret_ref.as_ref(), &http.url, archive_credentials).await? {
                Ok(credentials) => credentials,
                Err(block) => return Ok(Err(block)),
            };
        let source = RemoteSource::Archive(ArchiveSource { url: http.url.clone(), digest, credentials });
        let found = self.remote(&SourceAddress::Http(http.clone()), source, &http.url);
        Ok(found.map(|(found, trouble)| context_of(found, http.path.as_ref(), trouble)))
    }

    pub(super) async fn artifact(&self, reference: &SourceReference) -> Found<RemoteContext> {
        let what = format!("the {:?} {}", reference.kind, reference.name);
        let artifact = match self.resources.artifact(reference.kind, &self.key.namespace, &reference.name).await? {
            ArtifactState::Offered(artifact) => artifact,
            ArtifactState::NotReady(why) => {
                let message = format!("{what} offers no artifact yet: {why}");
                return Ok(Err(Block::waiting(Part::Source, Reason::SourceUnavailable, message)));
            }
            ArtifactState::Absent => {
                let message = format!(
                    "{what} does not exist in the namespace {}: create it where Flux is installed, or use git or http",
                    self.key.namespace
                );
                return Ok(Err(Block::waiting(Part::Source, Reason::SourceNotFound, message)));
            }
            ArtifactState::NoCluster => {
                return Ok(Err(refused(".sourceRef", "there is no Flux without a cluster; use git, http or path")));
            }
        };
        let digest = match artifact.digest.parse() {
            Ok(digest) => digest,
            Err(error) => {
                let message = format!("{what} offers an artifact whose digest cannot be used: {error}");
                return Ok(Err(Block::waiting(Part::Source, Reason::SourceRefused, message)));
            }
        };
        let source =
            RemoteSource::Archive(ArchiveSource { url: artifact.url.clone(), digest: Some(digest), credentials: None });
        let found = self.remote(&SourceAddress::Artifact(artifact.clone()), source, &artifact.url);
        Ok(found.map(|(found, trouble)| RemoteContext {
            revision: artifact.revision,
            ..context_of(found, reference.path.as_ref(), trouble)
        }))
    }

    /// The files of a source, and why they may be old.
    fn remote(
        &self,
        address: &SourceAddress,
        source: RemoteSource,
        url: &str,
    ) -> Result<(FoundSource, Option<Block>), Block> {
        match self.sources.look_up(address, source) {
            SourceState::Found(found, trouble) => Ok((found, trouble.map(|trouble| block_of(&trouble)))),
            SourceState::Trouble(trouble) => Err(block_of(&trouble)),
            SourceState::Reading => {
                let message = format!("{} is being read", shown_address(url));
                Err(Block::waiting(Part::Source, Reason::ReadingSource, message))
            }
        }
    }

    async fn source_credentials(
        &self,
        secret: Option<&LocalReference>,
        url: &str,
        read: Credentials,
    ) -> Result<Result<Option<SourceCredentials>, Block>, ResourceError> {
        let Some(secret) = secret else {
            return Ok(Ok(None));
        };
        let Some(SecretData { kind, data }) = self.resources.secret(&self.key.namespace, &secret.name).await? else {
            return Ok(Err(self.missing(Part::Source, Reason::SecretNotFound, "Secret", &secret.name)));
        };
        Ok(read(&kind, &data, url).map(Some).map_err(|error| {
            Block::waiting(Part::Source, Reason::SecretInvalid, format!("the Secret {}: {error}", secret.name))
        }))
    }
}

fn context_of(found: FoundSource, folder: Option<&String>, trouble: Option<Block>) -> RemoteContext {
    RemoteContext {
        revision: found.revision.to_string(),
        files: StoredFiles { folder: folder.cloned(), ..found.files },
        origin: None,
        trouble,
    }
}

fn git_reference(reference: &GitReferenceSpec) -> Result<GitReference, Block> {
    match reference {
        GitReferenceSpec { branch: Some(branch), .. } => Ok(GitReference::Branch(branch.clone())),
        GitReferenceSpec { tag: Some(tag), .. } => Ok(GitReference::Tag(tag.clone())),
        GitReferenceSpec { semver: Some(range), .. } => range.parse().map(GitReference::Semver).map_err(|error| {
            let message = format!("\"{range}\" is not a range of versions, such as >=1.2, <2: {error}");
            refused(".git.ref.semver", &message)
        }),
        GitReferenceSpec { commit: Some(commit), .. } => Ok(GitReference::Commit(commit.clone())),
        GitReferenceSpec { name: Some(name), .. } => Ok(GitReference::Name(name.clone())),
        _ => Ok(GitReference::Default),
    }
}

fn block_of(error: &SourceError) -> Block {
    let reason = match error {
        SourceError::Unreachable(_) | SourceError::Other(_) => Reason::SourceUnavailable,
        SourceError::Denied(_) => Reason::SourceDenied,
        SourceError::NotFound(_) | SourceError::ReferenceNotFound(_) => Reason::SourceNotFound,
        SourceError::CertificateUnknown(_) | SourceError::HostKeyUnknown(_) | SourceError::HostKeyMismatch(_) => {
            Reason::SourceUntrusted
        }
        SourceError::TooLarge(_)
        | SourceError::Unsafe(_)
        | SourceError::DigestMismatch(_)
        | SourceError::Invalid(_) => Reason::SourceRefused,
    };
    Block::waiting(Part::Source, reason, format!("spec.image.build.context: {error}"))
}
