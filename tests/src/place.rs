//! A place in the lab's cluster for one test: a namespace, a controller that works for it, and an engine by a name of
//! its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::{
    Controller, LabEngine, administrator, eventually, install_crds, kubectl, unique_name, with_temp_namespace,
};

/// A namespace with a controller of its own and a `ContainerEngine` of its own.
pub struct Place {
    /// The namespace.
    pub namespace: String,
    /// The name of its `ContainerEngine`.
    pub engine_name: String,
    /// The engine.
    pub engine: LabEngine,
    controller: Mutex<Option<Controller>>,
}

impl Place {
    /// Makes a place on this engine, plays a test there, and removes it.
    pub async fn with(engine: LabEngine, test: impl AsyncFnOnce(&Place)) {
        Self::with_endpoint(engine, &engine.endpoint(), test).await;
    }

    /// The same with a controller that logs by this filter.
    pub async fn with_log(engine: LabEngine, log: &str, test: impl AsyncFnOnce(&Place)) {
        Self::made(engine, &engine.endpoint(), log, test).await;
    }

    /// The same with another address of the engine.
    pub async fn with_endpoint(engine: LabEngine, endpoint: &str, test: impl AsyncFnOnce(&Place)) {
        Self::made(engine, endpoint, "info", test).await;
    }

    async fn made(engine: LabEngine, endpoint: &str, log: &str, test: impl AsyncFnOnce(&Place)) {
        install_crds(&administrator().await).await;
        with_temp_namespace(async |_, namespace| {
            let engine_name = unique_name("engine");
            let controller = Mutex::new(Some(Controller::start_logging(&namespace, log)));
            let place = Place { namespace, engine_name, engine, controller };
            place.set_endpoint(endpoint);
            test(&place).await;
        })
        .await;
    }

    /// Gives the engine an address.
    pub fn set_endpoint(&self, endpoint: &str) {
        self.set_engine(&json!({"endpoint": endpoint}));
    }

    /// Gives the engine this spec.
    pub fn set_engine(&self, spec: &Value) {
        let engine = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerEngine",
            "metadata": {"name": self.engine_name},
            "spec": spec,
        });
        kubectl(&["apply", "-f", "-"], &engine.to_string()).expect("kubectl does it");
    }

    /// Applies a `ContainerApp` of this name with this spec.
    pub fn apply(&self, name: &str, mut spec: Value) {
        spec["engine"] = json!(self.engine_name);
        let app = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        });
        kubectl(&["apply", "-f", "-"], &app.to_string()).expect("kubectl does it");
    }

    /// The conditions of a `ContainerApp`.
    pub fn conditions(&self, name: &str) -> Vec<Value> {
        self.status(name)["conditions"].as_array().cloned().unwrap_or_default()
    }

    /// Its status.
    pub fn status(&self, name: &str) -> Value {
        let text = kubectl(&["--namespace", &self.namespace, "get", "capp", name, "-o", "json"], "");
        let app: Value = serde_json::from_str(&text.expect("it is there")).expect("kubectl writes JSON");
        app["status"].clone()
    }

    /// Applies a Secret with these values.
    pub fn apply_secret(&self, name: &str, values: &[(&str, &str)]) {
        let values: serde_json::Map<String, Value> =
            values.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self.namespace},
            "stringData": values,
        });
        kubectl(&["apply", "-f", "-"], &secret.to_string()).expect("the Secret is accepted");
    }

    /// Its condition of this type.
    pub fn condition(&self, name: &str, kind: &str) -> Option<Value> {
        self.conditions(name).into_iter().find(|condition| condition["type"] == kind)
    }

    /// The sentence of Ready, once it is False for this reason.
    pub async fn not_ready_for(&self, name: &str, reason: &str) -> String {
        let ready = || self.condition(name, "Ready").unwrap_or_default();
        eventually(&format!("{name} is not ready for {reason}"), || async {
            ready()["status"] == "False" && ready()["reason"] == reason
        })
        .await;
        ready()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until it is ready.
    pub async fn ready(&self, name: &str) {
        eventually(&format!("{name} is ready"), || async {
            self.condition(name, "Ready").is_some_and(|ready| ready["status"] == "True")
        })
        .await;
    }

    /// Whether its condition of this type is True.
    pub fn is(&self, name: &str, kind: &str) -> bool {
        self.condition(name, kind).is_some_and(|condition| condition["status"] == "True")
    }

    /// What its controller has logged.
    pub fn log(&self) -> String {
        self.controller().as_ref().map(Controller::log).unwrap_or_default()
    }

    /// Ends its controller as a power cut would, and starts another.
    pub fn controller_dies_and_starts_again(&self) {
        self.controller().as_mut().expect("it runs until the test ends").die_and_start_again(&self.namespace);
    }

    fn controller(&self) -> MutexGuard<'_, Option<Controller>> {
        self.controller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name on the engine that no other test uses.
    pub fn container(&self, name: &str) -> String {
        format!("{}.{name}", self.namespace)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // While the controller still runs: it is what removes the containers.
        let _ = kubectl(&["--namespace", &self.namespace, "delete", "capp", "--all", "--timeout=60s"], "");
        self.controller().take();
        let _ = kubectl(&["delete", "ceng", &self.engine_name, "--ignore-not-found"], "");
    }
}
