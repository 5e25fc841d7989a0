//! What makes the controller look at a resource, seen with a reconciler that only remembers what it was asked for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use kube::Client;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use longshore::app::Instance;
use longshore::cluster::{ControllerOptions, KubeResources, Parts, run};
use longshore::engine::{Engine, EngineError, Engines};
use longshore::reconcile::{AppKey, LookAgain, Reconcile, ReconcileError, ResourceError, Resources};
use longshore::telemetry::Metrics;
use longshore_crds::{ContainerApp, ContainerAppStatus, ContainerEngine};
use longshore_tests::{Installation, Rights, corrupt, eventually, unique_name, with_temp_namespace};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

/// Remembers how often each resource was looked at. Those whose name begins with `failing` fail.
#[derive(Default)]
struct Looks(Mutex<HashMap<String, usize>>);

impl Looks {
    fn of(&self, name: &str) -> usize {
        self.0.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

#[async_trait]
impl Reconcile for Looks {
    async fn reconcile(&self, key: &AppKey) -> Result<LookAgain, ReconcileError> {
        *self.0.lock().unwrap().entry(key.name.clone()).or_default() += 1;
        if key.name.starts_with("failing") {
            return Err(ReconcileError::Failed("as it was told to".to_owned()));
        }
        Ok(LookAgain(Duration::from_hours(1)))
    }
}

struct NoEngines;

const SILENCE: &str = "nobody is at home in this test";

#[async_trait]
impl Engines for NoEngines {
    async fn connect(&self, engine: &ContainerEngine) -> Result<Arc<dyn Engine>, EngineError> {
        Err(EngineError::Unreachable { endpoint: engine.spec.endpoint.clone(), message: SILENCE.to_owned() })
    }
}

struct Stage {
    administrator: Client,
    controller: Client,
    namespace: String,
    looks: Arc<Looks>,
    wakes: mpsc::UnboundedSender<AppKey>,
}

impl Stage {
    fn apps(&self) -> Api<ContainerApp> {
        Api::namespaced(self.administrator.clone(), &self.namespace)
    }

    fn key(&self, name: &str) -> AppKey {
        AppKey { namespace: self.namespace.clone(), name: name.to_owned() }
    }

    /// A suspended one: a controller that someone else runs on the lab leaves it alone.
    async fn create(&self, name: &str) {
        let spec = serde_json::from_value(json!({"image": {"name": "web"}, "suspend": true})).unwrap();
        self.apps().create(&PostParams::default(), &ContainerApp::new(name, spec)).await.unwrap();
    }

    async fn looked_at(&self, name: &str, more_often_than: usize) {
        eventually(&format!("{name} is looked at more often than {more_often_than} times"), || async {
            self.looks.of(name) > more_often_than
        })
        .await;
    }
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    options: ControllerOptions,
}

/// Runs a controller under the chart's rights for one namespace.
async fn with_controller<F: Future<Output = ()>>(test: impl FnOnce(Arc<Stage>) -> F) {
    with_temp_namespace(|administrator, namespace| async move {
        let installation = Installation::of(&unique_name("rights"), &namespace, Rights::OneNamespace);
        let controller = installation.client().await;
        let (wakes, receiver) = mpsc::unbounded_channel();
        let looks = Arc::new(Looks::default());
        let stop = CancellationToken::new();
        let parts = Parts {
            client: controller.clone(),
            reconciler: Arc::clone(&looks) as Arc<dyn Reconcile>,
            engines: Arc::new(NoEngines),
            instance: Instance::new("test"),
            metrics: Arc::new(Metrics::new().unwrap()),
        };
        let arguments = [
            "controller",
            "--namespace",
            &namespace,
            "--probe-address",
            "127.0.0.1:0",
            "--metrics-address",
            "127.0.0.1:0",
        ];
        let options = Command::parse_from(arguments).options;
        let token = stop.clone();
        let running =
            tokio::spawn(async move { run(&options, parts, UnboundedReceiverStream::new(receiver), token).await });
        test(Arc::new(Stage { administrator, controller, namespace, looks, wakes })).await;
        stop.cancel();
        running.await.unwrap().expect("it ends in peace");
        drop(installation);
    })
    .await;
}

#[tokio::test]
async fn a_resource_is_looked_at_when_it_comes_changes_and_goes() {
    with_controller(|stage| async move {
        stage.create("web").await;
        stage.looked_at("web", 0).await;
        let before = stage.looks.of("web");
        let edit = json!({"spec": {"image": {"tags": ["2"]}}});
        stage.apps().patch("web", &PatchParams::default(), &Patch::Merge(&edit)).await.unwrap();
        stage.looked_at("web", before).await;
        let before = stage.looks.of("web");
        stage.apps().delete("web", &DeleteParams::default()).await.unwrap();
        stage.looked_at("web", before).await;
    })
    .await;
}

#[tokio::test]
async fn what_happens_on_an_engine_wakes_a_resource() {
    with_controller(|stage| async move {
        stage.create("web").await;
        stage.looked_at("web", 0).await;
        let before = stage.looks.of("web");
        stage.wakes.send(stage.key("web")).unwrap();
        stage.looked_at("web", before).await;
    })
    .await;
}

#[tokio::test]
async fn one_that_fails_is_tried_again_and_delays_nobody() {
    with_controller(|stage| async move {
        stage.create("failing").await;
        stage.looked_at("failing", 1).await;
        stage.create("web").await;
        stage.looked_at("web", 0).await;
    })
    .await;
}

#[tokio::test]
async fn an_engine_says_whether_it_answers_and_a_change_of_it_wakes_its_users() {
    with_controller(|stage| async move {
        stage.create("web").await;
        stage.looked_at("web", 0).await;
        let engines: Api<ContainerEngine> = Api::all(stage.administrator.clone());
        let name = unique_name("longshore-test");
        let before = stage.looks.of("web");
        let spec = serde_json::from_value(json!({"endpoint": "tcp://127.0.0.1:1"})).unwrap();
        engines.create(&PostParams::default(), &ContainerEngine::new(&name, spec)).await.unwrap();
        stage.looked_at("web", before).await;
        eventually("its status tells", || async {
            let engine = engines.get(&name).await.unwrap();
            let ready = engine.status.and_then(|status| status.conditions.into_iter().next());
            ready.is_some_and(|ready| ready.reason == "Unreachable" && ready.message.contains(SILENCE))
        })
        .await;
        let before = stage.looks.of("web");
        engines.delete(&name, &DeleteParams::default()).await.unwrap();
        stage.looked_at("web", before).await;
    })
    .await;
}

#[tokio::test]
async fn one_that_cannot_be_understood_stalls_itself_alone() {
    with_controller(|stage| async move {
        stage.create("broken").await;
        corrupt(&format!("/registry/longshore.dev/containerapps/{}/broken", stage.namespace), |object| {
            object["spec"]["run"] = json!({"ports": [{"hostPort": "eighty", "containerPort": 80}]});
        });
        stage.create("web").await;
        stage.looked_at("web", 0).await;
        stage.looked_at("broken", 0).await;

        let resources = KubeResources::new(stage.controller.clone());
        let told = "spec.run.ports[0].hostPort: found string \"eighty\"";
        eventually("its status tells what is wrong", || async {
            let Err(ResourceError::Invalid { message, app }) = resources.app(&stage.key("broken")).await else {
                return false;
            };
            assert!(message.starts_with(told), "{message}");
            let status = ContainerAppStatus { observed_generation: 7, ..ContainerAppStatus::default() };
            let older = ContainerApp {
                metadata: ObjectMeta { resource_version: Some("1".to_owned()), ..app.metadata.clone() },
                ..(*app).clone()
            };
            assert_eq!(resources.write_status(&older, &status).await, Err(ResourceError::Conflict));
            match resources.write_status(&app, &status).await {
                Ok(()) => true,
                Err(ResourceError::Conflict) => false,
                Err(error) => panic!("{error}"),
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn one_that_cannot_be_understood_can_still_be_deleted() {
    with_controller(|stage| async move {
        stage.create("broken").await;
        let resources = KubeResources::new(stage.controller.clone());
        let app = resources.app(&stage.key("broken")).await.unwrap().unwrap();
        resources.hold(&app).await.unwrap();
        corrupt(&format!("/registry/longshore.dev/containerapps/{}/broken", stage.namespace), |object| {
            object["spec"]["run"] = json!({"ports": "none"});
        });
        stage.apps().delete("broken", &DeleteParams::default()).await.ok();
        eventually("it is gone", || async {
            match resources.app(&stage.key("broken")).await {
                Ok(None) => true,
                Ok(Some(remains)) => {
                    assert_eq!(remains.spec.engine, "default");
                    match resources.release(&remains).await {
                        Ok(()) | Err(ResourceError::Conflict) => false,
                        Err(error) => panic!("{error}"),
                    }
                }
                // The API server has not heard of the corruption or of the deletion yet.
                Err(ResourceError::Invalid { .. }) => false,
                Err(error) => panic!("{error}"),
            }
        })
        .await;
    })
    .await;
}
