//! Digests, one type for each kind of thing that is digested, so that unlike kinds are never compared.

use std::fmt;
use std::str::FromStr;

/// A digest as the OCI image specification writes it: `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

/// What is wrong with a text that should be a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a digest; one is written sha256: and 64 lower-case hexadecimal digits")]
pub struct DigestError(String);

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hexadecimal =
            |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match text.strip_prefix("sha256:") {
            Some(hex) if is_hexadecimal(hex) => Ok(Self(text.to_owned())),
            _ => Err(DigestError(text.to_owned())),
        }
    }
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        use sha2::{Digest as _, Sha256};
        Self::from_sha256(&Sha256::digest(bytes.as_ref()))
    }

    /// The digest that SHA-256 has given.
    pub(crate) fn from_sha256(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hexadecimal(bytes)))
    }

    /// The digest as it is written, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest's first twelve hexadecimal digits, for people.
    pub fn short(&self) -> &str {
        &self.0["sha256:".len()..][..12]
    }
}

/// Bytes as lower-case hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

macro_rules! kind_of_digest {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Digest);

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

kind_of_digest! {
    /// The digest of an image's configuration. Two images are the same when this is the same.
    ConfigDigest
}

kind_of_digest! {
    /// The digest of a manifest or of an index, as a registry gives it for a tag (`Docker-Content-Digest`).
    ManifestDigest
}

kind_of_digest! {
    /// What an engine calls an image's ID: the config digest where it has a graph driver's store, a manifest's or an
    /// index's digest where it has containerd's. It is compared only with another ID of the same engine.
    EngineImageId
}

impl EngineImageId {
    /// The first twelve hexadecimal digits, as engines print an image's ID.
    pub fn short(&self) -> &str {
        self.0.short()
    }
}
