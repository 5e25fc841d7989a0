//! What the classic builder tells of a build: lines of text.

use std::time::{Duration, Instant};

use longshore_crds::BuildFailure;

use super::build_trace::tail;
use crate::engine::{BuildReport, Progress, StepState};

/// The steps that were seen so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: String,
    step: Option<(usize, usize, String)>,
    began: Option<Instant>,
    is_cached: bool,
    has_pulled: bool,
    log: String,
    report: BuildReport,
}

impl Lines {
    /// Takes in a piece of the stream, and gives what is new in it.
    pub(super) fn take(&mut self, piece: &str) -> Vec<Progress> {
        self.rest.push_str(piece);
        let mut progress = Vec::new();
        while let Some(end) = self.rest.find('\n') {
            let line = self.rest.drain(..=end).collect::<String>();
            progress.extend(self.take_line(line.trim_end()));
        }
        progress
    }

    /// Notes that the engine pulls something: the base image was not at hand.
    pub(super) fn note_pull(&mut self) {
        self.has_pulled = true;
    }

    fn take_line(&mut self, line: &str) -> Vec<Progress> {
        if let Some((number, total, name)) = parse_step(line) {
            let mut progress: Vec<_> = self.end(None).into_iter().collect();
            self.log.clear();
            self.began = Some(Instant::now());
            self.report.steps = number;
            self.step = Some((number, total, name.clone()));
            progress.push(Progress::BuildStep { number, total, name, state: StepState::Started });
            return progress;
        }
        match line.trim() {
            " ---> Using cache" | "---> Using cache" => self.is_cached = true,
            // IDs of layers and of intermediate containers.
            other if other.starts_with("---> ") || other.starts_with("Removing intermediate container") => {}
            "" => {}
            _ => {
                self.log.push_str(line);
                self.log.push('\n');
                return vec![Progress::BuildLog { line: line.to_owned() }];
            }
        }
        Vec::new()
    }

    /// The end of the step that runs: well, or failed.
    pub(super) fn end(&mut self, failed: Option<StepState>) -> Option<Progress> {
        let (number, total, name) = self.step.take()?;
        let is_at_hand = name.starts_with("FROM ") && !self.has_pulled;
        let is_cached = std::mem::take(&mut self.is_cached) || is_at_hand;
        self.has_pulled = false;
        let duration = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        let state = failed.unwrap_or(if is_cached { StepState::Cached } else { StepState::Done { duration } });
        if state == StepState::Cached {
            self.report.cached_steps += 1;
        }
        Some(Progress::BuildStep { number, total, name, state })
    }

    pub(super) fn report(&self) -> BuildReport {
        self.report.clone()
    }

    /// The failure of the step that runs, with the engine's message.
    pub(super) fn failure(&self, message: &str) -> BuildFailure {
        BuildFailure {
            step: self.step.as_ref().map(|(_, _, name)| name.clone()),
            exit_code: exit_code(message),
            log_tail: tail(&self.log),
        }
    }
}

/// `Step 2/4 : WORKDIR /app`
fn parse_step(line: &str) -> Option<(usize, usize, String)> {
    let (numbers, name) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, total) = numbers.split_once('/')?;
    Some((number.parse().ok()?, total.parse().ok()?, name.to_owned()))
}

/// `The command '/bin/sh -c exit 7' returned a non-zero code: 7`
fn exit_code(message: &str) -> Option<i64> {
    message.rsplit_once("returned a non-zero code: ")?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: &str = "Step 1/3 : FROM node:6\n ---> 0123456789ab\nStep 2/3 : WORKDIR /app\n ---> Using cache\n ---> \
                         1123456789ab\nStep 3/3 : RUN echo hi\n ---> Running in 2123\nhi\n";

    #[test]
    fn steps_are_counted_and_cached_ones_marked() {
        let mut lines = Lines::default();
        // Pieces end where they will.
        let (first, second) = BUILD.split_at(30);
        lines.take(first);
        lines.take(second);
        lines.end(None);
        assert_eq!(lines.report(), BuildReport { steps: 3, cached_steps: 2 });
    }

    #[test]
    fn a_failing_step_names_itself_its_exit_code_and_its_last_words() {
        let mut lines = Lines::default();
        lines.take(BUILD);
        let failure = lines.failure("The command '/bin/sh -c echo hi' returned a non-zero code: 7");
        assert_eq!(failure.step.as_deref(), Some("RUN echo hi"));
        assert_eq!((failure.exit_code, failure.log_tail.as_str()), (Some(7), "hi\n"));
    }

    #[test]
    fn a_base_image_that_is_pulled_is_not_cached() {
        let mut lines = Lines::default();
        lines.take("Step 1/1 : FROM node:6\n");
        lines.note_pull();
        lines.end(None);
        assert_eq!(lines.report(), BuildReport { steps: 1, cached_steps: 0 });
    }
}
