//! Taking a tag away, and nothing else with it.
//!
//! The distribution specification deletes a tag by `DELETE /v2/<name>/manifests/<tag>`, and a registry that does not has
//! to answer 400 or 405 (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-tags>).
//! Google's registries and distribution since 3.0 do. distribution 2 answers 400 with `DIGEST_INVALID`: there only a
//! manifest can be deleted, by its digest, and every tag that points at it goes with it, whoever made it. So all tags of
//! the repository are looked at before.

use std::future::ready;

use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::answer;
use super::conversation::Conversation;
use crate::app::{ImageReference, RegistryError, RegistryErrorKind, Repository, TagDeletion};

/// How many tags of a repository are looked at before a manifest is deleted.
const MOST_TAGS: usize = 100;

/// How many of them are looked at at once.
const LOOKS_AT_ONCE: usize = 8;

/// A repository's tags, as registries list them.
#[derive(Deserialize)]
struct TagList {
    /// `null` where there are none.
    tags: Option<Vec<String>>,
}

pub(super) async fn delete(mut registry: Conversation<'_>, tag: &TagDeletion) -> Result<(), RegistryError> {
    let address = registry.manifest();
    let response = registry.send(Method::DELETE, &address).await?;
    match response.status() {
        status if status.is_success() => Ok(()),
        // Some registries that delete no tags say that there is none.
        StatusCode::NOT_FOUND if body_of(&registry, &tag.reference).await?.is_none() => Ok(()),
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => {
            delete_manifest(&registry, tag).await
        }
        _ => Err(answer::refusal(response, &registry.request).await),
    }
}

/// Deletes the manifest, unless a tag that is to stay points at it.
async fn delete_manifest(registry: &Conversation<'_>, tag: &TagDeletion) -> Result<(), RegistryError> {
    let tags = tags(registry, tag).await?;
    if !tags.iter().any(|name| tag.reference.tag() == Some(name)) {
        return Ok(());
    }
    if let Some(name) = who_needs_it(registry, tag, tags).await? {
        return Err(shared(registry, tag, &name));
    }
    let pinned = tag.reference.repository().pinned(&tag.digest);
    let address = registry.endpoint.manifest(&pinned);
    let response = registry.send_again(Method::DELETE, &address).await?;
    match response.status() {
        status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
        _ => Err(answer::refusal(response, &registry.request).await),
    }
}

/// A tag that is to stay and needs the manifest.
async fn who_needs_it(
    registry: &Conversation<'_>,
    tag: &TagDeletion,
    tags: Vec<String>,
) -> Result<Option<String>, RegistryError> {
    let others = tags.into_iter().filter(|name| !tag.takes_along(name));
    let looks = others.map(|name| async move { Ok(needs(registry, tag, &name).await?.then_some(name)) });
    let looks: Vec<_> = looks.collect();
    let mut found = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).try_filter_map(|found| ready(Ok(found)));
    found.try_next().await
}

/// The tags of the repository; none when it is gone.
async fn tags(registry: &Conversation<'_>, tag: &TagDeletion) -> Result<Vec<String>, RegistryError> {
    let address = registry.endpoint.tags(&tag.reference, MOST_TAGS + 1);
    let mut response = registry.send_again(Method::GET, &address).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(Vec::new()),
        _ => return Err(answer::refusal(response, &registry.request).await),
    }
    let has_more = response.headers().contains_key(reqwest::header::LINK);
    let host = tag.reference.host();
    let body = answer::body_of(&mut response, host).await.map_err(|why| registry.unavailable(why))?;
    let list: TagList = serde_json::from_slice(&body).map_err(|_| {
        registry.unavailable(format!("{host} answered without a list of the tags of {}", tag.reference.repository()))
    })?;
    let tags = list.tags.unwrap_or_default();
    if has_more || tags.len() > MOST_TAGS {
        return Err(too_many(registry, tag.reference.repository()));
    }
    Ok(tags)
}

/// Whether a tag holds the manifest, or an index in which it is.
async fn needs(registry: &Conversation<'_>, tag: &TagDeletion, name: &str) -> Result<bool, RegistryError> {
    let Ok(other) = tag.reference.repository().tagged(name) else {
        return Ok(false);
    };
    let body = body_of(registry, &other).await?;
    Ok(body.is_some_and(|body| answer::is_or_names(&body, &tag.digest)))
}

/// The manifest under a tag; nothing where the tag is gone.
async fn body_of(registry: &Conversation<'_>, reference: &ImageReference) -> Result<Option<Vec<u8>>, RegistryError> {
    let address = registry.endpoint.manifest(reference);
    let mut response = registry.send_again(Method::GET, &address).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        _ => return Err(answer::refusal(response, &registry.request).await),
    }
    let body = answer::body_of(&mut response, reference.host()).await;
    body.map(Some).map_err(|why| registry.unavailable(why))
}

fn shared(registry: &Conversation<'_>, tag: &TagDeletion, other: &str) -> RegistryError {
    let TagDeletion { reference, digest, .. } = tag;
    let message = format!(
        "{} deletes whole manifests only, and the tag {other} needs that of {reference} too, {digest}",
        reference.host()
    );
    RegistryError::new(RegistryErrorKind::TagShared, message, registry.request.clone())
}

fn too_many(registry: &Conversation<'_>, repository: &Repository) -> RegistryError {
    let message = format!(
        "{} deletes whole manifests only, and {repository} has more than {MOST_TAGS} tags, too many to see which of them \
         would go with one",
        repository.host()
    );
    RegistryError::new(RegistryErrorKind::DeletionUnsupported, message, registry.request.clone())
}
