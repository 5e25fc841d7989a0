//! An image that is pulled, and which digest of it counts.

use std::time::Duration;

use longshore_crds::PullPolicy;

use super::{Credentials, Desired, Image, ImageKey, ImageReference, ImageSource, ManifestDigest, Observed, Remote};

/// How an image is pulled.
#[derive(Clone, Debug)]
pub struct Pull {
    /// When.
    pub policy: PullPolicy,
    /// How old what is known of a tag that is followed may be.
    pub interval: Duration,
    /// The digest that counts: the one that is asked for, or the one that the tag which is followed has; `None` where the
    /// tag is all that counts, or nothing is known of it yet.
    pub digest: Option<ManifestDigest>,
    /// The platform; the engine's own when absent.
    pub platform: Option<String>,
    /// For the registry of the reference, if any of the pull Secrets has some.
    pub credentials: Option<Credentials>,
}

/// How old what is known of a tag may be where nothing is said.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

impl Default for Pull {
    fn default() -> Self {
        Self {
            policy: PullPolicy::default(),
            interval: DEFAULT_INTERVAL,
            digest: None,
            platform: None,
            credentials: None,
        }
    }
}

impl Desired {
    /// The tag that is followed: a digest never moves.
    pub fn followed(&self, pull: &Pull) -> Option<&ImageReference> {
        (pull.policy == PullPolicy::Always && self.image.digest().is_none()).then_some(&self.image)
    }

    /// The same with the digest that counts, by what was found of the tag that is followed.
    #[must_use]
    pub fn on_followed_tag(mut self, observed: &Observed) -> Self {
        let digest = match &self.source {
            Ok(ImageSource::Pull(pull)) if self.followed(pull).is_some() => match &observed.followed {
                Some(Remote::Holds(remote)) => Some(remote.manifest.clone()),
                _ => self.held_before(pull, observed),
            },
            _ => return self,
        };
        if let Ok(ImageSource::Pull(pull)) = &mut self.source {
            pull.digest = digest;
        }
        self
    }

    /// The image that the status speaks of, where it is of this reference and still kept.
    pub(super) fn image_before<'a>(&self, observed: &'a Observed) -> Option<&'a Image> {
        let memory = &observed.memory;
        let is_of_this = memory.image_reference.as_ref() == Some(&self.image);
        let is_it = |image: &&Image| memory.image.as_ref() == Some(&image.id) && image.is_kept_by(&self.owner);
        observed.images.iter().filter(|_| is_of_this).find(is_it)
    }

    /// The digest by which the image was pulled that the status speaks of. The private tag tells it from others that it
    /// may have, and whether it is for the platform that is asked for.
    fn held_before(&self, pull: &Pull, observed: &Observed) -> Option<ManifestDigest> {
        let image = self.image_before(observed)?;
        let is_kept_by = |digest: &&ManifestDigest| {
            let key = ImageKey::pulled(&self.repository.pinned(digest), pull.platform.as_deref());
            image.has(&self.owner.private_reference(&key))
        };
        image.digests_in(&self.repository).chain(&image.target).find(is_kept_by).cloned()
    }
}
