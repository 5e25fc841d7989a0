//! The images of one engine, listed once, of which single references are asked for anew.
//!
//! Docker's list costs some milliseconds for each image on the engine. What is done to one reference, by us or by
//! others, makes that reference old and not the whole list.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::Mutex;

use crate::app::{EngineImageId, Image, ImageReference};
use crate::engine::{Engine, EngineError};

/// How many references are asked for one by one before listing everything is the better way.
const MOST_REFERENCES: usize = 8;

/// The list, and what of it may not be so any more.
#[derive(Default)]
pub(super) struct ImageList {
    list: Mutex<Option<Arc<Vec<Image>>>>,
    old: std::sync::Mutex<Old>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hint {
    /// It is said to point at this image now.
    PointsAt(EngineImageId),
    /// Nothing but that it may have changed.
    Unknown,
}

impl ImageList {
    /// From now on the next reader lists everything.
    pub(super) fn forget(&self) {
        *self.old() = Old::Everything;
    }

    /// From now on the next reader asks what this reference points at.
    pub(super) fn forget_reference(&self, reference: &ImageReference) {
        self.old().add(reference, Hint::Unknown);
    }

    /// From now on the next reader asks what this reference points at, unless the list says by then what is told here:
    /// most of what an engine tells is what we have just done and looked at.
    pub(super) fn hear_of(&self, reference: &ImageReference, image: &EngineImageId) {
        self.old().add(reference, Hint::PointsAt(image.clone()));
    }

    /// The images as they are, shared with whoever reads at the same time.
    pub(super) async fn read(&self, engine: &dyn Engine) -> Result<Arc<Vec<Image>>, EngineError> {
        let mut list = self.list.lock().await;
        // Taken before the engine is asked: what becomes old meanwhile is for the next reader.
        let old = mem::take(&mut *self.old());
        let known = list.take();
        match fresh(engine, known, &old).await {
            Ok(images) => Ok(Arc::clone(list.insert(images))),
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
    fn add(&mut self, reference: &ImageReference, hint: Hint) {
        match self {
            Self::Everything => {}
            Self::Nothing => *self = Self::References(BTreeMap::from([(reference.clone(), hint)])),
            Self::References(references) => {
                let known = references.entry(reference.clone()).or_insert_with(|| hint.clone());
                if *known != hint {
                    *known = Hint::Unknown;
                }
            }
        }
    }
}

async fn fresh(engine: &dyn Engine, known: Option<Arc<Vec<Image>>>, old: &Old) -> Result<Arc<Vec<Image>>, EngineError> {
    let amended = match (known, old) {
        (None, _) | (_, Old::Everything) => None,
        (Some(known), Old::Nothing) => Some(known),
        (Some(known), Old::References(references)) => amended(engine, known, references).await,
    };
    match amended {
        Some(images) => Ok(images),
        None => engine.list_images().await.map(Arc::new),
    }
}

/// The list with these references as they are now; `None` when only listing everything can tell.
async fn amended(
    engine: &dyn Engine,
    known: Arc<Vec<Image>>,
    references: &BTreeMap<ImageReference, Hint>,
) -> Option<Arc<Vec<Image>>> {
    let old: Vec<_> = references.iter().filter(|(reference, hint)| !is_listed(&known, reference, hint)).collect();
    if old.is_empty() {
        return Some(known);
    }
    if old.len() > MOST_REFERENCES {
        return None;
    }
    let mut images = Arc::unwrap_or_clone(known);
    for (reference, _) in old {
        let found = engine.find_image(reference).await.ok()?;
        images = with_image(images, reference, found)?;
    }
    Some(Arc::new(images))
}

/// Whether the list says already what is told.
fn is_listed(images: &[Image], reference: &ImageReference, hint: &Hint) -> bool {
    match hint {
        Hint::PointsAt(id) => images.iter().any(|image| image.id == *id && image.has(reference)),
        Hint::Unknown => false,
    }
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
