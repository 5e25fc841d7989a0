//! How a command ends when it does not end well.

use std::io;
use std::process::ExitCode;

use crate::engine::EngineError;
use crate::standalone::{BadFiles, EndpointError, StateError};

/// Why a command did not end well. The messages are for users.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What the user gave cannot be used: exit code 2.
    #[error("{0}")]
    BadInput(String),
    /// The work failed: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// What there is to say is said already: exit code 1.
    #[error("")]
    Told,
    /// The result cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Whether whoever reads the output has stopped reading, as `head` does: nothing to complain about.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code: 2 for bad input, 1 for work that failed.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::BadInput(_) => ExitCode::from(2),
            Self::Failed(_) | Self::Told | Self::Output(_) => ExitCode::FAILURE,
        }
    }
}

impl From<BadFiles> for Failure {
    fn from(error: BadFiles) -> Self {
        Self::BadInput(error.to_string())
    }
}

impl From<EndpointError> for Failure {
    fn from(error: EndpointError) -> Self {
        Self::BadInput(format!("--engine-host (or DOCKER_HOST): {error}"))
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Failed(error.to_string())
    }
}
