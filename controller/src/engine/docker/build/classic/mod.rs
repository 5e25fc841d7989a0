//! Builds with the classic builder, which is given the whole context as an archive.

mod trace;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use longshore_crds::BuildNetwork;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use serde::Deserialize;

pub(super) use self::trace::ClassicTrace;

use super::super::connection::Connection;
use super::super::failure::Failure;
use super::super::json_lines::json_lines;
use super::super::transfer::server_address;
use super::error_of;
use crate::engine::{Attestations, BuildReport, BuildRequest, EngineError, Progress, ProgressSink, frontend};

/// A line of the answer to a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClassicMessage {
    /// What the builder or a program says.
    pub(super) stream: Option<String>,
    /// What is said of a base image that is pulled.
    pub(super) status: Option<String>,
    /// The layer that a status is about.
    pub(super) id: Option<String>,
    pub(super) error: Option<String>,
    pub(super) error_detail: Option<ErrorDetail>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ErrorDetail {
    message: Option<String>,
}

impl ClassicMessage {
    pub(super) fn error(&self) -> Option<&str> {
        let detail = self.error_detail.as_ref().and_then(|detail| detail.message.as_deref());
        detail.or(self.error.as_deref())
    }
}

pub(super) async fn build(
    connection: &Connection,
    request: BuildRequest,
    progress: &ProgressSink,
) -> Result<BuildReport, EngineError> {
    check(&request)?;
    let archive = request.context.archive();
    let path = format!("/build?{}", query(&request, &archive.dockerfile));
    let context = Watched::new(archive.stream, progress);
    // The classic builder makes one more step of the labels that are asked for beside the Dockerfile.
    let mut trace = ClassicTrace::new(!request.labels.is_empty());
    let build = connection.for_build();
    let outcome = async {
        let credentials = registry_config(&request);
        let headers = [("Content-Type", "application/x-tar"), ("X-Registry-Config", credentials.as_str())];
        let body = build.post(&path, &headers, context.stream).await?;
        let mut messages = std::pin::pin!(json_lines::<ClassicMessage>(body));
        while let Some(message) = messages.try_next().await? {
            if let Some(error) = message.error() {
                return Err(Failure::Reported(error.to_owned()));
            }
            trace.read(message, Instant::now()).into_iter().for_each(|told| progress(told));
        }
        Ok(())
    };
    let outcome = outcome.await;
    trace.finish(outcome.is_err(), Instant::now()).into_iter().for_each(|told| progress(told));
    let report = || BuildReport { bytes_sent: context.sent.load(Ordering::Relaxed), ..trace.report() };
    outcome.map(|()| report()).map_err(|failure| {
        let problem = context.problem.lock().unwrap_or_else(PoisonError::into_inner).take();
        error_of(connection, failure, problem, |message| {
            trace.broken(message).into_error(message, &request.credentials, report())
        })
    })
}

/// Refuses what the classic builder cannot do.
fn check(request: &BuildRequest) -> Result<(), EngineError> {
    frontend::check(request)?;
    let wanted = [
        (!request.secrets.is_empty(), "build secrets", "secrets"),
        (!request.ssh.is_empty(), "ssh keys", "ssh"),
        (!request.cache_from.is_empty(), "a cache from a registry", "cacheFrom"),
        (!request.cache_to.is_empty(), "a cache that is exported", "cacheTo"),
        (request.platforms.len() > 1, "several platforms", "platforms"),
        (request.attestations != Attestations::default(), "attestations", "attestations"),
        (!request.annotations.is_empty(), "annotations", "annotations"),
        (request.source_date_epoch.is_some(), "a given time", "sourceDateEpoch"),
        (frontend::names_one(request.context.dockerfile().text()), "a front end of its own, # syntax=", "dockerfile"),
    ];
    match wanted.iter().find(|(is_wanted, ..)| *is_wanted) {
        Some((_, what, field)) => Err(EngineError::Unsupported(format!(
            "the classic builder cannot build with {what} ({field}); leave it out, or use an engine that has BuildKit, \
             such as Docker Engine 20.10 or later"
        ))),
        None => Ok(()),
    }
}

fn query(request: &BuildRequest, dockerfile: &str) -> String {
    // Maps of strings are always JSON.
    let json = |map| serde_json::to_string(map).unwrap_or_default();
    let flag = |is_set: bool| if is_set { "1" } else { "0" }.to_owned();
    let network = match request.network {
        BuildNetwork::Default => "default",
        BuildNetwork::None => "none",
    };
    let mut parameters = vec![
        ("version", "1".to_owned()),
        ("dockerfile", dockerfile.to_owned()),
        ("t", request.reference.canonical()),
        ("target", request.target.clone().unwrap_or_default()),
        ("buildargs", json(&request.args)),
        ("labels", json(&request.labels)),
        ("networkmode", network.to_owned()),
        ("nocache", flag(request.no_cache)),
        ("pull", flag(request.pull)),
        ("platform", request.platforms.join(",")),
        ("rm", flag(true)),
        ("forcerm", flag(true)),
    ];
    let hosts = request.extra_hosts.iter().map(|(name, address)| ("extrahosts", format!("{name}:{address}")));
    parameters.extend(hosts);
    let parameters =
        parameters.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    parameters.collect::<Vec<_>>().join("&")
}

/// The value of `X-Registry-Config`: credentials by hosts, in the URL-safe base64 that engines decode.
fn registry_config(request: &BuildRequest) -> String {
    let by_host = request.credentials.iter().map(|credentials| {
        let host = server_address(&credentials.host);
        let password = credentials.password.expose_secret();
        let entry = serde_json::json!({
            "username": credentials.username, "password": password, "serveraddress": host,
        });
        (host.to_owned(), entry)
    });
    URL_SAFE.encode(serde_json::Value::Object(by_host.collect()).to_string())
}

/// A context on its way: it tells how much was sent, and keeps what went wrong with it.
struct Watched {
    stream: BoxStream<'static, std::io::Result<Bytes>>,
    sent: Arc<AtomicU64>,
    problem: Arc<Mutex<Option<String>>>,
}

impl Watched {
    fn new(stream: BoxStream<'static, std::io::Result<Bytes>>, progress: &ProgressSink) -> Self {
        let (sent, problem) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
        let (counted, noted, progress) = (Arc::clone(&sent), Arc::clone(&problem), Arc::clone(progress));
        let stream = stream.inspect(move |piece| match piece {
            Ok(piece) => {
                let more = piece.len() as u64;
                let bytes = counted.fetch_add(more, Ordering::Relaxed) + more;
                progress(Progress::ContextSent { bytes });
            }
            Err(error) => *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string()),
        });
        Self { stream: stream.boxed(), sent, problem }
    }
}
