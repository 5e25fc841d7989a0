//! Pulls and pushes, layer by layer.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bollard::BollardRequest;
use bollard::auth::DockerCredentials;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use bytes::BytesMut;
use futures::StreamExt;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::DockerEngine;
use super::errors::of_message;
use super::images::full_name;
use crate::app::{Credentials, ImageReference};
use crate::engine::{EngineError, LayerState, Progress, ProgressSink};

const AUTH: &str = "X-Registry-Auth";

/// Encodes the credentials as engines decode them: with the alphabet for URLs, where bollard uses the standard one.
pub(super) fn with_url_safe_credentials(mut request: BollardRequest) -> BollardRequest {
    let recoded = request.headers().get(AUTH).and_then(|value| STANDARD.decode(value.as_bytes()).ok());
    if let Some(value) = recoded.and_then(|json| HeaderValue::from_str(&URL_SAFE.encode(json)).ok()) {
        request.headers_mut().insert(AUTH, value);
    }
    request
}

/// A line of the engine's stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: Option<String>,
    status: Option<String>,
    progress_detail: Option<Detail>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Detail {
    current: Option<u64>,
    total: Option<u64>,
}

impl DockerEngine {
    pub(super) async fn pull(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: &ProgressSink,
    ) -> Result<(), EngineError> {
        let options =
            CreateImageOptionsBuilder::default().from_image(&full_name(reference)).tag(reference.tag()).build();
        let mut lines = self.docker.create_image(Some(options), None, credentials.map(docker_credentials));
        while let Some(line) = lines.next().await {
            let CreateImageInfo { id, status, progress_detail, error_detail } =
                line.map_err(|error| self.error(error))?;
            if let Some(message) = error_detail.and_then(|detail| detail.message) {
                return Err(of_message(&message));
            }
            let size = |size: Option<i64>| size.and_then(|size| u64::try_from(size).ok());
            let detail =
                progress_detail.map(|detail| Detail { current: size(detail.current), total: size(detail.total) });
            if let Some(told) = told(id, status, detail.as_ref()) {
                progress(told);
            }
        }
        // An engine may end the stream without a word when the registry does not have the image.
        match self.inspect_image(&reference.canonical()).await? {
            Some(_) => Ok(()),
            None => Err(EngineError::ImageNotFound(format!("{reference} is not on the engine after the pull"))),
        }
    }

    pub(super) async fn push(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: &ProgressSink,
    ) -> Result<(), EngineError> {
        let answer = self.transport.request(self.push_request(reference, credentials)?).await;
        let answer = answer.map_err(|error| self.error(error))?;
        let is_refused = !answer.status().is_success();
        let mut body = answer.into_body();
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| EngineError::RegistryUnavailable(format!("the push was cut: {error}")))?;
            if let Ok(data) = frame.into_data() {
                rest.extend_from_slice(&data);
            }
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n').filter(|_| !is_refused) {
                push_line(&rest.split_to(end + 1), progress)?;
            }
        }
        if is_refused {
            let message = serde_json::from_slice::<serde_json::Value>(&rest).ok();
            let message = message.as_ref().and_then(|value| value["message"].as_str());
            return Err(of_message(message.unwrap_or("the engine refuses the push without a reason")));
        }
        push_line(&rest, progress)
    }

    fn push_request(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<BollardRequest, EngineError> {
        // An engine wants the header even when there are no credentials.
        let header = match credentials {
            Some(credentials) => serde_json::to_vec(&docker_credentials(credentials)),
            None => Ok(b"{}".to_vec()),
        };
        let header = header.map_err(|_| EngineError::Other("the credentials cannot be sent".to_owned()))?;
        Request::builder()
            .method(Method::POST)
            // With the tag, or every tag of the repository would go.
            .uri(format!("{}/images/{}/push?tag={}", self.base, full_name(reference), reference.tag()))
            .header(CONTENT_TYPE, "application/json")
            .header(AUTH, URL_SAFE.encode(header))
            .body(bollard::body_full(bytes::Bytes::new()))
            .map_err(|error| EngineError::Other(error.to_string()))
    }
}

fn docker_credentials(credentials: &Credentials) -> DockerCredentials {
    let server = match credentials.host.as_str() {
        "docker.io" => "https://index.docker.io/v1/",
        host => host,
    };
    DockerCredentials {
        username: Some(credentials.username.clone()),
        password: Some(credentials.password.expose_secret().to_owned()),
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    }
}

fn push_line(line: &[u8], progress: &ProgressSink) -> Result<(), EngineError> {
    let Ok(line) = serde_json::from_slice::<Line>(line) else {
        return Ok(());
    };
    if let Some(message) = line.error {
        return Err(of_message(&message));
    }
    if let Some(told) = told(line.id, line.status, line.progress_detail.as_ref()) {
        progress(told);
    }
    Ok(())
}

/// What a line of a pull or a push tells.
fn told(id: Option<String>, status: Option<String>, detail: Option<&Detail>) -> Option<Progress> {
    let status = status?;
    // A line about a layer carries the layer's short ID; one about the tag carries the tag.
    let layer = id.filter(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let Some(id) = layer else {
        return Some(Progress::Message { line: status });
    };
    let state = match (status.as_str(), detail.and_then(|detail| detail.current)) {
        ("Already exists" | "Layer already exists", _) => LayerState::Exists,
        ("Pull complete" | "Pushed" | "Download complete", _) => LayerState::Done,
        (_, Some(current)) => LayerState::Transferring { current, total: detail.and_then(|detail| detail.total) },
        (other, None) => LayerState::Other(other.to_owned()),
    };
    Some(Progress::Layer { id, state })
}
