//! What a container may use of its engine's host.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Quantity;

/// What a container may use, as core/v1's `ResourceRequirements`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What it never gets more of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceLimits>,
    /// What it gets when others want the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceRequests>,
}

/// What a container never gets more of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceLimits {
    /// Bytes of memory, 6Mi at least. A program that wants more is killed. Nothing is swapped out beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Processors: `"0.5"` and `500m` are half of one, `2` are two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// How many GPUs of NVIDIA the container gets, whole ones. Only where the engine has them.
    #[serde(rename = "nvidia.com/gpu", default, skip_serializing_if = "Option::is_none")]
    pub nvidia_gpus: Option<Quantity>,
    /// How many processes and threads. In core/v1 that is no matter of a Pod but of the kubelet, as `podPidsLimit`; this
    /// is how core/v1 writes what it does not know itself.
    #[serde(rename = "longshore.dev/pids", default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<Quantity>,
}

/// What a container gets when others want the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRequests {
    /// Bytes of memory that are left to it when the host runs short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Its share of the processors' time, in processors, when they are all busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
}
