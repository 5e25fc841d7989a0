//! Bodies on their way through, counted, and cut where a fault says so.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame};

/// A body of whichever making.
pub(super) type AnyBody = BoxBody<Bytes, io::Error>;

/// A body that is there as a whole.
pub(super) fn whole(body: impl Into<Bytes>) -> AnyBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed()
}

/// A body as it comes. `count` says which of the request's two numbers grows; at the limit it breaks off.
pub(super) fn counted<B, S>(body: B, seen: Arc<S>, count: fn(&S) -> &AtomicU64, limit: Option<u64>) -> AnyBody
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
    S: Send + Sync + 'static,
{
    let frames = body.into_data_stream().map(move |data| {
        let mut data = data.map_err(io::Error::other)?;
        if let Some(limit) = limit {
            let rest = limit.saturating_sub(count(&seen).load(Ordering::SeqCst));
            if rest == 0 {
                return Err(io::Error::other("the test wants the connection cut here"));
            }
            data.truncate(usize::try_from(rest).unwrap_or(usize::MAX));
        }
        count(&seen).fetch_add(data.len() as u64, Ordering::SeqCst);
        Ok(Frame::data(data))
    });
    BodyExt::boxed(StreamBody::new(frames))
}
