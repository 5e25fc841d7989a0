//! The way to an engine: a Unix socket, plain TCP, or TCP with mutual TLS.
//!
//! The transport is our own and bollard runs over it. So certificates stay in memory where bollard wants files, a
//! socket that is not there yet is no error before the first call, connection attempts have a limit and dead peers
//! are noticed; and the calls that bollard has no fitting answer type for (see [`super::transfer`]) use the same way.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;
use http_body_util::{BodyExt, Either, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use hyperlocal::UnixConnector;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::endpoint::{Address, Endpoint};
use super::failure::Failure;
use super::host_process;
use super::severable::Severable;
use super::tls::TlsMaterial;
use crate::app::RegistryRequest;
use crate::engine::EngineError;

/// How long an engine has to begin its answer to a call that does little.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// The limit for calls whose answer may begin only when much has been done, as a quiet event stream does at its first
/// event. Whoever calls sets the real limit by dropping the call.
const PATIENT_ANSWER_LIMIT: Duration = Duration::from_hours(24 * 7);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// After so long without a word a peer is probed, so that a stream from a host that vanished ends.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
/// An engine's answer to a refused call is a sentence; more of it than this is not read.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// The body of a request, as bollard has it; it does not name the type publicly.
type Body = Either<Full<Bytes>, StreamBody<Pin<Box<dyn Stream<Item = std::io::Result<Frame<Bytes>>> + Send>>>>;

/// A connection to one engine. Each call opens a stream of its own, so that calls neither wait for nor break one
/// another.
pub(super) struct Connection {
    endpoint: Endpoint,
    connector: Connector,
    transport: Arc<Transport>,
    docker: Docker,
    patient: Docker,
}

/// How a connection is made.
#[derive(Clone)]
enum Connector {
    Unix(UnixConnector),
    Plain(HttpConnector),
    Tls(HttpsConnector<HttpConnector>),
}

/// What carries requests to the engine.
enum Transport {
    Unix(Client<Severable<UnixConnector>, Body>),
    Plain(Client<Severable<HttpConnector>, Body>),
    Tls(Client<Severable<HttpsConnector<HttpConnector>>, Body>),
}

/// A way to an engine for one build. Whatever the build has connected is cut when this is dropped.
pub(super) struct BuildConnection {
    transport: Transport,
    base_uri: String,
    _severs_at_drop: DropGuard,
}

impl BuildConnection {
    /// Sends a request and gives the answer's body. An answer that is not a success is [`Failure::Refused`].
    pub(super) async fn post(
        &self,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<Incoming, Failure> {
        let request = self.request(path_and_query, headers).body(bollard::body_try_stream(body));
        answer(&self.transport, request).await
    }

    /// Asks for HTTP/2 without TLS on a connection of its own, as the engine serves BuildKit's control and sessions
    /// (`Upgrade: h2c`), and gives that connection.
    pub(super) async fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Result<Upgraded, Failure> {
        let request = self
            .request(path, headers)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "h2c")
            .body(bollard::body_full(Bytes::new()))
            .map_err(|error| Failure::Unintelligible(error.to_string()))?;
        let response = self.transport.request(request).await.map_err(|error| Failure::unreachable(&error))?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {
                hyper::upgrade::on(response).await.map_err(|error| Failure::unreachable(&error))
            }
            status if status.is_success() => {
                Err(Failure::Unintelligible(format!("{status} where {path} should have been upgraded to HTTP/2")))
            }
            _ => Err(refusal(response).await),
        }
    }

    fn request(&self, path_and_query: &str, headers: &[(&str, &str)]) -> hyper::http::request::Builder {
        let request = Request::builder().method(Method::POST).uri(format!("{}{path_and_query}", self.base_uri));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }
}

impl Connection {
    /// A connection to this endpoint; with these certificates over TLS. Nothing is sent yet.
    pub(super) fn new(endpoint: Endpoint, tls: Option<&TlsMaterial>) -> Result<Self, EngineError> {
        let connector = Connector::new(&endpoint, tls)?;
        // Nobody holds the other end of this token: these connections are not cut.
        let transport = Arc::new(connector.transport(CancellationToken::new()));
        let docker = docker_over(&transport, &endpoint)?;
        let patient = docker.clone().with_timeout(PATIENT_ANSWER_LIMIT);
        Ok(Self { endpoint, connector, transport, docker, patient })
    }

    /// For one build.
    pub(super) fn for_build(&self) -> BuildConnection {
        let severed = CancellationToken::new();
        let transport = self.connector.transport(severed.clone());
        let base_uri = self.endpoint.base_uri(transport.is_tls());
        BuildConnection { transport, base_uri, _severs_at_drop: severed.drop_guard() }
    }

    /// The endpoint, as it was written.
    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.as_str()
    }

    /// For calls that do little.
    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// For calls that may take as long as they take.
    pub(super) fn patient(&self) -> &Docker {
        &self.patient
    }

    /// For a call whose answer begins after this time.
    pub(super) fn docker_after(&self, time: Duration) -> Docker {
        self.docker.clone().with_timeout(ANSWER_LIMIT + time)
    }

    /// What a failed call means, where the status code says it all.
    pub(super) fn error(&self, failure: impl Into<Failure>) -> EngineError {
        failure.into().into_error(self.endpoint())
    }

    /// What it means that a container could not get this name.
    pub(super) fn error_of_name(&self, failure: impl Into<Failure>, name: &str) -> EngineError {
        failure.into().into_error_of_name(name, self.endpoint())
    }

    /// What it means that a network could not be made.
    pub(super) fn error_of_network(&self, failure: impl Into<Failure>) -> EngineError {
        failure.into().into_error_of_network(self.endpoint())
    }

    /// What it means that a container could not be started.
    pub(super) async fn error_of_start(&self, failure: Failure) -> EngineError {
        let holder = match (failure.port_of_a_process(), self.endpoint.address()) {
            (Some((address, protocol)), Address::Unix(socket)) => {
                host_process::listening_at(socket, address, protocol).await
            }
            _ => None,
        };
        failure.into_error_of_start(self.endpoint(), holder.as_ref())
    }

    /// What it means that an image could not be pulled or pushed.
    pub(super) fn error_of_transfer(&self, failure: impl Into<Failure>, request: &RegistryRequest) -> EngineError {
        failure.into().into_error_of_transfer(request, self.endpoint())
    }

    /// Sends a request with a body of JSON, and gives the answer's body. An answer that is not a success is
    /// [`Failure::Refused`].
    pub(super) async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Incoming, Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.endpoint.base_uri(self.transport.is_tls())))
            .header(CONTENT_TYPE, "application/json")
            .body(bollard::body_full(Bytes::from(body.to_string())));
        answer(&self.transport, request).await
    }

    /// Sends a request with an empty body and a registry's credentials, as the engine decodes them, and gives the
    /// answer's body. An answer that is not a success is [`Failure::Refused`].
    pub(super) async fn send(&self, method: Method, path: &str, registry_auth: &str) -> Result<Incoming, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint.base_uri(self.transport.is_tls())))
            .header("X-Registry-Auth", registry_auth)
            .body(bollard::body_full(Bytes::new()));
        answer(&self.transport, request).await
    }
}

async fn answer(transport: &Transport, request: hyper::http::Result<Request<Body>>) -> Result<Incoming, Failure> {
    let request = request.map_err(|error| Failure::Unintelligible(error.to_string()))?;
    let response = transport.request(request).await.map_err(|error| Failure::unreachable(&error))?;
    if response.status().is_success() {
        return Ok(response.into_body());
    }
    Err(refusal(response).await)
}

async fn refusal(response: Response<Incoming>) -> Failure {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }

    let status = response.status().as_u16();
    let limited = Limited::new(response.into_body(), LONGEST_REFUSAL);
    let body = limited.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let message = serde_json::from_slice::<Refusal>(&body)
        .map_or_else(|_| String::from_utf8_lossy(&body).into_owned(), |refusal| refusal.message);
    Failure::Refused { status, message }
}

fn docker_over(transport: &Arc<Transport>, endpoint: &Endpoint) -> Result<Docker, EngineError> {
    let shared = Arc::clone(transport);
    Docker::connect_with_custom_transport(
        move |request: BollardRequest| {
            let response = shared.request(request);
            async move { Ok(response.await?) }
        },
        Some(endpoint.base_uri(transport.is_tls())),
        ANSWER_LIMIT.as_secs(),
        API_DEFAULT_VERSION,
    )
    .map_err(|error| EngineError::Other(format!("the endpoint {endpoint} cannot be used: {error}")))
}

impl Connector {
    fn new(endpoint: &Endpoint, tls: Option<&TlsMaterial>) -> Result<Self, EngineError> {
        Ok(match (endpoint.address(), tls) {
            (Address::Unix(_), None) => Self::Unix(UnixConnector),
            (Address::Unix(_), Some(_)) => {
                return Err(EngineError::Other(format!(
                    "the endpoint {endpoint} is a socket, which has no TLS; leave the TLS Secret out"
                )));
            }
            (Address::Tcp { .. }, None) => Self::Plain(tcp_connector()),
            (Address::Tcp { .. }, Some(material)) => Self::Tls(tls_connector(material)?),
        })
    }

    /// A transport whose connections are cut when the token is cancelled.
    fn transport(&self, severed: CancellationToken) -> Transport {
        match self.clone() {
            Self::Unix(connector) => Transport::Unix(client(Severable::new(connector, severed))),
            Self::Plain(connector) => Transport::Plain(client(Severable::new(connector, severed))),
            Self::Tls(connector) => Transport::Tls(client(Severable::new(connector, severed))),
        }
    }
}

impl Transport {
    fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    fn request(&self, request: Request<Body>) -> ResponseFuture {
        match self {
            Self::Unix(client) => client.request(request),
            Self::Plain(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        }
    }
}

/// Connections are not kept for later calls: an engine closes idle ones when it likes, and a call that is dropped
/// must close its own, since that is what cancels a build.
fn client<C>(connector: C) -> Client<C, Body>
where
    C: Connect + Clone,
{
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)
}

fn tcp_connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_LIMIT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    connector.set_nodelay(true);
    connector
}

fn tls_connector(material: &TlsMaterial) -> Result<HttpsConnector<HttpConnector>, EngineError> {
    let mut connector = tcp_connector();
    connector.enforce_http(false);
    let configuration = material.client_configuration().map_err(|error| EngineError::Other(error.to_string()))?;
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(configuration)
        .https_only()
        .enable_http1()
        .wrap_connector(connector))
}
