//! The `run` section: what the container is, in core/v1's own names and shapes.

mod env;
mod lifecycle;
mod network;
mod ports;
mod quantity;
mod resources;
mod security;
mod volumes;

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use env::{EnvFromSource, EnvVar, EnvVarSource, ObjectSelector};
pub use lifecycle::{Lifecycle, Logs, StopSignal};
pub use network::{DnsConfig, DnsOption};
pub use ports::{ContainerPort, Protocol};
pub use quantity::Quantity;
pub use resources::{ResourceLimits, ResourceRequests, Resources};
pub use security::{Capabilities, SecurityContext, Sysctl, SysctlName};
pub use volumes::{ClaimVolume, ConfigMapVolume, EmptyDirVolume, KeyToPath, Medium, SecretVolume, Volume, VolumeMount};

use crate::{HostAlias, Probe, Strategy};

/// The container that is made of the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.readinessProbe) || !has(self.livenessProbe) || (self.readinessProbe.exec.command == self.livenessProbe.exec.command && self.readinessProbe.periodSeconds == self.livenessProbe.periodSeconds && self.readinessProbe.timeoutSeconds == self.livenessProbe.timeoutSeconds && (has(self.readinessProbe.initialDelaySeconds) ? self.readinessProbe.initialDelaySeconds : 0) == (has(self.livenessProbe.initialDelaySeconds) ? self.livenessProbe.initialDelaySeconds : 0))")
    .message("an engine has one health check for a container: readinessProbe and livenessProbe may differ in failureThreshold only"))]
#[x_kube(validation = Rule::new("!has(self.readinessProbe) || !has(self.livenessProbe) || self.livenessProbe.failureThreshold >= self.readinessProbe.failureThreshold")
    .message("the failureThreshold of livenessProbe is at least that of readinessProbe: a container is unready before it is restarted"))]
#[x_kube(validation = Rule::new("self.strategy != 'Overlap' || !has(self.ports) || self.ports.all(port, port.hostPort == 0)")
    .message("with the strategy Overlap two containers run at the same time, and cannot publish the same hostPort: use Recreate, or leave hostPort out, and the engine chooses"))]
#[x_kube(validation = Rule::new("self.strategy != 'Overlap' || !has(self.volumes) || !has(self.volumeMounts) || !self.volumes.exists(volume, has(volume.persistentVolumeClaim) && !(has(volume.persistentVolumeClaim.readOnly) && volume.persistentVolumeClaim.readOnly) && self.volumeMounts.exists(mount, mount.name == volume.name && !(has(mount.readOnly) && mount.readOnly)))")
    .message("with the strategy Overlap two containers run at the same time, and cannot write to the same volume: use Recreate, or mount it with readOnly: true"))]
#[x_kube(validation = Rule::new("self.restartPolicy != 'Always' || !(has(self.backoffLimit) || has(self.activeDeadlineSeconds) || has(self.ttlSecondsAfterFinished) || has(self.schedule))")
    .message("backoffLimit, activeDeadlineSeconds, ttlSecondsAfterFinished and schedule are for containers that end: with them restartPolicy is OnFailure or Never"))]
#[x_kube(validation = Rule::new("has(self.schedule) || !(has(self.timeZone) || has(self.startingDeadlineSeconds))")
    .message("timeZone and startingDeadlineSeconds are for a schedule: leave them out, or write a schedule"))]
pub struct Run {
    /// The container's name on the engine. When absent: the resource's name in the namespace `default`, and
    /// `<namespace>.<name>` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 128), regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"))]
    pub container_name: Option<String>,
    /// The ports of the container that are published on the engine's host, 256 at most, ranges counted out. The same port of
    /// the container may be published several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["containerPort", "protocol", "hostPort", "hostIP"]))]
    pub ports: Vec<ContainerPort>,
    /// The program to run, instead of the image's `ENTRYPOINT`. `$(NAME)` stands for the variable of this name in `env` and
    /// `envFrom`, `$$` for one `$`; what names no variable is left as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub command: Vec<String>,
    /// The program's arguments, instead of the image's `CMD`. `$(NAME)` is as in `command`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub args: Vec<String>,
    /// The environment variables, in addition to the image's own and to those of `envFrom`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,
    /// Secrets and `ConfigMap`s whose keys are environment variables. Of the same variable in several, the last one counts;
    /// `env` counts before all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub env_from: Vec<EnvFromSource>,
    /// The folder in which the program starts, instead of the image's `WORKDIR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096), regex(pattern = "^/"))]
    pub working_dir: Option<String>,
    /// The name by which the container knows itself; its ID on the engine when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub hostname: Option<String>,
    /// Names that the container finds without asking a name server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["ip"]))]
    pub host_aliases: Vec<HostAlias>,
    /// How the container resolves names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_config: Option<DnsConfig>,
    /// Labels of the container, beside those of the image and those by which Longshore knows its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('longshore.dev/'))")
        .message("labels that begin with longshore.dev/ are written by Longshore"))]
    pub labels: BTreeMap<String, String>,
    /// What can be mounted into the container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub volumes: Vec<Volume>,
    /// What becomes of the volumes of claims when the resource is deleted. When a container is replaced, or a claim is no
    /// longer in the spec, they stay in any case.
    #[serde(default)]
    pub volume_reclaim_policy: VolumeReclaimPolicy,
    /// Where volumes are in the container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["mountPath"]))]
    pub volume_mounts: Vec<VolumeMount>,
    /// What the container may use of its engine's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// As whom the container runs, and what it gives up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
    /// What happens at the turns of the container's life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// How much of the container's log is kept. When absent, what the engine is set up for, which may be all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Logs>,
    /// Whether the container is stopped and stays so: kept as it is, neither started nor replaced until this is false again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// When the container is started again after it has ended. `Never` and `OnFailure` make it a one-shot: done when it has
    /// exited with 0.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// How often a one-shot that has failed is tried again before it has failed for good. When absent: not at all with
    /// `Never`, without end with `OnFailure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub backoff_limit: Option<i32>,
    /// For how many seconds a run of a one-shot may go on from its first start, tries included. After that it is stopped and
    /// has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<i64>,
    /// For how many seconds the container of a one-shot that has ended for good is kept. What became of it stays in the
    /// status. When absent, it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub ttl_seconds_after_finished: Option<i32>,
    /// When a one-shot comes back: a cron expression of five fields, such as `30 2 * * *`, or `@hourly`, `@daily`, `@weekly`,
    /// `@monthly` or `@yearly`. When absent, it runs once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub schedule: Option<String>,
    /// The time zone of the schedule, as the IANA database calls it, such as `Europe/Berlin`; UTC when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// How many seconds late a run may begin that could not begin in time; a later one is left out. When absent, however late:
    /// the last run that was missed is caught up, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub starting_deadline_seconds: Option<i64>,
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
    /// How many seconds the program has to end after the stop signal before it is killed.
    #[serde(default = "thirty")]
    #[schemars(range(min = 0, max = 3600))]
    pub termination_grace_period_seconds: i64,
}

const fn thirty() -> i64 {
    30
}

/// What becomes of the volumes of claims when the resource is deleted, as core/v1 calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VolumeReclaimPolicy {
    /// They stay, for a resource that is made again under the same name.
    #[default]
    Retain,
    /// They are removed with everything in them, those of claims that are no longer in the spec included.
    Delete,
}

/// When an ended container is started again, as core/v1 means it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestartPolicy {
    /// Whenever it ends.
    #[default]
    Always,
    /// When it ends with an exit code other than 0.
    OnFailure,
    /// Not by the engine.
    Never,
}
