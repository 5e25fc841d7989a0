//! What a registry's answers mean.

use std::error::Error;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::RegistryError;
use crate::app::{ConfigDigest, Digest, ImageReference, ManifestDigest, RemoteImage};

/// The largest manifest that a registry must take, and the largest answer that is read, in bytes
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>).
const LARGEST_ANSWER: usize = 4 << 20;

/// How much of a registry's own words goes into an error, in characters.
const LONGEST_QUOTE: usize = 200;

/// The media types of images and indexes, of the OCI and of Docker.
pub(super) const MEDIA_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// The header in which a registry names the digest of what it sends.
const DIGEST_HEADER: &str = "docker-content-digest";

/// A manifest or an index, as far as it tells the two apart.
#[derive(Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    manifests: Option<IgnoredAny>,
}

/// What a registry holds under a tag.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    /// An image, with the digest of its configuration.
    Image(ConfigDigest),
    /// An index of images.
    Index,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

/// The body of an error
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Failures {
    errors: Vec<Failure>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure {
    code: String,
    message: String,
}

/// The digest that an answer names, if it names one.
pub(super) fn digest_of(headers: &HeaderMap) -> Option<ManifestDigest> {
    headers.get(DIGEST_HEADER)?.to_str().ok()?.parse().ok()
}

/// What a manifest that was sent says of the image.
pub(super) async fn image_in(mut response: Response, reference: &ImageReference) -> Result<RemoteImage, RegistryError> {
    let named = digest_of(response.headers());
    let body = body_of(&mut response, reference.host()).await?;
    let manifest = ManifestDigest(Digest::of(&body));
    if named.is_some_and(|named| named != manifest) {
        return Err(RegistryError::Unavailable(format!(
            "what {} sent for {reference} does not have the digest that it named; something between here and there changes it",
            reference.host()
        )));
    }
    let content = content_of(&body).ok_or_else(|| {
        RegistryError::Unavailable(format!(
            "what {} holds as {reference} is neither an image nor an index of images",
            reference.host()
        ))
    })?;
    let config = match content {
        Content::Image(config) => Some(config),
        Content::Index => None,
    };
    Ok(RemoteImage { manifest, config })
}

/// What a manifest is of; `None` when it is something else. What claims to be both would be read differently by
/// different programs, so it is neither.
fn content_of(body: &[u8]) -> Option<Content> {
    let manifest: Manifest = serde_json::from_slice(body).ok()?;
    match (manifest.config, manifest.manifests) {
        (Some(config), None) => Some(Content::Image(config.digest.parse().ok()?)),
        (None, Some(_)) => Some(Content::Index),
        _ => None,
    }
}

/// The whole body of an answer, if it is not too large.
pub(super) async fn body_of(response: &mut Response, host: &str) -> Result<Vec<u8>, RegistryError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(host, &error))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(RegistryError::Unavailable(format!(
                "the registry {host} sent more than 4 MiB, which is the limit for a manifest"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What an answer that is neither a manifest nor "there is none" means. `authorised` is whether credentials were sent.
pub(super) async fn refusal(mut response: Response, reference: &ImageReference, authorised: bool) -> RegistryError {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .map(|wait| format!("; it asks to wait for {}", quoted(wait)))
        .unwrap_or_default();
    let host = reference.host();
    let said = match body_of(&mut response, host).await {
        Ok(body) => said_in(&body),
        Err(_) => String::new(),
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if authorised => RegistryError::Denied(format!(
            "{host} refuses the credentials that it was given for {reference} ({}){said}; check that they are valid and may read there",
            status.as_u16()
        )),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied(format!(
            "{host} wants credentials for {reference} ({}){said}; name a Secret that has some for {host}",
            status.as_u16()
        )),
        StatusCode::TOO_MANY_REQUESTS => {
            RegistryError::Unavailable(format!("the registry {host} was asked too often (429){said}{retry_after}"))
        }
        other => RegistryError::Unavailable(format!(
            "the registry {host} answered {} when asked for {reference}{said}{retry_after}",
            other.as_u16()
        )),
    }
}

/// The registry's own words, with a colon before them; nothing when it has none.
fn said_in(body: &[u8]) -> String {
    let failures: Failures = serde_json::from_slice(body).unwrap_or_default();
    let Some(failure) = failures.errors.into_iter().next() else {
        return String::new();
    };
    let words = if failure.message.is_empty() { failure.code } else { failure.message };
    if words.is_empty() {
        return String::new();
    }
    format!(": {}", quoted(&words))
}

/// A stranger's words, on one line and not too long.
fn quoted(words: &str) -> String {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    words.chars().map(clean).take(LONGEST_QUOTE).collect()
}

/// What it means that a request had no answer.
pub(super) fn no_answer(host: &str, error: &reqwest::Error) -> RegistryError {
    RegistryError::Unavailable(format!("the registry {host} does not answer: {}", innermost(error)))
}

/// The innermost cause says what happened; those around it, only that a request failed.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    quoted(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn an_image_names_its_configuration_and_an_index_names_none() {
        let image = format!(r#"{{"schemaVersion": 2, "config": {{"digest": "{CONFIG}"}}, "layers": []}}"#);
        assert_eq!(content_of(image.as_bytes()), Some(Content::Image(CONFIG.parse().unwrap())));
        assert_eq!(content_of(br#"{"schemaVersion": 2, "manifests": []}"#), Some(Content::Index));
    }

    #[test]
    fn anything_else_is_neither() {
        let both = format!(r#"{{"config": {{"digest": "{CONFIG}"}}, "manifests": []}}"#);
        for body in [
            both.as_str(),
            "",
            "<html>",
            "{}",
            r#"{"config": {"digest": "sha512:abc"}}"#,
            r#"{"schemaVersion": 1, "fsLayers": []}"#,
        ] {
            assert_eq!(content_of(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_registry_s_words_are_kept_short_and_on_one_line() {
        let body = r#"{"errors": [{"code": "DENIED", "message": "no\nline \u001b[31m"}]}"#;
        assert_eq!(said_in(body.as_bytes()), ": no line  [31m");
        assert_eq!(said_in(br#"{"errors": [{"code": "DENIED"}]}"#), ": DENIED");
        assert_eq!(said_in(b"<html>"), "");
        let long = format!(r#"{{"errors": [{{"message": "{}"}}]}}"#, "x".repeat(5000));
        assert_eq!(said_in(long.as_bytes()).len(), LONGEST_QUOTE + 2);
    }
}
