//! The ports of a container.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port of the container, published on the engine's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    /// The port on the engine's host. Below 1024 only where the engine allows it.
    #[schemars(range(min = 1, max = 65535))]
    pub host_port: i32,
    /// The port on which the program in the container listens.
    #[schemars(range(min = 1, max = 65535))]
    pub container_port: i32,
    /// The transport protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address of the engine's host on which the port is published; `0.0.0.0`, every address, when absent.
    #[serde(rename = "hostIP", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 45))]
    pub host_ip: Option<String>,
}

/// A transport protocol, as core/v1 writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
}
