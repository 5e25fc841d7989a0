//! What the classic builder tells of a build: lines, among them `Step 2/4 : WORKDIR /app`.

use std::time::Instant;

use super::super::outcome::{Broken, exit_code};
use super::super::tail::Output;
use super::ClassicMessage;
use crate::engine::{BuildReport, Progress, StepState};

/// The builder writes standard error in bright red.
const COLOURS: [&str; 2] = ["\u{1b}[91m", "\u{1b}[0m"];

/// What was understood of the lines so far.
#[derive(Debug)]
pub(in super::super) struct ClassicTrace {
    ends_with_labels: bool,
    lines: Output,
    current: Option<CurrentStep>,
    report: BuildReport,
}

#[derive(Debug)]
struct CurrentStep {
    number: usize,
    total: usize,
    instruction: String,
    started: Instant,
    is_cached: bool,
    has_run: bool,
    output: Output,
}

impl ClassicTrace {
    /// A trace in which the last step may be one that the builder made of labels, which the Dockerfile does not have.
    pub(in super::super) fn new(ends_with_labels: bool) -> Self {
        Self { ends_with_labels, lines: Output::default(), current: None, report: BuildReport::default() }
    }

    /// Takes a message and gives what is new.
    pub(in super::super) fn read(&mut self, message: ClassicMessage, now: Instant) -> Vec<Progress> {
        let mut told = Vec::new();
        if let Some(stream) = message.stream {
            for line in self.lines.push(without_colours(&stream).as_bytes()) {
                told.extend(self.read_line(line, now));
            }
        }
        // A status is that of a base image which is pulled; those of its layers have an ID.
        if let Some(status) = message.status {
            if let Some(step) = &mut self.current {
                step.is_cached = false;
            }
            if message.id.is_none() {
                told.push(Progress::BuildLog { line: status });
            }
        }
        told
    }

    /// Ends the last step.
    pub(in super::super) fn finish(&mut self, has_failed: bool, now: Instant) -> Vec<Progress> {
        let last_line = self.lines.finish();
        let mut told: Vec<Progress> = last_line.into_iter().flat_map(|line| self.read_line(line, now)).collect();
        if has_failed {
            told.extend(self.tell(|_| StepState::Failed));
        } else {
            told.extend(self.end_step(now));
        }
        told
    }

    /// How many steps there were, and how many came from the cache.
    pub(in super::super) fn report(&self) -> BuildReport {
        self.report.clone()
    }

    /// Where the build stood when it failed with this message.
    pub(in super::super) fn broken(&self, message: &str) -> Broken {
        let Some(step) = &self.current else {
            return Broken::default();
        };
        let image = step.instruction.strip_prefix("FROM ");
        let image = image.and_then(|image| image.split_whitespace().next());
        Broken {
            step: Some(step.instruction.clone()),
            cause: None,
            frontend: None,
            generator: None,
            base_image: image.filter(|_| exit_code(message).is_none()).map(str::to_owned),
            log_tail: step.output.tail().to_owned(),
        }
    }

    fn read_line(&mut self, line: String, now: Instant) -> Vec<Progress> {
        if let Some((number, total, instruction)) = step(&line).filter(|step| self.is_next(step)) {
            return self.begin_step(number, total, instruction, now);
        }
        let Some(step) = &mut self.current else {
            return Vec::new();
        };
        // The builder's own lines, until the step's program runs; from then on the program could print the same.
        if !step.has_run {
            step.is_cached |= line == " ---> Using cache";
            step.has_run = line.starts_with(" ---> Running in ");
            return Vec::new();
        }
        if is_builders_own(&line) {
            return Vec::new();
        }
        step.output.push(format!("{line}\n").as_bytes());
        vec![Progress::BuildLog { line }]
    }

    /// Whether this is the builder's next step, and no line of a program that builds something itself.
    fn is_next(&self, step: &(usize, usize, &str)) -> bool {
        let previous = self.current.as_ref().map_or(0, |step| step.number);
        step.0 == previous + 1 && step.0 <= step.1
    }

    fn begin_step(&mut self, number: usize, total: usize, instruction: &str, now: Instant) -> Vec<Progress> {
        let mut told: Vec<Progress> = self.end_step(now).into_iter().collect();
        if self.ends_with_labels && number == total {
            return told;
        }
        self.report.steps += 1;
        self.current = Some(CurrentStep {
            number,
            total: total - usize::from(self.ends_with_labels),
            instruction: instruction.to_owned(),
            started: now,
            is_cached: instruction.to_ascii_uppercase().starts_with("FROM "),
            has_run: false,
            output: Output::default(),
        });
        told.extend(self.tell(|_| StepState::Started));
        told
    }

    fn end_step(&mut self, now: Instant) -> Option<Progress> {
        let told = self.tell(|step| {
            if step.is_cached {
                StepState::Cached
            } else {
                let duration = now.duration_since(step.started);
                StepState::Done { duration }
            }
        });
        let is_cached = self.current.take().is_some_and(|step| step.is_cached);
        self.report.cached_steps += usize::from(is_cached);
        told
    }

    fn tell(&self, state: impl FnOnce(&CurrentStep) -> StepState) -> Option<Progress> {
        self.current.as_ref().map(|step| Progress::BuildStep {
            number: step.number,
            total: step.total,
            name: step.instruction.clone(),
            state: state(step),
        })
    }
}

/// Takes `Step 2/4 : WORKDIR /app` apart.
fn step(line: &str) -> Option<(usize, usize, &str)> {
    let (place, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, total) = place.split_once('/')?;
    Some((number.parse().ok()?, total.parse().ok()?, instruction))
}

/// What the builder says between the output of two steps and at the end.
fn is_builders_own(line: &str) -> bool {
    [" ---> ", "Removing intermediate container ", "Successfully built ", "Successfully tagged "]
        .iter()
        .any(|start| line.starts_with(start))
}

fn without_colours(text: &str) -> String {
    COLOURS.iter().fold(text.to_owned(), |text, colour| text.replace(colour, ""))
}
