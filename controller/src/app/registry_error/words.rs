//! Reads what a registry answered: in its own words, or in those in which an engine passes them on.
//!
//! Docker Engine 20.10 puts the registry's error code, in words, before its message, and says only that it cannot parse
//! an answer that is no JSON. 29 leaves the code out (`error from registry: …`), and of an answer to a `HEAD` request,
//! which has no body, it tells the status. The codes are those of
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.

use super::{Purpose, RegistryError, RegistryErrorKind, RegistryRequest, Shown, help};
use crate::app::google::is_google_registry;

/// What was read, and whether it leaves no doubt.
type Reading = (RegistryErrorKind, bool);

/// 20.10 of a manifest, a configuration and a layer; 29 of what it has pulled, and of what it has pushed.
const DIGEST: &[&str] = &[
    "verification failed for digest",
    "unexpected commit digest",
    "digest invalid",
    "digest_invalid",
    "did not match uploaded content",
];
/// Go's words (crypto/x509, net/http) and rustls's.
const CERTIFICATE: &[&str] = &[
    "x509:",
    "invalid peer certificate",
    "server gave http response to https client",
    "first record does not look like a tls handshake",
];
/// Google's of what was not migrated to Artifact Registry; containerd's and Docker's of images in the format of 2015.
const RETIRED: &[&str] = &[
    "container registry is deprecated",
    "distribution.manifest.v1+",
    "schema 1 support",
    "docker image format v1",
    "unsupported schema version 1",
];
const LIMITED: &[&str] = &["toomanyrequests", "too many requests", "rate limit", "quota exceeded"];
/// No answer came: Go's words of the network.
const NO_ANSWER: &[&str] = &[
    "dial tcp",
    "connection refused",
    "connection reset",
    "no such host",
    "server misbehaving",
    "name resolution",
    "network is unreachable",
    "no route to host",
    "i/o timeout",
    "timeout exceeded",
    "handshake timeout",
    "deadline exceeded",
    "request canceled",
    "unexpected eof",
    "broken pipe",
    "use of closed network connection",
    "tls: ",
];
const OUT_OF_ORDER: &[&str] = &["internal server error", "bad gateway", "gateway timeout", "unavailable"];
const EXPIRED: &[&str] = &["invalid_token", "token has expired", "token is expired", "token expired", "expired token"];
/// Google's, Amazon's and GitLab's among them.
const NO_REPOSITORY: &[&str] = &[
    "creating on push requires",
    "name unknown",
    "name_unknown",
    "repository name not known to registry",
    "missing image name. pushes should be of the form",
    "the repository with name",
];
/// No credentials have arrived.
const NOBODY: &[&str] = &["no basic auth credentials", "unauthenticated request"];
/// Google's, which names the permission.
const NO_PERMISSION: &[&str] =
    &["artifactregistry.repositories.", "don't have the needed permissions", "does not have permission"];
/// Docker Hub answers so for what it does not have and for what one may not see, to tell neither.
const MISSING_OR_DENIED: &[&str] = &["repository does not exist or may require", "insufficient_scope"];
const WHO_ARE_YOU: &[&str] = &[
    "unauthorized",
    "authentication required",
    "authorization failed",
    "authentication failed",
    "invalid authentication credentials",
    "incorrect username or password",
];
const DENIED: &[&str] = &["denied", "forbidden"];
const NO_MANIFEST: &[&str] = &["manifest unknown", "manifest_unknown"];
const ABSENT: &[&str] = &["not found", "does not exist"];

impl RegistryError {
    /// The error that these words mean, in a sentence that contains them; `None` when they mean nothing that is known.
    /// The status is that of the answer, where there was one.
    pub fn read(
        words: &str,
        status: Option<u16>,
        message: impl Into<String>,
        request: RegistryRequest,
    ) -> Option<Self> {
        let words = words.to_lowercase();
        let (kind, is_clear) = reading(&words, status.or_else(|| status_in(&words)), &request)?;
        let is_refusal = kind.is_absence()
            || matches!(kind, RegistryErrorKind::AuthenticationRequired | RegistryErrorKind::PermissionDenied);
        if is_refusal && request.host().is_some_and(|host| help::successor_of(host).is_some()) {
            return Some(Self::new(RegistryErrorKind::RegistryRetired, message, request));
        }
        Some(Self { is_clear, ..Self::new(kind, message, request) })
    }
}

fn reading(words: &str, status: Option<u16>, request: &RegistryRequest) -> Option<Reading> {
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let refuses_to_delete = || matches!(status, Some(400 | 405 | 409)) || words.contains("unsupported");
    if request.purpose == Purpose::Delete && refuses_to_delete() {
        return Some((RegistryErrorKind::DeletionUnsupported, true));
    }
    trouble(words, status, request).or_else(|| refusal(words, status, request)).or_else(|| {
        let is_push = request.purpose == Purpose::Push;
        match status {
            _ if has(NO_MANIFEST) && !is_push => Some((RegistryErrorKind::ManifestUnknown, true)),
            _ if is_push && (has(NO_MANIFEST) || has(ABSENT)) => Some((RegistryErrorKind::RepositoryNotFound, false)),
            Some(404) if is_push => Some((RegistryErrorKind::RepositoryNotFound, false)),
            Some(404) => Some((RegistryErrorKind::ManifestUnknown, false)),
            _ if has(ABSENT) => Some((RegistryErrorKind::ManifestUnknown, false)),
            _ => None,
        }
    })
}

/// What is wrong whoever asks.
fn trouble(words: &str, status: Option<u16>, request: &RegistryRequest) -> Option<Reading> {
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let is_of_another_digest = words.contains("failed commit on ref") && words.contains("got digest");
    if has(DIGEST) || is_of_another_digest {
        Some((RegistryErrorKind::DigestMismatch, true))
    } else if has(CERTIFICATE) {
        Some((RegistryErrorKind::CertificateUnknown, true))
    } else if has(RETIRED) {
        Some((RegistryErrorKind::RegistryRetired, true))
    } else if status == Some(412) && request.host().is_some_and(is_google_registry) {
        // So answers the gcr.io of a project that was never migrated; an engine may tell no more of it.
        Some((RegistryErrorKind::RegistryRetired, false))
    } else if status == Some(429) || has(LIMITED) {
        Some((RegistryErrorKind::RateLimited, false))
    } else if has(NO_ANSWER) || words.ends_with(": eof") {
        Some((RegistryErrorKind::Unavailable, true))
    } else if status.is_some_and(|status| status >= 500) || has(OUT_OF_ORDER) {
        Some((RegistryErrorKind::Unavailable, false))
    } else {
        None
    }
}

/// What it has against who asks, and of what may not be told to just anyone.
fn refusal(words: &str, status: Option<u16>, request: &RegistryRequest) -> Option<Reading> {
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let is_anonymous = request.shown == Shown::Nothing;
    if has(EXPIRED) {
        return Some((
            if is_anonymous { RegistryErrorKind::AuthenticationRequired } else { RegistryErrorKind::TokenExpired },
            true,
        ));
    }
    let names_a_missing_repository = words.contains("repository \"") && words.contains("\" not found");
    if has(NO_REPOSITORY) || names_a_missing_repository {
        return Some((RegistryErrorKind::RepositoryNotFound, true));
    }
    if has(NOBODY) {
        return Some((RegistryErrorKind::AuthenticationRequired, true));
    }
    let denied =
        if is_anonymous { RegistryErrorKind::AuthenticationRequired } else { RegistryErrorKind::PermissionDenied };
    if has(NO_PERMISSION) {
        return Some((denied, true));
    }
    if has(MISSING_OR_DENIED) {
        // Most public images need no credentials, so a misspelt name is the likelier fault of who shows none.
        let may_be_misspelt = is_anonymous && request.purpose != Purpose::Push;
        return Some((if may_be_misspelt { RegistryErrorKind::RepositoryNotFound } else { denied }, false));
    }
    if status == Some(401) || has(WHO_ARE_YOU) {
        let is_token = request.shown == Shown::Token;
        return Some((
            if is_token { RegistryErrorKind::TokenExpired } else { RegistryErrorKind::AuthenticationRequired },
            false,
        ));
    }
    (status == Some(403) || has(DENIED)).then_some((denied, false))
}

/// The status of the registry's answer in an engine's words: `unexpected status from HEAD request to https://…: 403
/// Forbidden` (29), `received unexpected HTTP status: 503 Service Unavailable` and `error parsing HTTP 412 response
/// body: …` (20.10).
fn status_in(words: &str) -> Option<u16> {
    let unparsed = || words.split_once("error parsing http ").map(|(_, rest)| rest);
    let unexpected = || {
        let (_, rest) = words.split_once("unexpected ")?;
        rest.contains("status").then(|| rest.rsplit_once(": ").map(|(_, rest)| rest))?
    };
    let status = unparsed().or_else(unexpected)?.get(..3)?.parse().ok()?;
    (100..600).contains(&status).then_some(status)
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
