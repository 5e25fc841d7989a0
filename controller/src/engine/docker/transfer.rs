//! Images on their way from and to registries.
//!
//! These two calls are not made through bollard. It encodes credentials with the standard alphabet of base64 where
//! the engine decodes the URL-safe one, so that some passwords never arrive; and its type for the progress of a push
//! has no layer's ID.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use futures::TryStreamExt;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::connection::Connection;
use super::failure::Failure;
use super::images;
use super::json_lines::json_lines;
use crate::app::{Credentials, ImageReference, Purpose, RegistryRequest};
use crate::engine::{EngineError, LayerState, Progress, ProgressSink};

pub(super) async fn pull(
    connection: &Connection,
    reference: &ImageReference,
    platform: Option<&str>,
    credentials: Option<&Credentials>,
    progress: &ProgressSink,
) -> Result<(), EngineError> {
    let path = format!("/images/create?fromImage={}&tag={}", reference.repository(), reference.version());
    let Some(platform) = platform else {
        return transfer(connection, &path, (reference, Purpose::Pull), credentials, progress).await;
    };
    let path = format!("{path}&platform={}", utf8_percent_encode(platform, NON_ALPHANUMERIC));
    let not_found = || EngineError::PlatformNotFound(format!("{reference}: the registry has no image for {platform}"));
    match transfer(connection, &path, (reference, Purpose::Pull), credentials, progress).await {
        Err(error) if is_about_the_platform(&error.to_string()) => return Err(not_found()),
        outcome => outcome?,
    }
    // Of an image that is for one platform only, 20.10 takes that one, with a warning in its answer.
    let pulled = images::inspect(connection, &reference.for_engine()).await?;
    let id = pulled.and_then(|image| image.id.parse().ok());
    match id {
        Some(id) if images::has_platform(connection, &id, platform).await? => Ok(()),
        _ => Err(not_found()),
    }
}

/// Whether an engine means that the image is not for the platform: in the words of 20.10, and of containerd in 29.
fn is_about_the_platform(message: &str) -> bool {
    ["no matching manifest for", "no match for platform", "does not match the specified platform"]
        .iter()
        .any(|phrase| message.contains(phrase))
}

/// The tag is named: without it the engine would push every tag of the repository.
pub(super) async fn push(
    connection: &Connection,
    reference: &ImageReference,
    credentials: Option<&Credentials>,
    progress: &ProgressSink,
) -> Result<(), EngineError> {
    let path = format!("/images/{}/push?tag={}", reference.repository(), reference.version());
    transfer(connection, &path, (reference, Purpose::Push), credentials, progress).await
}

async fn transfer(
    connection: &Connection,
    path: &str,
    (reference, purpose): (&ImageReference, Purpose),
    credentials: Option<&Credentials>,
    progress: &ProgressSink,
) -> Result<(), EngineError> {
    let credentials = credentials.filter(|credentials| credentials.host == reference.host());
    let outcome = async {
        let body = connection.send(Method::POST, path, &registry_auth(credentials)).await?;
        let mut messages = std::pin::pin!(json_lines::<Message>(body));
        while let Some(message) = messages.try_next().await? {
            match message.outcome() {
                Outcome::Progress(told) => progress(told),
                Outcome::Failure(failure) => return Err(failure),
                Outcome::Nothing => {}
            }
        }
        Ok(())
    };
    let request = RegistryRequest::new(reference, purpose, credentials);
    outcome.await.map_err(|failure: Failure| connection.error_of_transfer(failure, &request))
}

/// The value of `X-Registry-Auth`: JSON in the URL-safe base64 of RFC 4648, padded, as `docker` sends it. Without
/// credentials it is an empty object, which the engine wants for a push.
pub(super) fn registry_auth(credentials: Option<&Credentials>) -> String {
    #[derive(Serialize)]
    struct RegistryAuth<'a> {
        username: &'a str,
        password: &'a str,
        serveraddress: &'a str,
    }

    let json = credentials.map(|credentials| {
        serde_json::to_vec(&RegistryAuth {
            username: &credentials.username,
            password: credentials.password.expose_secret(),
            serveraddress: server_address(&credentials.host),
        })
    });
    // Three strings are always JSON.
    let json = json.and_then(Result::ok).unwrap_or_else(|| b"{}".to_vec());
    URL_SAFE.encode(json)
}

/// An engine with containerd's image store shows credentials only to the host that they name, and knows Docker Hub by
/// the address that `docker login` writes.
pub(super) fn server_address(host: &str) -> &str {
    match host {
        "docker.io" => "https://index.docker.io/v1/",
        host => host,
    }
}

/// A line of the answer to a pull or a push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: Option<String>,
    status: Option<String>,
    progress_detail: Option<ProgressDetail>,
    error: Option<String>,
    error_detail: Option<ErrorDetail>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct ProgressDetail {
    current: Option<u64>,
    total: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct ErrorDetail {
    message: Option<String>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Progress(Progress),
    Failure(Failure),
    Nothing,
}

impl Message {
    fn outcome(self) -> Outcome {
        let error = self.error_detail.and_then(|detail| detail.message).or(self.error);
        if let Some(error) = error {
            return Outcome::Failure(Failure::Reported(error));
        }
        match (self.id, self.status) {
            (Some(id), Some(status)) if is_layer(&id) => Outcome::Progress(Progress::Layer {
                id,
                state: layer_state(status, &self.progress_detail.unwrap_or_default()),
            }),
            // "latest: Pulling from library/busybox".
            (Some(id), Some(status)) => Outcome::Progress(Progress::Message { line: format!("{id}: {status}") }),
            (None, Some(status)) => Outcome::Progress(Progress::Message { line: status }),
            (_, None) => Outcome::Nothing,
        }
    }
}

/// A layer is named by the first twelve digits of its digest; where a tag stands instead, the message is about all.
fn is_layer(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The state of a layer by the words of Docker Engine, which are the same from 20.10 to 29.
fn layer_state(status: String, detail: &ProgressDetail) -> LayerState {
    match status.as_str() {
        "Pull complete" | "Pushed" => LayerState::Done,
        "Already exists" | "Layer already exists" => LayerState::Exists,
        "Downloading" | "Pushing" => {
            LayerState::Transferring { current: detail.current.unwrap_or_default(), total: detail.total }
        }
        _ => LayerState::Other(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(line: &str) -> Outcome {
        serde_json::from_str::<Message>(line).unwrap().outcome()
    }

    fn layer(id: &str, state: LayerState) -> Outcome {
        Outcome::Progress(Progress::Layer { id: id.to_owned(), state })
    }

    #[test]
    fn a_password_is_encoded_with_the_url_safe_alphabet() {
        let credentials = Credentials {
            host: "gcr.io".to_owned(),
            username: "_json_key".to_owned(),
            password: "~~~???".to_owned().into(),
        };
        let header = registry_auth(Some(&credentials));
        assert!(!header.contains(['+', '/']), "{header}");
        let json: serde_json::Value = serde_json::from_slice(&URL_SAFE.decode(header).unwrap()).unwrap();
        assert_eq!(json["password"], "~~~???");
    }

    #[test]
    fn a_layer_that_is_pushed_is_told_by_its_id() {
        let line = r#"{"status":"Pushing","progressDetail":{"current":512,"total":2048},"id":"b0cb3e167c5e"}"#;
        let state = LayerState::Transferring { current: 512, total: Some(2048) };
        assert_eq!(outcome(line), layer("b0cb3e167c5e", state));
        let line = r#"{"status":"Pushed","progressDetail":{},"id":"b0cb3e167c5e"}"#;
        assert_eq!(outcome(line), layer("b0cb3e167c5e", LayerState::Done));
        let line = r#"{"status":"Layer already exists","progressDetail":{},"id":"b0cb3e167c5e"}"#;
        assert_eq!(outcome(line), layer("b0cb3e167c5e", LayerState::Exists));
    }

    #[test]
    fn a_message_about_the_whole_is_a_line() {
        let line = "latest: Pulling from library/busybox".to_owned();
        assert_eq!(
            outcome(r#"{"status":"Pulling from library/busybox","id":"latest"}"#),
            Outcome::Progress(Progress::Message { line })
        );
    }

    #[test]
    fn an_error_in_the_stream_is_a_failure() {
        let line = r#"{"errorDetail":{"message":"no basic auth credentials"},"error":"no basic auth credentials"}"#;
        let failure = Failure::Reported("no basic auth credentials".to_owned());
        assert_eq!(outcome(line), Outcome::Failure(failure));
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        assert_eq!(outcome(r#"{"progressDetail":{},"aux":{"Tag":"0.2","Size":527}}"#), Outcome::Nothing);
    }
}
