//! What is mounted into a container.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Quantity;

/// Something that can be mounted, as core/v1's `Volume`. Exactly one of the fields beside the name is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.emptyDir), has(self.configMap), has(self.secret), has(self.persistentVolumeClaim)].filter(given, given).size() == 1")
    .message("a volume is exactly one of emptyDir, configMap, secret and persistentVolumeClaim"))]
pub struct Volume {
    /// Its name, by which `volumeMounts` speaks of it.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// A folder that is empty when the container is made, and gone with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDirVolume>,
    /// The keys of a ConfigMap as files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapVolume>,
    /// The keys of a Secret as files. They lie on the engine's disk while there is a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretVolume>,
    /// A folder that outlives every container of this resource, and the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<ClaimVolume>,
}

/// A folder that is empty at first, as core/v1's `EmptyDirVolumeSource`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.sizeLimit) || (has(self.medium) && self.medium == 'Memory')")
    .message("sizeLimit is kept by the engine with medium: Memory only"))]
pub struct EmptyDirVolume {
    /// Where its files lie; on the engine's disk when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<Medium>,
    /// How many bytes it may hold, such as `64Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_limit: Option<Quantity>,
}

/// Where files lie, as core/v1's `StorageMedium`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Medium {
    /// On the engine's disk.
    #[serde(rename = "")]
    Disk,
    /// In memory, which counts for the container's own; they are gone when it is stopped.
    Memory,
}

/// The keys of a ConfigMap as files, as core/v1's `ConfigMapVolumeSource`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapVolume {
    /// The name of the ConfigMap, in the namespace of the resource that refers to it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The keys that become files, and where; every key by its own name when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub items: Vec<KeyToPath>,
    /// The mode of the files, in decimal or, in YAML, with a leading `0o`; 0644 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 511))]
    pub default_mode: Option<i32>,
    /// Whether the folder is empty when the ConfigMap does not exist, and what is missing is left out. Otherwise the
    /// container waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// The keys of a Secret as files, as core/v1's `SecretVolumeSource`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretVolume {
    /// The name of the Secret, in the namespace of the resource that refers to it.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// The keys that become files, and where; every key by its own name when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub items: Vec<KeyToPath>,
    /// The mode of the files, in decimal or, in YAML, with a leading `0o`; 0644 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 511))]
    pub default_mode: Option<i32>,
    /// Whether the folder is empty when the Secret does not exist, and what is missing is left out. Otherwise the
    /// container waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// A key that becomes a file, as core/v1's `KeyToPath`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyToPath {
    /// The key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// The file's path in the volume.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^[^/]"))]
    pub path: String,
    /// The file's mode, instead of `defaultMode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 511))]
    pub mode: Option<i32>,
}

/// A folder that stays, as core/v1's `PersistentVolumeClaimVolumeSource`. The claim is this resource's own, and is made
/// with the first container that needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimVolume {
    /// The claim's name.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub claim_name: String,
    /// Whether nothing may be written to it, wherever it is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// Where a volume is in the container, as core/v1's `VolumeMount`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// The name of the volume.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The folder in the container that it becomes, whatever the image has there.
    #[schemars(length(min = 2, max = 1024), regex(pattern = "^/"))]
    pub mount_path: String,
    /// Whether nothing may be written to it there. Of a `configMap` and a `secret` that is always so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}
