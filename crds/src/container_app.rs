//! `ContainerApp`: one image, and the container made of it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Build, ContainerAppStatus, LocalReference, Run};

/// What a `ContainerApp` asks for: an image that is built or pulled, where it is pushed, and how it runs.
/// Every section but `image` is optional.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "longshore.dev",
    version = "v1alpha1",
    kind = "ContainerApp",
    namespaced,
    shortname = "capp",
    category = "all",
    category = "longshore",
    status = "ContainerAppStatus",
    derive = "PartialEq",
    doc = "One image, from its source to its running container: built or pulled, pushed, and run on a container engine.",
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "STATUS", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "IMAGE", type_ = "string", json_path = ".status.image.reference"),
    printcolumn(name = "PORTS", type_ = "string", json_path = ".status.container.ports[*]"),
    printcolumn(name = "ENGINE", type_ = "string", json_path = ".spec.engine"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "DIGEST", type_ = "string", json_path = ".status.image.id", priority = 1),
    printcolumn(name = "CONTAINER", type_ = "string", json_path = ".status.container.name", priority = 1),
    printcolumn(name = "PUSHED", type_ = "string", json_path = ".status.push[*].reference", priority = 1),
    validation = Rule::new("!has(self.spec.image.digest) || !has(self.spec.push) || self.spec.push.all(push, has(push.tags) && size(push.tags) > 0)").message("an image that is named by its digest has no tag under which it could be pushed: name the tags of each push"),
    // The name becomes part of the container's name and of labels; 63 is what a label holds.
    validation = Rule::new("size(self.metadata.name) <= 63").message("the name of a ContainerApp has at most 63 characters"),
)]
#[serde(rename_all = "camelCase")]
pub struct ContainerAppSpec {
    /// The `ContainerEngine` on which the image is built and the container runs.
    #[serde(default = "default_engine")]
    #[schemars(length(min = 1, max = 253))]
    pub engine: String,
    /// Whether the controller keeps its hands off: nothing is built, pushed, started, repaired or stopped until
    /// it is false again. Deletion is still carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// The image: how it is called, and how it is built where it is not pulled.
    pub image: Image,
    /// Where the image is pushed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["to"]))]
    pub push: Vec<Push>,
    /// The container. Without this section the image is only built and pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// What becomes of the container and the images when the resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// The number of an earlier revision whose image is wanted instead of what the image section would bring. It must still
    /// be on the engine, and takes the tags, the pushes and the container over; nothing is built or pulled. The run section
    /// is the one of this spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub rollback_to: Option<i64>,
    /// How many superseded images of this resource are kept on the engine.
    #[serde(default = "three")]
    #[schemars(range(min = 0, max = 100))]
    pub revision_history_limit: i32,
    /// After how many seconds without progress the resource is called stalled. It is looked at again after that
    /// as well.
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 1, max = 86400))]
    pub progress_deadline_seconds: i32,
}

fn default_engine() -> String {
    "default".to_owned()
}

const fn three() -> i32 {
    3
}

const fn ten_minutes() -> i32 {
    600
}

/// The image that runs: its name, and either how it is built or how it is pulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.build) || !has(self.tags) || size(self.tags) <= 1")
    .message("an image that is pulled has one tag; several tags need a build section"))]
#[x_kube(validation = Rule::new("!(has(self.build) && has(self.pullPolicy))")
    .message("pullPolicy is for an image that is pulled; with a build section the input hash decides"))]
#[x_kube(validation = Rule::new("!(has(self.build) && has(self.digest))")
    .message("digest is for an image that is pulled; what is built has the digest that comes out"))]
#[x_kube(validation = Rule::new("!(has(self.digest) && has(self.tags) && size(self.tags) > 0)")
    .message("an image is named by its digest or by a tag, not by both: leave out tags or digest"))]
#[x_kube(validation = Rule::new("!(has(self.build) && has(self.platform))")
    .message("platform is for an image that is pulled; an image that is built has platforms in its build section"))]
#[x_kube(validation = Rule::new("!has(self.interval) || (has(self.pullPolicy) && self.pullPolicy == 'Always')")
    .message("interval says how often a tag is looked up, which is done with pullPolicy: Always only"))]
#[x_kube(validation = Rule::new("!has(self.interval) || !has(self.digest)")
    .message("an image that is named by its digest never moves: leave out interval"))]
pub struct Image {
    /// The repository, without a tag: `node-app`, `gcr.io/my-project/node-app`.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// The tags; `latest` when absent. The first is the one that runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$")), extend("x-kubernetes-list-type" = "set"))]
    pub tags: Vec<String>,
    /// Instead of tags, for an image that is pulled: the digest of its manifest or index, as registries and
    /// `docker images --digests` tell it. Exactly this is pulled and runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,
    /// When the image is pulled; `IfNotPresent` when absent, for the tag `latest` too: a container is replaced by a tag
    /// that moves only where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<PullPolicy>,
    /// With `pullPolicy: Always`, how often the registry is asked whether the tag has moved, such as `1m`; `5m` when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^([0-9]+(ms|s|m|h))+$"))]
    pub interval: Option<String>,
    /// The platform for which the image is pulled and runs, such as `linux/arm64`; the engine's own when absent. An image
    /// that is on the engine for another platform is not taken for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 64), regex(pattern = "^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$"))]
    pub platform: Option<String>,
    /// Secrets with the credentials for the pull, of the types that `push.secretRef` has as well; with a `build` section
    /// for its base images and its caches in registries, where a `kubernetes.io/basic-auth` cannot serve. The first one
    /// that has an entry for the registry counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub pull_secrets: Vec<LocalReference>,
    /// How the image is built. Without this section it is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
}

/// When an image that is not built is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// When the engine does not hold it yet.
    #[default]
    IfNotPresent,
    /// Not at all: the engine must hold it.
    Never,
    /// When the engine does not hold what the registry has under the tag. The registry is asked at every `interval`, and
    /// the container is replaced when the tag has moved. While the registry cannot be asked, what runs goes on.
    Always,
}

/// A place in a registry to which the image is pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// The repository in the registry, without a tag: `gcr.io/my-project/node-app`.
    #[schemars(length(min = 1, max = 255))]
    pub to: String,
    /// The tags under which it is pushed; those of `image` when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$")), extend("x-kubernetes-list-type" = "set"))]
    pub tags: Vec<String>,
    /// A Secret with the credentials: a `kubernetes.io/dockerconfigjson` or `kubernetes.io/dockercfg` with an entry for
    /// the registry, a `kubernetes.io/basic-auth`, or for Google's registries an `Opaque` one with the key of a service
    /// account, as JSON or its base64. Without one
    /// the user's own login counts in standalone mode, and in a cluster the push is anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// How often the registry is asked what it holds under the tags, such as `1m`; `5m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^([0-9]+(ms|s|m|h))+$"))]
    pub interval: Option<String>,
    /// What is done when somebody has moved a tag or taken it away after it had held the image. The next image is pushed
    /// either way.
    #[serde(default)]
    pub drift: Drift,
    /// Whether a tag that holds another image is never overwritten: the registry is asked before each push, and the
    /// resource is stalled instead. Every image then needs a tag of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub immutable_tags: bool,
    /// How many superseded images are kept in the repository, of those that this resource has pushed there under tags
    /// that it asks for no longer; the tags of older ones are deleted. Never deleted is a tag that somebody has moved, or
    /// that another resource names. Without `keep` nothing is ever deleted at a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub keep: Option<i32>,
}

/// What is done about a tag that somebody has moved in a registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Drift {
    /// The image is pushed again.
    #[default]
    Restore,
    /// It is left as it is, and the resource is not ready, with the reason `TagMoved`.
    Report,
}

/// What becomes of what was made on the engine when the resource is deleted. What was pushed stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The container and the images are removed.
    #[default]
    Delete,
    /// They are left as they are.
    Orphan,
}
