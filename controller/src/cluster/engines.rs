//! The queue of ContainerEngines: each is asked every half minute, and when it has changed, and its status tells.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use longshore_crds::{ContainerApp, ContainerEngine, ContainerEngineStatus};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::engine_status::{Look, leftovers, status_after};
use super::errors::resource_error;
use super::guard::parse;
use super::status_patch::apply_status;
use crate::app::{Container, Instance};
use crate::engine::{EngineError, Engines};
use crate::reconcile::{Reconcile, ResourceError};

type Engine = PartialObjectMeta<ContainerEngine>;

/// How often an engine is asked.
const INTERVAL: Duration = Duration::from_secs(30);

/// How long an engine has to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many engines are asked at the same time.
const CONCURRENCY: u16 = 8;

/// Who asks.
pub(super) struct EngineQueue {
    pub(super) client: Client,
    pub(super) engines: Arc<dyn Engines>,
    pub(super) instance: Instance,
    /// The only namespace whose resources are known, where it is not every one.
    pub(super) namespace: Option<String>,
    pub(super) reconciler: Arc<dyn Reconcile>,
}

/// Keeps the status of every engine true until it is asked to stop.
pub(super) async fn keep_statuses(queue: EngineQueue, stop: CancellationToken) {
    let engines = Api::<Engine>::all(queue.client.clone());
    Controller::new(engines, watcher::Config::default())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(
            |engine, queue| async move { queue.look_at(&engine.name_any()).await.map(|()| Action::requeue(INTERVAL)) },
            |engine, error, _| {
                warn!(engine = engine.name_any(), "the engine's status could not be kept: {error}");
                Action::requeue(INTERVAL)
            },
            Arc::new(queue),
        )
        // A look at an engine that does not answer is not worth the wait: nothing is lost with it.
        .take_until(stop.cancelled_owned())
        .for_each(|result| async move {
            if let Err(error) = result {
                debug!("the queue of engines: {error}");
            }
        })
        .await;
}

impl EngineQueue {
    async fn look_at(&self, name: &str) -> Result<(), ResourceError> {
        let resource = ApiResource::erase::<ContainerEngine>(&());
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let found = api.get_opt(name).await;
        let Some(object) =
            found.map_err(|error| resource_error(&format!("read the ContainerEngine {name}"), &error))?
        else {
            return Ok(());
        };
        let look = match parse::<ContainerEngine>(&serde_json::to_value(&object).unwrap_or_default()) {
            Ok(engine) => self.ask(&engine).await,
            Err(message) => Look::Invalid(message),
        };
        let old = status_of(&object.data["status"]);
        let generation = object.metadata.generation.unwrap_or(0);
        let new = status_after(&old, generation, &look, Timestamp::now());
        if new != old
            && let Err(error) = apply_status(&api, &resource, &object.metadata, &new).await
        {
            return match resource_error(&format!("write the status of the ContainerEngine {name}"), &error) {
                // The change that came in between has woken this queue.
                ResourceError::Conflict => Ok(()),
                error => Err(error),
            };
        }
        if matches!(look, Look::Answering { .. }) && !new.tombstones.is_empty() {
            let swept = self.reconciler.sweep(name).await;
            return swept.map_err(|error| ResourceError::Unavailable(error.to_string()));
        }
        Ok(())
    }

    async fn ask(&self, engine: &ContainerEngine) -> Look {
        match timeout(PATIENCE, self.answer_of(engine)).await {
            Ok(Ok(look)) => look,
            Ok(Err(error)) => Look::Unreachable(error.to_string()),
            Err(_) => Look::Unreachable(format!(
                "the engine at {} has not answered within {} seconds",
                engine.spec.endpoint,
                PATIENCE.as_secs()
            )),
        }
    }

    async fn answer_of(&self, engine: &ContainerEngine) -> Result<Look, EngineError> {
        let engine = self.engines.connect(engine).await?;
        let info = engine.info().await?;
        let containers = engine.list_containers().await?;
        let ours: Vec<Container> =
            containers.into_iter().filter(|container| container.belongs_to(&self.instance)).collect();
        let leftovers = self.owners().await.map(|owners| leftovers(&ours, &owners, self.namespace.as_deref()));
        Ok(Look::Answering { info, containers: ours.len(), leftovers })
    }

    /// The UIDs of all resources; `None` while they cannot be listed.
    async fn owners(&self) -> Option<BTreeSet<String>> {
        let apps: Api<PartialObjectMeta<ContainerApp>> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        // From the API server's cache: what it does not know yet was made a moment ago.
        let listed = apps.list_metadata(&ListParams::default().match_any()).await;
        let listed = listed.inspect_err(|error| debug!("the ContainerApps cannot be listed: {error}")).ok()?;
        Some(listed.items.into_iter().filter_map(|app| app.metadata.uid).collect())
    }
}

/// The status that is there; one that cannot be understood is observed anew.
fn status_of(status: &Value) -> ContainerEngineStatus {
    parse::<Option<ContainerEngineStatus>>(status).ok().flatten().unwrap_or_default()
}
