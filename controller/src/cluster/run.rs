//! Everything that a controller process does, from its first breath to its last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::Stream;
use kube::Client;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::backoff::Backoffs;
use super::controller::{Queue, drive};
use super::engines::{EngineQueue, keep_statuses};
use super::options::ControllerOptions;
use crate::app::Instance;
use crate::engine::Engines;
use crate::reconcile::{AppKey, Reconcile};
use crate::telemetry::{Health, Metrics, serve_metrics, serve_probes};

/// What a controller is made of.
pub struct Parts {
    /// The client of the API server.
    pub client: Client,
    /// The reconciler of ContainerApps.
    pub reconciler: Arc<dyn Reconcile>,
    /// The engines, whose statuses are kept.
    pub engines: Arc<dyn Engines>,
    /// The installation.
    pub instance: Instance,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Why a controller cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}, which {flag} asks for: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that names it.
        flag: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The signals of the process cannot be waited for.
    #[error("cannot wait for SIGTERM and SIGINT: {0}")]
    Signals(#[source] io::Error),
}

/// Runs until `stop`, then until the passes that are under way have ended, 20 seconds at most. `wakes` are resources that
/// something has happened to; when it ends, the watch and the waits go on.
pub async fn run(
    options: &ControllerOptions,
    parts: Parts,
    wakes: impl Stream<Item = AppKey> + Send + 'static,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let probes = listen(options.probe_address, "--probe-address").await?;
    let metrics = listen(options.metrics_address, "--metrics-address").await?;
    let health = Arc::new(Health::new());
    let queue = Arc::new(Queue {
        reconciler: parts.reconciler,
        metrics: Arc::clone(&parts.metrics),
        health: Arc::clone(&health),
        backoffs: Backoffs::new(),
    });
    let engines = EngineQueue {
        client: parts.client.clone(),
        engines: parts.engines,
        instance: parts.instance,
        namespace: options.namespace.clone(),
        reconciler: Arc::clone(&queue.reconciler),
    };
    // The probes answer until the very end: a process that is still ending is alive.
    let servers = tokio::spawn(async move {
        tokio::join!(serve_probes(probes, health), serve_metrics(metrics, parts.metrics));
    });
    info!(namespace = options.namespace, concurrency = options.concurrency, "the controller runs");
    tokio::join!(drive(parts.client, options, queue, wakes, stop.clone()), keep_statuses(engines, stop),);
    servers.abort();
    info!("the controller has ended");
    Ok(())
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, flag, source })
}

/// A token that is cancelled by the first SIGTERM or SIGINT. A second one ends the process at once, as it would without
/// us.
pub fn stop_on_signals() -> Result<CancellationToken, RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        // Both arms may be dropped: a signal that comes in between is not lost, the other has come already.
        let status = tokio::select! {
            _ = terminate.recv() => 128 + 15,
            _ = interrupt.recv() => 128 + 2,
        };
        info!("asked to end; another signal ends at once");
        token.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(status);
    });
    Ok(stop)
}
