//! On a terminal: lines that stay, and below them one that moves for each step and for each layer on its way.
//! `NO_COLOR` is honoured: nothing here has a colour.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::app::Step;
use crate::engine::{LayerState, Progress, StepState};
use crate::reconcile::{AppKey, Report, Reporter};

use super::Names;
use super::telling::{Teller, subject, word};

/// How often what moves does so.
const TICK: Duration = Duration::from_millis(120);

/// Prints lines above what moves.
pub struct TerminalReporter {
    names: Names,
    teller: Teller,
    screen: MultiProgress,
    moving: Mutex<Moving>,
}

/// A step of an app. Only pushes go on side by side, and what they are about tells them apart.
type Work = (AppKey, String);

fn work(key: &AppKey, step: &Step) -> Work {
    (key.clone(), step.action.to_string())
}

#[derive(Default)]
struct Moving {
    steps: BTreeMap<Work, ProgressBar>,
    layers: BTreeMap<(Work, String), ProgressBar>,
}

impl TerminalReporter {
    /// A reporter for apps of these names.
    pub(super) fn new(names: Names) -> Self {
        Self { names, teller: Teller::default(), screen: MultiProgress::new(), moving: Mutex::default() }
    }

    /// Takes away what moves.
    pub(super) fn finish(&self) {
        let moving = std::mem::take(&mut *self.moving());
        for bar in moving.steps.into_values().chain(moving.layers.into_values()) {
            bar.finish_and_clear();
        }
    }

    fn moving(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: &AppKey, step: &Step) {
        let name = self.names.get(key);
        let bar = self.screen.add(ProgressBar::new_spinner().with_style(spinner()));
        bar.set_message(format!("{name}  {:<7} {}", word(&step.action), subject(&step.action)));
        bar.enable_steady_tick(TICK);
        if let Some(old) = self.moving().steps.insert(work(key, step), bar) {
            old.finish_and_clear();
        }
    }

    fn end(&self, key: &AppKey, step: &Step) {
        let work = work(key, step);
        let mut moving = self.moving();
        let layers: Vec<_> = moving.layers.keys().filter(|(owner, _)| *owner == work).cloned().collect();
        let layers = layers.iter().filter_map(|layer| moving.layers.remove(layer)).collect::<Vec<_>>();
        for bar in layers.into_iter().chain(moving.steps.remove(&work)) {
            bar.finish_and_clear();
        }
    }

    fn advance(&self, key: &AppKey, step: &Step, progress: &Progress) {
        match progress {
            Progress::BuildStep { number, total, name, state: StepState::Started } => {
                if let Some(bar) = self.moving().steps.get(&work(key, step)) {
                    let name_of_app = self.names.get(key);
                    bar.set_message(format!("{name_of_app}  {:<7} => [{number}/{total}] {name}", word(&step.action)));
                }
            }
            Progress::Layer { id, state } => self.advance_layer(key, step, id, state),
            _ => {}
        }
    }

    fn advance_layer(&self, key: &AppKey, step: &Step, id: &str, state: &LayerState) {
        let mut moving = self.moving();
        let layer = (work(key, step), id.to_owned());
        match state {
            LayerState::Transferring { current, total } => {
                let bar = moving.layers.entry(layer).or_insert_with(|| {
                    let bar = self.screen.add(ProgressBar::new(total.unwrap_or(0)).with_style(transfer()));
                    bar.set_message(format!("{}  {id}", self.names.get(key)));
                    bar
                });
                // Engines tell a little more than the whole at the end of a layer.
                bar.set_length(total.unwrap_or(*current).max(*current));
                bar.set_position(*current);
            }
            LayerState::Done | LayerState::Exists => {
                if let Some(bar) = moving.layers.remove(&layer) {
                    bar.finish_and_clear();
                }
            }
            LayerState::Other(_) => {}
        }
    }
}

impl Reporter for TerminalReporter {
    fn report(&self, key: &AppKey, report: Report<'_>) {
        match report {
            Report::StepStarted(step) if step.action.is_long() => self.begin(key, step),
            Report::StepDone(step, _) | Report::StepFailed(step, _) => self.end(key, step),
            Report::Progress(step, progress) => self.advance(key, step, progress),
            Report::StepStarted(_) | Report::Status(_) | Report::Event(_) | Report::DriftFound => {}
        }
        for line in self.teller.lines(key, report) {
            // A terminal that is gone has no reader.
            let _ = self.screen.println(line.of(&self.names.get(key)).trim_end());
        }
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn transfer() -> ProgressStyle {
    ProgressStyle::with_template("  {msg}  {bar:30} {decimal_bytes}/{decimal_total_bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
