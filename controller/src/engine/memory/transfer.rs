//! How the engine in memory pulls and pushes.

use super::MemoryEngine;
use super::images::Origin;
use crate::app::{Credentials, ImageReference, ImageStore, ManifestDigest, Purpose};
use crate::engine::{EngineError, LayerState, Progress, ProgressSink};
use crate::registry::memory::{LayerFate, MemoryLayer, Published, Refusal};

impl MemoryEngine {
    pub(super) fn look_up(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<ManifestDigest>, EngineError> {
        match self.registry.fetch(reference, credentials) {
            Ok(published) => Ok(Some(published.remote.manifest)),
            Err(Refusal::Missing) => Ok(None),
            Err(refusal) => Err(refusal.into_engine_error(reference, Purpose::Build, credentials)),
        }
    }

    pub(super) fn pull(
        &self,
        reference: &ImageReference,
        platform: Option<&str>,
        credentials: Option<&Credentials>,
        progress: &ProgressSink,
    ) -> Result<(), EngineError> {
        let refused = |refusal: Refusal| refusal.into_engine_error(reference, Purpose::Pull, credentials);
        let mut published = self.registry.fetch(reference, credentials).map_err(refused)?;
        if let Some(platform) = platform {
            let offered = std::iter::once(&published.image).chain(&published.others);
            let found = offered.into_iter().find(|image| image.is_for(platform)).cloned();
            published.image = found.ok_or_else(|| {
                EngineError::PlatformNotFound(format!("{reference}: the registry has no image for {platform}"))
            })?;
        }
        let now = self.clock.now();
        let present = self.change(|state| {
            let present = state.images.layers();
            let id = state.images.add(published.image.clone(), Origin::Registry(&published.remote), now);
            if !published.others.is_empty() {
                state.images.note_partial(&id);
            }
            if reference.digest().is_none() {
                state.images.tag(&id, reference)?;
            }
            if reference.digest().is_some() || self.kind == ImageStore::GraphDriver {
                state.images.note_seen(&id, reference.repository(), &published.remote.manifest);
            }
            state.events.tell_of_reference("pull", reference);
            Ok::<_, EngineError>(present)
        })?;
        for layer in &published.image.layers {
            if present.contains(&layer.digest) {
                tell_layer(progress, layer, LayerState::Exists);
            } else {
                tell_transfer(progress, layer);
            }
        }
        progress(Progress::Message { line: format!("Digest: {}", published.remote.manifest) });
        Ok(())
    }

    pub(super) fn push(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        progress: &ProgressSink,
    ) -> Result<(), EngineError> {
        let missing = || EngineError::NotFound(format!("an image does not exist locally with the tag: {reference}"));
        let (id, image, remote) = self
            .look(|state| {
                let id = state.images.find(reference)?.clone();
                let (image, remote) = state.images.as_pushed(&id)?;
                Some((id, image, remote))
            })
            .ok_or_else(missing)?;
        let published = Published { image, remote: remote.clone(), others: Vec::new() };
        let refused = |refusal: Refusal| refusal.into_engine_error(reference, Purpose::Push, credentials);
        for fate in self.registry.receive(reference, credentials, published).map_err(refused)? {
            match fate {
                LayerFate::Existed(layer) => tell_layer(progress, &layer, LayerState::Exists),
                LayerFate::Mounted { layer, from } => {
                    tell_layer(progress, &layer, LayerState::Other(format!("Mounted from {from}")));
                }
                LayerFate::Sent(layer) => tell_transfer(progress, &layer),
            }
        }
        self.change(|state| {
            if self.kind == ImageStore::GraphDriver {
                state.images.note_seen(&id, reference.repository(), &remote.manifest);
            }
            state.events.tell_of_reference("push", reference);
        });
        progress(Progress::Message { line: format!("{}: digest: {}", reference.version(), remote.manifest) });
        Ok(())
    }
}

fn tell_transfer(progress: &ProgressSink, layer: &MemoryLayer) {
    let transferring = LayerState::Transferring { current: layer.size, total: Some(layer.size) };
    tell_layer(progress, layer, transferring);
    tell_layer(progress, layer, LayerState::Done);
}

fn tell_layer(progress: &ProgressSink, layer: &MemoryLayer, state: LayerState) {
    progress(Progress::Layer { id: layer.digest.short().to_owned(), state });
}
