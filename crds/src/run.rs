//! The `run` section: what the container is, in core/v1's own names and shapes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{KeySelector, Probe, Strategy};

/// The container that is made of the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.readinessProbe) || !has(self.livenessProbe) || (self.readinessProbe.exec.command == self.livenessProbe.exec.command && self.readinessProbe.periodSeconds == self.livenessProbe.periodSeconds && self.readinessProbe.timeoutSeconds == self.livenessProbe.timeoutSeconds && (has(self.readinessProbe.initialDelaySeconds) ? self.readinessProbe.initialDelaySeconds : 0) == (has(self.livenessProbe.initialDelaySeconds) ? self.livenessProbe.initialDelaySeconds : 0))")
    .message("an engine has one health check for a container: readinessProbe and livenessProbe may differ in failureThreshold only"))]
#[x_kube(validation = Rule::new("!has(self.readinessProbe) || !has(self.livenessProbe) || self.livenessProbe.failureThreshold >= self.readinessProbe.failureThreshold")
    .message("the failureThreshold of livenessProbe is at least that of readinessProbe: a container is unready before it is restarted"))]
#[x_kube(validation = Rule::new("self.strategy != 'Overlap' || !has(self.ports) || size(self.ports) == 0")
    .message("with the strategy Overlap two containers run at the same time, and cannot publish the same hostPort: use Recreate, or publish no port"))]
pub struct Run {
    /// The container's name on the engine. When absent: the resource's name in the namespace `default`, and
    /// `<namespace>.<name>` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 128), regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"))]
    pub container_name: Option<String>,
    /// The ports of the container that are published on the engine's host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["containerPort", "protocol"]))]
    pub ports: Vec<ContainerPort>,
    /// The program to run, instead of the image's `ENTRYPOINT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub command: Vec<String>,
    /// The program's arguments, instead of the image's `CMD`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub args: Vec<String>,
    /// The environment variables, in addition to the image's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,
    /// The folder in which the program starts, instead of the image's `WORKDIR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096), regex(pattern = "^/"))]
    pub working_dir: Option<String>,
    /// When the container is started again after it has ended. `Never` makes it a one-shot: done when it has
    /// exited with 0.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// How it is found out whether the container is ready: the resource is ready, and an older container is replaced for
    /// good, only while this is well. Without it, or a `livenessProbe`, the image's own `HEALTHCHECK` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,
    /// How it is found out whether the container must be restarted. It counts for readiness as well. Beside a
    /// `readinessProbe` it may differ from that in `failureThreshold` only: an engine has one health check for a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    /// For how many seconds a container must have been up to be ready; with a health check it must be healthy too. When
    /// absent, a container without a health check that replaces another must have been up for one second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub min_ready_seconds: Option<i32>,
    /// How a new container takes over from the old one.
    #[serde(default)]
    pub strategy: Strategy,
    /// How many seconds the program has to end after SIGTERM before it is killed.
    #[serde(default = "thirty")]
    #[schemars(range(min = 0, max = 3600))]
    pub termination_grace_period_seconds: i64,
}

const fn thirty() -> i64 {
    30
}

/// A port of the container, published on the engine's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    /// The port on the engine's host. Below 1024 only where the engine allows it.
    #[schemars(range(min = 1, max = 65535))]
    pub host_port: i32,
    /// The port on which the program in the container listens.
    #[schemars(range(min = 1, max = 65535))]
    pub container_port: i32,
    /// The transport protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address of the engine's host on which the port is published; `0.0.0.0`, every address, when absent.
    #[serde(rename = "hostIP", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 45))]
    pub host_ip: Option<String>,
}

/// A transport protocol, as core/v1 writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
}

/// When an ended container is started again, as core/v1 means it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestartPolicy {
    /// Whenever it ends.
    #[default]
    Always,
    /// When it ends with an exit code other than 0.
    OnFailure,
    /// Not at all: a one-shot.
    Never,
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.value) && has(self.valueFrom))")
    .message("an environment variable has either value or valueFrom, not both"))]
pub struct EnvVar {
    /// The variable's name.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[^=\\s]+$"))]
    pub name: String,
    /// The variable's value; empty when neither this nor `valueFrom` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub value: Option<String>,
    /// Where the value is read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// Where an environment variable's value is read from. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretKeyRef) != has(self.configMapKeyRef)")
    .message("valueFrom needs exactly one of secretKeyRef and configMapKeyRef"))]
pub struct EnvVarSource {
    /// A key of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeySelector>,
    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeySelector>,
}
