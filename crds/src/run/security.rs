//! As whom a container runs, and what it gives up.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// As whom a container runs, as core/v1's `SecurityContext` and `PodSecurityContext`. Only what takes rights away is here:
/// what gives more than the engine gives to all needs an administrator's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.runAsGroup) || has(self.runAsUser)")
    .message("runAsGroup is the group of runAsUser: name runAsUser too"))]
pub struct SecurityContext {
    /// The user's number, instead of the image's `USER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub run_as_user: Option<i64>,
    /// The number of the user's group; when absent, that of the image's `/etc/passwd`, or 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub run_as_group: Option<i64>,
    /// The numbers of further groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(range(min = 0, max = 2_147_483_647)), extend("x-kubernetes-list-type" = "set"))]
    pub supplemental_groups: Vec<i64>,
    /// Whether the container's own file system cannot be written to; its volumes can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_root_filesystem: Option<bool>,
    /// Whether a program may gain more rights than the one that started it, as by setuid; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_privilege_escalation: Option<bool>,
    /// The capabilities that are taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// Settings of the kernel, of those that concern nobody but the container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub sysctls: Vec<Sysctl>,
}

/// Capabilities of the kernel, as core/v1's `Capabilities`. To add some needs an administrator's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Those that are taken away of what engines give, without `CAP_` in front: `NET_RAW`, or `ALL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 3, max = 32), regex(pattern = "^[A-Z][A-Z_]+$")), extend("x-kubernetes-list-type" = "set"))]
    pub drop: Vec<String>,
}

/// A setting of the kernel, as core/v1's `Sysctl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sysctl {
    /// Its name.
    pub name: SysctlName,
    /// Its value.
    #[schemars(length(min = 1, max = 256))]
    pub value: String,
}

/// The settings that core/v1 calls safe: each container has its own, and none takes anything from its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum SysctlName {
    /// Whether shared memory goes with the last process that uses it.
    #[serde(rename = "kernel.shm_rmid_forced")]
    ShmRmidForced,
    /// The ports from which outgoing connections take theirs.
    #[serde(rename = "net.ipv4.ip_local_port_range")]
    IpLocalPortRange,
    /// Ports that outgoing connections leave alone.
    #[serde(rename = "net.ipv4.ip_local_reserved_ports")]
    IpLocalReservedPorts,
    /// The first port that needs no capability.
    #[serde(rename = "net.ipv4.ip_unprivileged_port_start")]
    IpUnprivilegedPortStart,
    /// The groups that may ping.
    #[serde(rename = "net.ipv4.ping_group_range")]
    PingGroupRange,
    /// Whether a flood of connections is met with cookies.
    #[serde(rename = "net.ipv4.tcp_syncookies")]
    TcpSyncookies,
    /// After how many seconds an idle connection is probed.
    #[serde(rename = "net.ipv4.tcp_keepalive_time")]
    TcpKeepaliveTime,
    /// Between how many seconds it is probed again.
    #[serde(rename = "net.ipv4.tcp_keepalive_intvl")]
    TcpKeepaliveIntvl,
    /// After how many probes it is given up.
    #[serde(rename = "net.ipv4.tcp_keepalive_probes")]
    TcpKeepaliveProbes,
    /// How many seconds a connection waits for its end.
    #[serde(rename = "net.ipv4.tcp_fin_timeout")]
    TcpFinTimeout,
    /// The sizes of the buffers for what is received.
    #[serde(rename = "net.ipv4.tcp_rmem")]
    TcpRmem,
    /// The sizes of the buffers for what is sent.
    #[serde(rename = "net.ipv4.tcp_wmem")]
    TcpWmem,
}

impl SysctlName {
    /// The setting's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShmRmidForced => "kernel.shm_rmid_forced",
            Self::IpLocalPortRange => "net.ipv4.ip_local_port_range",
            Self::IpLocalReservedPorts => "net.ipv4.ip_local_reserved_ports",
            Self::IpUnprivilegedPortStart => "net.ipv4.ip_unprivileged_port_start",
            Self::PingGroupRange => "net.ipv4.ping_group_range",
            Self::TcpSyncookies => "net.ipv4.tcp_syncookies",
            Self::TcpKeepaliveTime => "net.ipv4.tcp_keepalive_time",
            Self::TcpKeepaliveIntvl => "net.ipv4.tcp_keepalive_intvl",
            Self::TcpKeepaliveProbes => "net.ipv4.tcp_keepalive_probes",
            Self::TcpFinTimeout => "net.ipv4.tcp_fin_timeout",
            Self::TcpRmem => "net.ipv4.tcp_rmem",
            Self::TcpWmem => "net.ipv4.tcp_wmem",
        }
    }
}
