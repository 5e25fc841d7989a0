//! What an engine's answers mean. Docker tells most things only in words, so words are what is looked at: those of
//! 20.10 and of 29, each seen.

use bollard::errors::Error;

use crate::engine::EngineError;

/// What an error of the client means.
pub(super) fn engine_error(endpoint: &str, error: Error) -> EngineError {
    match error {
        Error::DockerResponseServerError { status_code, message } => of_status(status_code, &message),
        Error::DockerStreamError { error } => of_message(&error),
        Error::RequestTimeoutError => unreachable_engine(endpoint, "it took too long to answer"),
        Error::IOError { err } => unreachable_engine(endpoint, &err.to_string()),
        Error::HttpClientError { err } => unreachable_engine(endpoint, &root_cause(&err)),
        Error::HyperResponseError { err } => unreachable_engine(endpoint, &root_cause(&err)),
        other => EngineError::Other(other.to_string()),
    }
}

fn unreachable_engine(endpoint: &str, message: &str) -> EngineError {
    EngineError::Unreachable { endpoint: endpoint.to_owned(), message: message.to_owned() }
}

/// The innermost cause says what happened; those around it only that a request failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn of_status(status: u16, message: &str) -> EngineError {
    match status {
        _ if is_taken_port(message) => EngineError::PortTaken(message.to_owned()),
        404 => match of_message(message) {
            EngineError::Other(message) => EngineError::NotFound(message),
            meaning => meaning,
        },
        409 if message.contains("name") && message.contains("already in use") => {
            EngineError::NameTaken(quoted(message).unwrap_or(message).trim_start_matches('/').to_owned())
        }
        409 => EngineError::Conflict(message.to_owned()),
        401 | 403 => EngineError::Denied(message.to_owned()),
        _ => of_message(message),
    }
}

/// What words mean that an engine passes on from a registry, or says itself.
pub(super) fn of_message(message: &str) -> EngineError {
    const DENIED: [&str; 7] = [
        "no basic auth credentials",
        "unauthorized",
        "authentication required",
        "authorization failed",
        "access denied",
        "denied:",
        "401 Unauthorized",
    ];
    const ABSENT: [&str; 4] = ["manifest unknown", "not found", "name unknown", "repository does not exist"];
    const UNAVAILABLE: [&str; 10] = [
        "connection refused",
        "no such host",
        "i/o timeout",
        "TLS handshake",
        "x509",
        "server misbehaving",
        "toomanyrequests",
        "Service Unavailable",
        "Bad Gateway",
        "Internal Server Error",
    ];
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let message_is_hubs = message.contains("pull access denied");
    if is_taken_port(message) {
        EngineError::PortTaken(message.to_owned())
    } else if message_is_hubs && !has(&["no basic auth", "authorization failed"]) {
        // Docker Hub answers so for what it does not have as well as for what it does not show.
        EngineError::ImageNotFound(message.to_owned())
    } else if has(&DENIED) {
        EngineError::Denied(message.to_owned())
    } else if has(&ABSENT) {
        EngineError::ImageNotFound(message.to_owned())
    } else if has(&UNAVAILABLE) {
        EngineError::RegistryUnavailable(message.to_owned())
    } else {
        EngineError::Other(message.to_owned())
    }
}

/// 20.10 and 29 say "port is already allocated" of a container's port and "address already in use" of a process's.
fn is_taken_port(message: &str) -> bool {
    message.contains("port is already allocated")
        || (message.contains("address already in use")
            && ["listen tcp", "listen udp", "bind host port", "userland proxy"]
                .iter()
                .any(|word| message.contains(word)))
}

fn quoted(message: &str) -> Option<&str> {
    message.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_known_on_both_engines() {
        for message in [
            "driver failed programming external connectivity on endpoint a (b): Bind for 0.0.0.0:4008 failed: port is \
             already allocated",
            "driver failed programming external connectivity on endpoint a (b): Error starting userland proxy: listen \
             tcp4 0.0.0.0:4009: bind: address already in use",
            "failed to set up container networking: driver failed: failed to bind host port 0.0.0.0:4009/tcp: address \
             already in use",
        ] {
            assert!(matches!(of_status(500, message), EngineError::PortTaken(_)), "{message}");
        }
    }

    #[test]
    fn a_taken_name_is_told_by_its_name() {
        let message = "Conflict. The container name \"/my-app\" is already in use by container \"abc\".";
        assert_eq!(of_status(409, message), EngineError::NameTaken("my-app".to_owned()));
    }

    #[test]
    fn a_registry_that_refuses_is_not_one_that_lacks_the_image() {
        for message in [
            "no basic auth credentials",
            "push access denied, repository does not exist or may require authorization: authorization failed: no \
             basic auth credentials",
            "unauthorized: authentication required",
        ] {
            assert!(matches!(of_message(message), EngineError::Denied(_)), "{message}");
        }
        for message in [
            "manifest for library/nothing:latest not found: manifest unknown: manifest unknown",
            "pull access denied for nothing, repository does not exist or may require 'docker login'",
        ] {
            assert!(matches!(of_message(message), EngineError::ImageNotFound(_)), "{message}");
        }
    }
}
