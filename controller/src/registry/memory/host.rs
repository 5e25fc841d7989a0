//! One host of the registries in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{MemoryImage, MemoryLayer, Refusal, belong_to};
use crate::app::{Credentials, Digest, ImageReference, RegistryErrorKind, RemoteImage, TagDeletion};

/// The host of private tags: no such host exists.
const NOWHERE: &str = "longshore.local";

/// What a tag holds.
#[derive(Clone)]
pub(crate) struct Published {
    /// The image; of an index, that of the platform that everything here runs on.
    pub(crate) image: MemoryImage,
    /// Of an index, those for other platforms.
    pub(crate) others: Vec<MemoryImage>,
    /// How the registry calls it.
    pub(crate) remote: RemoteImage,
}

/// What became of a layer that was to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LayerFate {
    /// The repository held it.
    Existed(MemoryLayer),
    /// Another repository of the host held it.
    Mounted {
        /// The layer.
        layer: MemoryLayer,
        /// The path of that repository.
        from: String,
    },
    /// It was sent.
    Sent(MemoryLayer),
}

/// How a host deletes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deletes {
    /// A tag, and nothing else.
    #[default]
    Tags,
    /// A manifest, with every tag that points at it, as distribution 2 does.
    Manifests,
    /// Nothing.
    Nothing,
}

/// One host.
pub(super) struct Host {
    name: String,
    tags: BTreeMap<ImageReference, Published>,
    /// Everything that was ever under a tag, by its digest.
    manifests: BTreeMap<ImageReference, Published>,
    /// Which repositories, by their paths, hold which layers.
    holders: BTreeMap<Digest, BTreeSet<String>>,
    pub(super) user: Option<(String, String)>,
    pub(super) is_away: bool,
    /// What it says to everyone, and how long it asks to wait.
    pub(super) refusal: Option<(String, Option<Duration>)>,
    /// Whether it takes what it gives to nobody.
    pub(super) only_takes: bool,
    pub(super) deletes: Deletes,
    /// What it says to the next who want something deleted.
    pub(super) failing_deletions: Vec<String>,
    pub(super) requests: usize,
    pub(super) layers_sent: usize,
    pub(super) misdirected: usize,
}

impl Host {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            tags: BTreeMap::new(),
            manifests: BTreeMap::new(),
            holders: BTreeMap::new(),
            user: None,
            is_away: name == NOWHERE,
            refusal: None,
            only_takes: false,
            deletes: Deletes::default(),
            failing_deletions: Vec::new(),
            requests: 0,
            layers_sent: 0,
            misdirected: 0,
        }
    }

    /// Counts a request and lets it in, or not.
    pub(super) fn admit(&mut self, credentials: Option<&Credentials>) -> Result<(), Refusal> {
        self.requests += 1;
        if let Some((words, retry_after)) = &self.refusal {
            return Err(Refusal::Said(words.clone(), *retry_after));
        }
        if self.is_away {
            let name = &self.name;
            return Err(Refusal::Away(format!(
                "the registry {name} does not answer: dial tcp: lookup {name}: no such host"
            )));
        }
        // Credentials for another host are nobody's here, and someone should not have shown them.
        let (shown, misdirected) = match credentials {
            Some(credentials) if credentials.host != self.name => (None, 1),
            shown => (shown, 0),
        };
        self.misdirected += misdirected;
        match (&self.user, shown) {
            (Some(_), None) => Err(Refusal::Said("no basic auth credentials".to_owned(), None)),
            (Some(user), Some(shown)) if !belong_to(shown, user) => {
                Err(Refusal::Said("unauthorized: authentication required".to_owned(), None))
            }
            _ => Ok(()),
        }
    }

    /// What a tag holds, or what has a digest in the repository, whether or not a tag still holds it.
    pub(super) fn published(&self, reference: &ImageReference) -> Option<&Published> {
        match reference.digest() {
            None => self.tags.get(reference),
            Some(digest) => self.manifests.get(&reference.repository().pinned(digest)),
        }
    }

    /// What is there from the beginning: nobody sends it.
    pub(super) fn put(&mut self, reference: &ImageReference, published: Published) {
        self.hold(reference, &published.image);
        let pinned = reference.repository().pinned(&published.remote.manifest);
        self.manifests.insert(pinned, published.clone());
        self.tags.insert(reference.clone(), published);
    }

    pub(super) fn remove(&mut self, reference: &ImageReference) {
        self.tags.remove(reference);
    }

    pub(super) fn tags(&self) -> Vec<ImageReference> {
        self.tags.keys().cloned().collect()
    }

    /// Takes a tag away, and those that may go along with it where only manifests are deleted.
    pub(super) fn delete(&mut self, tag: &TagDeletion) -> Result<(), RegistryErrorKind> {
        let repository = tag.reference.repository();
        let holders = self.tags.iter().filter(|(reference, published)| {
            reference.repository() == repository && published.remote.manifest == tag.digest
        });
        let holders: Vec<ImageReference> = holders.map(|(reference, _)| reference.clone()).collect();
        match self.deletes {
            Deletes::Nothing => Err(RegistryErrorKind::DeletionUnsupported),
            Deletes::Tags => {
                self.tags.remove(&tag.reference);
                Ok(())
            }
            Deletes::Manifests if holders.iter().all(|held| held.tag().is_some_and(|name| tag.takes_along(name))) => {
                self.manifests.remove(&repository.pinned(&tag.digest));
                self.tags.retain(|reference, _| !holders.contains(reference));
                Ok(())
            }
            Deletes::Manifests => Err(RegistryErrorKind::TagShared),
        }
    }

    pub(super) fn publish(&mut self, reference: &ImageReference, published: Published) -> Vec<LayerFate> {
        let fates: Vec<LayerFate> =
            published.image.layers.iter().map(|layer| self.fate(reference.path(), layer)).collect();
        let sent = fates.iter().filter(|fate| matches!(fate, LayerFate::Sent(_)));
        self.layers_sent += sent.count();
        self.put(reference, published);
        fates
    }

    fn fate(&self, path: &str, layer: &MemoryLayer) -> LayerFate {
        let layer = layer.clone();
        match self.holders.get(&layer.digest) {
            Some(holders) if holders.contains(path) => LayerFate::Existed(layer),
            Some(holders) => match holders.first() {
                Some(from) => LayerFate::Mounted { layer, from: from.clone() },
                None => LayerFate::Sent(layer),
            },
            None => LayerFate::Sent(layer),
        }
    }

    fn hold(&mut self, reference: &ImageReference, image: &MemoryImage) {
        for layer in &image.layers {
            let holders = self.holders.entry(layer.digest.clone()).or_default();
            holders.insert(reference.path().to_owned());
        }
    }
}
