//! The door for tests: one command in each request, on loopback.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::gate::Gate;

pub(super) async fn serve(listener: TcpListener, gate: Arc<Gate>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let gate = Arc::clone(&gate);
        let service = service_fn(move |request| answer(Arc::clone(&gate), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(gate: Arc<Gate>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let (status, text) = match serde_json::from_slice(&body) {
        Ok(command) => {
            let told = serde_json::to_string(&gate.memory.obey(command));
            (StatusCode::OK, told.unwrap_or_else(|error| error.to_string()))
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}
