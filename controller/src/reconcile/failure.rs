//! What an engine's error means for the resource: which part waits, under which reason, and whether it would fail again.

use jiff::Timestamp;

use crate::app::{Action, Failure, Part, Reason};
use crate::engine::EngineError;

/// The failure of an action, to be remembered.
pub(super) fn failure_of(action: &Action, error: &EngineError, now: Timestamp) -> Failure {
    let part = part_of(action);
    let is_terminal = matches!(error, EngineError::BuildFailed(_) | EngineError::Unsupported(_));
    let build_failure = match error {
        EngineError::BuildFailed(failed) => Some(failed.failure.clone()),
        _ => None,
    };
    Failure {
        count: 0,
        last: now,
        part,
        reason: reason_of(action, error),
        message: format!("cannot {action}: {error}"),
        is_terminal,
        build_failure,
    }
}

fn part_of(action: &Action) -> Part {
    match action {
        Action::PullImage { .. } | Action::BuildImage { .. } | Action::TagImage { .. } | Action::RemoveImage { .. } => {
            Part::Image
        }
        Action::PushImage { .. } => Part::Push,
        Action::CreateContainer { .. }
        | Action::StartContainer { .. }
        | Action::StopContainer { .. }
        | Action::RenameContainer { .. }
        | Action::RemoveContainer { .. } => Part::Container,
    }
}

fn reason_of(action: &Action, error: &EngineError) -> Reason {
    match (action, error) {
        (_, EngineError::Unreachable { .. }) => Reason::EngineUnavailable,
        (_, EngineError::NameTaken(_)) => Reason::NameConflict,
        (_, EngineError::PortTaken(_)) => Reason::PortConflict,
        (Action::BuildImage { .. }, EngineError::Context(_)) => Reason::ContextUnreadable,
        (Action::BuildImage { .. }, EngineError::TimedOut(_)) => Reason::BuildTimedOut,
        (Action::BuildImage { .. }, _) => Reason::BuildFailed,
        (Action::PullImage { .. }, EngineError::ImageNotFound(_)) => Reason::ImageNotFound,
        (Action::PullImage { .. }, _) => Reason::PullFailed,
        (Action::PushImage { .. }, EngineError::Denied(_)) => Reason::PushDenied,
        (Action::PushImage { .. }, EngineError::Conflict(_)) => Reason::DigestMismatch,
        (Action::PushImage { .. }, _) => Reason::PushFailed,
        (Action::CreateContainer { .. } | Action::StartContainer { .. }, _) => Reason::StartFailed,
        _ => Reason::EngineError,
    }
}
