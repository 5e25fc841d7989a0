//! What an engine's error means for the resource: which part waits, under which reason, and whether it would fail again.

use jiff::Timestamp;

use super::ResourceError;
use super::build_log::Transcript;
use crate::app::{Action, Failure, Part, Reason, RegistryError, Retry};
use crate::engine::{BuildFailed, EngineError};

/// The failure of an action, to be remembered.
pub(super) fn failure_of(action: &Action, error: &EngineError, now: Timestamp) -> Failure {
    let retry = match error {
        EngineError::BuildFailed(_) | EngineError::Unsupported(_) => Retry::Never,
        EngineError::TimedOut(_) | EngineError::PlatformNotFound(_) => Retry::Rarely,
        EngineError::Registry(error) => error.retry(),
        _ => Retry::SOON,
    };
    let build_failure = match error {
        EngineError::BuildFailed(failed) => Some(failed.failure.clone()),
        _ => None,
    };
    let message = format!("cannot {action}: {error}");
    Failure {
        count: 0,
        last: now,
        part: part_of(action),
        reason: reason_of(action, error),
        message,
        retry,
        build_failure,
    }
}

/// The failure to keep a record, to be remembered.
pub(super) fn failure_to_record(action: &Action, error: &ResourceError, now: Timestamp) -> Failure {
    Failure {
        count: 0,
        last: now,
        part: part_of(action),
        reason: Reason::RevisionNotRecorded,
        message: format!("cannot {action}: {error}"),
        retry: Retry::SOON,
        build_failure: None,
    }
}

/// An error as others may read it.
pub(super) fn masked(error: EngineError, transcript: &Transcript) -> EngineError {
    let clean = |text: String| transcript.clean(&text);
    match error {
        EngineError::Unreachable { endpoint, message } => {
            EngineError::Unreachable { endpoint, message: clean(message) }
        }
        EngineError::NotFound(text) => EngineError::NotFound(clean(text)),
        EngineError::NameTaken(text) => EngineError::NameTaken(clean(text)),
        EngineError::NoAddressesLeft(text) => EngineError::NoAddressesLeft(clean(text)),
        EngineError::PortTaken(text) => EngineError::PortTaken(clean(text)),
        EngineError::AddressNotFound(text) => EngineError::AddressNotFound(clean(text)),
        EngineError::Conflict(text) => EngineError::Conflict(clean(text)),
        EngineError::Registry(error) => EngineError::Registry(RegistryError { message: clean(error.message), ..error }),
        EngineError::PlatformNotFound(text) => EngineError::PlatformNotFound(clean(text)),
        EngineError::Context(text) => EngineError::Context(clean(text)),
        EngineError::Unsupported(text) => EngineError::Unsupported(clean(text)),
        EngineError::Other(text) => EngineError::Other(clean(text)),
        EngineError::TimedOut(limit) => EngineError::TimedOut(limit),
        EngineError::BuildFailed(BuildFailed { message, mut failure, report }) => {
            failure.step = failure.step.map(clean);
            failure.log_tail = transcript.clean_end(&failure.log_tail);
            EngineError::BuildFailed(BuildFailed { message: clean(message), failure, report })
        }
    }
}

fn part_of(action: &Action) -> Part {
    match action {
        Action::PullImage { .. } | Action::BuildImage { .. } | Action::TagImage { .. } | Action::RemoveImage { .. } => {
            Part::Image
        }
        Action::RecordRevision { .. } | Action::RemoveRevision { .. } => Part::Image,
        Action::PushImage { .. } | Action::DeleteTag { .. } => Part::Push,
        Action::CreateVolume { .. }
        | Action::RemoveVolume { .. }
        | Action::CreateNetwork { .. }
        | Action::RemoveNetwork { .. }
        | Action::ConnectNetwork { .. }
        | Action::CreateContainer { .. }
        | Action::StartContainer { .. }
        | Action::StopContainer { .. }
        | Action::UnpauseContainer { .. }
        | Action::AdjustContainer { .. }
        | Action::RenameContainer { .. }
        | Action::RemoveContainer { .. } => Part::Container,
    }
}

fn reason_of(action: &Action, error: &EngineError) -> Reason {
    match (action, error) {
        (_, EngineError::Unreachable { .. }) => Reason::EngineUnavailable,
        (_, EngineError::Registry(error)) => error.kind.reason(),
        (_, EngineError::NameTaken(_)) => Reason::NameConflict,
        (_, EngineError::PortTaken(_)) => Reason::PortConflict,
        (_, EngineError::AddressNotFound(_)) => Reason::HostIPNotFound,
        (_, EngineError::NoAddressesLeft(_)) => Reason::NetworkPoolExhausted,
        (Action::BuildImage { .. }, EngineError::Context(_)) => Reason::ContextUnreadable,
        (Action::BuildImage { .. }, EngineError::TimedOut(_)) => Reason::BuildTimedOut,
        (Action::BuildImage { .. }, _) => Reason::BuildFailed,
        (Action::PullImage { .. }, EngineError::PlatformNotFound(_)) => Reason::PlatformNotFound,
        (Action::PullImage { .. }, _) => Reason::PullFailed,
        (Action::PushImage { .. }, _) => Reason::PushFailed,
        (Action::CreateContainer { .. } | Action::StartContainer { .. }, _) => Reason::StartFailed,
        _ => Reason::EngineError,
    }
}
