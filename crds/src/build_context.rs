//! Where a build's files come from.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::LocalReference;

/// Where a build's files come from. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.inline), has(self.configMap), has(self.git), has(self.http), has(self.sourceRef), has(self.path)].filter(is, is).size() == 1")
    .message("a build context needs exactly one source: inline, configMap, git, http, sourceRef or path"))]
pub struct BuildContext {
    /// The files themselves: each key is a path in the context, each value the file's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 256))]
    pub inline: Option<BTreeMap<String, String>>,
    /// A ConfigMap whose keys are file names and whose values are the files, `binaryData` included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<LocalReference>,
    /// A git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitContext>,
    /// A tar archive on an HTTP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpContext>,
    /// A source of Flux in the same namespace, whose artifact is used. Only in a cluster that has Flux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceReference>,
    /// A folder on the machine that runs `longshore up`, relative to the file that names it. In a cluster it is
    /// refused: the controller's own files are not a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
}

/// A git repository as a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitContext {
    /// The repository: `https://host/path`, `ssh://user@host/path`, or `http://host/path` without credentials.
    #[schemars(length(min = 8, max = 2048), regex(pattern = "^(https?|ssh)://[^\\s]+$"))]
    pub url: String,
    /// What is taken from it; the head of its default branch when absent.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<GitReference>,
    /// The folder of the repository that is the context; all of it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub path: Option<String>,
    /// Whether submodules are fetched as well. Without it they are empty folders.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recurse_submodules: bool,
    /// A Secret with the credentials: `username` and `password`, or `bearerToken`, or `identity` (or
    /// `ssh-privatekey`) and `known_hosts`; and `ca.crt` for a private certificate authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// How often the repository is asked whether it has moved, such as `1m`; `5m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^([0-9]+(ms|s|m|h))+$"))]
    pub interval: Option<String>,
}

/// What is taken from a git repository. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.branch), has(self.tag), has(self.semver), has(self.commit), has(self.name)].filter(is, is).size() == 1")
    .message("a git ref is exactly one of branch, tag, semver, commit and name"))]
pub struct GitReference {
    /// The head of a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub branch: Option<String>,
    /// A tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub tag: Option<String>,
    /// The newest tag whose version is in this range, such as `>=1.2, <2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub semver: Option<String>,
    /// A commit, by all the digits of its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$"))]
    pub commit: Option<String>,
    /// Any reference by its full name, such as `refs/pull/1/head`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6, max = 255), regex(pattern = "^refs/"))]
    pub name: Option<String>,
}

/// A tar archive on an HTTP server as a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpContext {
    /// The archive, a tar file that may be compressed with gzip: `https://host/path`, or `http://host/path` without
    /// credentials.
    #[schemars(length(min = 8, max = 2048), regex(pattern = "^https?://[^\\s]+$"))]
    pub url: String,
    /// The archive's own digest. With it nothing else is ever taken, and the server is asked only once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,
    /// The folder in the archive that is the context; all of it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub path: Option<String>,
    /// A Secret with the credentials: `username` and `password`, or `bearerToken`; and `ca.crt` for a private
    /// certificate authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// How often the server is asked whether the archive has changed, such as `1m`; `5m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^([0-9]+(ms|s|m|h))+$"))]
    pub interval: Option<String>,
}

/// A source of Flux in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceReference {
    /// Its kind.
    pub kind: SourceKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The folder in its artifact that is the context; all of it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub path: Option<String>,
}

/// A kind of Flux's sources, of the group `source.toolkit.fluxcd.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SourceKind {
    /// A git repository.
    GitRepository,
    /// An artifact in a registry.
    #[serde(rename = "OCIRepository")]
    OciRepository,
    /// A bucket of an object store.
    Bucket,
}
