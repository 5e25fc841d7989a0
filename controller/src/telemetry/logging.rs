//! The process's log, on standard error.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Plain,
    /// One JSON object for each line, for programs that collect logs.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct LogOptions {
    /// What is logged: a level, or levels by module, such as info,longshore=debug
    #[arg(long = "log", env = "LONGSHORE_LOG", value_name = "FILTER", default_value = "info")]
    pub filter: String,

    /// How a line is written
    #[arg(long = "log-format", env = "LONGSHORE_LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub format: LogFormat,
}

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is none.
    #[error("--log: {filter:?} is not a filter: {source}; a level such as info, or info,longshore=debug, is one")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The process logs already.
    #[error("the log was started twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts the log of this process. It can be started once.
pub fn start_logging(options: &LogOptions) -> Result<(), LoggingError> {
    let filter = filter_of(options)?;
    // tracing-subscriber heeds NO_COLOR by itself, and asks nobody whether this is a terminal.
    let has_colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(has_colours);
    match options.format {
        LogFormat::Plain => builder.finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

fn filter_of(options: &LogOptions) -> Result<EnvFilter, LoggingError> {
    EnvFilter::builder()
        .parse(&options.filter)
        .map_err(|source| LoggingError::Filter { filter: options.filter.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(filter: &str) -> LogOptions {
        LogOptions { filter: filter.to_owned(), format: LogFormat::Plain }
    }

    #[test]
    fn a_filter_that_is_none_is_named_with_what_is_one() {
        let error = filter_of(&options("longshore=loud")).unwrap_err().to_string();
        assert!(error.starts_with("--log: \"longshore=loud\" is not a filter"), "{error}");
        assert!(error.contains("info,longshore=debug"), "{error}");
    }

    #[test]
    fn levels_by_module_are_a_filter() {
        assert!(filter_of(&options("warn,longshore=debug")).is_ok());
    }
}
