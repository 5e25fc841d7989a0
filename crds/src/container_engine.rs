//! `ContainerEngine`: a Docker Engine, and the policy for those who use it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::LocalReference;

#[expect(clippy::duplicated_attributes, reason = "columns of one table have the same types")]
/// A container engine: where it is, and what those who use it may ask of it. Only administrators write it.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "longshore.dev",
    version = "v1alpha1",
    kind = "ContainerEngine",
    shortname = "ceng",
    category = "longshore",
    status = "ContainerEngineStatus",
    derive = "PartialEq",
    doc = "A Docker Engine on which images are built and containers run, and the policy for those who use it.",
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "STATUS", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "VERSION", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "STORE", type_ = "string", json_path = ".status.imageStore"),
    printcolumn(name = "CONTAINERS", type_ = "integer", json_path = ".status.containers"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "ENDPOINT", type_ = "string", json_path = ".spec.endpoint", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.tlsSecretRef) || self.endpoint.startsWith('tcp://')")
    .message("tlsSecretRef is for a tcp:// endpoint"))]
pub struct ContainerEngineSpec {
    /// The address of the engine's API: `unix:///var/run/docker.sock` or `tcp://host:2376`.
    #[schemars(length(min = 8, max = 512), regex(pattern = "^(unix:///|tcp://).+$"))]
    pub endpoint: String,
    /// A Secret in the controller's own namespace with `ca.crt`, `tls.crt` and `tls.key` for a `tcp://` endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_secret_ref: Option<LocalReference>,
    /// The namespaces whose resources may use this engine; every namespace when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub allowed_namespaces: Option<Vec<String>>,
    /// The host ports that may be published; 1024 to 65535 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub host_ports: Option<Vec<HostPortRange>>,
    /// How registries are reached that are not reached as usual: by HTTPS with a certificate that everybody trusts. It is
    /// Longshore's own look-ups that heed it, by which pushes are verified and tags watched. What the engine itself does
    /// for a pull or a push is set on the engine: `insecure-registries` in its `daemon.json`, and authorities in
    /// `/etc/docker/certs.d/HOST/ca.crt`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["host"]))]
    pub registries: Vec<RegistrySettings>,
    /// How many images are built at once; others wait for their turn. 2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub max_concurrent_builds: Option<i32>,
}

/// How one registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.certificateAuthority) != (has(self.plainHttp) && self.plainHttp)")
    .message("a registry is reached either by plainHttp: true or with a certificateAuthority"))]
pub struct RegistrySettings {
    /// Its host as it stands in image references, with its port where it has one: `registry.example.com:5000`.
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[^/@\\s]+$"))]
    pub host: String,
    /// Whether it is spoken to by plain HTTP. Whoever listens on the way reads the credentials.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain_http: bool,
    /// Certificates in PEM of the authorities that are trusted for this host, beside those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536), regex(pattern = "-----BEGIN CERTIFICATE-----"))]
    pub certificate_authority: Option<String>,
}

/// A range of host ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.from <= self.to").message("a range of host ports begins at or below its end"))]
pub struct HostPortRange {
    /// The first port.
    #[schemars(range(min = 1, max = 65535))]
    pub from: i32,
    /// The last port.
    #[schemars(range(min = 1, max = 65535))]
    pub to: i32,
}

/// What is true of an engine, as last observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerEngineStatus {
    /// The generation of the spec that this status speaks of; -1 before the first look.
    #[serde(default)]
    pub observed_generation: i64,
    /// `Ready` says whether the engine answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The ID that the engine gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The engine's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The newest version of the API that the engine speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Where the engine keeps images: `graphdriver` or `containerd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_store: Option<String>,
    /// How many containers of this installation it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<i32>,
    /// The owners that are gone, or have moved away, while what they made here could not be removed. It is removed when
    /// the engine answers again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["uid"]))]
    pub tombstones: Vec<Tombstone>,
    /// Containers of this installation whose owner nobody knows: of a resource that was deleted with `Orphan`, or that a
    /// restored backup does not have. They are never removed; at most 32 are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["container"]))]
    pub leftovers: Vec<Leftover>,
}

/// An owner that is gone while what it made could not be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// The UID of the resource.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Since when it is gone.
    pub since: Time,
    /// The installation that it belonged to. No other one removes what it left.
    pub instance: String,
    /// The ID that the engine gave itself. While another one answers by this name, the tombstone stays.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine_id: String,
    /// How many seconds its containers have to end.
    #[serde(default)]
    pub grace_period_seconds: i64,
    /// Whether its volumes go as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove_volumes: bool,
    /// The references that it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"))]
    pub local_references: Vec<String>,
}

/// A container that carries this installation's labels and whose owner is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// The container's name.
    pub container: String,
    /// The UID of the resource that made it.
    pub uid: String,
    /// The namespace of that resource.
    pub namespace: String,
    /// The name of that resource.
    pub name: String,
}
