//! What the API server answered, in the words of the contract.

use std::error::Error as _;

use crate::reconcile::ResourceError;

/// What an error of the client means. `what` is what was being done: `read the ContainerApp shop/web`.
pub(super) fn resource_error(what: &str, error: &kube::Error) -> ResourceError {
    let sentence = format!("cannot {what}: {}", words(error));
    match error {
        kube::Error::Api(status) if status.is_conflict() => ResourceError::Conflict,
        kube::Error::Api(status) if status.is_forbidden() || status.code == 401 => ResourceError::Forbidden(sentence),
        _ => ResourceError::Unavailable(sentence),
    }
}

/// The error with its causes, without the client's own dump of the answer.
pub(super) fn words(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("the API server answers: {}", status.message);
    }
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !sentence.contains(&text) {
            sentence = format!("{sentence}: {text}");
        }
        cause = error.source();
    }
    sentence
}

/// Whether the object is not there (any more).
pub(super) fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn answer(code: u16, reason: &str) -> kube::Error {
        kube::Error::Api(Status::failure("no, because", reason).with_code(code).boxed())
    }

    #[test]
    fn a_refused_right_is_told_in_the_servers_words() {
        assert_eq!(
            resource_error("read the Secret shop/token", &answer(403, "Forbidden")),
            ResourceError::Forbidden(
                "cannot read the Secret shop/token: the API server answers: no, because".to_owned()
            )
        );
    }

    #[test]
    fn a_conflict_is_a_conflict() {
        assert_eq!(resource_error("write", &answer(409, "Conflict")), ResourceError::Conflict);
    }

    #[test]
    fn anything_else_may_pass() {
        assert!(matches!(resource_error("write", &answer(500, "InternalError")), ResourceError::Unavailable(_)));
    }
}
