//! The `build` section: what an image is built from.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::LocalReference;

/// How the image is built on the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// The files that the build sees. Exactly one source.
    pub context: BuildContext,
    /// The path of the Dockerfile in the context, `Dockerfile` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub dockerfile: Option<String>,
    /// The stage to build, the last one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub target: Option<String>,
    /// The values of the Dockerfile's `ARG`s. They stay readable in the image's history: no secrets here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 128))]
    pub args: BTreeMap<String, String>,
    /// Any change of this text builds again, even when nothing else has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub rebuild_token: Option<String>,
}

/// Where a build's files come from. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.inline) ? 1 : 0) + (has(self.configMap) ? 1 : 0) + (has(self.path) ? 1 : 0) == 1")
    .message("a build context needs exactly one source: inline, configMap or path"))]
pub struct BuildContext {
    /// The files themselves: each key is a path in the context, each value the file's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 256))]
    pub inline: Option<BTreeMap<String, String>>,
    /// A ConfigMap whose keys are file names and whose values are the files, `binaryData` included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<LocalReference>,
    /// A folder on the machine that runs `longshore up`, relative to the file that names it. In a cluster it is
    /// refused: the controller's own files are not a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
}
