//! What engines and registries really say. The engines' words were heard from Docker Engine 20.10.24 and 29.6 before a
//! registry that gave these answers; the registries' are those that people report.

use super::super::{Purpose, Shown};
use super::*;
use RegistryErrorKind as Kind;

fn read(words: &str, reference: &str, purpose: Purpose, shown: Shown) -> Option<Reading> {
    let request = RegistryRequest { reference: Some(reference.parse().unwrap()), purpose, shown };
    let error = RegistryError::read(words, None, words, request)?;
    Some((error.kind, error.is_clear))
}

const GCR: &str = "gcr.io/my-project/node-app:0.2";
const OTHER: &str = "registry.example/proj/app:1";

const RETIRED_GCR: &str = "Container Registry is deprecated and shutting down, please use the auto migration tool to \
    migrate to Artifact Registry (gcloud artifacts docker upgrade migrate --projects='my-project'). For more details \
    see: https://cloud.google.com/artifact-registry/docs/transition/auto-migrate-gcr-ar";
const NO_UPLOAD: &str = "Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource \
    \"projects/my-project/locations/us/repositories/gcr.io\" (or it may not exist)";
const NO_DOWNLOAD: &str = "Unauthenticated request. Unauthenticated requests do not have permission \
    \"artifactregistry.repositories.downloadArtifacts\" on resource \"projects/p/locations/us/repositories/r\" (or it \
    may not exist)";
const NO_CREATE: &str =
    "gcr.io repo does not exist. Creating on push requires the artifactregistry.repositories.createOnPush permission";

#[test]
fn what_engine_20_says_of_a_push_with_a_password() {
    for (words, expected) in [
        ("unauthorized", (Kind::AuthenticationRequired, false)),
        ("unauthorized: authentication required", (Kind::AuthenticationRequired, false)),
        (
            "Head \"https://gcr.io/v2/my-project/node-app/manifests/0.2\": unauthorized: authentication failed",
            (Kind::AuthenticationRequired, false),
        ),
        ("denied", (Kind::PermissionDenied, false)),
        ("denied: requested access to the resource is denied", (Kind::PermissionDenied, false)),
        (&format!("denied: {NO_UPLOAD}"), (Kind::PermissionDenied, true)),
        (&format!("denied: {NO_CREATE}"), (Kind::RepositoryNotFound, true)),
        ("name unknown: Repository \"r\" not found", (Kind::RepositoryNotFound, true)),
        (&format!("denied: {RETIRED_GCR}"), (Kind::RegistryRetired, true)),
        (
            "error parsing HTTP 412 response body: invalid character 'C' looking for beginning of value: \"Container \
             Registry is deprecated and shutting down\"",
            (Kind::RegistryRetired, true),
        ),
        ("error parsing HTTP 403 response body: unexpected end of JSON input: \"\"", (Kind::PermissionDenied, false)),
        ("error parsing HTTP 404 response body: unexpected end of JSON input: \"\"", (Kind::RepositoryNotFound, false)),
        ("error parsing HTTP 429 response body: unexpected end of JSON input: \"\"", (Kind::RateLimited, false)),
        ("toomanyrequests: too many token requests", (Kind::RateLimited, false)),
        ("received unexpected HTTP status: 503 Service Unavailable", (Kind::Unavailable, false)),
        ("Get \"https://gcr.io/v2/\": dial tcp 10.210.0.1:443: connect: connection refused", (Kind::Unavailable, true)),
        ("Get \"https://gcr.io/v2/\": EOF", (Kind::Unavailable, true)),
        ("use of closed network connection", (Kind::Unavailable, true)),
        ("Get \"https://gcr.io/v2/\": x509: certificate signed by unknown authority", (Kind::CertificateUnknown, true)),
        ("digest invalid", (Kind::DigestMismatch, true)),
    ] {
        assert_eq!(read(words, GCR, Purpose::Push, Shown::Password), Some(expected), "{words}");
    }
}

#[test]
fn what_engine_29_says_of_a_push_with_a_password() {
    let of = |status: &str| {
        format!("unknown: unexpected status from HEAD request to https://gcr.io/v2/a/b/blobs/sha256:f301cb: {status}")
    };
    for (words, expected) in [
        (&*of("401 Unauthorized"), (Kind::AuthenticationRequired, false)),
        (&*of("403 Forbidden"), (Kind::PermissionDenied, false)),
        (&*of("412 Precondition Failed"), (Kind::RegistryRetired, false)),
        (&*of("429 Too Many Requests"), (Kind::RateLimited, false)),
        (&*of("503 Service Unavailable"), (Kind::Unavailable, false)),
        (&*of("502 Bad Gateway"), (Kind::Unavailable, false)),
        (
            "unknown: unexpected status from POST request to https://gcr.io/v2/a/b/blobs/uploads/: 404 Not Found",
            (Kind::RepositoryNotFound, false),
        ),
        (
            "failed to authorize: failed to fetch oauth token: unexpected status from GET request to \
             https://gcr.io/v2/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&service=gcr.io: 412 Precondition Failed",
            (Kind::RegistryRetired, false),
        ),
        (&format!("error from registry: {NO_UPLOAD}"), (Kind::PermissionDenied, true)),
        (&format!("error from registry: {NO_CREATE}"), (Kind::RepositoryNotFound, true)),
        ("error from registry: Repository \"r\" not found", (Kind::RepositoryNotFound, true)),
        (&format!("error from registry: {RETIRED_GCR}"), (Kind::RegistryRetired, true)),
        ("error from registry: authentication failed", (Kind::AuthenticationRequired, false)),
        ("error from registry: the service is unavailable", (Kind::Unavailable, false)),
        (
            "push access denied, repository does not exist or may require authorization: server message: \
             invalid_token: authorization failed",
            (Kind::TokenExpired, true),
        ),
        (
            "push access denied, repository does not exist or may require authorization: server message: \
             insufficient_scope: authorization failed",
            (Kind::PermissionDenied, false),
        ),
        (
            "failed to do request: Head \"https://gcr.io/v2/a/b/blobs/sha256:17abf3\": tls: failed to verify \
             certificate: x509: certificate signed by unknown authority",
            (Kind::CertificateUnknown, true),
        ),
        (
            "failed commit on ref \"index-sha256:0d3300\": got digest sha256:aaaa, expected sha256:0d3300",
            (Kind::DigestMismatch, true),
        ),
    ] {
        assert_eq!(read(words, GCR, Purpose::Push, Shown::Password), Some(expected), "{words}");
    }
}

#[test]
fn what_engines_say_of_a_pull_without_credentials() {
    for (words, expected) in [
        (
            "Head \"http://registry.example/v2/proj/app/manifests/1\": no basic auth credentials",
            (Kind::AuthenticationRequired, true),
        ),
        (
            "failed to resolve reference \"registry.example/proj/app:1\": pull access denied, repository does not exist \
             or may require authorization: authorization failed: no basic auth credentials",
            (Kind::AuthenticationRequired, true),
        ),
        (
            &*format!(
                "pull access denied for a, repository does not exist or may require 'docker login': denied: {NO_DOWNLOAD}"
            ),
            (Kind::AuthenticationRequired, true),
        ),
        (&format!("error from registry: {NO_DOWNLOAD}"), (Kind::AuthenticationRequired, true)),
        (
            "pull access denied for nope, repository does not exist or may require 'docker login': denied: requested \
             access to the resource is denied",
            (Kind::RepositoryNotFound, false),
        ),
        (
            "pull access denied for a, repository does not exist or may require 'docker login'",
            (Kind::RepositoryNotFound, false),
        ),
        (
            "repository registry.example/proj/app not found: name unknown: Repository \"r\" not found",
            (Kind::RepositoryNotFound, true),
        ),
        ("manifest for gcr.io/a/b:c not found: manifest unknown: manifest unknown", (Kind::ManifestUnknown, true)),
        ("manifest unknown", (Kind::ManifestUnknown, true)),
        (
            "failed to resolve reference \"registry.example/proj/app:1\": registry.example/proj/app:1: not found",
            (Kind::ManifestUnknown, false),
        ),
        (
            "toomanyrequests: You have reached your unauthenticated pull rate limit. \
             https://www.docker.com/increase-rate-limit",
            (Kind::RateLimited, false),
        ),
        (
            "failed to resolve reference \"registry.example/proj/app:1\": not implemented: media type \
             \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no longer supported since containerd v2.0, \
             please rebuild the image",
            (Kind::RegistryRetired, true),
        ),
        (
            "error pulling image configuration: image config verification failed for digest sha256:1111",
            (Kind::DigestMismatch, true),
        ),
        (
            "failed commit on ref \"manifest-sha256:aaaa\": commit failed: unexpected commit digest sha256:8b73, \
             expected sha256:aaaa: failed precondition",
            (Kind::DigestMismatch, true),
        ),
        ("http: server gave HTTP response to HTTPS client", (Kind::CertificateUnknown, true)),
        ("denied", (Kind::AuthenticationRequired, false)),
    ] {
        assert_eq!(read(words, OTHER, Purpose::Pull, Shown::Nothing), Some(expected), "{words}");
    }
}

#[test]
fn what_registries_say_themselves() {
    for (words, shown, expected) in [
        // Docker Hub.
        ("unauthorized: authentication required insufficient_scope", Shown::Nothing, Kind::RepositoryNotFound),
        ("unauthorized: authentication required insufficient_scope", Shown::Password, Kind::PermissionDenied),
        ("unauthorized: incorrect username or password", Shown::Password, Kind::AuthenticationRequired),
        // Container Registry and Artifact Registry.
        (
            "unauthorized: You don't have the needed permissions to perform this operation, and you may have invalid \
             credentials. To authenticate your request, follow the steps in: \
             https://cloud.google.com/container-registry/docs/advanced-authentication",
            Shown::Password,
            Kind::PermissionDenied,
        ),
        ("unauthorized: Request had invalid authentication credentials.", Shown::Token, Kind::TokenExpired),
        ("manifest unknown: Failed to fetch \"0.2\"", Shown::Token, Kind::ManifestUnknown),
        (
            "toomanyrequests: Quota exceeded for quota metric 'Requests per project per region'",
            Shown::Token,
            Kind::RateLimited,
        ),
        (
            "name invalid: Missing image name. Pushes should be of the form docker push HOST-NAME/PROJECT-ID/REPOSITORY/IMAGE",
            Shown::Token,
            Kind::RepositoryNotFound,
        ),
        // Amazon's.
        (
            "denied: Your authorization token has expired. Reauthenticate and try again.",
            Shown::Token,
            Kind::TokenExpired,
        ),
        (
            "name unknown: The repository with name 'app' does not exist in the registry with id '123456789012'",
            Shown::Token,
            Kind::RepositoryNotFound,
        ),
    ] {
        let found = read(words, OTHER, Purpose::LookUp, shown).map(|(kind, _)| kind);
        assert_eq!(found, Some(expected), "{words}, {shown:?}");
    }
}

#[test]
fn a_token_that_is_not_taken_is_held_for_an_expired_one() {
    for words in ["unauthorized", "error from registry: authentication failed", "unexpected status: 401 Unauthorized"] {
        assert_eq!(read(words, GCR, Purpose::Push, Shown::Token), Some((Kind::TokenExpired, false)), "{words}");
    }
    assert_eq!(
        read("unauthorized: invalid_token", GCR, Purpose::Pull, Shown::Nothing),
        Some((Kind::AuthenticationRequired, true))
    );
}

#[test]
fn a_registry_that_is_no_more_is_told_by_its_name() {
    for words in ["manifest unknown", "not found", "denied", "name unknown"] {
        let found = read(words, "k8s.gcr.io/pause:3.9", Purpose::Pull, Shown::Nothing);
        assert_eq!(found, Some((Kind::RegistryRetired, true)), "{words}");
    }
    let away = read("dial tcp: lookup k8s.gcr.io: no such host", "k8s.gcr.io/pause:3.9", Purpose::Pull, Shown::Nothing);
    assert_eq!(away, Some((Kind::Unavailable, true)));
}

#[test]
fn what_is_no_registrys_word_means_nothing() {
    for words in [
        "no space left on device",
        "unsupported",
        "error from registry: Unable to fetch",
        "unexpected status from HEAD request to https://gcr.io/v2/a/manifests/b: 413 Request Entity Too Large",
    ] {
        assert_eq!(read(words, GCR, Purpose::Pull, Shown::Password), None, "{words}");
    }
    // Only Google answers so for what is shut down.
    let words = "unexpected status from HEAD request to https://x/v2/a/manifests/b: 412 Precondition Failed";
    assert_eq!(read(words, OTHER, Purpose::Pull, Shown::Password), None);
}

fn told(kind: Kind, reference: &str, purpose: Purpose, shown: Shown) -> String {
    let request = RegistryRequest { reference: Some(reference.parse().unwrap()), purpose, shown };
    RegistryError::new(kind, format!("{reference}: no"), request).to_string()
}

#[test]
fn a_missing_repository_of_googles_is_told_with_the_command_that_makes_it_and_the_role() {
    let gcr = told(Kind::RepositoryNotFound, "eu.gcr.io/my-project/node-app:1", Purpose::Push, Shown::Token);
    assert_eq!(
        gcr,
        "eu.gcr.io/my-project/node-app:1: no; create it with gcloud artifacts repositories create eu.gcr.io \
         --repository-format=docker --location=europe --project=my-project, or give whoever pushes \
         roles/artifactregistry.createOnPushWriter on the project my-project, so that the first push creates it"
    );
    let registry = told(Kind::RepositoryNotFound, "us-docker.pkg.dev/p/team/app:1", Purpose::Push, Shown::Token);
    assert!(
        registry.ends_with(
            "create it with gcloud artifacts repositories create team --repository-format=docker --location=us \
             --project=p, and give whoever pushes roles/artifactregistry.writer"
        ),
        "{registry}"
    );
    let short = told(Kind::RepositoryNotFound, "us-docker.pkg.dev/p/app:1", Purpose::Push, Shown::Token);
    assert!(short.ends_with("write the name as LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE"), "{short}");
}

#[test]
fn a_missing_permission_at_googles_is_told_with_the_role() {
    let push = told(Kind::PermissionDenied, GCR, Purpose::Push, Shown::Password);
    assert!(
        push.ends_with("needs roles/artifactregistry.writer on the repository gcr.io in us of the project my-project"),
        "{push}"
    );
    let pull = told(Kind::PermissionDenied, GCR, Purpose::Pull, Shown::Password);
    assert!(pull.contains("roles/artifactregistry.reader"), "{pull}");
}

#[test]
fn a_project_that_was_not_migrated_is_told_with_the_command_that_does_it() {
    let told = told(Kind::RegistryRetired, GCR, Purpose::Push, Shown::Password);
    assert!(told.contains("gcloud artifacts docker upgrade migrate --projects=my-project"), "{told}");
}

#[test]
fn who_shows_nothing_is_told_where_credentials_are_named() {
    let push = told(Kind::AuthenticationRequired, GCR, Purpose::Push, Shown::Nothing);
    assert!(push.ends_with("name a Secret that has some for gcr.io in the secretRef beside spec.push[].to"), "{push}");
    let build = told(Kind::AuthenticationRequired, GCR, Purpose::Build, Shown::Nothing);
    assert!(build.ends_with("in spec.image.pullSecrets"), "{build}");
    let wrong = told(Kind::AuthenticationRequired, GCR, Purpose::Push, Shown::Password);
    assert!(wrong.contains("gcr.io does not take the credentials"), "{wrong}");
}
