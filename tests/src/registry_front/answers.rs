//! What the front says itself, in the words of Google's registries.

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::{AnyBody, whole};
use super::credentials::{BEARER_LASTS, Refused};
use super::{FOREIGN_REALM, HOST_WITH_FOREIGN_REALM};

/// An answer with a body of JSON, `Docker-Distribution-Api-Version` with it as everywhere.
fn json_answer(status: StatusCode, body: &serde_json::Value) -> Response<AnyBody> {
    let mut response = Response::new(whole(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
        .insert(HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"));
    response
}

fn error(status: StatusCode, code: &str, message: &str) -> Response<AnyBody> {
    json_answer(status, &json!({"errors": [{"code": code, "message": message}]}))
}

/// Who asks without any credentials, or with wrong ones, is told where tokens are to be had.
pub(super) fn challenge(host: &str, refused: Option<Refused>) -> Response<AnyBody> {
    let message = match refused {
        None => "Unauthenticated request.",
        Some(_) => "not authenticated: No valid credential was supplied.",
    };
    let mut response = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
    let own = format!("https://{host}/v2/token");
    let realm = if host == HOST_WITH_FOREIGN_REALM { FOREIGN_REALM } else { &own };
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer realm=\"{realm}\",service=\"{host}\"")) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// There is no token for credentials that are wrong or have ended.
pub(super) fn authentication_failed() -> Response<AnyBody> {
    error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication failed")
}

/// Nobody in particular may do nothing here.
pub(super) fn unauthenticated(repository: &str) -> Response<AnyBody> {
    let message = format!(
        "Unauthenticated request. Unauthenticated requests do not have permission \
         \"artifactregistry.repositories.downloadArtifacts\" on resource \"{}\" (or it may not exist)",
        resource(repository)
    );
    error(StatusCode::FORBIDDEN, "DENIED", &message)
}

/// Who it is is known, and may not.
pub(super) fn permission_denied(repository: &str) -> Response<AnyBody> {
    let message = format!(
        "Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"{}\" (or it may not exist)",
        resource(repository)
    );
    error(StatusCode::FORBIDDEN, "DENIED", &message)
}

/// What Artifact Registry calls the repository that stands for `gcr.io`.
fn resource(repository: &str) -> String {
    let project = repository.split('/').next().unwrap_or_default();
    format!("projects/{project}/locations/us/repositories/gcr.io")
}

pub(super) fn token(token: &str) -> Response<AnyBody> {
    json_answer(StatusCode::OK, &json!({"token": token, "expires_in": BEARER_LASTS.as_secs()}))
}

/// Tokens are had by GET alone; clients that try POST first go on with GET.
pub(super) fn only_get() -> Response<AnyBody> {
    error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported.")
}

/// The registry behind the front does not answer, which is a fault of the lab's.
pub(super) fn no_registry(why: &str) -> Response<AnyBody> {
    error(StatusCode::BAD_GATEWAY, "UNAVAILABLE", &format!("the lab's registry does not answer: {why}"))
}
