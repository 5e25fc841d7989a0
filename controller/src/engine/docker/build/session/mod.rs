//! What BuildKit may ask of us while it builds: the files of the context, credentials, secrets, signatures.
//!
//! The engine is the client here. A connection of ours is upgraded to HTTP/2, and what comes in on it is answered:
//! [`SessionServices`] names the methods, each of its parts answers those of one service. Anything else is
//! Unimplemented.
//!
//! # Guarantees
//! Nothing is answered but what the build's request holds, whatever the engine asks for: no file of this machine
//! beyond the context, no credential for another host, no private key. What an engine sends is bounded in size, and
//! what it asks for is made only as fast as it takes it.

mod agent;
mod auth;
mod file_sync;
mod follow;
mod health;
mod secrets;
mod selection;
mod ssh;
mod synced;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use bollard_buildkit_proto::health::health_server::HealthServer;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard_buildkit_proto::moby::filesync::packet::file_sync_server::FileSyncServer;
use bollard_buildkit_proto::moby::filesync::v1::auth_server::AuthServer;
use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::SshServer;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioExecutor;
use hyper_util::service::TowerToHyperService;
use tonic::service::Routes;

use self::auth::CredentialsByHost;
use self::file_sync::SyncedFolders;
use self::health::Healthy;
use self::secrets::SecretsById;
use self::ssh::AgentsById;
use crate::engine::{BuildRequest, ProgressSink};

pub(super) use self::secrets::LARGEST_SECRET;

/// How much of a stream's requests may wait for us, and of all of them. A builder asks for each file in a frame of some
/// ten bytes, thousands of them at once, and h2 (0.4.20) ends a connection on which small frames of more than half of
/// its window wait, each of them counted as 256 bytes. With these the builder is held back long before.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// Names and patterns of files come in headers. It is what Go's servers let in.
const LARGEST_HEADERS: u32 = 1 << 20;
/// How many questions are answered at once.
const MOST_STREAMS: u32 = 128;
/// What is made ahead of an engine that is slow to take it, in bytes, for each stream.
const MOST_AHEAD: usize = 1 << 20;

const METHODS: &[&str] =
    &["/grpc.health.v1.Health/Check", "/moby.filesync.v1.FileSync/DiffCopy", "/moby.filesync.v1.Auth/Credentials"];
const SECRETS: &[&str] = &["/moby.buildkit.secrets.v1.Secrets/GetSecret"];
const SSH: &[&str] = &["/moby.sshforward.v1.SSH/CheckAgent", "/moby.sshforward.v1.SSH/ForwardAgent"];

/// The session of one build.
pub(super) struct Session {
    /// It is nobody else's: two builds that share an ID would answer each other's questions.
    pub(super) id: String,
    shared_key: String,
    methods: Vec<&'static str>,
    routes: Routes,
    /// What was sent, and what went wrong with it.
    pub(super) sent: Sent,
}

/// What of a context was sent, and what went wrong with it: an engine would only say that the sending broke off.
#[derive(Clone)]
pub(super) struct Sent(Arc<Mutex<SentSoFar>>);

struct SentSoFar {
    bytes: u64,
    problem: Option<String>,
    progress: ProgressSink,
}

impl Sent {
    pub(super) fn telling(progress: &ProgressSink) -> Self {
        Self(Arc::new(Mutex::new(SentSoFar { bytes: 0, problem: None, progress: Arc::clone(progress) })))
    }

    /// So many more bytes of files were sent.
    pub(super) fn add(&self, bytes: usize) {
        let mut so_far = self.lock();
        so_far.bytes += bytes as u64;
        let (progress, bytes) = (Arc::clone(&so_far.progress), so_far.bytes);
        drop(so_far);
        progress(crate::engine::Progress::ContextSent { bytes });
    }

    /// The first problem is the one that is told.
    pub(super) fn fail(&self, problem: String) {
        self.lock().problem.get_or_insert(problem);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SentSoFar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// A session that answers for this request, and for nothing else.
    pub(super) fn new(request: &BuildRequest, progress: &ProgressSink) -> Self {
        let sent = Sent::telling(progress);
        let folders = SyncedFolders::of(&request.context, request.source_date_epoch, sent.clone());
        let mut methods = METHODS.to_vec();
        let mut routes = Routes::new(HealthServer::new(Healthy))
            .add_service(FileSyncServer::new(folders))
            .add_service(AuthServer::new(CredentialsByHost::new(request.credentials.clone())));
        if !request.secrets.is_empty() {
            methods.extend(SECRETS);
            routes = routes.add_service(SecretsServer::new(SecretsById::new(request.secrets.clone())));
        }
        if !request.ssh.is_empty() {
            methods.extend(SSH);
            routes = routes.add_service(SshServer::new(AgentsById::new(request.ssh.clone())));
        }
        let id = format!("longshore-{:032x}", rand::random::<u128>());
        Self { id, shared_key: request.shared_key.clone(), methods, routes, sent }
    }

    /// What the connection's request says of it.
    pub(super) fn headers(&self) -> Vec<(&str, &str)> {
        let of_session = [
            ("X-Docker-Expose-Session-Uuid", self.id.as_str()),
            ("X-Docker-Expose-Session-Name", "longshore"),
            ("X-Docker-Expose-Session-Sharedkey", self.shared_key.as_str()),
        ];
        let methods = self.methods.iter().map(|method| ("X-Docker-Expose-Session-Grpc-Method", *method));
        of_session.into_iter().chain(methods).collect()
    }

    /// Answers what comes in on a connection, until it ends.
    pub(super) async fn serve<Connection>(&self, connection: Connection) -> Result<(), hyper::Error>
    where
        Connection: Read + Write + Unpin + Send + 'static,
    {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .max_header_list_size(LARGEST_HEADERS)
            .max_concurrent_streams(MOST_STREAMS)
            .max_send_buf_size(MOST_AHEAD)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .serve_connection(connection, TowerToHyperService::new(self.routes.clone()))
            .await
    }
}
