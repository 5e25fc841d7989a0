//! `ContainerAppRevision`: what went into one revision of an app, and what came out.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BaseImageStatus, BuildStatus, SourceStatus};

/// What went into a revision. It is written once and never changes.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "longshore.dev",
    version = "v1alpha1",
    kind = "ContainerAppRevision",
    namespaced,
    shortname = "cappr",
    category = "longshore",
    status = "ContainerAppRevisionStatus",
    derive = "PartialEq",
    doc = "What went into one revision of a ContainerApp, and what came out: a record with the build's log. The controller writes it, nobody else.",
    printcolumn(name = "APP", type_ = "string", json_path = ".spec.app"),
    printcolumn(name = "REVISION", type_ = "integer", json_path = ".spec.revision"),
    printcolumn(name = "OUTCOME", type_ = "string", json_path = ".status.outcome"),
    printcolumn(name = "IMAGE", type_ = "string", json_path = ".spec.image"),
    printcolumn(name = "INPUTS", type_ = "string", json_path = r".metadata.labels.longshore\.dev/inputs"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "DIGEST", type_ = "string", json_path = ".status.image.id", priority = 1),
    validation = Rule::new("self.spec == oldSelf.spec").message("what went into a revision never changes"),
)]
#[serde(rename_all = "camelCase")]
pub struct ContainerAppRevisionSpec {
    /// The name of the `ContainerApp`.
    #[schemars(length(min = 1, max = 63))]
    pub app: String,
    /// The number: 1 for the first revision of the app, and one more for each that follows.
    #[schemars(range(min = 1))]
    pub revision: i64,
    /// The reference of the image: the repository and the first tag.
    #[schemars(length(min = 1, max = 512))]
    pub image: String,
    /// The hash of everything that goes into the build; absent for an image that is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub input_hash: Option<String>,
    /// What the build's context was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
    /// What went into the build, so that a later one can be told from it in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<RevisionInputs>,
}

/// What went into a build, but for the content of secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionInputs {
    /// The path of the Dockerfile in the context.
    #[schemars(length(max = 1024))]
    pub dockerfile: String,
    /// The stage that was built; the last one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub target: Option<String>,
    /// The values of `ARG`s.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 128))]
    pub args: BTreeMap<String, String>,
    /// The platforms that it was built for; the engine's own when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 64)), extend("x-kubernetes-list-type" = "atomic"))]
    pub platforms: Vec<String>,
    /// What the author wrote to force a build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub rebuild_token: Option<String>,
    /// The IDs of the secrets that the build could read. What is in them is recorded nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)), extend("x-kubernetes-list-type" = "atomic"))]
    pub secrets: Vec<String>,
    /// The images that it was built from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub base_images: Vec<BaseImageStatus>,
    /// The files of the context: for each path the first twelve hexadecimal digits of its content's SHA-256. Of more
    /// than 512 files it holds the top-level folders instead, each with a `/` behind its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 512))]
    pub files: BTreeMap<String, String>,
}

/// What came out of a revision. It is no subresource: a record is written as a whole, by one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerAppRevisionStatus {
    /// Whether there is an image.
    pub outcome: RevisionOutcome,
    /// When the build or the pull began; absent when the process that did it ended before it could be recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<RevisionImage>,
    /// How the build went; absent when the image was found on the engine or pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildStatus>,
    /// What the build printed, 256 KiB at most; of a longer one the middle is left out, and a line says how much.
    /// Secrets that the controller handles are masked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 262_144))]
    pub log: String,
}

/// How a revision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RevisionOutcome {
    /// The image is there.
    Succeeded,
    /// The build failed.
    Failed,
}

/// The image of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionImage {
    /// What the engine calls its ID.
    pub id: String,
    /// The digest of its configuration, where the engine tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_digest: Option<String>,
    /// The digest of its manifest, where the engine or a registry tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_digest: Option<String>,
    /// The size in bytes, as the engine gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}
