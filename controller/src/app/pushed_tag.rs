//! A tag in a registry that a resource has pushed, as its status remembers it.

use jiff::Timestamp;
use longshore_crds::RemoteReference;

use super::status::time;
use super::{ImageReference, ManifestDigest};

/// A tag in a registry that a resource has pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedTag {
    /// The tag.
    pub reference: ImageReference,
    /// What was pushed; absent from before the push until it is read back.
    pub digest: Option<ManifestDigest>,
    /// Since when it is not asked for any more; absent while it is.
    pub superseded_at: Option<Timestamp>,
}

impl PushedTag {
    /// One that is about to be pushed.
    pub fn claimed(reference: ImageReference) -> Self {
        Self { reference, digest: None, superseded_at: None }
    }

    /// One that a status names; `None` when it cannot be read.
    pub fn of(known: &RemoteReference) -> Option<Self> {
        let digest = known.digest.as_ref().map(|digest| digest.parse()).transpose().ok()?;
        let superseded_at = known.superseded_at.as_ref().map(|time| time.0);
        Some(Self { reference: known.reference.parse().ok()?, digest, superseded_at })
    }

    /// As it is written into a status.
    pub fn to_status(&self) -> RemoteReference {
        RemoteReference {
            reference: self.reference.to_string(),
            digest: self.digest.as_ref().map(ToString::to_string),
            superseded_at: self.superseded_at.map(time),
        }
    }
}
