//! Why a registry in memory gives or takes nothing.

use std::time::Duration;

use crate::app::{Credentials, ImageReference, Purpose, RegistryError, RegistryErrorKind, RegistryRequest};
use crate::engine::EngineError;

/// Why a registry gives or takes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not answer.
    Away(String),
    /// It says this, and asks to wait so long.
    Said(String, Option<Duration>),
    /// It holds nothing there.
    Missing,
}

impl Refusal {
    /// What it means to whoever has asked the registry.
    pub(crate) fn into_error(
        self,
        reference: &ImageReference,
        purpose: Purpose,
        credentials: Option<&Credentials>,
    ) -> RegistryError {
        let request = RegistryRequest::new(reference, purpose, credentials);
        match self {
            Self::Away(words) => RegistryError::unavailable(format!("{reference}: {words}"), request),
            Self::Said(words, retry_after) => {
                let message = format!("{reference}: {words}");
                let read = RegistryError::read(&words, None, &*message, request.clone());
                let error = read.unwrap_or_else(|| RegistryError::unavailable(message, request));
                RegistryError { retry_after, ..error }
            }
            Self::Missing => {
                let message = format!("the registry does not have {reference}: manifest unknown");
                RegistryError::new(RegistryErrorKind::ManifestUnknown, message, request)
            }
        }
    }

    /// The same as an engine passes it on, which is without how long to wait.
    pub(crate) fn into_engine_error(
        self,
        reference: &ImageReference,
        purpose: Purpose,
        credentials: Option<&Credentials>,
    ) -> EngineError {
        let error = self.into_error(reference, purpose, credentials);
        EngineError::Registry(RegistryError { retry_after: None, ..error })
    }
}
