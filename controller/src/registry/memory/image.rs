//! What an image is to the registry and the engine in memory: its layers and its configuration.

use std::collections::BTreeMap;

use serde_json::json;

use crate::app::{ConfigDigest, Digest, HealthCheck, ManifestDigest};

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLayer {
    /// Its digest, which stands for its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// The platform of the engines in memory.
const OWN_PLATFORM: &str = "linux/amd64";

/// An image: the same layers and the same configuration are the same image, with the same digests, wherever it was
/// made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryImage {
    /// The platform that it is for; that of the engine when empty.
    pub platform: String,
    /// The layers, the lowest first.
    pub layers: Vec<MemoryLayer>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// `ENTRYPOINT` in its exec form.
    pub entrypoint: Vec<String>,
    /// `CMD` in its exec form.
    pub command: Vec<String>,
    /// `HEALTHCHECK`.
    pub health_check: Option<HealthCheck>,
    /// The instructions that made it.
    pub history: Vec<String>,
}

impl MemoryImage {
    /// An image of one layer with this content. Its containers run until they are stopped.
    pub fn new(content: &str) -> Self {
        Self {
            layers: vec![MemoryLayer { digest: Digest::of(content), size: content.len() as u64 }],
            ..Self::default()
        }
    }

    /// The same image with this shell script as its `CMD`: it decides what containers do, see
    /// [`MemoryEngine`](crate::engine::memory::MemoryEngine).
    #[must_use]
    pub fn with_script(mut self, script: &str) -> Self {
        self.command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        self
    }

    /// The same image for another platform.
    #[must_use]
    pub fn for_platform(mut self, platform: &str) -> Self {
        platform.clone_into(&mut self.platform);
        self
    }

    /// Whether it is for this platform.
    pub fn is_for(&self, platform: &str) -> bool {
        let own = if self.platform.is_empty() { OWN_PLATFORM } else { &self.platform };
        own == platform
    }

    /// The same image with a label more.
    #[must_use]
    pub fn with_label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The digest of its configuration.
    pub fn config(&self) -> ConfigDigest {
        let layers: Vec<&str> = self.layers.iter().map(|layer| layer.digest.as_str()).collect();
        let configuration = json!({
            "command": self.command,
            "entrypoint": self.entrypoint,
            "env": self.env,
            "healthCheck": self.health_check.as_ref().map(HealthCheck::canonical),
            "history": self.history,
            "labels": self.labels,
            "layers": layers,
            "platform": self.platform,
        });
        ConfigDigest(Digest::of(configuration.to_string()))
    }

    /// The digest of the manifest that an engine with this format makes for it.
    pub fn manifest(&self, format: ManifestFormat) -> ManifestDigest {
        let media_type = match format {
            ManifestFormat::Docker => "application/vnd.docker.distribution.manifest.v2+json",
            ManifestFormat::Oci => "application/vnd.oci.image.manifest.v1+json",
        };
        ManifestDigest(Digest::of(format!("{media_type} {}", self.config())))
    }

    /// The digest of the index with which a publisher offers it for several platforms.
    pub fn index(&self) -> ManifestDigest {
        ManifestDigest(Digest::of(format!("application/vnd.oci.image.index.v1+json {}", self.config())))
    }

    /// The sum of its layers' sizes in bytes.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

/// The format of a manifest, which changes its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestFormat {
    /// Docker's, which engines with a graph driver's store push.
    Docker,
    /// OCI's, which engines with containerd's store make.
    Oci,
}
