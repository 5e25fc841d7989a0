//! Builds, with BuildKit or with the classic builder.

mod buildkit;
mod classic;
mod outcome;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bollard::models::{BuildInfo, BuildInfoAux};
use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder, BuilderVersion};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use self::buildkit::BuildKitTrace;
use self::classic::ClassicTrace;
use self::outcome::Broken;
use super::connection::Connection;
use super::failure::Failure;
use crate::app::BuilderKind;
use crate::engine::{Attestations, BuildNetwork, BuildReport, BuildRequest, EngineError, Progress, ProgressSink};

pub(super) async fn build(
    connection: &Connection,
    builder: BuilderKind,
    request: BuildRequest,
    progress: &ProgressSink,
) -> Result<BuildReport, EngineError> {
    refuse_what_the_archive_cannot_carry(&request)?;
    let archive = request.context.archive();
    let options = options(&request, &archive.dockerfile, builder);
    let mut trace = Trace::new(builder, &request);
    let context = Context::watched(archive.stream, progress);
    let body = bollard::body_try_stream(context.stream);
    let build = connection.for_build()?;
    let mut messages = build.docker().build_image(options, None, Some(body));
    let outcome = loop {
        match messages.try_next().await {
            Ok(Some(message)) => trace.read(message).into_iter().for_each(|told| progress(told)),
            Ok(None) => break Ok(()),
            Err(error) => break Err(Failure::from(error)),
        }
    };
    trace.finish(outcome.is_err()).into_iter().for_each(|told| progress(told));
    let Err(failure) = outcome else {
        return Ok(BuildReport { bytes_sent: context.sent.load(Ordering::Relaxed), ..trace.report() });
    };
    if let Some(message) = context.error.take() {
        return Err(EngineError::Context(format!("the build's context could not be sent: {message}")));
    }
    Err(match failure {
        Failure::Unreachable(_) | Failure::Unintelligible(_) => connection.error(failure),
        Failure::Refused { message, .. } | Failure::Reported(message) => {
            trace.broken(&message).into_error(&message, trace.report())
        }
    })
}

/// What an archive and its parameters cannot say.
fn refuse_what_the_archive_cannot_carry(request: &BuildRequest) -> Result<(), EngineError> {
    let wanted = [
        (!request.annotations.is_empty(), "annotations"),
        (!request.extra_hosts.is_empty(), "extra hosts"),
        (!request.platforms.is_empty(), "platforms"),
        (!request.cache_from.is_empty() || !request.cache_to.is_empty(), "caches"),
        (request.pull, "base images from the registry although the engine has them"),
        (request.source_date_epoch.is_some(), "a source date epoch"),
        (request.attestations != Attestations::default(), "attestations"),
        (!request.secrets.is_empty(), "secrets"),
        (!request.ssh.is_empty(), "ssh keys"),
    ];
    match wanted.iter().find(|(is_wanted, _)| *is_wanted) {
        Some((_, what)) => Err(EngineError::Unsupported(format!(
            "the engine cannot build with {what}: its builder is given the context as an archive; leave it out of \
             spec.image.build"
        ))),
        None => Ok(()),
    }
}

fn options(request: &BuildRequest, dockerfile: &str, builder: BuilderKind) -> BuildImageOptions {
    let pairs = |map: &std::collections::BTreeMap<String, String>| -> HashMap<String, String> {
        map.clone().into_iter().collect()
    };
    let options = BuildImageOptionsBuilder::default()
        .dockerfile(dockerfile)
        .target(request.target.as_deref().unwrap_or_default())
        .buildargs(&pairs(&request.args))
        .labels(&pairs(&request.labels))
        .t(&request.reference.canonical())
        .networkmode(match request.network {
            BuildNetwork::Default => "default",
            BuildNetwork::None => "none",
        })
        .nocache(request.no_cache)
        .rm(true)
        .forcerm(true);
    match builder {
        BuilderKind::Classic => options.version(BuilderVersion::BuilderV1),
        // Two builds that share a session's ID would answer each other's questions.
        BuilderKind::BuildKit => options
            .version(BuilderVersion::BuilderBuildKit)
            .session(&format!("longshore-{:032x}", rand::random::<u128>())),
    }
    .build()
}

/// The context on its way: it tells how much was sent, and keeps what went wrong with it. The engine would only say
/// that the sending broke off.
struct Context {
    stream: BoxStream<'static, std::io::Result<Bytes>>,
    error: ContextError,
    sent: Arc<AtomicU64>,
}

#[derive(Clone, Default)]
struct ContextError(Arc<Mutex<Option<String>>>);

impl ContextError {
    fn set(&self, message: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Context {
    fn watched(stream: BoxStream<'static, std::io::Result<Bytes>>, progress: &ProgressSink) -> Self {
        let error = ContextError::default();
        let (failed, progress) = (error.clone(), Arc::clone(progress));
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        let stream = stream.inspect(move |piece| match piece {
            Ok(piece) => {
                let bytes = counted.fetch_add(piece.len() as u64, Ordering::Relaxed) + piece.len() as u64;
                progress(Progress::ContextSent { bytes });
            }
            Err(error) => failed.set(error.to_string()),
        });
        Self { stream: stream.boxed(), error, sent }
    }
}

/// What was understood of a build's messages so far.
enum Trace {
    BuildKit(BuildKitTrace),
    Classic(ClassicTrace),
}

impl Trace {
    fn new(builder: BuilderKind, request: &BuildRequest) -> Self {
        match builder {
            BuilderKind::BuildKit => Self::BuildKit(BuildKitTrace::default()),
            // The classic builder makes one more step of the labels that are asked for beside the Dockerfile.
            BuilderKind::Classic => Self::Classic(ClassicTrace::new(!request.labels.is_empty())),
        }
    }

    fn read(&mut self, message: BuildInfo) -> Vec<Progress> {
        match (self, message) {
            (Self::BuildKit(trace), BuildInfo { aux: Some(BuildInfoAux::BuildKit(status)), .. }) => trace.read(&status),
            (Self::BuildKit(_), _) => Vec::new(),
            (Self::Classic(trace), message) => trace.read(message, Instant::now()),
        }
    }

    fn finish(&mut self, has_failed: bool) -> Vec<Progress> {
        match self {
            Self::BuildKit(trace) => trace.finish(),
            Self::Classic(trace) => trace.finish(has_failed, Instant::now()),
        }
    }

    fn report(&self) -> BuildReport {
        match self {
            Self::BuildKit(trace) => trace.report(),
            Self::Classic(trace) => trace.report(),
        }
    }

    fn broken(&self, message: &str) -> Broken {
        match self {
            Self::BuildKit(trace) => trace.broken(),
            Self::Classic(trace) => trace.broken(message),
        }
    }
}
