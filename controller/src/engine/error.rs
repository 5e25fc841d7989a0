//! What can go wrong at an engine, by what it means for the resource.

use std::time::Duration;

use longshore_crds::BuildFailure;

use crate::app::{RegistryError, RegistryErrorKind};

/// What went wrong at an engine. The messages are for users and name what was concerned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The engine does not answer.
    #[error("the engine at {endpoint} does not answer: {message}")]
    Unreachable {
        /// Its address.
        endpoint: String,
        /// What the attempt to connect said.
        message: String,
    },
    /// What the call is about is not on the engine.
    #[error("{0}")]
    NotFound(String),
    /// The name is another container's.
    #[error("the container name {0} is taken")]
    NameTaken(String),
    /// A host port is taken, by a container or by another process of the host.
    #[error("{0}")]
    PortTaken(String),
    /// The engine's host has no such address.
    #[error("{0}")]
    AddressNotFound(String),
    /// The engine has no addresses left for one more network.
    #[error("{0}")]
    NoAddressesLeft(String),
    /// The engine refuses the call in the state that things are in.
    #[error("{0}")]
    Conflict(String),
    /// A registry has something against it.
    #[error("{0}")]
    Registry(RegistryError),
    /// The registry has the image for other platforms only.
    #[error("{0}")]
    PlatformNotFound(String),
    /// The Dockerfile is broken or one of its steps failed: trying again would give the same.
    #[error("{0}")]
    BuildFailed(BuildFailed),
    /// The build's context could not be read, or changed while it was sent.
    #[error("{0}")]
    Context(String),
    /// The engine or its builder cannot do what was asked for, and never will as it is: trying again would give the same.
    #[error("{0}")]
    Unsupported(String),
    /// The build took longer than it may.
    #[error("it was ended after {}, which is its limit: raise spec.image.build.timeout if it needs longer", minutes(*.0))]
    TimedOut(Duration),
    /// Anything else that the engine said.
    #[error("{0}")]
    Other(String),
}

impl EngineError {
    /// What a registry has against it, if it is that.
    pub fn registry_kind(&self) -> Option<RegistryErrorKind> {
        match self {
            Self::Registry(error) => Some(error.kind),
            _ => None,
        }
    }
}

/// A build that failed by its own fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildFailed {
    /// In one sentence.
    pub message: String,
    /// For the status.
    pub failure: BuildFailure,
    /// How many steps the build had and how many came from the cache, as far as it got.
    pub report: Box<super::BuildReport>,
}

impl std::fmt::Display for BuildFailed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// `1 second`, `90 seconds`, `30 minutes`.
fn minutes(duration: Duration) -> String {
    let (count, unit) = match duration.as_secs() {
        seconds if seconds >= 60 && seconds % 60 == 0 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_as_people_say_it() {
        for (seconds, told) in [(1, "1 second"), (60, "1 minute"), (90, "90 seconds"), (1800, "30 minutes")] {
            assert_eq!(minutes(Duration::from_secs(seconds)), told);
        }
    }
}
