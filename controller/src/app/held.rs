//! What a registry holds under a reference, compared with the image that is to be there, and what follows for its push.

use super::plan::Remote;
use super::{Image, ImageReference, RegistryError, RegistryErrorKind, RegistryRequest};

/// What a registry holds at this moment, compared with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The image.
    This,
    /// Another one, in words.
    Other(String),
    /// Nothing, in words.
    Nothing(String),
    /// The registry could not say.
    Unknown(RegistryError),
    /// Something, and the engine has no image to compare it with.
    Incomparable,
}

impl Held {
    /// What the registry says that it holds under a reference, compared with this image.
    pub fn of(remote: Remote, image: Option<&Image>, reference: &ImageReference) -> Self {
        match (remote, image) {
            (Remote::Holds(remote), Some(image)) if image.is(&remote) => Self::This,
            (Remote::Holds(remote), Some(image)) => Self::Other(format!(
                "the registry holds {} under {reference}, not the image {}",
                remote.manifest, image.id
            )),
            (Remote::Nothing, _) => Self::Nothing(format!("the registry holds nothing under {reference}")),
            (Remote::Holds(_), None) => Self::Incomparable,
            (Remote::Unknown(why), _) => Self::Unknown(why),
        }
    }

    /// Whether a push to a tag that must never be overwritten has anything to do.
    ///
    /// # Errors
    /// The tag is another image's, or nobody knows.
    pub fn leaves_to_push(self, request: RegistryRequest) -> Result<bool, RegistryError> {
        match self {
            Self::This => Ok(false),
            Self::Nothing(_) | Self::Incomparable => Ok(true),
            Self::Other(what) => Err(mismatch(format!("before the push {what}"), request)),
            Self::Unknown(why) => Err(why),
        }
    }

    /// That a push has brought the image there.
    ///
    /// # Errors
    /// Something else is there, or it cannot be seen: what was not seen there is not there, or it would be pushed again
    /// and again.
    pub fn is_what_was_pushed(self, request: RegistryRequest) -> Result<(), RegistryError> {
        match self {
            Self::This | Self::Incomparable => Ok(()),
            Self::Other(what) | Self::Nothing(what) => Err(mismatch(format!("after the push {what}"), request)),
            Self::Unknown(why) => {
                let message = format!("after the push it could not be read back: {}", why.message);
                Err(RegistryError { message, is_clear: true, ..why })
            }
        }
    }
}

fn mismatch(message: String, request: RegistryRequest) -> RegistryError {
    RegistryError::new(RegistryErrorKind::DigestMismatch, message, request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Digest, ManifestDigest, Purpose, RemoteImage};

    fn reference() -> ImageReference {
        "gcr.io/my-project/node-app:0.2".parse().unwrap()
    }

    fn request() -> RegistryRequest {
        RegistryRequest::new(&reference(), Purpose::Push, None)
    }

    fn remote(content: &str) -> Remote {
        Remote::Holds(RemoteImage { manifest: ManifestDigest(Digest::of(content)), config: None, size: None })
    }

    fn image(content: &str) -> Image {
        let id = Digest::of(content).as_str().parse().unwrap();
        Image {
            id,
            references: Vec::new(),
            config: None,
            manifests: std::collections::BTreeSet::new(),
            target: Some(ManifestDigest(Digest::of(content))),
            sent_alone: None,
            labels: std::collections::BTreeMap::new(),
            size: 0,
            created_at: None,
        }
    }

    fn unknown() -> Remote {
        let request = RegistryRequest::new(&reference(), Purpose::LookUp, None);
        let error = RegistryError::unavailable("gcr.io answered 503", request);
        Remote::Unknown(RegistryError { is_clear: false, ..error })
    }

    /// What it comes to before a push to a tag that is never overwritten, and after any push.
    fn verdicts(remote: Remote, image: Option<&Image>) -> (Result<bool, String>, Result<(), String>) {
        let held = Held::of(remote, image, &reference());
        let before = held.clone().leaves_to_push(request()).map_err(|error| error.message);
        (before, held.is_what_was_pushed(request()).map_err(|error| error.message))
    }

    #[test]
    fn a_tag_that_is_never_overwritten_is_pushed_to_where_nothing_is_and_left_where_the_image_is() {
        let ours = image("ours");
        assert_eq!(verdicts(remote("ours"), Some(&ours)).0, Ok(false));
        assert_eq!(verdicts(Remote::Nothing, Some(&ours)).0, Ok(true));
        assert_eq!(verdicts(remote("ours"), None).0, Ok(true));
        assert!(
            verdicts(remote("theirs"), Some(&ours)).0.unwrap_err().starts_with("before the push the registry holds")
        );
        assert_eq!(verdicts(unknown(), Some(&ours)).0, Err("gcr.io answered 503".to_owned()));
    }

    #[test]
    fn after_a_push_the_image_is_there_or_the_push_has_failed() {
        let ours = image("ours");
        assert_eq!(verdicts(remote("ours"), Some(&ours)).1, Ok(()));
        assert_eq!(verdicts(remote("ours"), None).1, Ok(()));
        for there in [remote("theirs"), Remote::Nothing] {
            let why = verdicts(there, Some(&ours)).1.unwrap_err();
            assert!(why.starts_with("after the push the registry holds"), "{why}");
        }
        let unseen = Held::of(unknown(), Some(&ours), &reference()).is_what_was_pushed(request()).unwrap_err();
        assert_eq!(unseen.message, "after the push it could not be read back: gcr.io answered 503");
        assert!(unseen.is_clear && unseen.kind == RegistryErrorKind::Unavailable);
    }
}
