//! Why a registry in memory gives or takes nothing.

use crate::app::ImageReference;
use crate::engine::EngineError;

/// Why a registry gives or takes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not answer.
    Away(String),
    /// It wants credentials, or others.
    Denied(String),
    /// It holds nothing there.
    Missing(ImageReference),
}

/// As an engine passes it on.
impl From<Refusal> for EngineError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Away(message) => Self::RegistryUnavailable(message),
            Refusal::Denied(message) => Self::Denied(message),
            Refusal::Missing(reference) => {
                Self::ImageNotFound(format!("the registry does not have {reference}: not found"))
            }
        }
    }
}
