//! How large an index is: all that it leads to.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::answer;
use super::client::OciRegistry;
use crate::app::{Credentials, Digest, ImageReference, ManifestDigest};

/// Of how many manifests an index is asked for its size, at one request for each.
const MOST_MANIFESTS: usize = 32;

/// What a manifest or an index names.
#[derive(Deserialize)]
struct Contents {
    config: Option<Part>,
    #[serde(default)]
    layers: Vec<Part>,
    #[serde(default)]
    manifests: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    digest: String,
    size: Option<u64>,
}

impl OciRegistry {
    /// The sum of the configurations and layers of all manifests of an index, each once; `None` where one has no size, or
    /// where the registry does not give them all.
    pub(super) async fn size_of_index(&self, index: &ImageReference, credentials: Option<&Credentials>) -> Option<u64> {
        let manifests = self.contents(index, credentials).await?.manifests;
        if manifests.is_empty() || manifests.len() > MOST_MANIFESTS {
            return None;
        }
        let mut sizes = BTreeMap::new();
        for manifest in manifests {
            let digest: ManifestDigest = manifest.digest.parse().ok()?;
            let Contents { config, layers, .. } =
                self.contents(&index.repository().pinned(&digest), credentials).await?;
            for part in layers.into_iter().chain([config?]) {
                sizes.insert(part.digest, part.size?);
            }
        }
        sizes.into_values().try_fold(0_u64, u64::checked_add)
    }

    async fn contents(&self, pinned: &ImageReference, credentials: Option<&Credentials>) -> Option<Contents> {
        let mut conversation = self.conversation(pinned, credentials).ok()?;
        let address = conversation.manifest();
        let mut response = conversation.send(Method::GET, &address).await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let body = answer::body_of(&mut response, pinned.host()).await.ok()?;
        let is_asked_for = pinned.digest().is_some_and(|digest| digest.0 == Digest::of(&body));
        is_asked_for.then(|| serde_json::from_slice(&body).ok())?
    }
}
