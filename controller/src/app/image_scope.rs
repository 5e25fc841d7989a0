//! Which of an engine's images matter for a resource.
//!
//! Docker's list of all images costs some milliseconds for each (29, containerd's store: about five), and of those that
//! a machine holds a resource has to know a handful.

use std::collections::BTreeSet;

use longshore_crds::ContainerApp;

use super::plan::Observed;
use super::validate::{destination_references, image_references};
use super::{Desired, ImageKey, ImageReference, ImageSource, Memory, Owner};

/// Some of an engine's images, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageScope {
    /// All of them.
    All,
    /// Those that these point at.
    Of {
        /// References, each by itself.
        references: BTreeSet<ImageReference>,
        /// Private tags.
        private_tags: BTreeSet<PrivateTags>,
    },
}

/// Private tags that belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrivateTags {
    /// All of one owner.
    OfOwner(Owner),
    /// Those of any owner that keep an image of this key.
    OfKey(ImageKey),
}

impl PrivateTags {
    /// Whether a reference is one of them.
    pub fn contain(&self, reference: &ImageReference) -> bool {
        match self {
            Self::OfOwner(owner) => owner.keeps(reference),
            Self::OfKey(key) => Owner::is_private(reference) && reference.tag() == Some(key.as_tag()),
        }
    }

    /// The pattern by which an engine lists them, as its filter `reference` takes it: `*` stands for anything within one
    /// part of a path, or for any tag.
    pub fn pattern(&self) -> String {
        match self {
            Self::OfOwner(owner) => Owner::private_pattern(&owner.private_path(), "*"),
            Self::OfKey(key) => Owner::private_pattern("*/*", key.as_tag()),
        }
    }
}

impl Default for ImageScope {
    fn default() -> Self {
        Self::Of { references: BTreeSet::new(), private_tags: BTreeSet::new() }
    }
}

impl ImageScope {
    /// What matters of a resource before any of its inputs has been read: what it keeps, what it claims, every name that
    /// its image gets, and what it was built on before. Of an image that is pulled everything matters: it is looked for by all its digests.
    pub fn of_app(app: &ContainerApp, owner: &Owner) -> Self {
        let memory = Memory::of(&app.status.clone().unwrap_or_default());
        let was_pulled = memory.claims.iter().any(|claim| claim.digest().is_some());
        // What cannot be parsed is told by the validation.
        let names = image_references(&app.spec.image).and_then(|(_, tags)| {
            let destinations = destination_references(&app.spec)?;
            Ok(tags.into_iter().chain(destinations))
        });
        match names {
            Ok(names) if app.spec.image.build.is_some() && !was_pulled => Self::Of {
                references: names.chain(memory.claims).chain(memory.base_images.into_keys()).collect(),
                private_tags: BTreeSet::from([PrivateTags::OfOwner(owner.clone())]),
            },
            _ => Self::All,
        }
    }

    /// The base images of a build.
    pub fn of_base_images(desired: &Desired) -> Self {
        match &desired.source {
            Ok(ImageSource::Build(build)) => Self::of_references(build.method.named_base_images.iter().cloned()),
            _ => Self::default(),
        }
    }

    /// What matters beside what was found when what is wanted was not found: the same image as another keeps it.
    pub fn of_the_same_image(desired: &Desired, observed: &Observed) -> Self {
        let (Some(key), Ok(ImageSource::Build(_))) = (desired.image_key(), &desired.source) else {
            return Self::default();
        };
        let private = desired.owner.private_reference(&key);
        if observed.image(&private).is_some() {
            return Self::default();
        }
        // The tag is asked for by its name as well: that the engine has listed it under a pattern is not relied upon.
        Self::Of { references: BTreeSet::from([private]), private_tags: BTreeSet::from([PrivateTags::OfKey(key)]) }
    }

    /// These references.
    pub fn of_references(references: impl IntoIterator<Item = ImageReference>) -> Self {
        Self::Of { references: references.into_iter().collect(), private_tags: BTreeSet::new() }
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        match (self, other) {
            (
                Self::Of { mut references, mut private_tags },
                Self::Of { references: other_references, private_tags: other_tags },
            ) => {
                references.extend(other_references.iter().cloned());
                private_tags.extend(other_tags.iter().cloned());
                Self::Of { references, private_tags }
            }
            _ => Self::All,
        }
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        match (self, other) {
            (_, Self::All) => Self::default(),
            (Self::All, Self::Of { .. }) => Self::All,
            (
                Self::Of { references, private_tags },
                Self::Of { references: other_references, private_tags: other_tags },
            ) => Self::Of {
                references: references.difference(other_references).cloned().collect(),
                private_tags: private_tags.difference(other_tags).cloned().collect(),
            },
        }
    }

    /// Of how many parts it is; `None` when it is everything.
    pub fn parts(&self) -> Option<usize> {
        match self {
            Self::All => None,
            Self::Of { references, private_tags } => Some(references.len() + private_tags.len()),
        }
    }
}

#[cfg(test)]
#[path = "image_scope_tests.rs"]
mod tests;
