//! The ports of a container.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port of the container, or several that follow one another, published on the engine's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.endPort) || self.endPort >= self.containerPort")
    .message("endPort is the last of the ports that begin with containerPort, and cannot be below it"))]
#[x_kube(validation = Rule::new("!has(self.endPort) || self.endPort - self.containerPort < 256")
    .message("from containerPort to endPort there may be 256 ports: for each an engine runs programs of its own"))]
#[x_kube(validation = Rule::new("!has(self.endPort) || self.hostPort + (self.endPort - self.containerPort) <= 65535")
    .message("as many ports as there are from containerPort to endPort, counted from hostPort on, must not go past 65535"))]
pub struct ContainerPort {
    /// The port on the engine's host. Below 1024 only where the engine allows it. With 0, or when absent, the engine chooses
    /// a free one each time that the container starts; `status.container.ports` says which. In core/v1 a port without a
    /// `hostPort` is not published.
    #[serde(default)]
    #[schemars(range(min = 0, max = 65535))]
    pub host_port: i32,
    /// The port on which the program in the container listens.
    #[schemars(range(min = 1, max = 65535))]
    pub container_port: i32,
    /// The last port of a range that begins with `containerPort`; as many are published from `hostPort` on. One port alone
    /// when absent. It has no counterpart in core/v1's containers; its name is that of a `NetworkPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub end_port: Option<i32>,
    /// The transport protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address of the engine's host on which the port is published. `0.0.0.0` is every IPv4 address; for IPv6 as well,
    /// publish it a second time with `::`.
    #[serde(rename = "hostIP", default = "every_ipv4_address")]
    #[schemars(length(min = 2, max = 45))]
    pub host_ip: String,
}

fn every_ipv4_address() -> String {
    "0.0.0.0".to_owned()
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
