//! What a resource refers to, read from wherever it lies, before validation.

use longshore_crds::HostPortRange;

use super::{Block, BuildAccess, ContextDigest, Credentials, Digest, Instance, Referred};

/// What a resource refers to. A part that could not be had is the [`Block`] that says why.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The installation.
    pub instance: Instance,
    /// The build's context; `None` when the image is pulled.
    pub context: Option<Result<ContextInputs, Block>>,
    /// What the build is given that is secret.
    pub build_access: Result<BuildAccess, Block>,
    /// The credentials for the pull.
    pub pull_credentials: Result<Option<Credentials>, Block>,
    /// The credentials for each entry of `push`, in its order.
    pub push_credentials: Vec<Result<Option<Credentials>, Block>>,
    /// What the `run` section refers to.
    pub referred: Referred,
    /// What the engine's administrators allow.
    pub policy: Policy,
}

/// What was read of a build's context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextInputs {
    /// What it contains, the Dockerfile included.
    pub digest: ContextDigest,
    /// The Dockerfile's text.
    pub dockerfile: String,
    /// Where it comes from, where that is a repository.
    pub origin: Option<Origin>,
    /// Why it may be older than its source is.
    pub trouble: Option<Block>,
}

impl ContextInputs {
    /// A context without files and with an empty Dockerfile.
    pub fn empty() -> Self {
        Self { digest: ContextDigest(Digest::of("")), dockerfile: String::new(), origin: None, trouble: None }
    }
}

/// Where a context comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The repository's URL, without credentials.
    pub url: String,
    /// The commit, or what else identifies the source there.
    pub revision: String,
}

/// What the administrators of an engine allow those who use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The engine's name, for messages.
    pub engine: String,
    /// The namespaces that may use it; every one when absent.
    pub allowed_namespaces: Option<Vec<String>>,
    /// The host ports that may be published; 1024 and above when absent.
    pub host_ports: Option<Vec<HostPortRange>>,
}

/// Without a range, ports that are reserved for the host's own services are refused.
const UNPRIVILEGED_PORTS: HostPortRange = HostPortRange { from: 1024, to: 65535 };

impl Policy {
    /// Why resources of this namespace may not use the engine; `None` when they may.
    pub fn refuses_namespace(&self, namespace: &str) -> Option<String> {
        let allowed = self.allowed_namespaces.as_ref()?;
        if allowed.iter().any(|name| name == namespace) {
            return None;
        }
        Some(format!(
            "allowedNamespaces of the engine {} does not name the namespace {namespace}: ask an administrator, or use \
             another engine",
            self.engine
        ))
    }

    /// Why this host port may not be published; `None` when it may.
    pub fn refuses_host_port(&self, port: u16) -> Option<String> {
        if self.allowed_ports().iter().any(|range| (range.from..=range.to).contains(&i32::from(port))) {
            return None;
        }
        Some(format!(
            "hostPorts of the engine {} allows {}, not {port}: use a port in there, or ask an administrator",
            self.engine,
            self.told_ports()
        ))
    }

    /// Why a host port that the engine chooses may not be published; `None` when it may. From where it takes one is the
    /// setting of its host, so that every port from 1024 on must be allowed.
    pub fn refuses_chosen_host_ports(&self) -> Option<String> {
        let covers = |range: &HostPortRange| range.from <= UNPRIVILEGED_PORTS.from && UNPRIVILEGED_PORTS.to <= range.to;
        if self.allowed_ports().iter().any(covers) {
            return None;
        }
        Some(format!(
            "hostPorts of the engine {} allows {}, and an engine may choose any port from 1024 on: write a port in there, \
             or ask an administrator",
            self.engine,
            self.told_ports()
        ))
    }

    fn allowed_ports(&self) -> &[HostPortRange] {
        self.host_ports.as_deref().unwrap_or(&[UNPRIVILEGED_PORTS])
    }

    fn told_ports(&self) -> String {
        let ranges: Vec<String> =
            self.allowed_ports().iter().map(|range| format!("{}-{}", range.from, range.to)).collect();
        if ranges.is_empty() { "none".to_owned() } else { ranges.join(", ") }
    }
}
