//! What the controller found and did: the status of a `ContainerApp`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{RunStatus, ScheduleStatus};

/// What is true of a `ContainerApp`, as last observed.
///
/// The conditions follow kstatus: `Ready` always; `Reconciling` while work goes on and `Stalled` when it will not
/// get better by itself, each absent when it is not true; and `SourceReady`, `Built`, `Pushed` and `Running` where
/// the resource has such a part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerAppStatus {
    /// The generation of the spec that this status speaks of; -1 before the first look.
    #[serde(default)]
    pub observed_generation: i64,
    /// The conditions, one for each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The engine on which the image and the container are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineReference>,
    /// The engines on which it was before, while what it made there is not removed yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub former_engines: Vec<FormerEngine>,
    /// The image that was built or pulled for this spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageStatus>,
    /// What each destination in a registry holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["reference"]))]
    pub push: Vec<PushStatus>,
    /// The last build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildStatus>,
    /// The container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerStatus>,
    /// The last run of a one-shot. It stays when its container is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunStatus>,
    /// Where its schedule stands, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleStatus>,
    /// The number of the `ContainerAppRevision` that serves; without a `run` section the one of this spec's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_revision: Option<i64>,
    /// The revision, a spec and an image, that failed and was replaced by the one before it. It is not tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
    /// Why that revision failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_because: Option<String>,
    /// The references on the engine that this resource made, and that its deletion removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub local_references: Vec<String>,
    /// The tags in registries that this resource has pushed, or is about to, where the push's `keep` is set: those that
    /// are asked for, and the superseded ones that are not deleted yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["reference"]))]
    pub remote_references: Vec<RemoteReference>,
}

/// A tag in a registry that this resource has pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteReference {
    /// The reference in the registry, with its tag.
    pub reference: String,
    /// The digest of the manifest that was pushed; absent from before the push until it is read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Since when the tag is not asked for any more; absent while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<Time>,
}

/// Which engine it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineReference {
    /// The name of the `ContainerEngine`.
    pub name: String,
    /// The ID that the engine gives itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
}

/// An engine on which a resource was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FormerEngine {
    /// The name of the `ContainerEngine`.
    pub name: String,
    /// The ID that the engine gave itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The references that the resource made there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub local_references: Vec<String>,
}

/// An image on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus {
    /// The repository and the first tag.
    pub reference: String,
    /// What the engine calls the image's ID: the config digest where it has a graph driver's store, the manifest's
    /// or index's digest where it has containerd's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The digest of the image's configuration, where the engine or the registry tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_digest: Option<String>,
    /// The digest of the image's manifest in the registry it was pulled from or pushed to first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_digest: Option<String>,
    /// The size in bytes, as the engine gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// When the image was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// The hash of everything that goes into the build; absent for an image that is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_hash: Option<String>,
    /// What the build's context was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
    /// The images that it was built on, with the digests that they had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["reference"]))]
    pub base_images: Vec<BaseImageStatus>,
}

/// An image that another is built on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaseImageStatus {
    /// Its reference, as it is written in full.
    pub reference: String,
    /// The digest of its manifest or index, or what the engine calls its ID where no registry holds it.
    pub digest: String,
}

/// The content of a build context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// Where the source stands: `main@sha1:3f5c…` for git, the archive's digest for `http`, and the digest of the
    /// context's content, `.dockerignore` applied, for the others.
    pub revision: String,
    /// How many files it has.
    pub files: i64,
    /// The sum of their sizes in bytes.
    pub size: i64,
}

/// What one destination holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushStatus {
    /// The reference in the registry, with its tag.
    pub reference: String,
    /// The manifest's digest, read back from the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The bytes of the image as the registry holds it: its configuration and its layers, compressed. Of an index, those
    /// of all its manifests, each once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// The digest that the tag holds since somebody has moved it; only with `drift: Report`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drifted_to: Option<String>,
    /// Whether somebody has taken the tag away; only with `drift: Report`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// When we pushed it; absent when it was there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Time>,
}

/// How the last build went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildStatus {
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// How many of the Dockerfile's steps it had.
    pub steps: i32,
    /// How many of them came from the cache.
    pub cached_steps: i32,
    /// How many bytes of the context were sent to the engine; what it still had is not sent again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_sent: i64,
    /// What the builder advises against in the Dockerfile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub warnings: Vec<String>,
    /// What failed, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<BuildFailure>,
}

/// Why a build failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildFailure {
    /// The Dockerfile's step, as it is written there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The exit code of the step's command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The last lines that the step printed, 2 KiB at most.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log_tail: String,
}

/// The container, as the engine reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Its name on the engine.
    pub name: String,
    /// Its ID on the engine.
    pub id: String,
    /// The engine's word for what it does: `created`, `running`, `restarting`, `exited`, `paused`, `dead`. Of a one-shot that
    /// has ended and whose container is not there any more: `removed`.
    pub state: String,
    /// Its address in the engine's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The ports that are really published, as `0.0.0.0:8080->80/tcp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// When it was last started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// The exit code of its last run, when that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Whether its last run ended for want of memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
    /// How often the engine has restarted it since it was last started by somebody. While it keeps ending, this and how it
    /// ended last are told once a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: i64,
    /// What its health check has found, where it has one and it runs: `starting`, `healthy` or `unhealthy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// How often the controller has restarted it because its `livenessProbe` has failed, since it was last well for ten
    /// minutes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub liveness_restarts: i64,
    /// When the run began that the controller has ended last because its `livenessProbe` has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_failed_since: Option<Time>,
    /// The last lines that it printed, 2 KiB at most, when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_tail: Option<String>,
    /// The hash of the spec that it was made for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spec_hash: String,
}

impl ContainerStatus {
    /// The state of a container that has ended and is not there any more.
    pub const REMOVED: &str = "removed";

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.state == "exited" || self.state == Self::REMOVED
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}
