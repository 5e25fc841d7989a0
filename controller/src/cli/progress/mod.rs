//! What is told while work goes on: on a terminal with lines that move, elsewhere one plain line after another.

mod plain;
mod telling;
mod terminal;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use crate::reconcile::{AppKey, Report, Reporter};

use super::name_of;
use plain::PlainReporter;
use terminal::TerminalReporter;

/// A reporter that suits the standard error that there is.
pub fn reporter(keys: &[AppKey]) -> Arc<ProgressReporter> {
    let names = Names::of(keys);
    Arc::new(if io::stderr().is_terminal() {
        ProgressReporter::Terminal(TerminalReporter::new(names))
    } else {
        ProgressReporter::Plain(PlainReporter::new(names))
    })
}

/// Tells what is done.
pub enum ProgressReporter {
    /// On a terminal.
    Terminal(TerminalReporter),
    /// Anywhere else.
    Plain(PlainReporter),
}

impl ProgressReporter {
    /// Ends what moves, so that other lines can follow.
    pub fn finish(&self) {
        if let Self::Terminal(reporter) = self {
            reporter.finish();
        }
    }
}

impl Reporter for ProgressReporter {
    fn report(&self, key: &AppKey, report: Report<'_>) {
        match self {
            Self::Terminal(reporter) => reporter.report(key, report),
            Self::Plain(reporter) => reporter.report(key, report),
        }
    }
}

/// The apps' names, all as wide as the widest.
pub struct Names(BTreeMap<AppKey, String>);

impl Names {
    fn of(keys: &[AppKey]) -> Self {
        let width = keys.iter().map(|key| name_of(key).chars().count()).max().unwrap_or(0);
        Self(keys.iter().map(|key| (key.clone(), format!("{:<width$}", name_of(key)))).collect())
    }

    fn get(&self, key: &AppKey) -> String {
        self.0.get(key).cloned().unwrap_or_else(|| name_of(key))
    }
}
