//! What is found on engines by its labels and private tags, whether any file speaks of it or not.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::{Container, Image, ImageReference, Instance, Owner, labels};
use crate::reconcile::AppKey;
use crate::standalone::{DEFAULT_NAMESPACE, Leaving};

use super::name_of;

/// Whose things are meant: those of one project, or of every one.
#[derive(Clone, Debug)]
pub enum Whose {
    /// Of this project.
    Of(Instance),
    /// Of every project, and of every controller that uses the engine.
    Everyones,
}

impl Whose {
    /// Whether a container is one of those.
    pub fn includes(&self, container: &Container) -> bool {
        match (container.labels.get(labels::INSTANCE), self) {
            (Some(instance), Self::Of(wanted)) => instance == wanted.as_str(),
            (Some(_), Self::Everyones) => container.resource().is_some(),
            (None, _) => false,
        }
    }

    /// The project and the UID of whoever keeps an image by this reference, if it is one of those.
    pub fn keeper<'a>(&self, reference: &'a ImageReference) -> Option<(&'a str, &'a str)> {
        if !Owner::is_private(reference) {
            return None;
        }
        let (instance, uid) = reference.path().split_once('/')?;
        match self {
            Self::Of(wanted) if instance != wanted.as_str() => None,
            Self::Of(_) | Self::Everyones => Some((instance, uid)),
        }
    }
}

/// The name of the app that made a container, as people write it.
pub fn app_of(container: &Container) -> Option<String> {
    container
        .resource()
        .map(|(namespace, name)| name_of(&AppKey { namespace: namespace.to_owned(), name: name.to_owned() }))
}

/// The public names of an image, in order.
pub fn public_references(image: &Image) -> Vec<&ImageReference> {
    let mut references: Vec<&ImageReference> =
        image.references.iter().filter(|reference| !Owner::is_private(reference)).collect();
    references.sort();
    references
}

/// The apps of a project of which something is on an engine. One of which only images are left has its UID for a name.
pub fn leaving(instance: &Instance, containers: &[Container], images: &[Image]) -> BTreeSet<Leaving> {
    let whose = Whose::Of(instance.clone());
    let by_label = containers.iter().filter(|container| whose.includes(container)).filter_map(|container| {
        let (namespace, name) = container.resource()?;
        let uid = container.labels.get(labels::OWNER_UID)?.clone();
        Some((uid, AppKey { namespace: namespace.to_owned(), name: name.to_owned() }))
    });
    let mut found: BTreeMap<String, AppKey> = by_label.collect();
    for reference in images.iter().flat_map(|image| &image.references) {
        if let Some((_, uid)) = whose.keeper(reference) {
            let nameless = || AppKey { namespace: DEFAULT_NAMESPACE.to_owned(), name: uid.to_owned() };
            found.entry(uid.to_owned()).or_insert_with(nameless);
        }
    }
    found.into_iter().map(|(uid, key)| Leaving { key, uid }).collect()
}
