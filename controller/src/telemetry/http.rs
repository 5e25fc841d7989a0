//! The process's own small HTTP servers: probes for the kubelet, and metrics for whoever collects them.
//!
//! They are two, since they are for two audiences: the kubelet must reach the probes from outside the pod, while metrics
//! tell more and are bound to loopback unless an operator decides otherwise.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::health::Health;
use super::metrics::Metrics;

/// How many connections one server has at most: whoever opens more waits.
const MOST_CONNECTIONS: usize = 32;

/// How long one connection may take.
const LONGEST_CONNECTION: Duration = Duration::from_secs(10);

type Answer = Response<Full<Bytes>>;

/// Serves `/healthz` and `/readyz` for as long as it is polled.
pub async fn serve_probes(listener: TcpListener, health: Arc<Health>) {
    serve(listener, Arc::new(move |path: &str| probe(path, &health))).await;
}

/// Serves `/metrics` for as long as it is polled.
pub async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>) {
    serve(
        listener,
        Arc::new(move |path: &str| match path {
            "/metrics" => scrape(&metrics),
            _ => text(StatusCode::NOT_FOUND, "there is only /metrics here\n"),
        }),
    )
    .await;
}

fn probe(path: &str, health: &Health) -> Answer {
    let (is_well, otherwise) = match path {
        "/healthz" => (health.is_alive(), "the loop that drives the queue has not turned for a minute\n"),
        "/readyz" => (health.is_ready(), "the watch has not told every ContainerApp yet\n"),
        _ => {
            return text(StatusCode::NOT_FOUND, "there are only /healthz and /readyz here\n");
        }
    };
    if is_well { text(StatusCode::OK, "ok\n") } else { text(StatusCode::SERVICE_UNAVAILABLE, otherwise) }
}

fn scrape(metrics: &Metrics) -> Answer {
    match metrics.exposition() {
        Ok(exposition) => {
            let mut answer = text(StatusCode::OK, exposition);
            let format = HeaderValue::from_static(prometheus::TEXT_FORMAT);
            answer.headers_mut().insert(CONTENT_TYPE, format);
            answer
        }
        Err(error) => {
            warn!("the metrics cannot be written: {error}");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written, see the log\n")
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

async fn serve(listener: TcpListener, answers: Arc<impl Fn(&str) -> Answer + Send + Sync + 'static>) {
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    converse(stream, &*answers).await;
                    drop(permit);
                });
            }
            // Such as no file descriptors left: others give some back.
            Err(error) => {
                warn!("a connection could not be accepted: {error}");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, answers: &(impl Fn(&str) -> Answer + Send + Sync)) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(match *request.method() {
            Method::GET | Method::HEAD => answers(request.uri().path()),
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n"),
        })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(LONGEST_CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("a connection ended early: {error}"),
        Err(_) => debug!("a connection took too long"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    async fn ask(listener_address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(listener_address).await.unwrap();
        stream.write_all(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn readiness_waits_for_the_watch_and_liveness_does_not() {
        let (listener, health) = (listener().await, Arc::new(Health::new()));
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve_probes(listener, Arc::clone(&health)));
        assert!(ask(address, "GET /healthz").await.starts_with("HTTP/1.1 200"));
        assert!(ask(address, "GET /readyz").await.starts_with("HTTP/1.1 503"));
        health.synced();
        assert!(ask(address, "GET /readyz").await.starts_with("HTTP/1.1 200"));
        assert!(ask(address, "GET /metrics").await.starts_with("HTTP/1.1 404"));
        assert!(ask(address, "POST /healthz").await.starts_with("HTTP/1.1 405"));
        server.abort();
    }

    #[tokio::test]
    async fn metrics_are_served_in_the_text_format() {
        let (listener, metrics) = (listener().await, Arc::new(Metrics::new().unwrap()));
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve_metrics(listener, Arc::clone(&metrics)));
        metrics.drift_found(2);
        let answer = ask(address, "GET /metrics").await;
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("longshore_drift_found_by_relist_total 2"), "{answer}");
        server.abort();
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_keeps_nobody_out() {
        let (listener, health) = (listener().await, Arc::new(Health::new()));
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve_probes(listener, health));
        let silent = TcpStream::connect(address).await.unwrap();
        assert!(ask(address, "GET /healthz").await.starts_with("HTTP/1.1 200"));
        drop(silent);
        server.abort();
    }
}
