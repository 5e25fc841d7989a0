//! A build that is wanted: what goes into the image, and how it is made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use longshore_crds::{Attestations, BasePullPolicy, BuildNetwork, CacheMode};
use secrecy::{SecretSlice, SecretString};
use serde_json::{Value, json};

use super::{Block, ContextDigest, Credentials, ImageReference, Origin};

/// Everything that goes into a build, and how it is made.
#[derive(Clone, Debug)]
pub struct BuildSpec {
    /// What the context contains, the Dockerfile included. The files themselves are read again when they are sent.
    pub context: ContextDigest,
    /// How the Dockerfile is called, for people: its path, or `inline`.
    pub dockerfile: String,
    /// The stage to build.
    pub target: Option<String>,
    /// The values of `ARG`s.
    pub args: BTreeMap<String, String>,
    /// Labels for the image, beside those that tell where it comes from.
    pub labels: BTreeMap<String, String>,
    /// Annotations for its manifest.
    pub annotations: BTreeMap<String, String>,
    /// What the commands reach of the network.
    pub network: BuildNetwork,
    /// Names that the commands find beside those of the name server.
    pub extra_hosts: Vec<(String, IpAddr)>,
    /// The platforms; the engine's own when empty.
    pub platforms: Vec<String>,
    /// Statements about the image.
    pub attestations: Attestations,
    /// The time that everything bears, in seconds since 1970.
    pub source_date_epoch: Option<i64>,
    /// The ids of its secrets.
    pub secret_ids: BTreeSet<String>,
    /// The ids of its private keys.
    pub ssh_ids: BTreeSet<String>,
    /// Whatever the author wrote to force a build.
    pub rebuild_token: Option<String>,
    /// The images that it is built on whose move builds anew, with the digests that count; empty until they have been
    /// looked up.
    pub base_images: BTreeMap<ImageReference, String>,
    /// How it is made, which changes nothing in the image.
    pub method: BuildMethod,
}

/// How an image is built: nothing of it is part of the input hash.
#[derive(Clone, Debug)]
pub struct BuildMethod {
    /// Where the context comes from: a commit that changes nothing in the context builds nothing.
    pub origin: Option<Origin>,
    /// The images that the Dockerfile names.
    pub named_base_images: BTreeSet<ImageReference>,
    /// Whether a base image that has moved builds anew.
    pub follows_base_images: bool,
    /// How old what is known of a base image may be.
    pub base_image_interval: Duration,
    /// When base images are asked for at their registry.
    pub base_pull_policy: BasePullPolicy,
    /// References that hold cache of earlier builds.
    pub cache_from: Vec<ImageReference>,
    /// Where cache is written to.
    pub cache_to: Option<CacheExport>,
    /// Whether every step runs anew.
    pub no_cache: bool,
    /// How long it may take.
    pub timeout: Duration,
    /// What it is given that is secret, or why that cannot be had.
    pub access: Result<BuildAccess, Block>,
}

/// Where a build's cache is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheExport {
    /// Into the image.
    Inline,
    /// Under a reference of its own.
    Registry {
        /// The reference.
        reference: ImageReference,
        /// How much of it.
        mode: CacheMode,
    },
}

/// What a build is given that is secret. Nothing of it shows itself in a log or a `Debug` print.
#[derive(Clone, Default)]
pub struct BuildAccess {
    /// For the registries of base images and caches.
    pub credentials: Vec<Credentials>,
    /// The secrets by their ids.
    pub secrets: BTreeMap<String, Arc<SecretSlice<u8>>>,
    /// Private keys by their ids, as OpenSSH writes them.
    pub ssh: BTreeMap<String, SecretString>,
}

impl fmt::Debug for BuildAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BuildAccess")
            .field("credentials", &self.credentials)
            .field("secrets", &self.secrets.keys())
            .field("ssh", &self.ssh.keys())
            .finish()
    }
}

impl BuildSpec {
    /// The build of this context with nothing else asked for.
    pub fn of(context: ContextDigest) -> Self {
        Self {
            context,
            dockerfile: "Dockerfile".to_owned(),
            target: None,
            args: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            network: BuildNetwork::Default,
            extra_hosts: Vec::new(),
            platforms: Vec::new(),
            attestations: Attestations::default(),
            source_date_epoch: None,
            secret_ids: BTreeSet::new(),
            ssh_ids: BTreeSet::new(),
            rebuild_token: None,
            base_images: BTreeMap::new(),
            method: BuildMethod::default(),
        }
    }

    /// The inputs in the one form that is hashed. Where the Dockerfile lies does not matter: what it says is part of
    /// the context's digest. The order of platforms and names does not matter either.
    pub(super) fn canonical(&self) -> Value {
        let mut hosts: Vec<String> =
            self.extra_hosts.iter().map(|(name, address)| format!("{name} {address}")).collect();
        hosts.sort_unstable();
        let platforms: BTreeSet<&String> = self.platforms.iter().collect();
        let bases: BTreeMap<String, &String> =
            self.base_images.iter().map(|(reference, digest)| (reference.canonical(), digest)).collect();
        json!({
            "annotations": self.annotations,
            "args": self.args,
            "attestations": self.attestations,
            "baseImages": bases,
            "context": self.context.0.as_str(),
            "extraHosts": hosts,
            "labels": self.labels,
            "network": self.network,
            "platforms": platforms,
            "rebuildToken": self.rebuild_token,
            "secrets": self.secret_ids,
            "sourceDateEpoch": self.source_date_epoch,
            "ssh": self.ssh_ids,
            "target": self.target,
        })
    }
}

/// How long a build may take where nothing is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);
/// How old what is known of a base image may be where nothing is said.
const DEFAULT_BASE_IMAGE_INTERVAL: Duration = Duration::from_secs(3600);

impl Default for BuildMethod {
    fn default() -> Self {
        Self {
            origin: None,
            named_base_images: BTreeSet::new(),
            follows_base_images: true,
            base_image_interval: DEFAULT_BASE_IMAGE_INTERVAL,
            base_pull_policy: BasePullPolicy::default(),
            cache_from: Vec::new(),
            cache_to: None,
            no_cache: false,
            timeout: DEFAULT_TIMEOUT,
            access: Ok(BuildAccess::default()),
        }
    }
}
