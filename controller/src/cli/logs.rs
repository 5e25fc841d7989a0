//! `longshore logs`: what an app's container has printed; with `-f` also what it prints from now on, across
//! replacements of the container; with `--build` what the build of its image has printed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use jiff::Timestamp;

use super::failure::Failure;
use super::found::Whose;
use super::options::{EVERY_PROJECT, ProjectOptions};
use super::recorded::{build_log, recorded};
use super::session::Session;
use super::{is_called, output};
use crate::app::{Container, ContainerId, ContainerState, labels};
use crate::engine::{Engine, EngineError, LogOptions};
use crate::reconcile::AppKey;

/// How often a container that is expected is looked for.
const LOOK_FOR_NEXT: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Examples:
  longshore logs my-app                       what its container has printed
  longshore logs -f --tail 20 my-app          the last 20 lines, and what follows
  longshore logs --build my-app               what the newest build of its image has printed
  longshore logs --build my-app --revision 2  what the build of revision 2 has printed";

/// Print what an app's container has printed, or with --build what the build of its image has
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("project", |project| project.help(EVERY_PROJECT)))]
pub struct LogsCommand {
    /// The app, NAME or NAMESPACE/NAME
    #[arg(value_name = "NAME")]
    name: String,

    /// Go on with what it prints from now on, also when the container is replaced, until Ctrl-C or its end
    #[arg(short, long)]
    follow: bool,

    /// What the newest build of its image has printed, also when it failed
    #[arg(long, conflicts_with = "follow")]
    build: bool,

    /// With --build: of this revision; longshore history lists them
    #[arg(long, value_name = "NUMBER", requires = "build")]
    revision: Option<i64>,

    /// Only so many of the last lines
    #[arg(long, value_name = "LINES")]
    tail: Option<usize>,

    /// File or folder of resources that name the project and its engines; default: every project on the engine
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    project: ProjectOptions,
}

impl LogsCommand {
    /// Prints until the log's end, or with `-f` until the app's.
    pub async fn run(self) -> Result<(), Failure> {
        let session = Session::open(&self.files, &self.project)?;
        if self.build {
            let revisions = recorded(&session, &self.project, &self.files, &self.name)?;
            let log = build_log(&revisions, &self.name, self.revision)?;
            return Ok(output::piece(last_lines(&log, self.tail).as_bytes())?);
        }
        let whose = super::whose(&session, &self.project, &self.files);
        let app = App::find(session.engines().await?, &whose, &self.name).await?;
        let mut wanted = app.first().await?;
        let mut options = LogOptions { follow: self.follow, tail: self.tail, since: None };
        loop {
            app.print(&wanted, &options).await?;
            if !self.follow {
                return Ok(());
            }
            let Some(next) = app.next_after(&wanted, &self.name).await? else {
                return Ok(());
            };
            // A container that was started again has told the rest already.
            options = LogOptions { tail: None, since: app.restarted_at(&wanted, &next).await?, ..options };
            wanted = next;
        }
    }
}

/// An app on the engine that has its containers.
struct App {
    engine: Arc<dyn Engine>,
    uid: String,
}

impl App {
    async fn find(engines: Vec<Arc<dyn Engine>>, whose: &Whose, name: &str) -> Result<Self, Failure> {
        let mut found: BTreeMap<(String, String), Arc<dyn Engine>> = BTreeMap::new();
        for engine in engines {
            let containers = engine.list_containers().await?;
            for container in containers.iter().filter(|container| whose.includes(container)) {
                if let Some((uid, project)) = owner(container, name) {
                    found.insert((uid, project), Arc::clone(&engine));
                }
            }
        }
        if found.len() > 1 {
            let projects: Vec<&str> = found.keys().map(|(_, project)| project.as_str()).collect();
            return Err(Failure::BadInput(format!(
                "\"{name}\" is an app of several projects: {}; choose one with --project",
                projects.join(", ")
            )));
        }
        match found.into_iter().next() {
            Some(((uid, _), engine)) => Ok(Self { engine, uid }),
            None => Err(Failure::Failed(format!(
                "there is no container of an app \"{name}\"; longshore ps -a lists the apps that have one"
            ))),
        }
    }

    async fn containers(&self) -> Result<Vec<Container>, EngineError> {
        let mut containers = self.engine.list_containers().await?;
        containers.retain(|container| container.labels.get(labels::OWNER_UID) == Some(&self.uid));
        Ok(containers)
    }

    /// The container that serves, or else the one that served last.
    async fn first(&self) -> Result<ContainerId, Failure> {
        let containers = self.containers().await?;
        let best = containers.iter().max_by_key(|container| {
            (is_up(container.state), container.state != ContainerState::Created, container.created_at)
        });
        best.map(|container| container.id.clone())
            .ok_or_else(|| Failure::Failed("the app's container has just been removed; try again".to_owned()))
    }

    async fn print(&self, id: &ContainerId, options: &LogOptions) -> Result<(), Failure> {
        let mut log = self.engine.logs(id, options);
        while let Some(chunk) = log.next().await {
            match chunk {
                Ok(chunk) if chunk.is_stderr => output::error_piece(&chunk.bytes)?,
                Ok(chunk) => output::piece(&chunk.bytes)?,
                Err(error @ EngineError::Unreachable { .. }) => return Err(error.into()),
                // It is being removed, or is gone: that is its end.
                Err(_) if options.follow => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The container to go on with; `None` when the app has ended.
    async fn next_after(&self, ended: &ContainerId, name: &str) -> Result<Option<ContainerId>, Failure> {
        let mut has_told = false;
        loop {
            // The engine still lists a container for a moment after its end as what it was.
            tokio::time::sleep(LOOK_FOR_NEXT).await;
            match next(&self.containers().await?, ended) {
                Next::GoOn(id) => return Ok(Some(id)),
                Next::Ended => {
                    output::note(&format!("{name} has ended"));
                    return Ok(None);
                }
                Next::Wait if !has_told => {
                    output::note(&format!("waiting for the next container of {name}; Ctrl-C ends"));
                    has_told = true;
                }
                Next::Wait => {}
            }
        }
    }

    /// When the engine has started the same container again, the time of its last end, by the engine's own clock.
    async fn restarted_at(&self, ended: &ContainerId, next: &ContainerId) -> Result<Option<Timestamp>, Failure> {
        if ended != next {
            return Ok(None);
        }
        let inspected = self.engine.inspect_container(next).await?;
        Ok(inspected.and_then(|container| container.detail).and_then(|detail| detail.finished_at))
    }
}

/// The UID and the project of the app that made a container, if the app is called so.
fn owner(container: &Container, name: &str) -> Option<(String, String)> {
    let (namespace, own_name) = container.resource()?;
    let key = AppKey { namespace: namespace.to_owned(), name: own_name.to_owned() };
    let label = |label: &str| container.labels.get(label).cloned();
    is_called(&key, name).then_some(())?;
    Some((label(labels::OWNER_UID)?, label(labels::INSTANCE)?))
}

fn is_up(state: ContainerState) -> bool {
    matches!(state, ContainerState::Running | ContainerState::Restarting | ContainerState::Paused)
}

/// So many of the last lines of a text, or all of it.
fn last_lines(text: &str, lines: Option<usize>) -> &str {
    let Some(lines) = lines else {
        return text;
    };
    let starts = text.split_inclusive('\n').scan(0, |end, line| {
        *end += line.len();
        Some(*end - line.len())
    });
    let starts: Vec<usize> = starts.collect();
    let first = starts.len().checked_sub(lines).map_or(Some(0), |skipped| starts.get(skipped).copied());
    first.map_or("", |first| &text[first..])
}

/// What comes after a container's end.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// This container.
    GoOn(ContainerId),
    /// One is being made, or is about to be.
    Wait,
    /// Nothing: the container is still there, alone, and does not run.
    Ended,
}

/// While a container is replaced, the new one is there before the old one has ended, so one that has ended and is
/// alone is not being replaced. One that is gone was removed by someone, and whoever keeps the app makes another.
fn next(containers: &[Container], ended: &ContainerId) -> Next {
    let running = containers.iter().filter(|container| is_up(container.state));
    if let Some(container) = running.max_by_key(|container| container.created_at) {
        return Next::GoOn(container.id.clone());
    }
    match containers {
        [only] if only.id == *ended => Next::Ended,
        _ => Next::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Digest;

    fn container(id: &str, state: ContainerState) -> Container {
        Container {
            id: ContainerId(id.to_owned()),
            name: id.to_owned(),
            image: crate::app::EngineImageId(Digest::of("image")),
            labels: BTreeMap::new(),
            state,
            ports: Vec::new(),
            health: None,
            networks: BTreeMap::new(),
            created_at: Timestamp::UNIX_EPOCH,
            detail: None,
        }
    }

    fn after_old(containers: &[Container]) -> Next {
        next(containers, &ContainerId("old".to_owned()))
    }

    #[test]
    fn the_last_lines_are_so_many() {
        let text = "one\ntwo\nthree\n";
        assert_eq!(last_lines(text, None), text);
        assert_eq!(last_lines(text, Some(2)), "two\nthree\n");
        assert_eq!(last_lines(text, Some(5)), text);
        assert_eq!(last_lines(text, Some(0)), "");
    }

    #[test]
    fn a_replacement_that_runs_is_followed() {
        let containers = [container("old", ContainerState::Exited), container("new", ContainerState::Running)];
        assert_eq!(after_old(&containers), Next::GoOn(ContainerId("new".to_owned())));
    }

    #[test]
    fn a_replacement_that_does_not_run_yet_is_waited_for() {
        let containers = [container("old", ContainerState::Exited), container("new", ContainerState::Created)];
        assert_eq!(after_old(&containers), Next::Wait);
        assert_eq!(after_old(&containers[1..]), Next::Wait);
    }

    #[test]
    fn a_container_that_the_engine_has_started_again_is_followed_again() {
        let containers = [container("old", ContainerState::Restarting)];
        assert_eq!(after_old(&containers), Next::GoOn(ContainerId("old".to_owned())));
    }

    #[test]
    fn a_container_that_was_removed_is_waited_for() {
        assert_eq!(after_old(&[]), Next::Wait);
    }

    #[test]
    fn a_container_that_has_ended_alone_is_the_end() {
        assert_eq!(after_old(&[container("old", ContainerState::Exited)]), Next::Ended);
    }
}
