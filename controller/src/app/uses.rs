//! What resources name in registries, by their specs and by their statuses.

use std::collections::BTreeSet;

use longshore_crds::{ContainerApp, ContainerAppSpec, ContainerAppStatus};

use super::{ImageReference, ManifestDigest, Repository};

/// What other resources name in registries: nothing of it may be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    references: BTreeSet<ImageReference>,
    digests: BTreeSet<(Repository, ManifestDigest)>,
}

impl Uses {
    /// What these resources name.
    pub fn of<'a>(apps: impl IntoIterator<Item = &'a ContainerApp>) -> Self {
        let mut uses = Self::default();
        for app in apps {
            uses.add_spec(&app.spec);
            uses.add_status(&app.status.clone().unwrap_or_default());
        }
        uses
    }

    /// Whether a tag is named, or the manifest in its repository that it holds.
    pub fn contain(&self, reference: &ImageReference, digest: &ManifestDigest) -> bool {
        self.references.contains(reference) || self.digests.contains(&(reference.repository().clone(), digest.clone()))
    }

    fn add_spec(&mut self, spec: &ContainerAppSpec) {
        let image = &spec.image;
        self.add_tags(&image.name, &image.tags);
        if let Some(digest) = &image.digest {
            self.add(&image.name, Some(digest));
        }
        for push in &spec.push {
            self.add_tags(&push.to, if push.tags.is_empty() { &image.tags } else { &push.tags });
        }
    }

    fn add_status(&mut self, status: &ContainerAppStatus) {
        if let Some(image) = &status.image {
            self.add(&image.reference, image.manifest_digest.as_ref());
            image.base_images.iter().for_each(|base| self.add(&base.reference, Some(&base.digest)));
        }
        status.push.iter().for_each(|push| self.add(&push.reference, push.digest.as_ref()));
        status.remote_references.iter().for_each(|tag| self.add(&tag.reference, tag.digest.as_ref()));
    }

    fn add_tags(&mut self, repository: &str, tags: &[String]) {
        let Ok(repository) = repository.parse::<Repository>() else { return };
        if tags.is_empty() {
            self.references.extend(repository.tagged("latest"));
        }
        self.references.extend(tags.iter().filter_map(|tag| repository.tagged(tag).ok()));
    }

    fn add(&mut self, reference: &str, digest: Option<&String>) {
        let Ok(reference) = reference.parse::<ImageReference>() else { return };
        let named = reference.digest().cloned().into_iter();
        let digests = named.chain(digest.and_then(|digest| digest.parse().ok()));
        self.digests.extend(digests.map(|digest| (reference.repository().clone(), digest)));
        self.references.insert(reference);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::Digest;

    #[test]
    fn what_a_spec_or_a_status_names_is_used() {
        let (pulled, pushed, base) = (Digest::of("pulled"), Digest::of("pushed"), Digest::of("base"));
        let app: ContainerApp = serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": "web"},
            "spec": {
                "image": {"name": "gcr.io/p/web", "tags": ["1"]},
                "push": [{"to": "gcr.io/p/copy"}, {"to": "gcr.io/p/other", "tags": ["2"]}],
            },
            "status": {
                "image": {
                    "reference": "gcr.io/p/was:1", "manifestDigest": pulled.as_str(),
                    "baseImages": [{"reference": "gcr.io/p/base:3", "digest": base.as_str()}],
                },
                "push": [{"reference": "gcr.io/p/old:1", "digest": pushed.as_str()}],
                "remoteReferences": [{"reference": "gcr.io/p/older:1"}],
            },
        }))
        .unwrap();
        let uses = Uses::of([&app]);
        let nobodys = ManifestDigest(Digest::of("nobody's"));
        for name in ["web:1", "copy:1", "other:2", "was:1", "base:3", "old:1", "older:1"] {
            assert!(uses.contain(&format!("gcr.io/p/{name}").parse().unwrap(), &nobodys), "{name}");
        }
        for (name, digest) in [("was:7", pulled), ("old:7", pushed), ("base:7", base)] {
            assert!(uses.contain(&format!("gcr.io/p/{name}").parse().unwrap(), &ManifestDigest(digest)), "{name}");
        }
        for name in ["web:2", "web:latest", "other:1", "nothing:1"] {
            assert!(!uses.contain(&format!("gcr.io/p/{name}").parse().unwrap(), &nobodys), "{name}");
        }
    }

    #[test]
    fn a_pinned_image_is_used_by_its_digest() {
        let digest = ManifestDigest(Digest::of("pinned"));
        let spec = json!({"image": {"name": "gcr.io/p/web", "digest": digest.to_string()}});
        let app = ContainerApp::new("web", serde_json::from_value(spec).unwrap());
        let uses = Uses::of([&app]);
        assert!(uses.contain(&"gcr.io/p/web:any".parse().unwrap(), &digest));
    }
}
