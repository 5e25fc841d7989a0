//! The `build` section: what an image is built from, and how.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BuildContext, KeySelector, LocalReference};

/// How the image is built on the engine.
///
/// Everything here that can change the image goes into the input hash; what only says how it is made does not:
/// `secrets` and `ssh` but for their ids, `cacheFrom`, `cacheTo`, `noCache`, `timeout`, the intervals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.dockerfile) && has(self.dockerfileInline))")
    .message("a build has either dockerfile or dockerfileInline, not both"))]
#[x_kube(validation = Rule::new("!has(self.dockerfile) || !self.dockerfile.startsWith('../') || has(self.context.path) || has(self.context.git) || has(self.context.http) || has(self.context.sourceRef)")
    .message("a dockerfile outside of the context needs a context that is a folder of something larger: path, git, http or sourceRef"))]
pub struct Build {
    /// The files that the build sees. Exactly one source.
    pub context: BuildContext,
    /// The path of the Dockerfile, relative to the context; `Dockerfile` when absent. With `../` in front it lies
    /// outside of the context: beside the folder that `path` names, or elsewhere in the repository or the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub dockerfile: Option<String>,
    /// The Dockerfile itself, instead of one in the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub dockerfile_inline: Option<String>,
    /// The stage to build, the last one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub target: Option<String>,
    /// The values of the Dockerfile's `ARG`s. They stay readable in the image's history: no secrets here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 128))]
    pub args: BTreeMap<String, String>,
    /// Labels for the image. The standard ones `org.opencontainers.image.revision` and `source` are set from a
    /// git context where neither this nor the Dockerfile sets them; `longshore.dev/` is ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 128))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('longshore.dev/'))")
        .message("labels that begin with longshore.dev/ are written by Longshore"))]
    pub labels: BTreeMap<String, String>,
    /// OCI annotations for the image's manifest. They need an engine with containerd's image store.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 128))]
    pub annotations: BTreeMap<String, String>,
    /// What the build's commands reach of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<BuildNetwork>,
    /// Names that the build's commands find beside those of the name server, as core/v1's `hostAliases`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["ip"]))]
    pub host_aliases: Vec<HostAlias>,
    /// The platforms to build for, such as `linux/amd64` and `linux/arm64/v8`; the engine's own when absent. More than
    /// one makes one image index, which needs an engine with containerd's image store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 3, max = 64), regex(pattern = "^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$")), extend("x-kubernetes-list-type" = "set"))]
    pub platforms: Vec<String>,
    /// References in registries that hold cache of earlier builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub cache_from: Vec<String>,
    /// Where the build's cache is written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_to: Option<CacheTo>,
    /// Whether every step runs anew when the image is built.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_cache: bool,
    /// When base images are asked for at their registry though the engine holds one of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_pull_policy: Option<BasePullPolicy>,
    /// Whether a base image that has moved at its registry builds anew.
    #[serde(default = "yes")]
    pub rebuild_on_base_image_change: bool,
    /// How often registries are asked for the base images' digests, such as `30m`; `1h` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^([0-9]+(ms|s|m|h))+$"))]
    pub base_image_interval: Option<String>,
    /// Secrets for the Dockerfile's `RUN --mount=type=secret`. They are in no layer and no history. A changed value
    /// builds nothing: change `rebuildToken` for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub secrets: Vec<BuildSecret>,
    /// Private keys for the Dockerfile's `RUN --mount=type=ssh`. The build may sign with them and never reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub ssh: Vec<BuildSsh>,
    /// Statements about the image that are kept with it. They need an engine with containerd's image store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestations: Option<Attestations>,
    /// The time, in seconds since 1970, that the image and its files bear instead of the times of the build:
    /// `SOURCE_DATE_EPOCH`, for images that are the same each time they are built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub source_date_epoch: Option<i64>,
    /// How long a build may take, such as `45m`, not counting the wait for its turn; `30m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^([0-9]+(ms|s|m|h))+$"))]
    pub timeout: Option<String>,
    /// Any change of this text builds again, even when nothing else has changed, and takes nothing from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub rebuild_token: Option<String>,
}

const fn yes() -> bool {
    true
}

/// What a build's commands reach of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BuildNetwork {
    /// What containers reach.
    Default,
    /// Nothing.
    None,
}

/// Names for one address, as core/v1's `HostAlias`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostAlias {
    /// The address.
    #[schemars(length(min = 2, max = 45))]
    pub ip: String,
    /// Its names.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    pub hostnames: Vec<String>,
}

/// Where a build's cache is written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == 'Registry' ? has(self.reference) : !has(self.reference)")
    .message("a cache of the type Registry needs a reference, and one of the type Inline has none"))]
pub struct CacheTo {
    /// How the cache is kept.
    #[serde(rename = "type")]
    pub kind: CacheKind,
    /// The reference in a registry under which it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub reference: Option<String>,
    /// Whether the cache of all stages is kept, or only of what the image is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<CacheMode>,
}

/// How a build's cache is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CacheKind {
    /// In the image itself: a push of the image brings it to the registry.
    Inline,
    /// Under a reference of its own in a registry.
    Registry,
}

/// How much of a build's cache is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CacheMode {
    /// What the image is made of.
    Min,
    /// Every stage.
    Max,
}

/// When a base image is asked for at its registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BasePullPolicy {
    /// When the engine does not hold it, or when it is known to have moved.
    #[default]
    IfNotPresent,
    /// At each build.
    Always,
}

/// A secret of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildSecret {
    /// What the Dockerfile calls it: `RUN --mount=type=secret,id=npm`.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// The key of a Secret that holds it.
    pub secret_key_ref: KeySelector,
}

/// Private keys of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildSsh {
    /// What the Dockerfile calls it: `RUN --mount=type=ssh,id=deploy`; `default` when it says no more than
    /// `RUN --mount=type=ssh`.
    #[serde(default = "default_ssh_id")]
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// A Secret of the type `kubernetes.io/ssh-auth`, whose key `ssh-privatekey` holds the private key.
    pub secret_ref: LocalReference,
}

fn default_ssh_id() -> String {
    "default".to_owned()
}

/// Statements about an image that are kept with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attestations {
    /// How the image was built (SLSA provenance), and in how much detail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// What the image contains (SPDX).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<Sbom>,
}

/// How much a provenance tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Provenance {
    /// No more than what is safe to publish.
    Min,
    /// Everything, the values of `args` included.
    Max,
}

/// What an image contains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sbom {
    /// The image of the program that looks; `BuildKit`'s own choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub generator: Option<String>,
}
