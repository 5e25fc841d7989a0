//! Git repositories made by a test, served to it over https and ssh by real programs: `git http-backend` behind a small
//! server with a certificate of its own, and Debian's `sshd`.
//!
//! It runs on threads of its own, so that a test may wait for a client without keeping the server from answering, and
//! ends with the value that a test holds.

mod door;
mod http_backend;
mod repository;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::{SshServer, unique_name};
use door::Door;
pub use repository::{Change, Repository};

/// What a [`GitServer`] answers with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// What is asked for.
    #[default]
    Repositories,
    /// The way to the same path at another address, `https://HOST:PORT`.
    RedirectTo(String),
    /// This status, and nothing else.
    Status(u16),
}

/// A request as it came over https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The path, with its slash.
    pub path: String,
    /// What stands behind the question mark.
    pub query: Option<String>,
    /// The header with credentials, as it was sent.
    pub authorization: Option<String>,
    /// What was answered.
    pub status: u16,
}

/// A server for one test's repositories. Everything of it is gone when it is dropped.
pub struct GitServer {
    folder: TempDir,
    authority: String,
    desk: Arc<Desk>,
    door: Door,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl GitServer {
    /// A server that lets anyone read, at a free port of this machine.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for repositories");
        std::fs::create_dir(folder.path().join("repositories")).expect("a folder in it");
        let (authority, acceptor) = certified();
        std::fs::write(folder.path().join("authority.pem"), &authority).expect("the authority is written");
        let desk = Arc::new(Desk::new(folder.path().join("repositories")));
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build().expect("threads for the server");
        let door = Door::open_anywhere(&acceptor, &desk, runtime.handle());
        Self { folder, authority, desk, door, runtime: Some(runtime) }
    }

    /// From now on only who knows these may read over https.
    pub fn want_credentials(&self, user: &str, password: &str) {
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        self.desk.state().credentials = Some(expected);
    }

    /// From now on it answers so over https.
    pub fn answer_with(&self, answer: Answer) {
        self.desk.state().answer = answer;
    }

    /// A new and empty repository. The name may have folders in it.
    pub fn repository(&self, name: &str) -> Repository {
        Repository::create(&self.desk.root, name)
    }

    /// Where a repository is over https.
    pub fn url(&self, repository: &Repository) -> String {
        format!("{}/{}.git", self.address(), repository.name())
    }

    /// `https://localhost:PORT`. The certificate is for 127.0.0.1 as well, which clients take for another host.
    pub fn address(&self) -> String {
        format!("https://localhost:{}", self.port())
    }

    /// The port, open or closed.
    pub fn port(&self) -> u16 {
        self.door.port()
    }

    /// The certificate of the authority that vouches for this server alone, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The same in a file.
    pub fn authority_file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// From when this returns on, https connections are refused, and those that were open are cut.
    pub fn become_unreachable(&mut self) {
        self.door.close();
    }

    /// It listens again, at the same port.
    pub fn become_reachable(&mut self) {
        let runtime = self.runtime.as_ref().expect("it runs until it is dropped");
        self.door.open(runtime.handle()).expect("the port was kept");
    }

    /// What was asked over https so far, and answered.
    pub fn requests(&self) -> Vec<GitRequest> {
        self.desk.state().requests.clone()
    }

    /// Forgets what was asked so far.
    pub fn forget_requests(&self) {
        self.desk.state().requests.clear();
    }

    /// Serves the same repositories over ssh, at a port of this machine.
    pub fn over_ssh(&self) -> SshServer {
        SshServer::start(IpAddr::V4(Ipv4Addr::LOCALHOST), &reader_of(&self.desk.root))
    }

    /// Where a repository is over ssh.
    pub fn ssh_url(&self, server: &SshServer, repository: &Repository) -> String {
        format!("{}/{}.git", server.address(), repository.name())
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.door.close();
        // In the background, since a test may hold it in a runtime of its own, where waiting is not allowed. What is
        // left by now is idle threads.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Where requests are looked at.
struct Desk {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    credentials: Option<String>,
    answer: Answer,
    requests: Vec<GitRequest>,
}

impl Desk {
    fn new(root: PathBuf) -> Self {
        Self { root, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (request, body) = request.into_parts();
        let authorization = request.headers.get(AUTHORIZATION).map(text_of);
        let response = match self.refusal(authorization.as_deref(), request.uri.to_string().as_str()) {
            Some(refusal) => refusal,
            None => match body.collect().await {
                Ok(body) => http_backend::answer(&self.root, &request, body.to_bytes()).await,
                Err(_) => http_backend::bare(StatusCode::BAD_REQUEST),
            },
        };
        self.state().requests.push(GitRequest {
            method: request.method.to_string(),
            path: request.uri.path().to_owned(),
            query: request.uri.query().map(str::to_owned),
            authorization,
            status: response.status().as_u16(),
        });
        response
    }

    /// The answer to a request that gets nothing of a repository.
    fn refusal(&self, authorization: Option<&str>, target: &str) -> Option<Response<Full<Bytes>>> {
        let state = self.state();
        match &state.answer {
            Answer::Repositories if state.credentials.as_deref().is_none_or(|right| authorization == Some(right)) => {
                None
            }
            Answer::Repositories => {
                let mut response = http_backend::bare(StatusCode::UNAUTHORIZED);
                let challenge = HeaderValue::from_static("Basic realm=\"repositories\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                Some(response)
            }
            Answer::RedirectTo(address) => {
                let mut response = http_backend::bare(StatusCode::FOUND);
                let location = format!("{address}{target}").parse().expect("it is an address");
                response.headers_mut().insert(LOCATION, location);
                Some(response)
            }
            Answer::Status(code) => {
                Some(http_backend::bare(StatusCode::from_u16(*code).expect("a test answers with a status that exists")))
            }
        }
    }
}

fn text_of(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// An authority, and a certificate for this machine that it vouches for.
fn certified() -> (String, TlsAcceptor) {
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    // Clients look for authorities by their names: two servers have two.
    parameters.distinguished_name.push(DnType::CommonName, unique_name("authority"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(parameters, key).expect("an authority");

    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new(names).expect("parameters");
    let certificate = parameters.signed_by(&key, &authority).expect("a certificate");
    let configuration = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("a certificate and its key");
    (authority.pem(), TlsAcceptor::from(Arc::new(configuration)))
}

/// What sshd runs for every session, whatever it was asked for: it reads repositories of one folder.
fn reader_of(root: &Path) -> String {
    format!(
        r#"#!/bin/sh
set -eu
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
asked=${{SSH_ORIGINAL_COMMAND-a shell}}
refuse() {{ echo "this server lets repositories be read, and nothing else: $asked" >&2; exit 1; }}
path=${{asked#git-upload-pack }}
[ "$path" != "$asked" ] || refuse
path=${{path#\'}} path=${{path%\'}}
case /$path/ in */../*) refuse ;; esac
exec git upload-pack --strict '{}'"/${{path#/}}"
"#,
        root.display()
    )
}
