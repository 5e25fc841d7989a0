//! `longshore controller`: the reconciler over the resources of a cluster.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use kube::Client;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::build::ContextReader;
use crate::cluster::{self, ControllerOptions, KubeResources, Parts};
use crate::engine::{EnginePool, Engines};
use crate::reconcile::{Reconciler, ReconcilerParts, Resources};
use crate::registry::{GoogleIdentity, OciRegistry};
use crate::source::SourceOptions;
use crate::telemetry::{MeasuredEngines, Metrics, Observer, start_logging};

/// Run the controller of a cluster: watch its ContainerApps and keep them true
#[derive(Debug, Args)]
pub struct ControllerCommand {
    /// How it runs.
    #[command(flatten)]
    pub options: ControllerOptions,

    /// A file of certificate authorities (PEM) to trust for registries and sources, beside the system's own
    #[arg(long, env = "LONGSHORE_REGISTRY_CA", value_name = "FILE")]
    registry_ca: Option<PathBuf>,

    /// Folder for the files of git repositories and archives; it may be lost at any restart
    #[arg(long, env = "LONGSHORE_CACHE_DIR", value_name = "FOLDER", default_value = "/var/cache/longshore")]
    cache_dir: PathBuf,

    /// Namespace of the Secrets with the keys for engines: the controller's own
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE", default_value = "longshore-system")]
    engine_secrets_namespace: String,
}

impl ControllerCommand {
    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// A sentence for the user, when the API server cannot be reached or an address cannot be listened on.
    pub async fn run(self) -> Result<(), String> {
        start_logging(&self.options.log).map_err(|error| error.to_string())?;
        let client = Client::try_default()
            .await
            .map_err(|error| format!("the API server cannot be reached: {error}; check KUBECONFIG"))?;
        let instance = cluster::instance(&client, &self.options.release).await.map_err(|error| error.to_string())?;
        let metrics = Arc::new(Metrics::new().map_err(|error| error.to_string())?);
        let resources = KubeResources::new(client.clone()).within(self.options.namespace.clone());
        let resources: Arc<dyn Resources> = Arc::new(resources);
        let pool = EnginePool::new(Arc::clone(&resources), self.engine_secrets_namespace);
        let engines: Arc<dyn Engines> = Arc::new(MeasuredEngines::new(Arc::new(pool), Arc::clone(&metrics)));
        let (reconciler, wakes) = Reconciler::new(ReconcilerParts {
            resources,
            engines: Arc::clone(&engines),
            registry: Arc::new(OciRegistry::trusting_file(self.registry_ca.as_deref())?),
            ambient: Arc::new(GoogleIdentity::ambient()),
            contexts: ContextReader::default(),
            sources: SourceOptions::in_cache(&self.cache_dir, self.registry_ca),
            instance: instance.clone(),
            reporter: Arc::new(Observer::new(Arc::clone(&metrics))),
            clock: Arc::new(Timestamp::now),
            keep_images: false,
            remove_volumes: false,
            engine_patience: Some(self.options.engine_patience),
        });
        let counted = Arc::downgrade(&reconciler);
        metrics.count_running_tasks_by(move || counted.upgrade().map_or(0, |reconciler| reconciler.running_tasks()));
        let stop = cluster::stop_on_signals().map_err(|error| error.to_string())?;
        let parts = Parts { client, reconciler: Arc::clone(&reconciler) as _, engines, instance, metrics };
        let wakes = UnboundedReceiverStream::new(wakes);
        let result = cluster::run(&self.options, parts, wakes, stop).await;
        reconciler.shut_down();
        result.map_err(|error| error.to_string())
    }
}
