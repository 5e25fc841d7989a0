//! One plain line after another, for logs and pipes.

use crate::cli::output;
use crate::reconcile::{AppKey, Report, Reporter};

use super::Names;
use super::telling::Teller;

/// Prints each line as it comes.
pub struct PlainReporter {
    names: Names,
    teller: Teller,
}

impl PlainReporter {
    /// A reporter for apps of these names.
    pub(super) fn new(names: Names) -> Self {
        Self { names, teller: Teller::default() }
    }
}

impl Reporter for PlainReporter {
    fn report(&self, key: &AppKey, report: Report<'_>) {
        for line in self.teller.lines(key, report) {
            output::note(line.of(&self.names.get(key)).trim_end());
        }
    }
}
