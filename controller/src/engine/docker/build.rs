//! Builds: with BuildKit, or with the classic builder where there is none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::models::{BuildInfo, BuildInfoAux};
use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder, BuilderVersion};
use futures::StreamExt;
use rand::Rng;

use super::DockerEngine;
use super::build_classic::Lines;
use super::build_trace::Trace;
use super::errors::of_message;
use super::transport::Body;
use crate::engine::{BuildFailed, BuildReport, BuildRequest, EngineError, Progress, ProgressSink, StepState};

impl DockerEngine {
    pub(super) async fn build_with_buildkit(
        &self,
        request: BuildRequest,
        progress: &ProgressSink,
    ) -> Result<BuildReport, EngineError> {
        let mut options = options_of(&request);
        options.version = BuilderVersion::BuilderBuildKit;
        // The engine serves one build for each session.
        options.session = Some(format!("longshore-{:032x}", rand::rng().random::<u128>()));
        let (context, broken) = watched(request, progress);
        let mut trace = Trace::default();
        let mut news = self.docker.build_image(options, Some(HashMap::new()), Some(context));
        while let Some(line) = news.next().await {
            let line = line.map_err(|error| broken.or(self.error(error)))?;
            if let Some(BuildInfoAux::BuildKit(status)) = &line.aux {
                trace.take(status).into_iter().for_each(|told| progress(told));
            }
            if let Some(message) = error_of(&line) {
                return Err(broken.or(buildkit_failure(&trace, &message)));
            }
        }
        Ok(trace.report())
    }

    pub(super) async fn build_with_classic_builder(
        &self,
        request: BuildRequest,
        progress: &ProgressSink,
    ) -> Result<BuildReport, EngineError> {
        let options = options_of(&request);
        let (context, broken) = watched(request, progress);
        let mut lines = Lines::default();
        let mut news = self.docker.build_image(options, None, Some(context));
        while let Some(line) = news.next().await {
            let line = line.map_err(|error| broken.or(self.error(error)))?;
            if let Some(text) = &line.stream {
                lines.take(text).into_iter().for_each(|told| progress(told));
            }
            if line.status.is_some() {
                lines.note_pull();
            }
            if let Some(message) = error_of(&line) {
                let failure = lines.failure(&message);
                let report = lines.report();
                lines.end(Some(StepState::Failed)).into_iter().for_each(|told| progress(told));
                return Err(broken.or(failed(failure, report, &message)));
            }
        }
        lines.end(None).into_iter().for_each(|told| progress(told));
        Ok(lines.report())
    }
}

fn options_of(request: &BuildRequest) -> BuildImageOptions {
    let owned = |map: &std::collections::BTreeMap<String, String>| map.clone().into_iter().collect::<HashMap<_, _>>();
    let options = BuildImageOptionsBuilder::default()
        .dockerfile(&request.dockerfile)
        .t(&request.reference.canonical())
        .buildargs(&owned(&request.args))
        .labels(&owned(&request.labels))
        .rm(true)
        .forcerm(true);
    match &request.target {
        Some(target) => options.target(target).build(),
        None => options.build(),
    }
}

/// What has gone wrong in the context while it was sent. The engine and the connection would only say that it ended.
#[derive(Clone, Default)]
struct Broken(Arc<Mutex<Option<String>>>);

impl Broken {
    fn note(&self, message: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }

    fn or(&self, error: EngineError) -> EngineError {
        let broken = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        broken.map_or(error, EngineError::Context)
    }
}

/// The context with an eye on how much of it is sent, and on its errors.
fn watched(request: BuildRequest, progress: &ProgressSink) -> (Body, Broken) {
    let broken = Broken::default();
    let (noted, progress) = (broken.clone(), Arc::clone(progress));
    let mut bytes = 0;
    let pieces = request.context.map(move |piece| {
        match &piece {
            Ok(piece) => {
                bytes += piece.len() as u64;
                progress(Progress::ContextSent { bytes });
            }
            Err(error) => noted.note(error.to_string()),
        }
        piece
    });
    (bollard::body_try_stream(pieces), broken)
}

fn error_of(line: &BuildInfo) -> Option<String> {
    line.error_detail.as_ref()?.message.clone()
}

fn buildkit_failure(trace: &Trace, message: &str) -> EngineError {
    match trace.failure() {
        // A step that is not FROM fails by its own fault; FROM may fail by the registry's.
        Some(failure) if !failure.step.as_deref().is_some_and(|step| step.starts_with("FROM ")) => {
            by_its_own_fault(failure.clone(), trace.report(), message)
        }
        Some(failure) => failed(failure.clone(), trace.report(), message),
        None => failed(longshore_crds::BuildFailure::default(), trace.report(), message),
    }
}

/// What a message means where no step is known to be at fault: the registry of a base image, or the Dockerfile.
fn failed(failure: longshore_crds::BuildFailure, report: BuildReport, message: &str) -> EngineError {
    let is_about_the_context = ["cache key", "checksum", "COPY failed", "ADD failed", "returned a non-zero code"]
        .iter()
        .any(|words| message.contains(words));
    match of_message(message) {
        error @ (EngineError::Denied(_) | EngineError::ImageNotFound(_) | EngineError::RegistryUnavailable(_))
            if !is_about_the_context =>
        {
            error
        }
        _ => by_its_own_fault(failure, report, message),
    }
}

fn by_its_own_fault(failure: longshore_crds::BuildFailure, report: BuildReport, message: &str) -> EngineError {
    let message = match (&failure.step, failure.exit_code) {
        (Some(step), Some(code)) => format!("the step {step} has exited with {code}"),
        (Some(step), None) => format!("the step {step} has failed: {message}"),
        (None, _) => message.to_owned(),
    };
    EngineError::BuildFailed(BuildFailed { message, failure, report })
}
