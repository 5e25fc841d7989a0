//! A small server on loopback.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::app::{Credentials, ImageReference, RemoteImage};
use crate::registry::{Registry as _, RegistryError};

pub(super) type Answer = Response<Full<Bytes>>;
type Handler = Arc<dyn Fn(&Request<Incoming>) -> Answer + Send + Sync>;

/// What a server was asked: the method, the path with its query, the authorisation.
pub(super) type Asked = (String, String, Option<String>);

/// A server on a port of its own.
pub(super) struct Server {
    pub(super) address: String,
    pub(super) asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub(super) async fn answering(handler: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let serving = tokio::spawn(serve(listener, Arc::new(handler), Arc::clone(&asked)));
        Self { address, asked, serving }
    }

    pub(super) fn reference(&self) -> ImageReference {
        format!("{}/my-project/node-app:0.2", self.address).parse().unwrap()
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials { host: self.address.clone(), username: "user".to_owned(), password: "pass".into() }
    }

    pub(super) fn methods(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(method, ..)| method.clone()).collect()
    }

    pub(super) fn authorisations(&self) -> Vec<Option<String>> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(.., authorisation)| authorisation.clone()).collect()
    }

    pub(super) async fn look_up(
        &self,
        credentials: Option<&Credentials>,
    ) -> Result<Option<RemoteImage>, RegistryError> {
        super::registry().look_up(&self.reference(), credentials).await
    }
}

async fn serve(listener: TcpListener, handler: Handler, asked: Arc<Mutex<Vec<Asked>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (handler, asked) = (Arc::clone(&handler), Arc::clone(&asked));
        let service = service_fn(move |request: Request<Incoming>| {
            let authorisation = request.headers().get("authorization");
            asked.lock().unwrap().push((
                request.method().to_string(),
                request.uri().to_string(),
                authorisation.map(|value| value.to_str().unwrap().to_owned()),
            ));
            let answer = handler(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).unwrap()
}

pub(super) fn authorisation_of(request: &Request<Incoming>) -> Option<&str> {
    request.headers().get("authorization").map(|value| value.to_str().unwrap())
}
