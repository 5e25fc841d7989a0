//! The reconciler on everything in memory: what the fakes are for.

mod crash_loops;
mod drift;
mod leftovers;
mod moves;
mod one_shots;
mod pulls;
mod pushes;
mod registries;
mod remote_retention;
mod replacement;
mod revisions;
mod running;
mod schedules;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use longshore_crds::{ContainerApp, ContainerAppStatus};
use serde_json::json;

use super::crash::{CrashPlan, Moment};
use super::{MemoryEngine, MemoryEngines, MemoryImage, MemoryRegistry, MemoryResources, TestClock};
use crate::app::{ContainerState, ImageReference, ImageStore, Instance};
use crate::build::ContextReader;
use crate::reconcile::{
    AppKey, LookAgain, NoReporter, Reconcile, Reconciler, ReconcilerParts, Reporter, SecretData, Wakes,
};
use crate::registry::{AmbientCredentials, NoAmbientCredentials};
use crate::source::SourceOptions;

const BOTH_STORES: [ImageStore; 2] = [ImageStore::GraphDriver, ImageStore::Containerd];

/// A reconciler that asks for no earlier look has nothing to wait for.
const AT_REST: Duration = Duration::from_mins(5);

const MOST_LOOKS: usize = 100;

/// How long an engine may be silent before what is on it is left to a tombstone.
const PATIENCE: Duration = Duration::from_secs(20);

/// A world with an engine and two others that nothing is on, Docker Hub's `node:6`, and a `gcr.io` that wants
/// credentials.
struct World {
    clock: TestClock,
    registry: MemoryRegistry,
    engine: MemoryEngine,
    second: MemoryEngine,
    third: MemoryEngine,
    resources: MemoryResources,
    key: AppKey,
}

impl World {
    fn new(store: ImageStore) -> Self {
        let clock = TestClock::default();
        let registry = MemoryRegistry::default();
        registry.put(&reference("node:6"), &MemoryImage::new("node 6"));
        registry.require("gcr.io", "_json_key", "a+b/c");
        let [engine, second, third] = [0, 1, 2].map(|_| MemoryEngine::new(store, &clock, &registry));
        let resources = MemoryResources::new(&clock);
        for (name, engine) in [("default", &engine), ("second", &second), ("third", &third)] {
            resources.put_engine(name, engine);
        }
        let configuration = json!({"auths": {"gcr.io": {"username": "_json_key", "password": "a+b/c"}}});
        let secret = SecretData {
            kind: "kubernetes.io/dockerconfigjson".to_owned(),
            data: [(".dockerconfigjson".to_owned(), configuration.to_string().into_bytes())].into(),
        };
        resources.put_secret("default", "gcr", secret);
        let key = AppKey { namespace: "default".to_owned(), name: "my-app".to_owned() };
        Self { clock, registry, engine, second, third, resources, key }
    }

    /// A reconciler that lives and dies as its plan says.
    fn process(&self, plan: &CrashPlan) -> Arc<Reconciler> {
        self.process_with(plan, Arc::new(NoAmbientCredentials))
    }

    /// The same, of who has these credentials where no Secret has any.
    fn process_with(&self, plan: &CrashPlan, ambient: Arc<dyn AmbientCredentials>) -> Arc<Reconciler> {
        self.process_telling(plan, ambient, Arc::new(NoReporter)).0
    }

    /// The same with who hears what is done, and what it wants looked at.
    fn process_telling(
        &self,
        plan: &CrashPlan,
        ambient: Arc<dyn AmbientCredentials>,
        reporter: Arc<dyn Reporter>,
    ) -> (Arc<Reconciler>, Wakes) {
        let parts = ReconcilerParts {
            resources: plan.resources(Arc::new(self.resources.clone())),
            engines: plan.engines(Arc::new(MemoryEngines::of([&self.engine, &self.second, &self.third]))),
            registry: plan.registry(Arc::new(self.registry.clone())),
            ambient,
            contexts: ContextReader::default(),
            sources: SourceOptions { folder: "/nowhere".into(), authorities: None },
            instance: Instance::new("test"),
            reporter,
            clock: self.clock.reader(),
            keep_images: false,
            remove_volumes: false,
            engine_patience: Some(PATIENCE),
        };
        Reconciler::new(parts)
    }

    /// Lets a process work until it has nothing more to do, or is dead.
    async fn live(&self, plan: &CrashPlan) {
        self.live_until(plan, AT_REST).await;
    }

    /// The same, where it is enough that it wants to look again only after so long.
    async fn live_until(&self, plan: &CrashPlan, rest: Duration) {
        let process = self.process(plan);
        // Whichever comes first ends the process, and what it had under way is never heard of again.
        tokio::select! {
            () = plan.death() => {}
            () = settle_until(&process, &self.key, &self.clock, rest) => {}
        }
        process.shut_down();
    }

    fn status(&self) -> ContainerAppStatus {
        self.resources.get(&self.key).and_then(|app| app.status).unwrap_or_default()
    }

    /// The status of `Ready`, its reason and its message.
    fn ready(&self) -> (String, String, String) {
        let conditions = self.status().conditions;
        let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
        ready.map(|ready| (ready.status, ready.reason, ready.message)).unwrap_or_default()
    }

    /// Fails unless the one container is there, runs what was asked for, and the registry holds its image.
    fn assert_is_as_asked(&self, case: &str) {
        let containers = self.engine.containers();
        let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["my-app"], "{case}");
        assert_eq!(containers[0].state, ContainerState::Running, "{case}");
        assert_eq!(containers[0].ports[0].to_string(), "0.0.0.0:4000->80/tcp", "{case}");
        let (status, _, message) = self.ready();
        assert_eq!(status, "True", "{case}: {message}");
        let pushed = self.registry.tagged(&reference("gcr.io/my-project/node-app:0.1"));
        let image = self.engine.image(&reference("node-app:0.1")).unwrap();
        assert!(image.is(&pushed.unwrap()), "{case}");
        assert_eq!(containers[0].image, image.id, "{case}");
    }
}

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

/// Reconciles, and lets the time pass that is asked for in between, until there is nothing to be looked at soon.
async fn settle(process: &Reconciler, key: &AppKey, clock: &TestClock) {
    settle_until(process, key, clock, AT_REST).await;
}

async fn settle_until(process: &Reconciler, key: &AppKey, clock: &TestClock, rest: Duration) {
    for _ in 0..MOST_LOOKS {
        let LookAgain(wait) = process.reconcile(key).await.unwrap();
        if process.running_tasks() > 0 {
            while process.running_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        } else if wait < rest {
            clock.advance(wait);
        } else {
            return;
        }
    }
    panic!("it never comes to rest");
}

fn node_app(content: &str) -> ContainerApp {
    let dockerfile = "FROM node:6\nWORKDIR /app\nADD . /app\nEXPOSE 80\nCMD [\"node\", \"app.js\"]\n";
    serde_json::from_value(json!({
        "apiVersion": "longshore.dev/v1alpha1",
        "kind": "ContainerApp",
        "metadata": {"name": "my-app", "namespace": "default"},
        "spec": {
            "image": {
                "name": "node-app",
                "tags": ["0.1"],
                "build": {"context": {"inline": {"Dockerfile": dockerfile, "app.js": content}}},
            },
            "push": [{"to": "gcr.io/my-project/node-app", "secretRef": {"name": "gcr"}}],
            "run": {"containerName": "my-app", "ports": [{"hostPort": 4000, "containerPort": 80}]},
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn an_image_is_built_pushed_and_run_and_nothing_is_left_of_it_after_the_deletion() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.resources.apply(&node_app("hello"));
        world.live(&CrashPlan::none()).await;
        world.assert_is_as_asked("applied");

        world.resources.delete(&world.key);
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.resources.get(&world.key), None);
        assert_eq!(world.engine.containers(), []);
        assert_eq!(world.engine.images(), []);
    }
}

#[tokio::test]
async fn what_is_as_asked_is_left_alone() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.resources.apply(&node_app("hello"));
        world.live(&CrashPlan::none()).await;
        let (calls, writes) = (world.engine.mutations(), world.resources.writes());
        let sent = world.registry.layers_sent("gcr.io");
        let process = world.process(&CrashPlan::none());
        let requests = world.registry.requests("gcr.io");
        for _ in 0..100 {
            world.resources.apply(&node_app("hello"));
            process.reconcile(&world.key).await.unwrap();
        }
        assert_eq!(world.engine.mutations(), calls);
        assert_eq!(world.resources.writes(), writes);
        assert_eq!(world.registry.layers_sent("gcr.io"), sent);
        // One look by the new process; after that what it was told is young enough.
        assert_eq!(world.registry.requests("gcr.io") - requests, 1);
    }
}

#[tokio::test]
async fn a_container_that_someone_removes_is_made_anew() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.resources.apply(&node_app("hello"));
        world.live(&CrashPlan::none()).await;
        world.engine.remove_by_hand("my-app").unwrap();
        world.live(&CrashPlan::none()).await;
        world.assert_is_as_asked("removed by hand");
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_first_apply() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            world.resources.apply(&node_app("hello"));
            world.live(plan).await;
            world
        };
        dies_at_every_effect(scenario, World::assert_is_as_asked).await;
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_change() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            world.resources.apply(&node_app("hello"));
            world.live(&CrashPlan::none()).await;
            world.resources.apply(&node_app("welcome"));
            world.live(plan).await;
            world
        };
        dies_at_every_effect(scenario, World::assert_is_as_asked).await;
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_deletion() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            world.resources.apply(&node_app("hello"));
            world.live(&CrashPlan::none()).await;
            world.resources.delete(&world.key);
            world.live(plan).await;
            world
        };
        dies_at_every_effect(scenario, |world, case| {
            assert_eq!(world.resources.get(&world.key), None, "{case}");
            assert_eq!(world.engine.containers(), [], "{case}");
            assert_eq!(world.engine.images(), [], "{case}");
        })
        .await;
    }
}

/// Plays a scenario once to learn its effects, and then with a death before and after each of them; the process that
/// comes after must bring it to the same end.
async fn dies_at_every_effect(scenario: impl AsyncFn(&CrashPlan) -> World, check: impl Fn(&World, &str)) {
    dies_at_every_effect_until(AT_REST, scenario, check).await;
}

/// The same, where the process that comes after is at rest when it wants to look again only after so long.
#[expect(clippy::print_stdout, reason = "how many points were tried is what the test is asked for")]
async fn dies_at_every_effect_until(
    rest: Duration,
    scenario: impl AsyncFn(&CrashPlan) -> World,
    check: impl Fn(&World, &str),
) {
    let whole = CrashPlan::none();
    check(&scenario(&whole).await, "without a death");
    for (number, effect) in whole.effects().iter().enumerate() {
        for moment in [Moment::Before, Moment::After] {
            let plan = CrashPlan::at(number, moment);
            let world = scenario(&plan).await;
            assert!(plan.is_dead(), "{effect}");
            world.live_until(&CrashPlan::none(), rest).await;
            check(&world, &format!("{moment:?} effect {number}, {effect}"));
        }
    }
    println!("died before and after each of {} effects: {}", whole.effects().len(), whole.effects().join(", "));
}
