//! A small web server that gives out git repositories, with git's own `git http-backend` behind it, and archives. It
//! writes down what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a server gives out, and how.
#[derive(Default)]
pub(super) struct Site {
    /// The folder with the repositories.
    pub(super) repositories: PathBuf,
    /// The value that `Authorization` must have.
    pub(super) authorization: Option<String>,
    /// Where addresses that begin so are sent on to; the rest of the address is kept.
    pub(super) redirects: HashMap<String, String>,
    /// Archives by their paths, with the tag that they have.
    pub(super) archives: HashMap<String, (Vec<u8>, Option<&'static str>)>,
    /// Whether only the oldest version of git's protocol is spoken.
    pub(super) is_old: bool,
    /// Whether nothing is answered at all.
    pub(super) is_silent: bool,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) what: String,
    pub(super) authorization: Option<String>,
    pub(super) body: Bytes,
}

/// A running server. It ends with the test's runtime.
pub(super) struct Server {
    pub(super) site: Arc<Mutex<Site>>,
    pub(super) url: String,
    /// The certificate, for clients that should trust it.
    pub(super) certificate: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// A server behind HTTPS.
    pub(super) async fn secure(site: Site) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let configuration = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        Self::start(site, Some(TlsAcceptor::from(Arc::new(configuration))), certificate.pem()).await
    }

    /// A server behind plain HTTP.
    pub(super) async fn plain(site: Site) -> Self {
        Self::start(site, None, String::new()).await
    }

    async fn start(site: Site, tls: Option<TlsAcceptor>, certificate: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (site, asked) = (Arc::new(Mutex::new(site)), Arc::default());
        let server = Self { site, url: format!("{scheme}://localhost:{port}"), certificate, asked };
        let (site, asked) = (Arc::clone(&server.site), Arc::clone(&server.asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (site, asked, tls) = (Arc::clone(&site), Arc::clone(&asked), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, site, asked).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, site, asked).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    /// What was asked since this was called last.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// What was asked since, without the rest.
    pub(super) fn addresses_asked(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.what).collect()
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, site: Arc<Mutex<Site>>, asked: Arc<Mutex<Vec<Asked>>>) {
    let service = service_fn(move |request| {
        let (site, asked) = (Arc::clone(&site), Arc::clone(&asked));
        async move { Ok::<_, Infallible>(answer(request, &site, &asked).await) }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, site: &Mutex<Site>, asked: &Mutex<Vec<Asked>>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = |name| parts.headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let address = parts.uri.path_and_query().unwrap().to_string();
    let authorization = text(header::AUTHORIZATION.as_str()).map(str::to_owned);
    asked.lock().unwrap().push(Asked {
        what: format!("{} {address}", parts.method),
        authorization: authorization.clone(),
        body: body.clone(),
    });
    if site.lock().unwrap().is_silent {
        std::future::pending::<()>().await;
    }
    let (repositories, protocol) = {
        let site = site.lock().unwrap();
        for (start, target) in &site.redirects {
            if let Some(rest) = address.strip_prefix(start.as_str()) {
                return response(StatusCode::FOUND, &[("location", &format!("{target}{rest}"))], Bytes::new());
            }
        }
        if site.authorization.is_some() && site.authorization != authorization {
            return response(StatusCode::UNAUTHORIZED, &[("www-authenticate", "Basic")], Bytes::new());
        }
        if let Some((archive, tag)) = site.archives.get(parts.uri.path()) {
            let headers: Vec<_> = tag.iter().map(|tag| ("etag", *tag)).collect();
            if tag.is_some() && text("if-none-match") == *tag {
                return response(StatusCode::NOT_MODIFIED, &headers, Bytes::new());
            }
            return response(StatusCode::OK, &headers, archive.clone().into());
        }
        if site.repositories.as_os_str().is_empty() {
            return response(StatusCode::NOT_FOUND, &[], Bytes::new());
        }
        let protocol = text("git-protocol").filter(|_| !site.is_old).unwrap_or_default().to_owned();
        (site.repositories.clone(), protocol)
    };
    let mut command = tokio::process::Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", repositories)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROTOCOL", protocol)
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", text("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut backend = command.spawn().unwrap();
    let mut input = backend.stdin.take().unwrap();
    let (written, output) = tokio::join!(
        async move {
            let _ = input.write_all(&body).await;
        },
        backend.wait_with_output()
    );
    let () = written;
    from_gateway(&output.unwrap().stdout)
}

/// What a program behind the Common Gateway Interface answers.
fn from_gateway(output: &[u8]) -> Response<Full<Bytes>> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&output[..end]).unwrap();
    let headers: Vec<_> = head.lines().filter_map(|line| line.split_once(": ")).collect();
    let status = headers.iter().find(|(name, _)| *name == "Status").map_or("200", |(_, status)| &status[..3]);
    let headers: Vec<_> = headers.iter().copied().filter(|(name, _)| *name != "Status").collect();
    response(status.parse().unwrap(), &headers, Bytes::copy_from_slice(&output[end + 4..]))
}

fn response(status: StatusCode, headers: &[(&str, &str)], body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body)).unwrap()
}
