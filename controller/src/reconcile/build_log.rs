//! The log of a build, as plain lines, collected while it goes on: what is long is cut, what is secret is masked.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::masker::{MaskedLine, Masker};
use super::plain_text::plain;
use crate::engine::{Progress, StepState};

/// The longest log, in bytes. It is what a `ContainerAppRevision` may hold.
const LONGEST_LOG: usize = 256 * 1024;

/// The longest line, in bytes.
const LONGEST_LINE: usize = 4 * 1024;

/// What is kept free for the line that says what is left out.
const NOTE: usize = 128;

/// Engines cut a line that does not end into pieces of at least this size, so what follows a piece as long as that may
/// belong to it.
const PIECE: usize = 16 * 1024;

/// What a step tells while it is done, and hides what it must not tell. A step has one of its own.
pub(super) struct Transcript {
    masker: Arc<Masker>,
    log: Mutex<BuildLog>,
}

impl Transcript {
    /// The transcript of a step that knows these secrets.
    pub(super) fn new(masker: Masker) -> Self {
        let masker = Arc::new(masker);
        Self { log: Mutex::new(BuildLog::new(Arc::clone(&masker))), masker }
    }

    /// Takes what is told, and gives it back as others may hear it.
    pub(super) fn take(&self, progress: Progress) -> Progress {
        self.log().take(progress)
    }

    /// The whole log; `failure` is the sentence that says why there is no image.
    pub(super) fn finish(&self, failure: Option<&str>) -> Arc<str> {
        self.log().finish(failure)
    }

    /// A text as others may read it.
    pub(super) fn clean(&self, text: &str) -> String {
        clean(&self.masker, text)
    }

    /// The end of a longer text as others may read it.
    pub(super) fn clean_end(&self, text: &str) -> String {
        self.masker.mask_end(&clean(&self.masker, text))
    }

    fn log(&self) -> MutexGuard<'_, BuildLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clean(masker: &Masker, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| masker.mask(&plain(line)).into_owned()).collect();
    lines.join("\n")
}

/// Collects the log of one build.
struct BuildLog {
    masker: Arc<Masker>,
    lines: Lines,
    /// A line of output that has come in part only.
    unfinished: Option<MaskedLine>,
    /// The steps whose name was told.
    told: BTreeSet<usize>,
    /// The steps that are under way.
    running: BTreeSet<usize>,
}

impl BuildLog {
    fn new(masker: Arc<Masker>) -> Self {
        Self { masker, lines: Lines::default(), unfinished: None, told: BTreeSet::new(), running: BTreeSet::new() }
    }

    /// Takes what a build tells, and gives it back with secrets masked; nothing of a line whose end is yet to come.
    fn take(&mut self, progress: Progress) -> Progress {
        match progress {
            Progress::BuildStep { number, total, name, state } => {
                let name = clean(&self.masker, &name);
                self.step(number, total, &name, state);
                Progress::BuildStep { number, total, name, state }
            }
            Progress::BuildLog { line } => {
                let line = self.output(&line);
                Progress::BuildLog { line }
            }
            Progress::Message { line } => {
                let line = clean(&self.masker, &line);
                self.end_output();
                self.lines.push(&line);
                Progress::Message { line }
            }
            Progress::ContextSent { .. } | Progress::Layer { .. } => progress,
        }
    }

    /// The whole log; `failure` is the sentence that says why there is no image.
    fn finish(&mut self, failure: Option<&str>) -> Arc<str> {
        self.end_output();
        if let Some(failure) = failure {
            let failure = clean(&self.masker, failure);
            self.lines.push(&format!("ERROR: {failure}"));
        }
        self.lines.text().into()
    }

    fn step(&mut self, number: usize, total: usize, name: &str, state: StepState) {
        self.end_output();
        if self.told.insert(number) {
            self.lines.push(&format!("#{number} [{number}/{total}] {name}"));
        }
        let end = match state {
            StepState::Started => {
                self.running.insert(number);
                return;
            }
            StepState::Cached => "CACHED".to_owned(),
            StepState::Done { duration } => format!("DONE {:.1}s", duration.as_secs_f64()),
            StepState::Failed => "ERROR".to_owned(),
        };
        self.running.remove(&number);
        self.lines.push(&format!("#{number} {end}"));
    }

    /// A line of output, or a piece of one.
    fn output(&mut self, line: &str) -> String {
        let is_piece = line.len() >= PIECE;
        let mut unfinished = self.unfinished.take().unwrap_or_default();
        let mut told = unfinished.push(&self.masker, &plain(line));
        if is_piece {
            self.unfinished = Some(unfinished);
        } else {
            told += &unfinished.finish(&self.masker);
        }
        self.push_output(&told);
        told
    }

    fn end_output(&mut self) {
        if let Some(mut unfinished) = self.unfinished.take() {
            let rest = unfinished.finish(&self.masker);
            self.push_output(&rest);
        }
    }

    /// Engines do not say which step has printed a line. It is certain only when one alone is under way.
    fn push_output(&mut self, text: &str) {
        let mut running = self.running.iter();
        match (running.next(), running.next()) {
            (Some(only), None) => self.lines.push(&format!("#{only}   {text}")),
            _ => self.lines.push(&format!("#    {text}")),
        }
    }
}

/// The first and the last lines, and how much there was in between.
#[derive(Default)]
struct Lines {
    head: String,
    /// Nothing is added to the head any more.
    head_is_full: bool,
    tail: VecDeque<String>,
    tail_bytes: usize,
    omitted_count: usize,
    omitted_bytes: usize,
}

impl Lines {
    fn push(&mut self, text: &str) {
        for line in text.split('\n') {
            self.push_line(cut(line));
        }
    }

    fn push_line(&mut self, mut line: String) {
        line.push('\n');
        self.head_is_full |= self.head.len() + line.len() > LONGEST_LOG / 2;
        if !self.head_is_full {
            self.head.push_str(&line);
            return;
        }
        self.tail_bytes += line.len();
        self.tail.push_back(line);
        while self.tail_bytes > LONGEST_LOG / 2 - NOTE
            && let Some(oldest) = self.tail.pop_front()
        {
            self.tail_bytes -= oldest.len();
            self.omitted_bytes += oldest.len();
            self.omitted_count += 1;
        }
    }

    fn text(&self) -> String {
        let mut text = self.head.clone();
        if self.omitted_count > 0 {
            let (lines, bytes) = (self.omitted_count, self.omitted_bytes);
            text.extend(["… ", &format!("{lines} lines, {bytes} bytes, are left out here"), " …\n"]);
        }
        text.extend(self.tail.iter().map(String::as_str));
        text
    }
}

/// A line of at most 4 KiB, that says how much of it is missing.
fn cut(line: &str) -> String {
    if line.len() <= LONGEST_LINE {
        return line.to_owned();
    }
    let end = line.floor_char_boundary(LONGEST_LINE - NOTE);
    format!("{}… {} bytes more", &line[..end], line.len() - end)
}

#[cfg(test)]
#[path = "build_log_tests.rs"]
mod tests;
