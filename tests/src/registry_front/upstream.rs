//! The plain registry behind the front.

use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::body::AnyBody;

/// It answers by plain HTTP on loopback, and wants no credentials.
pub(super) struct Upstream {
    client: Client<HttpConnector, AnyBody>,
    address: String,
}

impl Upstream {
    pub(super) fn at(address: &str) -> Self {
        // The front is on the same machine; a connection that has rested may be closed at the moment of its next use.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, address: address.to_owned() }
    }

    /// Passes a request on. The registry is told by which name it was asked, since it answers with addresses.
    pub(super) async fn answer(
        &self,
        host: &str,
        mut request: Request<AnyBody>,
    ) -> Result<Response<hyper::body::Incoming>, String> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() =
            format!("http://{}{path}", self.address).parse::<Uri>().map_err(|error| error.to_string())?;
        let headers = request.headers_mut();
        headers.remove(AUTHORIZATION);
        headers.insert(HOST, HeaderValue::from_str(host).map_err(|error| error.to_string())?);
        headers.insert(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static("https"));
        self.client.request(request).await.map_err(|error| error.to_string())
    }
}
