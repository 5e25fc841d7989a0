//! How a build in memory fails, in the sentences of the engines that are real.

use longshore_crds::BuildFailure;

use super::super::dockerfile::Instruction;
use crate::app::{Credentials, ImageReference, Purpose, RegistryError};
use crate::engine::{BuildFailed, BuildReport, EngineError};
use crate::registry::memory::Refusal;

/// A build that fails before any of its steps.
pub(super) fn broken(cause: &str) -> EngineError {
    let message = cause.to_owned();
    EngineError::BuildFailed(BuildFailed { message, failure: BuildFailure::default(), report: Box::default() })
}

/// A step that cannot be begun.
pub(super) fn refused(step: &Instruction, cause: &str, report: &BuildReport) -> EngineError {
    let message = format!("the step \"{}\" failed: {cause}", step.text);
    failed(step, message, None, "", report)
}

/// A step whose command has exited with another code than 0, after it had printed this.
pub(super) fn exited(step: &Instruction, exit_code: i64, printed: &str, report: &BuildReport) -> EngineError {
    let message = format!("the step \"{}\" exited with code {exit_code}", step.text);
    failed(step, message, Some(exit_code), printed, report)
}

/// A base image that is not here and that the registry does not give.
pub(super) fn without_base(base: &ImageReference, refusal: Refusal, credentials: Option<&Credentials>) -> EngineError {
    match refusal.into_engine_error(base, Purpose::Build, credentials) {
        EngineError::Registry(error) => {
            let message = format!("the base image {base} cannot be had: {}", error.message);
            EngineError::Registry(RegistryError { message, ..error })
        }
        other => other,
    }
}

fn failed(
    step: &Instruction,
    message: String,
    exit_code: Option<i64>,
    printed: &str,
    report: &BuildReport,
) -> EngineError {
    let failure = BuildFailure { step: Some(step.text.clone()), exit_code, log_tail: printed.trim_end().to_owned() };
    EngineError::BuildFailed(BuildFailed { message, failure, report: Box::new(report.clone()) })
}
