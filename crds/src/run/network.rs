//! Names and addresses: what a container is called, and what it asks for others.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How a container resolves names, as core/v1's `PodDNSConfig`. What is named here stands in the place of what the engine
/// would take from its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsConfig {
    /// The addresses of the servers that are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), inner(length(min = 2, max = 45)))]
    pub nameservers: Vec<String>,
    /// The domains in which a short name is looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253), regex(pattern = "^[^\\s]+$")))]
    pub searches: Vec<String>,
    /// Options of the resolver, as `resolv.conf` has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub options: Vec<DnsOption>,
}

/// An option of the resolver, as core/v1's `PodDNSConfigOption`: `ndots` with the value `"2"`, or `edns0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsOption {
    /// The option's name.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[^:\\s]+$"))]
    pub name: String,
    /// Its value, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[^:\\s]+$"))]
    pub value: Option<String>,
}
