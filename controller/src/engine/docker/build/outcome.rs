//! What a build that failed failed of, in a sentence.

use longshore_crds::BuildFailure;

use crate::app::{Credentials, ImageReference, Purpose, RegistryError, RegistryRequest, Shown};
use crate::engine::{BuildFailed, BuildReport, EngineError};

/// What BuildKit and its callers put before the cause.
const WRAPPINGS: &[&str] = &[
    "failed to solve with frontend dockerfile.v0: ",
    "failed to solve with frontend gateway.v0: ",
    "failed to create LLB definition: ",
    "failed to solve: ",
    "rpc error: code = Unknown desc = ",
];

/// Troubles of the engine or of its host, not of the Dockerfile: the same build may work at the next try.
const PASSING: &[&str] = &[
    "no space left on device",
    "cannot allocate memory",
    "too many open files",
    "context canceled",
    "transport is closing",
    "no active session",
    // The classic builder with containerd's image store, when any image is removed while it looks through its cache.
    "unable to find image \"sha256:",
    "No such image: sha256:",
];

/// Where a build stood when it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Broken {
    /// The step that failed, as it is written in the Dockerfile.
    pub(super) step: Option<String>,
    /// What that step said of it, where it said something else than the build in the end.
    pub(super) cause: Option<String>,
    /// The image of the front end that the Dockerfile names, when it was this that could not be had.
    pub(super) frontend: Option<String>,
    /// The image of the program that makes the SBOM, when it was this that could not be had.
    pub(super) generator: Option<String>,
    /// The image that a `FROM` names, when it was this that could not be had.
    pub(super) base_image: Option<String>,
    /// The last lines that the step printed.
    pub(super) log_tail: String,
}

impl Broken {
    /// The error of a build that ended with this message.
    ///
    /// It is the build's own fault, and would be again, unless it is a registry's that did not give a base image, or the
    /// engine's.
    pub(super) fn into_error(self, message: &str, credentials: &[Credentials], report: BuildReport) -> EngineError {
        let message = self.cause.as_deref().unwrap_or(message);
        let exit_code = exit_code(message);
        let cause = unwrapped(message);
        // A command that has exited may have printed the same words; what it was is its exit code.
        if exit_code.is_none() && PASSING.iter().any(|trouble| cause.contains(trouble)) {
            return EngineError::Other(format!("the engine could not go on with the build: {cause}"));
        }
        if let Some((image, sentence)) = self.missing_image(cause) {
            let request = request_for(image, credentials);
            let read = RegistryError::read(cause, None, &*sentence, request.clone());
            match read {
                Some(error) => return EngineError::Registry(error),
                // What BuildKit was to run for the build is nothing that the Dockerfile's steps could be at fault for.
                None if self.frontend.is_some() || self.generator.is_some() => {
                    return EngineError::Registry(RegistryError::unavailable(sentence, request));
                }
                None => {}
            }
        }
        let sentence = match (&self.base_image, &self.step, exit_code) {
            (Some(image), ..) => format!("the base image {image} cannot be had: {cause}"),
            (None, Some(step), Some(code)) => format!("the step \"{step}\" exited with code {code}"),
            (None, Some(step), None) => format!("the step \"{step}\" failed: {cause}"),
            (None, None, _) => cause.to_owned(),
        };
        EngineError::BuildFailed(BuildFailed {
            message: sentence,
            failure: BuildFailure { step: self.step, exit_code, log_tail: self.log_tail },
            report: Box::new(report),
        })
    }

    /// The image that the build could not get, and the sentence that says so: what BuildKit was to run for the build, or
    /// a base image.
    fn missing_image(&self, cause: &str) -> Option<(&str, String)> {
        let (image, what) = match (&self.frontend, &self.generator, &self.base_image) {
            (Some(image), ..) => (image, format!("the front end {image}, which the Dockerfile's # syntax= names,")),
            (None, Some(image), _) => (image, format!("the image {image}, which makes the SBOM (attestations.sbom),")),
            (None, None, Some(image)) => (image, format!("the base image {image}")),
            (None, None, None) => return None,
        };
        Some((image, format!("{what} cannot be had: {cause}")))
    }
}

/// What a registry was asked for, with these credentials.
fn request_for(image: &str, credentials: &[Credentials]) -> RegistryRequest {
    match image.parse::<ImageReference>() {
        Ok(reference) => {
            let shown = credentials.iter().find(|credentials| credentials.host == reference.host());
            RegistryRequest::new(&reference, Purpose::Build, shown)
        }
        // A digest, which is no tag, or what a build argument has made of it.
        Err(_) => RegistryRequest { reference: None, purpose: Purpose::Build, shown: Shown::Nothing },
    }
}

/// The exit code at the end of what a builder says of a command that failed: BuildKit's
/// `process "/bin/sh -c exit 7" did not complete successfully: exit code: 7` and
/// `executor failed running [/bin/sh -c exit 7]: exit code: 7`, the classic builder's
/// `The command '/bin/sh -c exit 7' returned a non-zero code: 7`.
pub(super) fn exit_code(message: &str) -> Option<i64> {
    let (before, code) = message.trim_end().rsplit_once(": ")?;
    let is_exit = before.ends_with("exit code") || before.ends_with("returned a non-zero code");
    is_exit.then(|| code.parse().ok()).flatten()
}

fn unwrapped(message: &str) -> &str {
    let mut rest = message.trim();
    while let Some(inner) = WRAPPINGS.iter().find_map(|wrapping| rest.strip_prefix(wrapping)) {
        rest = inner;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::RegistryErrorKind;

    #[test]
    fn a_denied_base_image_is_told_by_what_was_shown() {
        let broken = Broken { base_image: Some("gcr.io/p/base:1".to_owned()), ..Broken::default() };
        let login = Credentials { host: "gcr.io".to_owned(), username: "user".to_owned(), password: "x".into() };
        for (shown, kind) in
            [(&[][..], RegistryErrorKind::AuthenticationRequired), (&[login][..], RegistryErrorKind::PermissionDenied)]
        {
            let error = broken.clone().into_error("denied", shown, BuildReport::default());
            assert_eq!(error.registry_kind(), Some(kind), "{error}");
            assert!(error.to_string().starts_with("the base image gcr.io/p/base:1 cannot be had: denied; "), "{error}");
        }
    }

    #[test]
    fn the_exit_code_is_read_from_every_builders_words() {
        for message in [
            r#"process "/bin/sh -c exit 7" did not complete successfully: exit code: 7"#,
            "executor failed running [/bin/sh -c exit 7]: exit code: 7",
            "The command '/bin/sh -c exit 7' returned a non-zero code: 7",
        ] {
            assert_eq!(exit_code(message), Some(7), "{message}");
        }
        assert_eq!(exit_code("dockerfile parse error on line 1: unknown instruction: FORM"), None);
    }

    #[test]
    fn a_registry_that_does_not_answer_is_not_the_builds_fault() {
        let broken = Broken { base_image: Some("node:6".to_owned()), ..Broken::default() };
        let error = broken.clone().into_error("dial tcp: connection refused", &[], BuildReport::default());
        assert_eq!(error.registry_kind(), Some(RegistryErrorKind::Unavailable), "{error}");
        let error = broken.clone().into_error("docker.io/library/node:6: not found", &[], BuildReport::default());
        assert_eq!(error.registry_kind(), Some(RegistryErrorKind::ManifestUnknown), "{error}");
        let error = broken.into_error("invalid reference format", &[], BuildReport::default());
        assert!(matches!(error, EngineError::BuildFailed(_)), "{error}");
    }

    #[test]
    fn a_front_end_that_cannot_be_had_is_never_the_builds_fault() {
        let broken = Broken { frontend: Some("docker/dockerfile:1".to_owned()), ..Broken::default() };
        let error = |message: &str| broken.clone().into_error(message, &[], BuildReport::default());
        let kind = |message: &str| error(message).registry_kind();
        assert_eq!(kind("dial tcp: i/o timeout"), Some(RegistryErrorKind::Unavailable));
        assert_eq!(kind("something else"), Some(RegistryErrorKind::Unavailable));
        assert_eq!(kind("docker.io/docker/dockerfile:1: not found"), Some(RegistryErrorKind::ManifestUnknown));
        assert!(error("unauthorized").to_string().contains("docker/dockerfile:1, which the Dockerfile's # syntax="));
    }

    #[test]
    fn what_makes_an_sbom_and_cannot_be_had_is_never_the_builds_fault() {
        let broken = Broken { generator: Some("example/scanner:1".to_owned()), ..Broken::default() };
        let error = broken.into_error("docker.io/example/scanner:1: not found", &[], BuildReport::default());
        assert_eq!(error.registry_kind(), Some(RegistryErrorKind::ManifestUnknown), "{error}");
        assert!(error.to_string().contains("example/scanner:1, which makes the SBOM"), "{error}");
    }

    #[test]
    fn a_cache_that_somebody_empties_is_not_the_builds_fault() {
        let broken = Broken { step: Some("WORKDIR /app".to_owned()), ..Broken::default() };
        let message =
            r#"unable to find image "sha256:6368a889f17c6bebad65638a5d4959261de6ed24f34704dd4fb25b3ca35f0c4c""#;
        let error = broken.into_error(message, &[], BuildReport::default());
        assert!(matches!(error, EngineError::Other(_)), "{error}");
    }

    #[test]
    fn a_full_disk_is_not_the_builds_fault() {
        let broken = Broken { step: Some("ADD . /app".to_owned()), ..Broken::default() };
        let message = "failed to copy files: write /app/data: no space left on device";
        let error = broken.into_error(message, &[], BuildReport::default());
        assert!(matches!(error, EngineError::Other(_)), "{error}");
    }

    #[test]
    fn a_command_that_prints_a_registrys_words_fails_as_a_command() {
        let broken = Broken { step: Some("RUN curl registry".to_owned()), ..Broken::default() };
        let message = "executor failed running [/bin/sh -c curl registry # connection refused]: exit code: 7";
        let error = broken.into_error(message, &[], BuildReport::default());
        assert_eq!(error.to_string(), "the step \"RUN curl registry\" exited with code 7");
    }
}
