//! A walk over drawn specs on real engines, by the library's own reconciler: after each the engine is as the spec asks.
//! The walk of ten thousand transitions, in memory, draws from the same specs.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longshore::app::Instance;
use longshore::build::ContextReader;
use longshore::engine::docker::DockerEngine;
use longshore::engine::{Engine, EngineError, Engines};
use longshore::reconcile::{AppKey, ConfigMapData, LookAgain, NoReporter, Reconcile, Reconciler, ReconcilerParts};
use longshore::registry::NoAmbientCredentials;
use longshore::source::SourceOptions;
use longshore::testing::{Draw, MemoryEngine, MemoryRegistry, MemoryResources, TestClock};
use longshore_crds::{ContainerApp, ContainerEngine};
use longshore_tests::{LabEngine, unique_name};
use serde_json::{Value, json};

/// One that wants to look again only after so long has nothing to do.
const AT_REST: Duration = Duration::from_secs(300);

/// A program that ends as soon as it is asked to, whatever arguments it gets.
const PROGRAM: [&str; 3] = ["sh", "-c", "trap exit TERM QUIT; sleep 3600 & wait"];

/// The one engine that there is.
struct One(Arc<dyn Engine>);

#[async_trait]
impl Engines for One {
    async fn connect(&self, _: &ContainerEngine) -> Result<Arc<dyn Engine>, EngineError> {
        Ok(Arc::clone(&self.0))
    }
}

/// An engine, a reconciler in this process, and resources in memory. The reconciler's clock is years ahead: whoever runs
/// has been up for long enough at once.
struct Walk {
    engine: LabEngine,
    name: String,
    ports: [u16; 2],
    clock: TestClock,
    resources: MemoryResources,
    reconciler: Arc<Reconciler>,
    key: AppKey,
}

impl Walk {
    fn on(engine: LabEngine) -> Self {
        let (clock, registry, name) = (TestClock::default(), MemoryRegistry::default(), unique_name("walk"));
        let resources = MemoryResources::new(&clock);
        // Only for the ContainerEngine that leads somewhere.
        resources.put_engine("default", &MemoryEngine::new(longshore::app::ImageStore::Containerd, &clock, &registry));
        let settings = ConfigMapData { data: [("LEVEL".to_owned(), b"info".to_vec())].into() };
        resources.put_config_map("default", "settings", settings);
        let docker = DockerEngine::connect(&engine.endpoint(), None).expect("the address of an engine");
        let reconciler = ReconcilerParts {
            resources: Arc::new(resources.clone()),
            engines: Arc::new(One(Arc::new(docker))),
            registry: Arc::new(registry),
            ambient: Arc::new(NoAmbientCredentials),
            contexts: ContextReader::default(),
            sources: SourceOptions { folder: "/nowhere".into(), authorities: None },
            instance: Instance::new(&name),
            reporter: Arc::new(NoReporter),
            clock: clock.reader(),
            keep_images: false,
            remove_volumes: true,
            engine_patience: None,
        };
        let key = AppKey { namespace: "default".to_owned(), name: "walker".to_owned() };
        let ports = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
        let ports = ports.map(|listener| listener.local_addr().unwrap().port());
        Self { engine, name, ports, clock, resources, reconciler: Reconciler::new(reconciler).0, key }
    }

    /// A drawn section with what only this walk has: names, ports and a program that is there.
    fn own(&self, mut run: Value) -> Value {
        run["containerName"] = json!(self.name);
        for port in run.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            let which = usize::from(port["hostPort"] == 4001);
            port["hostPort"] = json!(self.ports[which]);
        }
        let rest = run["command"].as_array().map(|words| words[1..].to_vec()).unwrap_or_default();
        run["command"] = PROGRAM.iter().map(|word| json!(word)).chain(rest).collect();
        let grace = i32::from(!run["terminationGracePeriodSeconds"].is_null());
        run["terminationGracePeriodSeconds"] = json!(grace);
        run
    }

    fn apply(&self, run: &Value) {
        let app: ContainerApp = serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": self.key.name, "namespace": self.key.namespace},
            "spec": {"image": {"name": "busybox"}, "run": run},
        }))
        .unwrap();
        self.resources.apply(&app);
    }

    /// Lets the reconciler work until it wants to look again only after this time.
    async fn settle(&self, rest: Duration) {
        for _ in 0..1000 {
            let LookAgain(wait) = self.reconciler.reconcile(&self.key).await.unwrap();
            if self.reconciler.running_tasks() > 0 {
                while self.reconciler.running_tasks() > 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            } else if wait < rest {
                self.clock.advance(wait);
                tokio::time::sleep(Duration::from_millis(20)).await;
            } else {
                return;
            }
        }
        panic!("it never comes to rest: {:?}", self.resources.get(&self.key).and_then(|app| app.status));
    }

    fn reason(&self) -> String {
        let conditions = self.resources.get(&self.key).and_then(|app| app.status).unwrap_or_default().conditions;
        let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
        ready.map(|ready| ready.reason).unwrap_or_default()
    }

    /// The one container, as `docker inspect` tells it.
    fn container(&self) -> Value {
        let ours = format!("label=longshore.dev/instance={}", self.name);
        let ids = self.engine.docker(&["ps", "--all", "--quiet", "--filter", &ours]).unwrap();
        let ids: Vec<&str> = ids.lines().collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        let told = self.engine.docker(&["inspect", ids[0]]).unwrap();
        serde_json::from_str::<Value>(&told).unwrap()[0].take()
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        let ours = format!("label=longshore.dev/instance={}", self.name);
        let _ = self.engine.docker(&["rm", "--force", "--volumes", &self.name]);
        let volumes = self.engine.docker(&["volume", "ls", "--quiet", "--filter", &ours]).unwrap_or_default();
        for volume in volumes.lines() {
            let _ = self.engine.docker(&["volume", "rm", "--force", volume]);
        }
    }
}

/// What makes a container, without what is another for each: the name that it has of its ID, and of whom it has taken
/// its folders over.
fn making(container: &Value) -> Value {
    let (mut config, mut host) = (container["Config"].clone(), container["HostConfig"].clone());
    let id = container["Id"].as_str().unwrap();
    if config["Hostname"].as_str().is_some_and(|hostname| id.starts_with(hostname)) {
        config["Hostname"] = Value::Null;
    }
    host["VolumesFrom"] = Value::Null;
    let mounts = container["Mounts"].as_array().cloned().unwrap_or_default();
    let mut places: Vec<String> =
        mounts.iter().map(|mount| format!("{} {} {}", mount["Type"], mount["Destination"], mount["RW"])).collect();
    places.sort_unstable();
    // The engine lists it in no order.
    for list in [&mut config["Env"], &mut host["Mounts"]] {
        if let Some(list) = list.as_array_mut() {
            list.sort_by_key(ToString::to_string);
        }
    }
    json!({"config": config, "host": host, "mounts": places})
}

/// Fails unless the container is what the section asks, as far as an inspection tells.
fn assert_is(container: &Value, run: &Value, case: &str) {
    let (config, host) = (&container["Config"], &container["HostConfig"]);
    assert_eq!(container["State"]["Status"], "running", "{case}");
    assert_eq!(container["Name"], format!("/{}", run["containerName"].as_str().unwrap()), "{case}");
    let published: Vec<u64> = container["NetworkSettings"]["Ports"]
        .as_object()
        .into_iter()
        .flat_map(|ports| ports.values())
        .filter_map(|bound| bound[0]["HostPort"].as_str()?.parse().ok())
        .collect();
    let asked = run["ports"].as_array().into_iter().flatten();
    let asked: Vec<u64> = asked.filter_map(|port| port["hostPort"].as_u64()).collect();
    assert_eq!(published, asked, "{case}");
    let env = |variable: &str| config["Env"].as_array().unwrap().contains(&json!(variable));
    assert_eq!(env("LEVEL=info"), !run["envFrom"].is_null(), "{case}");
    for variable in run["env"].as_array().into_iter().flatten().filter(|variable| variable["name"] == "A") {
        assert!(env(&format!("A={}", variable["value"].as_str().unwrap())), "{case}: {}", config["Env"]);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(text(&config["WorkingDir"]).trim_end_matches('/'), text(&run["workingDir"]), "{case}");
    if let Some(hostname) = run["hostname"].as_str() {
        assert_eq!(config["Hostname"], hostname, "{case}");
    }
    assert_eq!(text(&config["Labels"]["team"]), text(&run["labels"]["team"]), "{case}");
    assert_eq!(text(&config["StopSignal"]), text(&run["lifecycle"]["stopSignal"]), "{case}");
    assert_eq!(config["StopTimeout"], run["terminationGracePeriodSeconds"], "{case}");
    let memory = if run["resources"]["limits"]["memory"].is_null() { 0 } else { 64 << 20 };
    assert_eq!(host["Memory"], memory, "{case}");
    let cpu = if run["resources"]["limits"]["cpu"].is_null() { 0 } else { 500_000_000 };
    assert_eq!(host["NanoCpus"], cpu, "{case}");
    let user = if run["securityContext"]["runAsUser"].is_null() { "" } else { "7" };
    assert_eq!(config["User"], user, "{case}");
    let is_read_only = run["securityContext"]["readOnlyRootFilesystem"] == true;
    assert_eq!(host["ReadonlyRootfs"], is_read_only, "{case}");
    let places: Vec<&Value> =
        container["Mounts"].as_array().unwrap().iter().map(|mount| &mount["Destination"]).collect();
    for mount in run["volumeMounts"].as_array().into_iter().flatten() {
        assert!(places.contains(&&mount["mountPath"]), "{case}: {places:?}");
    }
}

async fn walk(engine: LabEngine, seed: u64, transitions: usize) {
    let walk = Walk::on(engine);
    let mut draw = Draw::from_seed(seed);
    let mut made: BTreeMap<String, Value> = BTreeMap::new();
    let mut earlier: Vec<Value> = Vec::new();
    let mut returns = 0;
    for number in 0..transitions {
        // Often back to one that was before.
        let run = match earlier.len() {
            0 => walk.own(draw.run()),
            _ if draw.one_of(3) > 0 => walk.own(draw.run()),
            count => earlier[usize::try_from(draw.one_of(u64::try_from(count).unwrap())).unwrap()].clone(),
        };
        let case = format!("{engine:?}, seed {seed}, {number}: {run}");
        walk.apply(&run);
        walk.settle(AT_REST).await;
        assert_eq!(walk.reason(), "Running", "{case}");
        let container = walk.container();
        assert_is(&container, &run, &case);
        // The same spec makes the same again, whatever was in between.
        let making = making(&container);
        if let Some(before) = made.insert(run.to_string(), making.clone()) {
            assert_eq!(making, before, "{case}");
            returns += 1;
        }
        if number.is_multiple_of(10) {
            walk.apply(&json!({"containerName": walk.name, "resources": {"limits": {"memory": "1Mi"}}}));
            // It is looked at again, in case that helps.
            walk.settle(Duration::from_secs(10)).await;
            assert_eq!(walk.reason(), "InvalidSpec", "{case}");
            let left = walk.container();
            assert_eq!((&left["Id"], &left["State"]), (&container["Id"], &container["State"]), "{case}");
        }
        earlier.push(run);
    }
    assert!(returns > transitions / 10, "only {returns} of {transitions} went back");
    walk.resources.delete(&walk.key);
    walk.settle(AT_REST).await;
    let ours = format!("label=longshore.dev/instance={}", walk.name);
    assert_eq!(engine.docker(&["ps", "--all", "--quiet", "--filter", &ours]).unwrap(), "");
    assert_eq!(engine.docker(&["volume", "ls", "--quiet", "--filter", &ours]).unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_transitions_on_engine_29_lead_to_what_each_spec_asks() {
    walk(LabEngine::Engine29, 1, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_transitions_on_engine_20_lead_to_what_each_spec_asks() {
    walk(LabEngine::Engine20, 2, 100).await;
}
