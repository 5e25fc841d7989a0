//! Builds with BuildKit, by its own API.
//!
//! Two connections are upgraded to HTTP/2. On the one we are the client: `Control.Solve` builds, and `Control.Status`
//! tells meanwhile how far it is. On the other the engine is the client, and asks for what it needs: the session.
//! Both end with the future that builds, which cancels the build.

mod control;
mod solve;
mod support;
mod trace;

use std::pin::pin;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::StatusResponse;
use futures::{Stream, StreamExt};

pub(super) use self::trace::BuildKitTrace;

use self::control::Control;
use super::super::connection::{BuildConnection, Connection};
use super::super::failure::Failure;
use super::error_of;
use super::session::Session;
use crate::app::EngineInfo;
use crate::engine::{BuildReport, BuildRequest, EngineError, Progress, ProgressSink, frontend};

/// How long after a build its last news may take to come, each.
const LAST_NEWS_LIMIT: Duration = Duration::from_secs(3);

pub(super) async fn build(
    connection: &Connection,
    engine: &EngineInfo,
    request: BuildRequest,
    progress: &ProgressSink,
) -> Result<BuildReport, EngineError> {
    frontend::check(&request)?;
    support::check(&request, engine)?;
    let build = connection.for_build();
    let session = Session::new(&request, progress);
    let mut trace = BuildKitTrace::default();
    let tell = |news| trace.read(&news).into_iter().for_each(|told| progress(told));
    let outcome = Box::pin(solve(&build, &session, &request, tell)).await;
    trace.finish().into_iter().for_each(|told: Progress| progress(told));
    let report = || BuildReport { bytes_sent: session.sent.bytes(), ..trace.report() };
    outcome.map(|()| report()).map_err(|failure| {
        error_of(connection, failure, session.sent.problem(), |message| {
            let hint = support::hint(message, &request);
            let is_front_end = |image: &str| frontend::is_allowed(image, &request.frontends);
            trace.broken(is_front_end).into_error(&format!("{message}{hint}"), &request.credentials, report())
        })
    })
}

/// Builds, and tells what there is of news.
async fn solve(
    build: &BuildConnection,
    session: &Session,
    request: &BuildRequest,
    tell: impl FnMut(StatusResponse),
) -> Result<(), Failure> {
    let headers = session.headers();
    let (control, answered) = futures::try_join!(build.upgrade("/grpc", &[]), build.upgrade("/session", &headers))?;
    let (control, driving) = Control::over(control).await?;
    // Whatever ends a connection early fails the build as well, and that says more.
    let connections = async {
        let (_, _) = futures::join!(driving, session.serve(answered));
        std::future::pending().await
    };
    let reference = format!("longshore-{:032x}", rand::random::<u128>());
    let request = solve::solve_request(request, &session.id, &reference);
    let solving = async {
        let news = control.news(&reference);
        follow(control.solve(request), news, tell).await
    };
    tokio::select! {
        outcome = solving => outcome,
        never = connections => never,
    }
}

/// Waits for the end of a build and for its last news.
async fn follow(
    solving: impl Future<Output = Result<(), Failure>>,
    news: impl Stream<Item = StatusResponse>,
    mut tell: impl FnMut(StatusResponse),
) -> Result<(), Failure> {
    let (mut solving, mut news) = (pin!(solving), pin!(news.fuse()));
    let outcome = loop {
        tokio::select! {
            outcome = &mut solving => break outcome,
            Some(told) = news.next() => tell(told),
        }
    };
    while let Ok(Some(told)) = tokio::time::timeout(LAST_NEWS_LIMIT, news.next()).await {
        tell(told);
    }
    outcome
}
