//! Images.

use std::collections::BTreeSet;

use bollard::models::{ImageInspect, ImageSummary};
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder};
use jiff::Timestamp;

use super::DockerEngine;
use crate::app::{ConfigDigest, EngineImageId, Image, ImageReference, ImageStore, ManifestDigest, Repository};
use crate::engine::{Engine, EngineError};

impl DockerEngine {
    pub(super) async fn images(&self) -> Result<Vec<Image>, EngineError> {
        let store = self.info().await?.image_store;
        let options = ListImagesOptionsBuilder::default().digests(true).build();
        let images = self.docker.list_images(Some(options)).await.map_err(|error| self.error(error))?;
        Ok(images.into_iter().filter_map(|image| from_summary(image, store)).collect())
    }

    pub(super) async fn tag(&self, image: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError> {
        let options = TagImageOptionsBuilder::default().repo(&full_name(reference)).tag(reference.tag()).build();
        self.docker.tag_image(&image.to_string(), Some(options)).await.map_err(|error| self.error(error))
    }

    pub(super) async fn untag(&self, reference: &ImageReference) -> Result<(), EngineError> {
        let options = RemoveImageOptionsBuilder::default().force(false).noprune(false).build();
        match self.docker.remove_image(&reference.canonical(), Some(options), None).await {
            Ok(_) => Ok(()),
            Err(error) => match self.error(error) {
                EngineError::NotFound(_) | EngineError::ImageNotFound(_) => Ok(()),
                error => Err(error),
            },
        }
    }

    /// The image that a reference points at; `None` when there is none.
    pub(super) async fn inspect_image(&self, reference: &str) -> Result<Option<ImageInspect>, EngineError> {
        match self.docker.inspect_image(reference).await.map_err(|error| self.error(error)) {
            Ok(image) => Ok(Some(image)),
            Err(EngineError::NotFound(_) | EngineError::ImageNotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The name with its host: engines take what has none for Docker Hub's, which is the same.
pub(super) fn full_name(reference: &ImageReference) -> String {
    format!("{}/{}", reference.host(), reference.path())
}

/// `None` for an image whose ID is no digest, which no engine gives.
fn from_summary(image: ImageSummary, store: ImageStore) -> Option<Image> {
    let id: EngineImageId = image.id.parse().ok()?;
    let annotated = image
        .descriptor
        .and_then(|descriptor| descriptor.annotations)
        // BuildKit writes it on what it has built into containerd's store.
        .and_then(|annotations| annotations.get("config.digest")?.parse::<ConfigDigest>().ok());
    let (config, target) = match store {
        ImageStore::GraphDriver => (Some(ConfigDigest(id.0.clone())), None),
        ImageStore::Containerd => (annotated, Some(ManifestDigest(id.0.clone()))),
    };
    Some(Image {
        references: image.repo_tags.iter().filter_map(|reference| reference.parse().ok()).collect(),
        manifests: image.repo_digests.iter().filter_map(|digest| repository_digest(digest)).collect::<BTreeSet<_>>(),
        labels: image.labels.into_iter().collect(),
        size: image.size,
        created_at: Timestamp::from_second(image.created).ok(),
        id,
        config,
        target,
    })
}

/// `gcr.io/my-project/node-app@sha256:…`
fn repository_digest(text: &str) -> Option<(Repository, ManifestDigest)> {
    let (name, digest) = text.split_once('@')?;
    Some((name.parse().ok()?, digest.parse().ok()?))
}
