//! References to other objects. None has a namespace: what a resource refers to lies in its own.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A reference to an object by its name, as core/v1's `LocalObjectReference`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalReference {
    /// The name of the object, in the namespace of the resource that refers to it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One key of a Secret or a ConfigMap, as core/v1's `SecretKeySelector` and `ConfigMapKeySelector`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeySelector {
    /// The name of the Secret or ConfigMap, in the namespace of the resource that refers to it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Whether the variable is left out when the object or the key does not exist. Otherwise the container waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}
