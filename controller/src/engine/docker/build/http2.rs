//! gRPC's client side over a connection of ours.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioExecutor;
use tonic::body::Body;
use tower_service::Service;

/// An error brings its details in headers.
const LARGEST_HEADERS: u32 = 1 << 20;
/// There is one server on a connection, so its name is never looked at.
const ORIGIN: &str = "http://buildkit";

/// A connection of HTTP/2 as a service.
#[derive(Clone)]
pub(super) struct Http2(SendRequest<Body>);

impl Http2 {
    /// The service over this connection, and what moves the connection along.
    pub(super) async fn over<Connection>(
        connection: Connection,
    ) -> Result<(Self, impl Future<Output = Result<(), hyper::Error>>), hyper::Error>
    where
        Connection: Read + Write + Unpin + Send + 'static,
    {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.max_header_list_size(LARGEST_HEADERS);
        let (sender, driving) = builder.handshake(connection).await?;
        Ok((Self(sender), driving))
    }

    /// Where its requests go.
    pub(super) fn origin() -> Uri {
        Uri::from_static(ORIGIN)
    }
}

impl Service<Request<Body>> for Http2 {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
