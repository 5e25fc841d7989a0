//! The images of the engine in memory, and the references that point at them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::app::{Digest, EngineImageId, Image, ImageReference, ImageStore, ManifestDigest, RemoteImage, Repository};
use crate::engine::EngineError;
use crate::registry::memory::{ManifestFormat, MemoryImage};

/// The image store.
#[derive(Debug)]
pub(super) struct Images {
    pub(super) kind: ImageStore,
    stored: BTreeMap<EngineImageId, Stored>,
    references: BTreeMap<ImageReference, EngineImageId>,
}

/// Where an image comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// The engine has built it.
    Build,
    /// It was loaded or imported.
    File,
    /// A registry calls it so.
    Registry(&'a RemoteImage),
}

#[derive(Debug)]
struct Stored {
    content: MemoryImage,
    /// In containerd's store, those of an index that are for other platforms.
    others: Vec<MemoryImage>,
    /// The manifest or index that containerd's store keeps it by.
    target: ManifestDigest,
    is_built: bool,
    /// Whether it is an index of which other platforms are not here.
    is_partial: bool,
    /// The digests by which a graph driver's store has seen it in registries; in containerd's those that it was pulled
    /// by. As long as there is one, the image stays.
    seen: BTreeSet<(Repository, ManifestDigest)>,
    created_at: Timestamp,
}

impl Stored {
    /// What a push sends of an index that is not whole.
    fn sent_alone(&self) -> Option<ManifestDigest> {
        (self.is_partial && self.others.is_empty()).then(|| self.content.manifest(ManifestFormat::Oci))
    }
}

impl Images {
    pub(super) fn new(kind: ImageStore) -> Self {
        Self { kind, stored: BTreeMap::new(), references: BTreeMap::new() }
    }

    /// Keeps an image.
    pub(super) fn add(&mut self, content: MemoryImage, origin: Origin<'_>, created_at: Timestamp) -> EngineImageId {
        let target = match origin {
            Origin::Registry(remote) => remote.manifest.clone(),
            Origin::Build | Origin::File => content.manifest(self.format()),
        };
        let id = match self.kind {
            ImageStore::GraphDriver => EngineImageId(content.config().0),
            ImageStore::Containerd => EngineImageId(target.0.clone()),
        };
        let stored = self.stored.entry(id.clone()).or_insert_with(|| Stored {
            content: content.clone(),
            others: Vec::new(),
            target,
            is_built: matches!(origin, Origin::Build),
            is_partial: false,
            seen: BTreeSet::new(),
            created_at,
        });
        if stored.content != content && !stored.others.contains(&content) {
            stored.others.push(content);
        }
        id
    }

    /// Notes that a repository holds an image by this digest.
    pub(super) fn note_seen(&mut self, id: &EngineImageId, repository: &Repository, manifest: &ManifestDigest) {
        if let Some(stored) = self.stored.get_mut(id) {
            stored.seen.insert((repository.clone(), manifest.clone()));
        }
    }

    /// Notes that an image is an index with other platforms, which did not come along.
    pub(super) fn note_partial(&mut self, id: &EngineImageId) {
        if let Some(stored) = self.stored.get_mut(id) {
            stored.is_partial = self.kind == ImageStore::Containerd;
        }
    }

    /// Lets a reference point at an image. The one that it pointed at stays, without it.
    pub(super) fn tag(&mut self, id: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError> {
        if !self.stored.contains_key(id) {
            return Err(no_such_image(id));
        }
        self.references.insert(reference.clone(), id.clone());
        Ok(())
    }

    pub(super) fn find(&self, reference: &ImageReference) -> Option<&EngineImageId> {
        if reference.digest().is_none() {
            return self.references.get(reference);
        }
        let has = |id: &EngineImageId, stored: &Stored| self.describe(id, stored).has(reference);
        self.stored.iter().find(|(id, stored)| has(id, stored)).map(|(id, _)| id)
    }

    /// Whether an image is there for a platform.
    pub(super) fn has_platform(&self, id: &EngineImageId, platform: &str) -> bool {
        let stored = self.stored.get(id);
        let contents = stored.into_iter().flat_map(|stored| std::iter::once(&stored.content).chain(&stored.others));
        contents.into_iter().any(|content| content.is_for(platform))
    }

    pub(super) fn content(&self, id: &EngineImageId) -> Option<&MemoryImage> {
        self.stored.get(id).map(|stored| &stored.content)
    }

    /// The layers of all images.
    pub(super) fn layers(&self) -> BTreeSet<Digest> {
        let layers = self.stored.values().flat_map(|stored| &stored.content.layers);
        layers.map(|layer| layer.digest.clone()).collect()
    }

    /// How a registry will call an image that is pushed to it.
    pub(super) fn as_pushed(&self, id: &EngineImageId) -> Option<(MemoryImage, RemoteImage)> {
        let stored = self.stored.get(id)?;
        let content = stored.content.clone();
        let manifest = match self.kind {
            ImageStore::GraphDriver => content.manifest(ManifestFormat::Docker),
            ImageStore::Containerd => stored.sent_alone().unwrap_or_else(|| stored.target.clone()),
        };
        let is_index = manifest == content.index();
        let config = (!is_index).then(|| content.config());
        let size = (!is_index).then(|| content.size());
        Some((content, RemoteImage { manifest, config, size }))
    }

    /// Removes a reference, and with the last one the image.
    pub(super) fn untag(&mut self, reference: &ImageReference, is_used: bool) -> Result<(), EngineError> {
        let Some(id) = self.find(reference).cloned() else {
            return Ok(());
        };
        if is_used && self.is_last(reference, &id) {
            return Err(EngineError::Conflict(format!(
                "conflict: unable to remove repository reference \"{reference}\" (must force) - a container is using \
                 its referenced image {}",
                id.short()
            )));
        }
        self.drop_reference(reference, &id, is_used);
        Ok(())
    }

    /// Removes a reference even when it is the last one of an image that a container uses; the image then stays.
    pub(super) fn untag_by_force(&mut self, reference: &ImageReference, is_used: bool) {
        if let Some(id) = self.find(reference).cloned() {
            self.drop_reference(reference, &id, is_used);
        }
    }

    fn drop_reference(&mut self, reference: &ImageReference, id: &EngineImageId, is_used: bool) {
        self.references.remove(reference);
        if let (Some(digest), Some(stored)) = (reference.digest(), self.stored.get_mut(id)) {
            stored.seen.remove(&(reference.repository().clone(), digest.clone()));
            // With the digest, containerd's store lets the tags of that repository go.
            if self.kind == ImageStore::Containerd {
                self.references.retain(|tag, other| other != id || tag.repository() != reference.repository());
            }
        }
        self.forget_repository(id, reference.repository());
        let is_named = self.stored.get(id).is_some_and(|stored| !stored.seen.is_empty());
        if !is_used && !is_named && self.references_to(id).is_empty() {
            self.stored.remove(id);
        }
    }

    /// Whether nothing else would keep the image: with its last tag in a repository go its digests there.
    fn is_last(&self, reference: &ImageReference, id: &EngineImageId) -> bool {
        let other_tags = self.references_to(id).into_iter().filter(|other| other != reference).count();
        let seen = self.stored.get(id).into_iter().flat_map(|stored| &stored.seen);
        let other_digests = seen.filter(|(repository, _)| repository != reference.repository()).count();
        other_tags + other_digests == 0
    }

    /// With its last tag in a repository an image loses the digests of that repository.
    fn forget_repository(&mut self, id: &EngineImageId, repository: &Repository) {
        let is_tagged_there = self.references_to(id).iter().any(|reference| reference.repository() == repository);
        if let (false, Some(stored)) = (is_tagged_there, self.stored.get_mut(id)) {
            stored.seen.retain(|(seen, _)| seen != repository);
        }
    }

    /// Every image, those without a reference included.
    pub(super) fn all(&self) -> Vec<Image> {
        self.stored.iter().map(|(id, stored)| self.describe(id, stored)).collect()
    }

    fn describe(&self, id: &EngineImageId, stored: &Stored) -> Image {
        let references = self.references_to(id);
        let is_graph_driver = self.kind == ImageStore::GraphDriver;
        // containerd's store shows a digest for each tag, pushed or not.
        let manifests = if is_graph_driver {
            stored.seen.clone()
        } else {
            let pulled_by_digest = stored.seen.iter().map(|(repository, _)| repository);
            let repositories = references.iter().map(ImageReference::repository).chain(pulled_by_digest);
            repositories.map(|repository| (repository.clone(), stored.target.clone())).collect()
        };
        Image {
            id: id.clone(),
            // BuildKit writes the digest on what it has built into containerd's store (`config.digest`).
            config: (is_graph_driver || stored.is_built).then(|| stored.content.config()),
            target: (!is_graph_driver).then(|| stored.target.clone()),
            sent_alone: stored.sent_alone(),
            manifests,
            references,
            labels: stored.content.labels.clone(),
            size: i64::try_from(stored.content.size()).unwrap_or(i64::MAX),
            created_at: Some(stored.created_at),
        }
    }

    fn references_to(&self, id: &EngineImageId) -> Vec<ImageReference> {
        let pairs = self.references.iter();
        pairs.filter(|(_, candidate)| *candidate == id).map(|(reference, _)| reference.clone()).collect()
    }

    fn format(&self) -> ManifestFormat {
        match self.kind {
            ImageStore::GraphDriver => ManifestFormat::Docker,
            ImageStore::Containerd => ManifestFormat::Oci,
        }
    }
}

pub(super) fn no_such_image(id: &EngineImageId) -> EngineError {
    EngineError::NotFound(format!("No such image: {id}"))
}
