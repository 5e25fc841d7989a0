//! What an engine is asked to build.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use longshore_crds::BuildNetwork;
use secrecy::SecretSlice;

use super::SshKey;
use crate::app::{CacheExport, Credentials, ImageReference, Repository};
use crate::build::ReadContext;

/// The Dockerfile front end that BuildKit's makers publish.
const OFFICIAL_FRONTEND: &str = "docker.io/docker/dockerfile";

/// What makes an SBOM when nothing else is named, by BuildKit's own choice (frontend/attestations/parse.go).
pub(crate) const DEFAULT_SBOM_GENERATOR: &str = "docker/buildkit-syft-scanner:stable-1";

/// An image to be built. What an engine's builder cannot do is refused before the build, with
/// [`EngineError::Unsupported`](super::EngineError::Unsupported), never left out.
#[derive(Clone)]
pub struct BuildRequest {
    /// The context, with its Dockerfile. What of it is not what was read any more fails the build.
    pub context: Arc<ReadContext>,
    /// The stage to build; the last one when there is none.
    pub target: Option<String>,
    /// The values of `ARG`s.
    pub args: BTreeMap<String, String>,
    /// Labels for the image's configuration.
    pub labels: BTreeMap<String, String>,
    /// Annotations for the image's manifest.
    pub annotations: BTreeMap<String, String>,
    /// The reference that shall point at the image.
    pub reference: ImageReference,
    /// The network of `RUN` steps.
    pub network: BuildNetwork,
    /// Lines for `/etc/hosts` in `RUN` steps: names and their addresses.
    pub extra_hosts: Vec<(String, IpAddr)>,
    /// The platforms to build for, `linux/amd64`; the engine's own when there are none.
    pub platforms: Vec<String>,
    /// Images whose build cache may be used.
    pub cache_from: Vec<ImageReference>,
    /// Where the build's own cache goes.
    pub cache_to: Vec<CacheExport>,
    /// Whether every step is done anew.
    pub no_cache: bool,
    /// Whether the registry is asked for base images even where the engine holds some of that name.
    pub pull: bool,
    /// The time that the image and its files shall have, in seconds since 1970.
    pub source_date_epoch: Option<i64>,
    /// What is told about the image beside it.
    pub attestations: Attestations,
    /// Secrets for `RUN --mount=type=secret`, by their IDs.
    pub secrets: BTreeMap<String, SecretSlice<u8>>,
    /// Keys for `RUN --mount=type=ssh`, by the ID of the agent that holds them: `default` where a Dockerfile names none.
    pub ssh: BTreeMap<String, Vec<SshKey>>,
    /// For base images and caches. Each is shown to exactly the host that it names.
    pub credentials: Vec<Credentials>,
    /// The repositories of the front ends that a Dockerfile's `# syntax=` may name: each has the whole build in its
    /// hands.
    pub frontends: Vec<Repository>,
    /// What builds of the same context have in common, so that an engine asks only for the files that have changed.
    /// No two resources may share one.
    pub shared_key: String,
}

/// What is told about an image beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attestations {
    /// What is in it, if that is wanted.
    pub sbom: Option<Sbom>,
    /// How it was made.
    pub provenance: Provenance,
}

/// A list of what is in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sbom {
    /// The image that makes the list; BuildKit's default, `docker/buildkit-syft-scanner`, when there is none.
    pub generator: Option<ImageReference>,
}

/// How much is told of how an image was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provenance {
    /// Nothing.
    #[default]
    None,
    /// What was built from which base images.
    Min,
    /// The Dockerfile and the steps as well.
    Max,
}

impl BuildRequest {
    /// A build of this context that gets this reference, and asks for nothing else.
    pub fn new(context: Arc<ReadContext>, reference: ImageReference, shared_key: impl Into<String>) -> Self {
        Self {
            context,
            target: None,
            args: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            reference,
            network: BuildNetwork::Default,
            extra_hosts: Vec::new(),
            platforms: Vec::new(),
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            no_cache: false,
            pull: false,
            source_date_epoch: None,
            attestations: Attestations::default(),
            secrets: BTreeMap::new(),
            ssh: BTreeMap::new(),
            credentials: Vec::new(),
            frontends: OFFICIAL_FRONTEND.parse().into_iter().collect(),
            shared_key: shared_key.into(),
        }
    }
}

/// What is built and from what, without the values of arguments, labels, credentials and secrets.
impl fmt::Debug for BuildRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BuildRequest")
            .field("context", &self.context.digest())
            .field("reference", &self.reference)
            .field("target", &self.target)
            .field("platforms", &self.platforms)
            .field("secrets", &self.secrets.keys())
            .field("ssh", &self.ssh.keys())
            .field("shared_key", &self.shared_key)
            .finish_non_exhaustive()
    }
}
