//! The images of one engine, as far as they matter, of which single references are asked for anew.
//!
//! Docker's list costs some milliseconds for each image on the engine. So the few that matter for a resource are asked
//! for by their names, and everything is listed when many matter. What is done to one reference, by us or by others,
//! makes that reference old and nothing else.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, MutexGuard, PoisonError};

use futures::future::try_join_all;
use tokio::sync::Mutex;

use crate::app::{EngineImageId, Image, ImageReference, ImageScope};
use crate::engine::{Engine, EngineError};

/// How many references are asked for one by one before listing everything is the better way.
const MOST_REFERENCES: usize = 8;

/// Of how many parts a scope may be before listing everything is the better way: a resource has some six.
const MOST_PARTS: usize = 16;

/// The list, and what of it may not be so any more.
#[derive(Default)]
pub(super) struct ImageList {
    known: Mutex<Known>,
    old: std::sync::Mutex<Old>,
}

/// The images of a scope.
#[derive(Default)]
struct Known {
    images: Arc<Vec<Image>>,
    scope: ImageScope,
}

/// What of a list may not be so any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Old {
    #[default]
    Nothing,
    References(BTreeMap<ImageReference, Hint>),
    Everything,
}

/// What is known of a reference that may have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Hint {
    /// Whether we have asked for something, or are about to, and do not know what came of it.
    is_open: bool,
    /// Whether we know that the engine has let it point at an image because we asked for it.
    is_done: bool,
    /// What is said that it points at now.
    said: Said,
}

/// What an engine has told of a reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Said {
    #[default]
    Nothing,
    PointsAt(EngineImageId),
    /// One thing and another: nobody knows which came last.
    Various,
}

impl Hint {
    fn say(&mut self, image: &EngineImageId) {
        self.said = match &self.said {
            Said::Nothing => Said::PointsAt(image.clone()),
            Said::PointsAt(known) if known == image => return,
            Said::PointsAt(_) | Said::Various => Said::Various,
        };
    }

    /// The image that it points at, when that need not be asked for.
    fn image<'a>(&self, images: &'a [Image], reference: &ImageReference) -> Option<&'a Image> {
        let Said::PointsAt(id) = &self.said else { return None };
        let image = images.iter().find(|image| image.id == *id)?;
        (!self.is_open && (self.is_done || image.has(reference))).then_some(image)
    }
}

impl ImageList {
    /// From now on the next reader lists everything.
    pub(super) fn forget(&self) {
        *self.old() = Old::Everything;
    }

    /// From now on the next reader asks what this reference points at.
    pub(super) fn forget_reference(&self, reference: &ImageReference) {
        self.old().note(reference, |hint| *hint = Hint { is_open: true, is_done: false, ..mem::take(hint) });
    }

    /// The engine has done as we asked, and this reference points at this image. Whatever was held for old because we were
    /// about to ask is known by that.
    pub(super) fn has_tagged(&self, reference: &ImageReference, image: &EngineImageId) {
        self.old().note(reference, |hint| {
            *hint = Hint { is_open: false, is_done: true, ..mem::take(hint) };
            hint.say(image);
        });
    }

    /// From now on the next reader asks what this reference points at, unless the list says by then what is told here:
    /// most of what an engine tells is what we have just done and looked at.
    pub(super) fn hear_of(&self, reference: &ImageReference, image: &EngineImageId) {
        self.old().note(reference, |hint| hint.say(image));
    }

    /// The images as they are, shared with whoever reads at the same time: all that matter, and maybe others.
    pub(super) async fn read(&self, engine: &dyn Engine, wanted: &ImageScope) -> Result<Arc<Vec<Image>>, EngineError> {
        let mut known = self.known.lock().await;
        // Taken before the engine is asked: what becomes old meanwhile is for the next reader.
        let old = mem::take(&mut *self.old());
        match fresh(engine, mem::take(&mut *known), &old, wanted).await {
            Ok(fresh) => {
                *known = fresh;
                Ok(Arc::clone(&known.images))
            }
            Err(error) => {
                self.forget();
                Err(error)
            }
        }
    }

    /// A panic elsewhere leaves it whole: each change to it is a single assignment.
    fn old(&self) -> MutexGuard<'_, Old> {
        self.old.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Old {
    fn note(&mut self, reference: &ImageReference, note: impl FnOnce(&mut Hint)) {
        if *self == Self::Nothing {
            *self = Self::References(BTreeMap::new());
        }
        if let Self::References(references) = self {
            note(references.entry(reference.clone()).or_default());
        }
    }
}

/// What is known with what is wanted beside it, all of it as it is now.
async fn fresh(engine: &dyn Engine, known: Known, old: &Old, wanted: &ImageScope) -> Result<Known, EngineError> {
    let scope = narrow(known.scope.clone().with(wanted));
    let kept = match old {
        Old::Nothing => Some(known),
        Old::References(references) => amended(engine, known, references).await,
        Old::Everything => None,
    };
    let kept = kept.unwrap_or_default();
    let images = with_missing(engine, kept.images, &scope.without(&kept.scope)).await?;
    Ok(Known { images, scope })
}

/// A scope of many parts is everything.
fn narrow(scope: ImageScope) -> ImageScope {
    if scope.parts().is_some_and(|parts| parts <= MOST_PARTS) { scope } else { ImageScope::All }
}

/// The images with those of a scope that was not asked for before.
async fn with_missing(
    engine: &dyn Engine,
    images: Arc<Vec<Image>>,
    missing: &ImageScope,
) -> Result<Arc<Vec<Image>>, EngineError> {
    let ImageScope::Of { references, private_tags } = missing else {
        return engine.list_images().await.map(Arc::new);
    };
    if missing.parts() == Some(0) {
        return Ok(images);
    }
    let kept =
        async { if private_tags.is_empty() { Ok(Vec::new()) } else { engine.list_kept_images(private_tags).await } };
    let found = try_join_all(references.iter().map(|reference| engine.find_image(reference)));
    let (kept, found) = futures::try_join!(kept, found)?;
    let mut images = Arc::unwrap_or_clone(images);
    for image in kept {
        add_listed_in_part(&mut images, image);
    }
    for image in found.into_iter().flatten() {
        images.retain(|other| other.id != image.id);
        images.push(image);
    }
    Ok(Arc::new(images))
}

/// Adds an image of which some references were listed to those that are known of it.
fn add_listed_in_part(images: &mut Vec<Image>, image: Image) {
    match images.iter_mut().find(|known| known.id == image.id) {
        Some(known) => {
            known.references.extend(image.references);
            known.references.sort_unstable();
            known.references.dedup();
            known.manifests.extend(image.manifests);
        }
        None => images.push(image),
    }
}

/// The list with these references as they are now; `None` when only asking for everything again can tell.
async fn amended(engine: &dyn Engine, known: Known, references: &BTreeMap<ImageReference, Hint>) -> Option<Known> {
    let Known { mut images, scope } = known;
    let mut unknown = Vec::new();
    for (reference, hint) in references {
        match hint.image(&images, reference) {
            Some(image) if image.has(reference) => {}
            Some(image) => {
                let image = image.clone().tagged(reference);
                images = Arc::new(with_image(Arc::unwrap_or_clone(images), reference, Some(image))?);
            }
            None => unknown.push(reference),
        }
    }
    if unknown.len() > MOST_REFERENCES {
        return None;
    }
    for reference in unknown {
        let found = engine.find_image(reference).await.ok()?;
        images = Arc::new(with_image(Arc::unwrap_or_clone(images), reference, found)?);
    }
    Some(Known { images, scope })
}

/// The list in which a reference points at this image, or at none. `None` when an image has lost its last reference by
/// that: whether it is still there is not known then.
fn with_image(mut images: Vec<Image>, reference: &ImageReference, found: Option<Image>) -> Option<Vec<Image>> {
    if let Some(found) = &found {
        images.retain(|image| image.id != found.id);
    }
    let points_elsewhere =
        |other: &ImageReference| other == reference || found.as_ref().is_some_and(|found| found.has(other));
    for image in &mut images {
        let had_references = !image.references.is_empty();
        image.references.retain(|other| !points_elsewhere(other));
        if had_references && image.references.is_empty() {
            return None;
        }
    }
    images.extend(found);
    Some(images)
}

#[cfg(test)]
#[path = "image_list_tests.rs"]
mod tests;
