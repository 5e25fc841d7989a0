//! Which digests of the base images count for a build.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{Observed, Remote};
use super::{BuildSpec, Desired, Image, ImageKey, ImageReference, ImageSource};

impl Desired {
    /// The same with the digests of the base images that count, by what was found.
    #[must_use]
    pub fn on_base_images(mut self, observed: &Observed) -> Self {
        if let Ok(ImageSource::Build(build)) = &mut self.source {
            build.base_images = resolved(build, observed);
        }
        self
    }

    /// How soon registries are to be asked again whether a base image, or the image that is followed, has moved; `None`
    /// when nothing follows from it.
    pub fn next_look_at_registries(&self) -> Option<Duration> {
        let pushes = self.destinations.iter().map(|destination| destination.rules.interval);
        pushes.chain(self.next_look_for_the_image()).min()
    }

    fn next_look_for_the_image(&self) -> Option<Duration> {
        let build = match self.source.as_ref().ok()? {
            ImageSource::Build(build) => build,
            ImageSource::Pull(pull) => return self.followed(pull).map(|_| pull.interval),
        };
        let follows_any = build.method.follows_base_images && !build.method.named_base_images.is_empty();
        follows_any.then_some(build.method.base_image_interval)
    }
}

impl BuildSpec {
    /// The base images that a registry has to be asked for: an image that was built by Longshore on the same engine
    /// is no registry's.
    pub fn base_images_to_look_up<'a>(&'a self, images: &'a [Image]) -> impl Iterator<Item = &'a ImageReference> {
        let named = self.method.named_base_images.iter().filter(|_| self.method.follows_base_images);
        named.filter(|reference| local(images, reference).is_none_or(|image| !is_built_here(image)))
    }
}

fn resolved(build: &BuildSpec, observed: &Observed) -> BTreeMap<ImageReference, String> {
    if !build.method.follows_base_images {
        return BTreeMap::new();
    }
    let named = build.method.named_base_images.iter();
    named.filter_map(|reference| Some((reference.clone(), digest(reference, observed)?))).collect()
}

/// What counts is what the registry holds; while it cannot be asked, what counted before; and where no registry holds
/// it, the image on the engine.
fn digest(reference: &ImageReference, observed: &Observed) -> Option<String> {
    let image = local(&observed.images, reference);
    let on_the_engine = || image.map(digest_on_the_engine);
    let counted_before = || observed.memory.base_images.get(reference).cloned();
    match observed.base_images.get(reference) {
        Some(Remote::Holds(remote)) => Some(remote.manifest.to_string()),
        Some(Remote::Unknown(_)) => counted_before().or_else(on_the_engine),
        Some(Remote::Nothing) | None => on_the_engine().or_else(counted_before),
    }
}

/// The digest that it was pulled by, where it was pulled; else the engine's ID.
fn digest_on_the_engine(image: &Image) -> String {
    let pulled = image.manifests.iter().map(|(_, digest)| digest).next();
    pulled.filter(|_| !is_built_here(image)).map_or_else(|| image.id.to_string(), ToString::to_string)
}

fn local<'a>(images: &'a [Image], reference: &ImageReference) -> Option<&'a Image> {
    images.iter().find(|image| image.has(reference))
}

/// Whether a resource has built it on this engine. The label with the hash does not tell: images inherit it.
fn is_built_here(image: &Image) -> bool {
    image.references.iter().any(ImageKey::is_of_a_build)
}
