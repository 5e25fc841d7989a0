//! Builds, with BuildKit or with the classic builder.

mod buildkit;
mod classic;
mod http2;
mod outcome;
mod session;
mod tail;
#[cfg(test)]
mod tests;

use super::connection::Connection;
use super::failure::Failure;
use crate::app::{BuilderKind, EngineInfo};
use crate::engine::{BuildReport, BuildRequest, EngineError, ProgressSink};

pub(super) async fn build(
    connection: &Connection,
    engine: &EngineInfo,
    request: BuildRequest,
    progress: &ProgressSink,
) -> Result<BuildReport, EngineError> {
    match engine.builder {
        BuilderKind::BuildKit => Box::pin(buildkit::build(connection, engine, request, progress)).await,
        BuilderKind::Classic => classic::build(connection, request, progress).await,
    }
}

/// What a build's end means: what is wrong with the context comes first, since an engine would only say that the
/// sending of it broke off.
fn error_of(
    connection: &Connection,
    failure: Failure,
    problem_of_context: Option<String>,
    of_build: impl FnOnce(&str) -> EngineError,
) -> EngineError {
    match (problem_of_context, failure) {
        (Some(problem), _) => EngineError::Context(format!("the build's context could not be sent: {problem}")),
        (None, failure @ (Failure::Unreachable(_) | Failure::Unintelligible(_))) => connection.error(failure),
        (None, Failure::Refused { message, .. } | Failure::Reported(message)) => of_build(&message),
    }
}
