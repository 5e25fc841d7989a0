//! What a registry's answers mean.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::challenge::Challenge;
use crate::app::{
    ConfigDigest, Digest, ManifestDigest, RegistryError, RegistryErrorKind, RegistryRequest, RemoteImage, retry_after,
};

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
    #[serde(default)]
    layers: Vec<Blob>,
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
    size: Option<u64>,
}

/// A layer, as far as its size goes: sizes are told, and nothing else hangs on them.
#[derive(Deserialize)]
struct Blob {
    size: Option<u64>,
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
pub(super) async fn image_in(mut response: Response, request: &RegistryRequest) -> Result<RemoteImage, RegistryError> {
    let named = digest_of(response.headers());
    let (host, image) = (host_of(request), image_of(request));
    let body = body_of(&mut response, &host).await.map_err(|why| RegistryError::unavailable(why, request.clone()))?;
    let manifest = ManifestDigest(Digest::of(&body));
    if named.is_some_and(|named| named != manifest) {
        let message = format!("what {host} sent for {image} does not have the digest that it named");
        return Err(RegistryError::new(RegistryErrorKind::DigestMismatch, message, request.clone()));
    }
    let content = content_of(&body).ok_or_else(|| {
        let message = format!("what {host} holds as {image} is neither an image nor an index of images");
        let is_old = is_of_2015(&body);
        let kind = if is_old { RegistryErrorKind::RegistryRetired } else { RegistryErrorKind::Unavailable };
        RegistryError::new(kind, message, request.clone())
    })?;
    let config = match content {
        Content::Image(config) => Some(config),
        Content::Index => None,
    };
    Ok(RemoteImage { manifest, config, size: size_of(&body) })
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

/// The sum of the sizes of an image's blobs; `None` for anything else, and where one of them has none.
fn size_of(body: &[u8]) -> Option<u64> {
    let manifest: Manifest = serde_json::from_slice(body).ok()?;
    let layers = manifest.layers.iter().map(|layer| layer.size);
    layers.chain([manifest.config?.size]).try_fold(0_u64, |sum, size| sum.checked_add(size?))
}

/// Whether a body is the manifest with this digest, or speaks of it, as an index does.
pub(super) fn is_or_names(body: &[u8], digest: &ManifestDigest) -> bool {
    let name = digest.to_string();
    ManifestDigest(Digest::of(body)) == *digest || body.windows(name.len()).any(|words| words == name.as_bytes())
}

/// Whether it is a manifest of Docker's first schema
/// (<https://distribution.github.io/distribution/spec/deprecated-schema-v1/>).
fn is_of_2015(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Versioned {
        #[serde(rename = "schemaVersion")]
        schema_version: u64,
    }
    serde_json::from_slice(body).is_ok_and(|Versioned { schema_version }| schema_version == 1)
}

/// The whole body of an answer, if it is not too large; else a sentence that says what was wrong with it.
pub(super) async fn body_of(response: &mut Response, host: &str) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(host, &error))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(format!("the registry {host} sent more than 4 MiB, which is the limit for a manifest"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What an answer that is no manifest means.
pub(super) async fn refusal(mut response: Response, request: &RegistryRequest) -> RegistryError {
    let (status, host) = (response.status().as_u16(), host_of(request));
    let retry_after = wait_in(response.headers());
    let challenged = Challenge::error_in(response.headers());
    let said = match body_of(&mut response, &host).await {
        Ok(body) => said_in(&body),
        Err(_) => String::new(),
    };
    let message = if said.is_empty() {
        format!("{host} answered {status} for {}", image_of(request))
    } else {
        format!("{host} answered {status} for {}: {said}", image_of(request))
    };
    let words = format!("{said} {}", challenged.unwrap_or_default());
    let read = RegistryError::read(&words, Some(status), &*message, request.clone());
    let error = read.unwrap_or_else(|| RegistryError::unavailable(message, request.clone()));
    RegistryError { retry_after, ..error }
}

fn host_of(request: &RegistryRequest) -> String {
    request.reference.as_ref().map(|reference| reference.host().to_owned()).unwrap_or_default()
}

fn image_of(request: &RegistryRequest) -> String {
    request.reference.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// How long an answer asks to wait. A date in it is read by the clock of whoever wrote it, where that is told.
fn wait_in(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let told = text(DATE).and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
    retry_after(text(RETRY_AFTER)?, told.unwrap_or_else(Timestamp::now))
}

/// The registry's own words: the code of the distribution specification, as words, and the message. Of an answer that is
/// no such JSON, the text itself, if it is one.
fn said_in(body: &[u8]) -> String {
    match serde_json::from_slice::<Failures>(body).map(|failures| failures.errors.into_iter().next()) {
        Ok(Some(Failure { code, message })) => {
            let code = code.to_lowercase().replace('_', " ");
            let parts = [code, message];
            let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            quoted(&parts.join(": "))
        }
        Ok(None) => String::new(),
        Err(_) => plain_text(body).map(quoted).unwrap_or_default(),
    }
}

/// A text for people, and no page for browsers.
fn plain_text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?.trim();
    (!text.is_empty() && !text.starts_with(['<', '{', '['])).then_some(text)
}

/// A stranger's words, on one line and not too long.
fn quoted(words: &str) -> String {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    words.chars().map(clean).take(LONGEST_QUOTE).collect()
}

/// That a request had no answer, and why.
pub(super) fn no_answer(host: &str, error: &reqwest::Error) -> String {
    format!("the registry {host} does not answer: {}", innermost(error))
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
        assert_eq!(said_in(body.as_bytes()), "denied: no line  [31m");
        assert_eq!(said_in(br#"{"errors": [{"code": "NAME_UNKNOWN"}]}"#), "name unknown");
        assert_eq!(said_in(b"<html>"), "");
        assert_eq!(said_in(b"Container Registry is deprecated"), "Container Registry is deprecated");
        let long = format!(r#"{{"errors": [{{"message": "{}"}}]}}"#, "x".repeat(5000));
        assert_eq!(said_in(long.as_bytes()).len(), LONGEST_QUOTE);
    }

    #[test]
    fn a_date_to_wait_for_is_read_by_the_registrys_own_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Thu, 26 Nov 2020 12:00:00 GMT".parse().unwrap());
        headers.insert(RETRY_AFTER, "Thu, 26 Nov 2020 12:00:20 GMT".parse().unwrap());
        assert_eq!(wait_in(&headers), Some(Duration::from_secs(20)));
    }
}
