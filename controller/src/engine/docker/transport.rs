//! How requests reach an engine: over a Unix socket, over TCP, or over TCP with mutual TLS.
//!
//! The connections are our own rather than bollard's for two reasons: the keys for TLS come from a Secret and must not
//! touch the disk, and a push is asked for directly, because bollard drops the layers' IDs from its progress.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bollard::BollardRequest;
use bytes::Bytes;
use futures::stream::BoxStream;
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::UnixStream;

use crate::engine::EngineError;

/// The body of bollard's requests, whose name it does not export.
pub(super) type Body = Either<Full<Bytes>, StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>>;

/// The keys for mutual TLS, each in PEM.
pub struct TlsKeys {
    /// The certificate authority of the engine.
    pub authority: Vec<u8>,
    /// Our certificate.
    pub certificate: Vec<u8>,
    /// Our private key.
    pub key: Vec<u8>,
}

/// A way to an engine. Clones share their connections.
#[derive(Clone)]
pub(super) enum Transport {
    Unix(Client<UnixConnector, Body>),
    Tcp(Client<HttpConnector, Body>),
    Tls(Client<HttpsConnector<HttpConnector>, Body>),
}

impl Transport {
    pub(super) fn unix(path: PathBuf) -> Self {
        Self::Unix(Client::builder(TokioExecutor::new()).build(UnixConnector { path: Arc::new(path) }))
    }

    pub(super) fn tcp() -> Self {
        Self::Tcp(Client::builder(TokioExecutor::new()).build(HttpConnector::new()))
    }

    pub(super) fn tls(keys: &TlsKeys) -> Result<Self, EngineError> {
        let bad = |field: &str| {
            EngineError::Other(format!("the key {field} of the engine's TLS Secret cannot be used: it must be PEM"))
        };
        let certificates = |pem: &[u8], field: &str| {
            CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| bad(field))
        };
        let mut authorities = rustls::RootCertStore::empty();
        authorities.add_parsable_certificates(certificates(&keys.authority, "ca.crt")?);
        let key = PrivateKeyDer::from_pem_slice(&keys.key).map_err(|_| bad("tls.key"))?;
        let configuration = rustls::ClientConfig::builder()
            .with_root_certificates(authorities)
            .with_client_auth_cert(certificates(&keys.certificate, "tls.crt")?, key)
            .map_err(|_| bad("tls.crt"))?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(configuration).https_only().enable_http1().build();
        Ok(Self::Tls(Client::builder(TokioExecutor::new()).build(connector)))
    }

    pub(super) fn request(
        &self,
        request: BollardRequest,
    ) -> impl Future<Output = Result<Response<Incoming>, bollard::errors::Error>> + Send + use<> {
        let answer = match self {
            Self::Unix(client) => client.request(request),
            Self::Tcp(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        };
        async move { Ok(answer.await?) }
    }
}

/// Connects to a Unix socket, whatever address is asked for.
#[derive(Clone)]
pub(super) struct UnixConnector {
    path: Arc<PathBuf>,
}

impl tower_service::Service<Uri> for UnixConnector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _address: Uri) -> Self::Future {
        let path = Arc::clone(&self.path);
        Box::pin(async move { Ok(TokioIo::new(UnixStream::connect(&*path).await?)) })
    }
}
