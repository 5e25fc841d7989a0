//! The environment of a container.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::KeySelector;

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.value) && has(self.valueFrom))")
    .message("an environment variable has either value or valueFrom, not both"))]
pub struct EnvVar {
    /// The variable's name.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[^=\\s]+$"))]
    pub name: String,
    /// The variable's value; empty when neither this nor `valueFrom` is given. `$(NAME)` stands for a variable of `envFrom`
    /// or one further up in this list, `$$` for one `$`; what names no such variable is left as it is.
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

/// An object whose keys are environment variables. Exactly one of `secretRef` and `configMapRef` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.configMapRef)")
    .message("envFrom needs exactly one of secretRef and configMapRef"))]
pub struct EnvFromSource {
    /// What is put in front of each key to make the variable's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^[^=\\s]*$"))]
    pub prefix: Option<String>,
    /// A Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ObjectSelector>,
    /// A ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ObjectSelector>,
}

/// A Secret or a ConfigMap as a whole, as core/v1's `SecretEnvSource` and `ConfigMapEnvSource`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSelector {
    /// The name of the Secret or ConfigMap, in the namespace of the resource that refers to it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Whether nothing is taken from it when it does not exist. Otherwise the container waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}
