//! BuildKit's control API over a connection of ours.

use std::error::Error;

use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::{SolveRequest, StatusRequest, StatusResponse};
use futures::stream::{self, Stream, StreamExt};
use hyper::rt::{Read, Write};
use tonic::{Code, Status};

use super::super::super::failure::Failure;
use super::super::http2::Http2;

/// The largest message that BuildKit sends.
const LARGEST_MESSAGE: usize = 16 << 20;

/// The control API of one engine.
pub(super) struct Control(ControlClient<Http2>);

impl Control {
    /// The API over this connection, and what moves the connection along.
    pub(super) async fn over<Connection>(
        connection: Connection,
    ) -> Result<(Self, impl Future<Output = Result<(), hyper::Error>>), Failure>
    where
        Connection: Read + Write + Unpin + Send + 'static,
    {
        let (http2, driving) = Http2::over(connection).await.map_err(|error| Failure::unreachable(&error))?;
        let client = ControlClient::with_origin(http2, Http2::origin());
        Ok((Self(client.max_decoding_message_size(LARGEST_MESSAGE)), driving))
    }

    /// Builds.
    pub(super) async fn solve(&self, request: SolveRequest) -> Result<(), Failure> {
        self.0.clone().solve(request).await.map(drop).map_err(|status| failure(&status))
    }

    /// What happens in the build that has this reference, once it has begun, until it is over. What goes wrong with the
    /// news is left out: the build's end is what counts.
    pub(super) fn news(&self, reference: &str) -> impl Stream<Item = StatusResponse> + use<> {
        let mut client = self.0.clone();
        let request = StatusRequest { r#ref: reference.to_owned() };
        let asking = async move {
            match client.status(request).await {
                Ok(news) => news.into_inner().take_while(|told| std::future::ready(told.is_ok())).boxed(),
                Err(_) => stream::empty().boxed(),
            }
        };
        stream::once(asking).flatten().filter_map(|told| std::future::ready(told.ok()))
    }
}

/// A status that has a cause here was made here: the connection broke.
fn failure(status: &Status) -> Failure {
    match status.source() {
        Some(cause) => Failure::unreachable(cause),
        None if status.code() == Code::Unimplemented => {
            Failure::Unintelligible("it does not know BuildKit's control API".to_owned())
        }
        None => Failure::Reported(status.message().to_owned()),
    }
}
