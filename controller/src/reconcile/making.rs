//! What is kept of a build or a pull when it has ended: how it went and what it told, secrets masked.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::{BuildStatus, ContainerApp};
use secrecy::{ExposeSecret, SecretString};

use super::build_log::Transcript;
use super::execute::Outcome;
use super::masker::Masker;
use super::{AppKey, Reconciler, Report};
use crate::app::status::time;
use crate::app::{Action, AttemptKey, Credentials, Desired, ImageSource, Making, ObjectKind, Step};
use crate::engine::{EngineError, ProgressSink};

/// How many of a builder's warnings a status holds, as the schema has it.
const MOST_WARNINGS: usize = 32;

/// What was done, and when.
#[derive(Clone, Copy)]
pub(super) struct Made<'a> {
    pub(super) action: &'a Action,
    pub(super) result: &'a Result<Outcome, EngineError>,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
}

impl Reconciler {
    /// Remembers a build or a pull that has ended. One that an engine did not hear of has not begun.
    pub(super) fn note_making(&self, key: &AppKey, app: &ContainerApp, made: Made<'_>, transcript: &Transcript) {
        let brings_an_image = matches!(made.action, Action::BuildImage { .. } | Action::PullImage { .. });
        if !brings_an_image || matches!(made.result, Err(EngineError::Unreachable { .. })) {
            return;
        }
        let is_build = matches!(made.action, Action::BuildImage { .. });
        let build = is_build.then(|| build_status(made, transcript)).flatten();
        let failure = made.result.as_ref().err().map(ToString::to_string);
        let making = Making {
            what: AttemptKey::of(made.action),
            has_failed: failure.is_some(),
            started_at: made.started,
            finished_at: made.finished,
            build: build.clone(),
            log: if is_build { transcript.finish(failure.as_deref()) } else { Arc::default() },
        };
        self.known.update(key, &app.uid().unwrap_or_default(), |known| {
            known.making = Some(making);
            known.build = build.or(known.build.take());
        });
    }

    /// Where a step tells how far it is.
    pub(super) fn progress_of(&self, key: &AppKey, step: &Step) -> ProgressSink {
        let (reporter, key, step) = (Arc::clone(&self.reporter), key.clone(), step.clone());
        Arc::new(move |progress| reporter.report(&key, Report::Progress(&step, &progress)))
    }
}

/// A sink that keeps what it is told, and masks secrets before anybody hears of it.
pub(super) fn masking(transcript: &Arc<Transcript>, inner: ProgressSink) -> ProgressSink {
    let transcript = Arc::clone(transcript);
    Arc::new(move |progress| inner(transcript.take(progress)))
}

fn build_status(made: Made<'_>, transcript: &Transcript) -> Option<BuildStatus> {
    let (report, failure) = match made.result {
        Ok(Outcome { build, .. }) => (build.clone().unwrap_or_default(), None),
        Err(EngineError::BuildFailed(failed)) => (*failed.report.clone(), Some(failed.failure.clone())),
        Err(_) => return None,
    };
    Some(BuildStatus {
        started_at: Some(time(made.started)),
        finished_at: Some(time(made.finished)),
        steps: i32::try_from(report.steps).unwrap_or(i32::MAX),
        cached_steps: i32::try_from(report.cached_steps).unwrap_or(i32::MAX),
        bytes_sent: i64::try_from(report.bytes_sent).unwrap_or(i64::MAX),
        warnings: report.warnings.into_iter().take(MOST_WARNINGS).map(|warning| transcript.clean(&warning)).collect(),
        failure,
    })
}

/// Hides what a resource's steps are given to know: its credentials, and their pairs as registries are sent them.
pub(super) fn masker_of(desired: &Desired) -> Masker {
    let access = match &desired.source {
        Ok(ImageSource::Build(build)) => build.method.access.as_ref().ok(),
        _ => None,
    };
    let pull = match &desired.source {
        Ok(ImageSource::Pull(pull)) => pull.credentials.as_ref(),
        _ => None,
    };
    let push = desired.destinations.iter().filter_map(|destination| destination.credentials.as_ref().ok()?.as_ref());
    let bases = access.iter().flat_map(|access| &access.credentials);
    let credentials = pull.into_iter().chain(push).chain(bases).flat_map(secrets_in);
    let values = access.iter().flat_map(|access| access.secrets.values()).map(|value| text_of(value.expose_secret()));
    let keys = access.iter().flat_map(|access| access.ssh.values().cloned());
    let secrets: Vec<SecretString> = credentials.chain(values).chain(keys).chain(secret_variables(desired)).collect();
    Masker::of(&secrets)
}

/// The variables of the container whose values are a Secret's: an engine quotes a command that it cannot start, and these
/// may be in it.
fn secret_variables(desired: &Desired) -> impl Iterator<Item = SecretString> {
    let spec = desired.run.as_ref().and_then(|run| run.container.as_ref().ok());
    let secret = spec.into_iter().flat_map(|spec| {
        let from_secrets = spec.env_origins.iter().filter(|(_, origin)| origin.kind == ObjectKind::Secret);
        from_secrets.filter_map(|(name, _)| spec.env.get(name))
    });
    secret.map(|value| SecretString::from(value.clone()))
}

/// What is no text can only be printed as an encoding of it.
fn text_of(value: &[u8]) -> SecretString {
    let text = std::str::from_utf8(value).map(ToOwned::to_owned);
    SecretString::from(text.unwrap_or_else(|_| STANDARD.encode(value)))
}

fn secrets_in(credentials: &Credentials) -> [SecretString; 2] {
    let pair = format!("{}:{}", credentials.username, credentials.password.expose_secret());
    [credentials.password.clone(), SecretString::from(pair)]
}
