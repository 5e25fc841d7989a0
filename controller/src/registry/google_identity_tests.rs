//! The identity of a machine whose metadata server is the test's own.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::registry::ambient::renewed;

/// A metadata server, which ends with it.
struct MetadataServer {
    host: String,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    tokens: AtomicUsize,
    /// For how many requests it gives the first token, which has but a second.
    dying: AtomicUsize,
    /// While it is not zero, this is the answer.
    refusal: AtomicUsize,
    /// Whoever asks whether it is there waits without end.
    is_slow_to_be_found: AtomicBool,
}

impl MetadataServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State::default());
        let answering = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&answering);
                let service = service_fn(move |request| {
                    let is_held = request.uri().path() == "/" && state.is_slow_to_be_found.load(Ordering::SeqCst);
                    let answer = state.answer(&request);
                    async move {
                        if is_held {
                            std::future::pending::<()>().await;
                        }
                        Ok::<_, Infallible>(answer)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { host, state, serving }
    }

    fn identity(&self) -> GoogleIdentity {
        GoogleIdentity::found_in(None, self.host.clone())
    }

    fn tokens(&self) -> usize {
        self.state.tokens.load(Ordering::SeqCst)
    }
}

impl Drop for MetadataServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        assert_eq!(request.headers().get("Metadata-Flavor").unwrap(), "Google");
        let answer = |text: String| {
            let answer = Response::builder().header("Metadata-Flavor", "Google");
            answer.body(Full::from(text)).unwrap()
        };
        let refusal = u16::try_from(self.refusal.load(Ordering::SeqCst)).unwrap();
        let status = StatusCode::from_u16(refusal).unwrap_or(StatusCode::OK);
        let text = match (request.uri().path(), status) {
            ("/computeMetadata/v1/instance/service-accounts/default/token", StatusCode::OK) => {
                let number = self.tokens.fetch_add(1, Ordering::SeqCst);
                if number < self.dying.load(Ordering::SeqCst) {
                    return answer(r#"{"access_token": "dying", "expires_in": 1, "token_type": "Bearer"}"#.to_owned());
                }
                format!(r#"{{"access_token": "token-{number}", "expires_in": 3600, "token_type": "Bearer"}}"#)
            }
            _ => "computeMetadata/".to_owned(),
        };
        let answer = Response::builder().status(status).header("Metadata-Flavor", "Google");
        answer.body(Full::from(text)).unwrap()
    }
}

async fn login(identity: &GoogleIdentity, host: &str) -> Result<Option<(String, String)>, String> {
    let found = identity.for_host(host).await?;
    Ok(found.map(|found| {
        assert_eq!(found.host, host);
        (found.username, found.password.expose_secret().to_owned())
    }))
}

#[tokio::test]
async fn googles_registries_are_shown_a_token_of_the_machine() {
    let server = MetadataServer::start().await;
    let identity = server.identity();
    for host in ["gcr.io", "eu.gcr.io", "europe-west1-docker.pkg.dev"] {
        let expected = ("oauth2accesstoken".to_owned(), "token-0".to_owned());
        assert_eq!(login(&identity, host).await, Ok(Some(expected)), "{host}");
    }
    assert_eq!(server.tokens(), 1);
}

#[tokio::test]
async fn nobody_else_is_shown_anything_and_the_machine_is_not_even_asked() {
    let server = MetadataServer::start().await;
    let identity = server.identity();
    for host in ["docker.io", "gcr.io.evil.test", "evil.test", "gcr.io:443", "us-docker.pkg.dev.evil.test"] {
        assert_eq!(login(&identity, host).await, Ok(None), "{host}");
    }
    assert_eq!(server.tokens(), 0);
}

#[tokio::test]
async fn a_machine_without_a_metadata_server_has_no_identity() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    assert_eq!(login(&GoogleIdentity::found_in(None, nobody), "gcr.io").await, Ok(None));
}

#[tokio::test]
async fn a_machine_without_a_service_account_says_so_and_is_asked_again_after_a_while() {
    let server = MetadataServer::start().await;
    server.state.refusal.store(404, Ordering::SeqCst);
    let identity = server.identity();
    let problem = login(&identity, "gcr.io").await.unwrap_err();
    assert!(problem.contains(&server.host) && problem.contains("service account"), "{problem}");

    server.state.refusal.store(0, Ordering::SeqCst);
    assert_eq!(login(&identity, "gcr.io").await.unwrap_err(), problem);
    if let Known::RefusedSince(when, _) = &mut identity.state.lock().await.known {
        *when -= REFUSED;
    }
    assert!(login(&identity, "gcr.io").await.is_ok_and(|found| found.is_some()));
}

async fn renewed_password(identity: &GoogleIdentity, refused: &Credentials) -> Option<String> {
    let found = renewed(identity, refused).await?;
    assert_eq!(found.host, refused.host);
    Some(found.password.expose_secret().to_owned())
}

#[tokio::test]
async fn a_token_that_a_registry_calls_expired_is_fetched_anew_once_for_all_who_were_given_it() {
    let server = MetadataServer::start().await;
    let identity = server.identity();
    let dead = identity.for_host("gcr.io").await.unwrap().unwrap();
    let elsewhere = identity.for_host("us-docker.pkg.dev").await.unwrap().unwrap();
    assert_eq!(renewed_password(&identity, &dead).await.as_deref(), Some("token-1"));
    assert_eq!(renewed_password(&identity, &elsewhere).await.as_deref(), Some("token-1"));
    assert_eq!(server.tokens(), 2);
}

#[tokio::test]
async fn what_a_secret_has_is_never_replaced_by_the_identity_of_the_machine() {
    let server = MetadataServer::start().await;
    let identity = server.identity();
    let own = identity.for_host("gcr.io").await.unwrap().unwrap();
    let of_a_secret = Credentials { password: "expired".into(), ..own };
    assert_eq!(renewed_password(&identity, &of_a_secret).await, None);
    assert_eq!(login(&identity, "gcr.io").await.unwrap().unwrap().1, "token-0");
}

#[tokio::test]
async fn a_machine_that_was_found_is_not_looked_for_again_when_its_token_is_refused() {
    let server = MetadataServer::start().await;
    let identity = server.identity();
    let dead = identity.for_host("gcr.io").await.unwrap().unwrap();
    server.state.is_slow_to_be_found.store(true, Ordering::SeqCst);
    assert_eq!(renewed_password(&identity, &dead).await.as_deref(), Some("token-1"));
}

#[tokio::test]
async fn whether_a_machine_that_does_not_answer_has_an_identity_is_not_known() {
    let server = MetadataServer::start().await;
    server.state.is_slow_to_be_found.store(true, Ordering::SeqCst);
    let problem = login(&server.identity(), "gcr.io").await.unwrap_err();
    assert!(problem.contains("did not answer within 2 seconds"), "{problem}");
}

#[tokio::test]
async fn a_token_that_is_nearly_dead_is_waited_out() {
    let server = MetadataServer::start().await;
    server.state.dying.store(2, Ordering::SeqCst);
    let found = login(&server.identity(), "gcr.io").await.unwrap().unwrap();
    assert_eq!(found.1, "token-2");
}
