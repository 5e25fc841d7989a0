//! The command line: one file for each command.

mod controller;
mod down;
mod drive;
mod failure;
mod found;
mod history;
mod images;
mod logs;
mod options;
mod output;
mod plan;
mod progress;
mod ps;
mod recorded;
mod session;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::reconcile::AppKey;
use crate::standalone::DEFAULT_NAMESPACE;
use crate::telemetry::{LogFormat, LogOptions, start_logging};

use failure::Failure;
use found::Whose;
use options::ProjectOptions;
use session::Session;

pub use controller::ControllerCommand;

/// The variable that says what a command of standalone mode logs beside what it tells; nothing when it is not set.
const LOG_VARIABLE: &str = "LONGSHORE_LOG";

/// From Dockerfile to running container, with a Kubernetes cluster and without one
#[derive(Debug, Parser)]
#[command(name = "longshore", version)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::UpCommand),
    Down(down::DownCommand),
    Plan(plan::PlanCommand),
    Ps(ps::PsCommand),
    Images(images::ImagesCommand),
    Logs(logs::LogsCommand),
    History(history::HistoryCommand),
    Controller(ControllerCommand),
}

impl CommandLine {
    /// Runs the command: 0 when it is done, 1 when the work failed, 2 for bad input, and 3 from `plan --exit-code`
    /// when there is something to do.
    pub async fn run(self) -> ExitCode {
        match self.command.run().await {
            Ok(code) => code,
            Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
            Err(failure) => {
                if !matches!(failure, Failure::Told) {
                    output::note(&failure.to_string());
                }
                failure.exit_code()
            }
        }
    }
}

impl Command {
    async fn run(self) -> Result<ExitCode, Failure> {
        if !matches!(self, Self::Controller(_)) {
            start_quiet_logging()?;
        }
        match self {
            Self::Up(command) => command.run().await?,
            Self::Down(command) => command.run().await?,
            Self::Plan(command) => return command.run().await,
            Self::Ps(command) => command.run().await?,
            Self::Images(command) => command.run().await?,
            Self::Logs(command) => command.run().await?,
            Self::History(command) => command.run()?,
            Self::Controller(command) => command.run().await.map_err(Failure::Failed)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn start_quiet_logging() -> Result<(), Failure> {
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| "off".to_owned());
    let options = LogOptions { filter, format: LogFormat::Plain };
    start_logging(&options).map_err(|error| Failure::BadInput(error.to_string()))
}

/// An app's name as people write it: without the namespace where that is the default one.
fn name_of(key: &AppKey) -> String {
    if key.namespace == DEFAULT_NAMESPACE { key.name.clone() } else { key.to_string() }
}

/// Whether people call an app so: by its name alone, or with its namespace in front.
fn is_called(key: &AppKey, name: &str) -> bool {
    key.name == name || key.to_string() == name
}

/// Whose things a command lists: the project's where one is named or meant by files, and everyone's otherwise.
fn whose(session: &Session, options: &ProjectOptions, files: &[PathBuf]) -> Whose {
    if options.project.is_some() || !files.is_empty() {
        Whose::Of(session.project().instance().clone())
    } else {
        Whose::Everyones
    }
}
