//! Archives on web servers as sources.

mod bounded;
mod unpack;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, StatusCode, Url};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use self::unpack::unpack;
use super::address::{archive_address, shown};
use super::limits::for_people;
use super::paths::TreeBuilder;
use super::stop::blocking;
use super::store::{ContentKey, ContentStore, Hold, key_in};
use super::web::{self, Found, Visit, no_answer};
use super::{ArchiveSource, SourceCredentials, SourceError, SourceLimits, SourceRevision, SourceTree};
use crate::app::Digest;

/// How many archives' states are remembered; when there are more, all are forgotten and downloaded again.
const MOST_REMEMBERED: usize = 4096;
/// What is gathered in memory before it is written.
const WRITE_BUFFER: usize = 1 << 20;

/// Reads archives.
pub(super) struct ArchiveReader {
    pub(super) store: ContentStore,
    pub(super) limits: SourceLimits,
    pub(super) client: Client,
    pub(super) authorities: Vec<reqwest::Certificate>,
    /// What each server last said of an archive, under names that only those know who have the credentials.
    pub(super) last_states: Mutex<HashMap<String, State>>,
}

/// What a server said of an archive that was downloaded.
#[derive(Clone)]
pub(super) struct State {
    /// What asks whether it is still the same.
    condition: (HeaderName, HeaderValue),
    content: ContentKey,
}

/// An archive in the store.
struct Downloaded {
    content: ContentKey,
    hold: Hold,
}

impl ArchiveReader {
    /// Which archive a source stands for now. Where its digest is not given it is downloaded, but not again while
    /// the server says that it is the same.
    pub(super) async fn resolve(&self, source: &ArchiveSource) -> Result<SourceRevision, SourceError> {
        let url = archive_address(&source.url)?;
        if let Some(digest) = &source.digest {
            return Ok(SourceRevision::of_archive(digest.clone()));
        }
        let name = self.name_of(source);
        let visit = self.visit(&url, source)?;
        let last = self.last_states().get(&name).cloned();
        if let Some(last) = last
            && self.is_in_store(last.content).await?
        {
            let headers = HeaderMap::from_iter([last.condition.clone()]);
            let found = visit.get(&url, &headers).await?;
            if found.response.status() == StatusCode::NOT_MODIFIED {
                return Ok(revision(&last.content));
            }
            return self.take(&visit, &url, found, &name).await.map(|downloaded| revision(&downloaded.content));
        }
        let found = visit.get(&url, &HeaderMap::new()).await?;
        self.take(&visit, &url, found, &name).await.map(|downloaded| revision(&downloaded.content))
    }

    /// The files of an archive.
    pub(super) async fn fetch(&self, source: &ArchiveSource, digest: &Digest) -> Result<SourceTree, SourceError> {
        let url = archive_address(&source.url)?;
        let name = self.name_of(source);
        let expected = key_in(digest.as_str().trim_start_matches("sha256:"));
        // An archive that lies in the store is given only to those who got it from there themselves.
        let own = self.store.remembered_content(&name).filter(|content| Some(*content) == expected);
        let downloaded = if let Some(downloaded) = self.in_store(own).await? {
            downloaded
        } else {
            let visit = self.visit(&url, source)?;
            let found = visit.get(&url, &HeaderMap::new()).await?;
            self.take(&visit, &url, found, &name).await?
        };
        if Some(downloaded.content) != expected {
            let is = revision(&downloaded.content);
            return Err(if source.digest.is_some() {
                SourceError::DigestMismatch(format!(
                    "{} is {is}, and {digest} is asked for; if the archive was changed on purpose, write its digest into the source",
                    shown(&url)
                ))
            } else {
                SourceError::Unreachable(format!("{} was changed while it was read: it is {is} now", shown(&url)))
            });
        }
        let (store, limits, address) = (self.store.clone(), self.limits, shown(&url));
        blocking(move |stop| {
            let file = store.open_content(&downloaded.content).map_err(SourceError::store)?;
            let tree = TreeBuilder::new(&store, limits);
            let tree = unpack(file, &address, tree, stop);
            drop(downloaded.hold);
            tree
        })
        .await
    }

    fn visit(&self, url: &Url, source: &ArchiveSource) -> Result<Visit, SourceError> {
        let credentials = source.credentials.clone().unwrap_or_default();
        let client = match &credentials.certificate_authorities {
            None => self.client.clone(),
            Some(pem) => {
                let more = web::certificates_in(pem.as_bytes(), "the key ca.crt of the source's Secret")?;
                web::client(self.authorities.iter().cloned().chain(more).collect(), &self.limits)?
            }
        };
        Visit::new(client, url.clone(), &credentials)
    }

    /// A name for the archive as these credentials see it.
    fn name_of(&self, source: &ArchiveSource) -> String {
        let nobody = SourceCredentials::default();
        let credentials = source.credentials.as_ref().unwrap_or(&nobody);
        self.store.name_of(&[&["archive", source.url.as_str()], credentials.parts().as_slice()].concat())
    }

    async fn is_in_store(&self, content: ContentKey) -> Result<bool, SourceError> {
        Ok(self.in_store(Some(content)).await?.is_some())
    }

    async fn in_store(&self, content: Option<ContentKey>) -> Result<Option<Downloaded>, SourceError> {
        let Some(content) = content else { return Ok(None) };
        let store = self.store.clone();
        blocking(move |_| {
            let mut hold = store.hold();
            let is_there = hold.take(&content);
            Ok(is_there.then_some(Downloaded { content, hold }))
        })
        .await
    }

    /// Takes an answer's archive into the store.
    async fn take(&self, visit: &Visit, url: &Url, mut found: Found, name: &str) -> Result<Downloaded, SourceError> {
        if found.response.status() != StatusCode::OK {
            return Err(visit.refusal(&found));
        }
        let condition = condition_in(found.response.headers());
        let (file, content) = self.download(url, &mut found).await?;
        let (store, remembered) = (self.store.clone(), name.to_owned());
        let hold = blocking(move |_| {
            let mut hold = store.hold();
            hold.put_file(file, content)?;
            store.remember_content(&remembered, &content)?;
            Ok(hold)
        })
        .await?;
        let mut last_states = self.last_states();
        if last_states.len() >= MOST_REMEMBERED {
            last_states.clear();
        }
        match condition {
            Some(condition) => last_states.insert(name.to_owned(), State { condition, content }),
            None => last_states.remove(name),
        };
        Ok(Downloaded { content, hold })
    }

    async fn download(&self, url: &Url, found: &mut Found) -> Result<(NamedTempFile, ContentKey), SourceError> {
        let too_large = || {
            SourceError::TooLarge(format!(
                "the archive {} has more than {}, which is the limit for a download",
                shown(url),
                for_people(self.limits.download)
            ))
        };
        if found.response.content_length().is_some_and(|length| length > self.limits.download) {
            return Err(too_large());
        }
        let store = self.store.clone();
        let (file, handle) = blocking(move |_| {
            let file = store.temporary()?;
            let handle = file.as_file().try_clone().map_err(SourceError::store)?;
            Ok((file, handle))
        })
        .await?;
        let mut writer = BufWriter::with_capacity(WRITE_BUFFER, tokio::fs::File::from_std(handle));
        let mut hasher = Sha256::new();
        let mut left = self.limits.download;
        while let Some(chunk) = found.response.chunk().await.map_err(|error| no_answer(&found.url, &error))? {
            left = left.checked_sub(chunk.len() as u64).ok_or_else(too_large)?;
            hasher.update(&chunk);
            writer.write_all(&chunk).await.map_err(SourceError::store)?;
        }
        writer.flush().await.map_err(SourceError::store)?;
        Ok((file, hasher.finalize().into()))
    }

    /// A panic elsewhere leaves the map as it was: each change to it is a single call.
    fn last_states(&self) -> std::sync::MutexGuard<'_, HashMap<String, State>> {
        self.last_states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What asks the server later whether the archive is still the same; its own tag before the time.
fn condition_in(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    let tag = headers.get(ETAG).map(|tag| (IF_NONE_MATCH, tag.clone()));
    tag.or_else(|| headers.get(LAST_MODIFIED).map(|time| (IF_MODIFIED_SINCE, time.clone())))
}

fn revision(content: &ContentKey) -> SourceRevision {
    SourceRevision::of_archive(Digest::from_sha256(content))
}
