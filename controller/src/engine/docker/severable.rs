//! Connections that can be cut from outside.
//!
//! A build with BuildKit holds two connections of HTTP/2, whose streams are served by tasks of their own: without a cut
//! at the end of the build they could stay for as long as this process does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower_service::Service;

/// Connects as another connector does, and cuts what it has connected once the token is cancelled.
#[derive(Clone)]
pub(super) struct Severable<Connector> {
    connector: Connector,
    severed: CancellationToken,
}

impl<Connector> Severable<Connector> {
    pub(super) fn new(connector: Connector, severed: CancellationToken) -> Self {
        Self { connector, severed }
    }
}

impl<Connector> Service<Uri> for Severable<Connector>
where
    Connector: Service<Uri>,
    Connector::Future: Send + 'static,
{
    type Response = SeverableStream<Connector::Response>;
    type Error = Connector::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connecting = self.connector.call(address);
        let severed = self.severed.clone();
        Box::pin(async move {
            let stream = connecting.await?;
            Ok(SeverableStream { stream, severed: Box::pin(severed.cancelled_owned()) })
        })
    }
}

/// A connection that ends when its other end closes it, or when it is cut.
pub(super) struct SeverableStream<Stream> {
    stream: Stream,
    severed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<Stream> SeverableStream<Stream> {
    /// Whether it was cut. If not, the task is woken when it is.
    fn is_severed(&mut self, context: &mut Context<'_>) -> bool {
        self.severed.as_mut().poll(context).is_ready()
    }
}

/// A connection that was cut looks as if its other end had closed it.
impl<Stream: Read + Unpin> Read for SeverableStream<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_severed(context) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<Stream: Write + Unpin> Write for SeverableStream<Stream> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_severed(context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_severed(context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }
}

impl<Stream: Connection> Connection for SeverableStream<Stream> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}
