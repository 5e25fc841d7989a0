//! What a registry has against giving or taking an image: one word for each thing that a reader can do about it.
//!
//! A registry's own answer and the words in which an engine passes one on are read by the same rules, so that both lead
//! to the same reason.

mod help;
mod retry_after;
mod weighing;
mod words;

use std::fmt;
use std::time::Duration;

use super::{Credentials, ImageReference, Reason, Retry};

pub use retry_after::retry_after;

/// How rarely is tried what a registry's administrators have to allow first, and nobody waits for.
const A_DAY: Duration = Duration::from_hours(24);

/// Why a registry did not give or take an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryError {
    /// What it comes to.
    pub kind: RegistryErrorKind,
    /// What was said, with the reference that it was said of.
    pub message: String,
    /// How long the registry asks to wait.
    pub retry_after: Option<Duration>,
    /// Whether what was said leaves no doubt. Where it does, the registry can be asked itself.
    pub is_clear: bool,
    /// What was asked of it.
    pub request: Box<RegistryRequest>,
}

/// What a registry has against a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryErrorKind {
    /// It wants credentials, or does not take those that it was shown.
    AuthenticationRequired,
    /// It knows who asks, who may not do this.
    PermissionDenied,
    /// The token that it was shown is valid no longer.
    TokenExpired,
    /// It has no such repository.
    RepositoryNotFound,
    /// It is shut down, or gives the image in a form that nobody takes any more.
    RegistryRetired,
    /// Its repository has no such image.
    ManifestUnknown,
    /// It was asked too often.
    RateLimited,
    /// It does not answer, or not now.
    Unavailable,
    /// Its certificate is of an authority that is not trusted.
    CertificateUnknown,
    /// What it holds, gives or has taken does not have the digest that it should.
    DigestMismatch,
    /// It deletes nothing, or not in a way that takes nothing else along.
    DeletionUnsupported,
    /// It cannot delete the tag without another one that is to stay.
    TagShared,
}

/// What is asked of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryRequest {
    /// Of what; absent when its name is none that is understood.
    pub reference: Option<ImageReference>,
    /// What for.
    pub purpose: Purpose,
    /// What was shown with it.
    pub shown: Shown,
}

/// What a registry is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The image of an app.
    Pull,
    /// To take an image.
    Push,
    /// An image that a build needs.
    Build,
    /// What it holds; asked by Longshore itself.
    LookUp,
    /// To take a tag away; asked by Longshore itself.
    Delete,
}

/// What a registry was shown of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// A user name and a password that stay valid.
    Password,
    /// A token that is valid for minutes or hours.
    Token,
}

impl Shown {
    /// What these credentials are.
    pub fn of(credentials: Option<&Credentials>) -> Self {
        match credentials {
            None => Self::Nothing,
            Some(credentials) if credentials.are_a_token() => Self::Token,
            Some(_) => Self::Password,
        }
    }
}

impl RegistryRequest {
    /// A request for this purpose, with these credentials if they are for the reference's registry.
    pub fn new(reference: &ImageReference, purpose: Purpose, credentials: Option<&Credentials>) -> Self {
        let credentials = credentials.filter(|credentials| credentials.host == reference.host());
        Self { reference: Some(reference.clone()), purpose, shown: Shown::of(credentials) }
    }

    fn host(&self) -> Option<&str> {
        self.reference.as_ref().map(ImageReference::host)
    }
}

impl RegistryErrorKind {
    /// The reason of conditions and Events.
    pub fn reason(self) -> Reason {
        match self {
            Self::AuthenticationRequired => Reason::AuthenticationRequired,
            Self::PermissionDenied => Reason::PermissionDenied,
            Self::TokenExpired => Reason::TokenExpired,
            Self::RepositoryNotFound => Reason::RepositoryNotFound,
            Self::RegistryRetired => Reason::RegistryRetired,
            Self::ManifestUnknown => Reason::ManifestUnknown,
            Self::RateLimited => Reason::RateLimited,
            Self::Unavailable => Reason::RegistryUnavailable,
            Self::CertificateUnknown => Reason::CertificateUnknown,
            Self::DigestMismatch => Reason::DigestMismatch,
            Self::DeletionUnsupported => Reason::DeletionUnsupported,
            Self::TagShared => Reason::TagShared,
        }
    }

    /// Whether the registry has answered that it holds nothing there.
    pub fn is_absence(self) -> bool {
        matches!(self, Self::RepositoryNotFound | Self::ManifestUnknown)
    }
}

impl RegistryError {
    /// An error of a kind that is certain.
    pub fn new(kind: RegistryErrorKind, message: impl Into<String>, request: RegistryRequest) -> Self {
        Self { kind, message: message.into(), retry_after: None, is_clear: true, request: Box::new(request) }
    }

    /// A registry that could not be asked at all.
    pub fn unavailable(message: impl Into<String>, request: RegistryRequest) -> Self {
        Self::new(RegistryErrorKind::Unavailable, message, request)
    }

    /// When it is worth another attempt. What only a person mends is tried rarely: a registry counts refused attempts,
    /// and some lock an account for them.
    pub fn retry(&self) -> Retry {
        let seconds = Duration::from_secs;
        let growing = |first, longest| Retry::Growing { first, longest, at_least: self.retry_after };
        match self.kind {
            RegistryErrorKind::AuthenticationRequired
            | RegistryErrorKind::PermissionDenied
            | RegistryErrorKind::RepositoryNotFound
            | RegistryErrorKind::RegistryRetired
            | RegistryErrorKind::ManifestUnknown
            | RegistryErrorKind::CertificateUnknown => Retry::Rarely,
            RegistryErrorKind::TokenExpired | RegistryErrorKind::DigestMismatch => growing(seconds(1), seconds(300)),
            RegistryErrorKind::DeletionUnsupported => growing(A_DAY, A_DAY),
            RegistryErrorKind::TagShared => Retry::Never,
            RegistryErrorKind::RateLimited => growing(seconds(10), seconds(300)),
            RegistryErrorKind::Unavailable => growing(seconds(1), seconds(60)),
        }
    }
}

/// What was said, and what helps.
impl fmt::Display for RegistryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.message, help::of(self))
    }
}

impl std::error::Error for RegistryError {}
