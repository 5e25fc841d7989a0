//! A container engine in memory, for tests: it answers as a Docker Engine does, at once, and can be told to fail.
//!
//! # Guarantees
//! - Names, references, host ports, exit codes and restarts follow what Docker Engine 20.10 and 29 were seen to do.
//!   Which of the two decides the image store: with a graph driver's store an image's ID is its config digest and a
//!   start that failed at a port may be repeated; with containerd's store the ID is the digest of a manifest or an
//!   index, and a container whose start failed at a port runs without its ports from then on.
//! - Nothing happens by itself but what is due by the [`TestClock`]: a program's end, a restart, a health check.
//! - What a container does is decided by its command: `/bin/sh -c` and a script of `echo`, `sleep`, `exit`, `true`,
//!   `false` and `trap '…' TERM` does what it says; anything else runs until it is stopped, and is then killed (137)
//!   unless it traps the signal; a program in the folder `/missing/` is in no image.
//! - A health check has the outcome that its command's script has, until a test sets another one.
//! - A build reads its context and its Dockerfile, and takes steps from its cache when everything before them is the
//!   same. The same content gives the same digests on every engine.
//!
//! # Caveats
//! No time passes in a call: the grace period of a stop is not waited for.

mod api;
mod build;
mod by_hand;
mod clock;
mod container;
mod context;
mod dockerfile;
mod faults;
mod health;
mod images;
mod logs;
mod networks;
mod ports;
mod program;
mod state;
mod transfer;
mod transmitter;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::EngineError;
use crate::app::{Container, Image, ImageReference, ImageStore, Network, Volume};
use crate::registry::memory::MemoryRegistry;

pub use clock::TestClock;
pub use faults::{Gate, Operation};

use faults::Faults;
use state::State;

/// An engine in memory. Clones are the same engine.
#[derive(Clone)]
pub struct MemoryEngine {
    id: Arc<str>,
    kind: ImageStore,
    clock: TestClock,
    registry: MemoryRegistry,
    state: Arc<Mutex<State>>,
    faults: Arc<Mutex<Faults>>,
    /// Hears of every change, for those who follow a log.
    changes: Arc<watch::Sender<u64>>,
}

impl MemoryEngine {
    /// An empty engine with this kind of image store, which reaches these registries.
    pub fn new(kind: ImageStore, clock: &TestClock, registry: &MemoryRegistry) -> Self {
        static ENGINES: AtomicU64 = AtomicU64::new(1);
        let id = format!("memory-{}", ENGINES.fetch_add(1, Ordering::Relaxed));
        Self {
            state: Arc::new(Mutex::new(State::new(&id, kind))),
            id: id.into(),
            kind,
            clock: clock.clone(),
            registry: registry.clone(),
            faults: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// An address for the `ContainerEngine` that stands for this engine. Nothing listens there.
    pub fn endpoint(&self) -> String {
        format!("unix:///run/{}.sock", self.id)
    }

    /// The containers with their detail, the newest first. No call is counted.
    pub fn containers(&self) -> Vec<Container> {
        self.look(|state| state.containers().map(container::MemoryContainer::inspected).collect())
    }

    /// The container of this name, with its detail. No call is counted.
    pub fn container(&self, name: &str) -> Option<Container> {
        self.look(|state| state.named(name).map(container::MemoryContainer::inspected))
    }

    /// The volumes that stay. No call is counted.
    pub fn volumes(&self) -> Vec<Volume> {
        self.look(State::listed_volumes)
    }

    /// The networks. No call is counted.
    pub fn networks(&self) -> Vec<Network> {
        self.look(|state| state.networks.listed())
    }

    /// The running containers that are found by a name in a network. No call is counted.
    pub fn found_by(&self, network: &str, alias: &str) -> Vec<Container> {
        self.look(|state| {
            let found = state.containers().filter(|container| container.is_found_by(network, alias));
            found.map(container::MemoryContainer::inspected).collect()
        })
    }

    /// Every image, those that nothing refers to included. No call is counted.
    pub fn images(&self) -> Vec<Image> {
        self.look(|state| state.images.all())
    }

    /// The image that a reference points at. No call is counted.
    pub fn image(&self, reference: &ImageReference) -> Option<Image> {
        self.images().into_iter().find(|image| image.has(reference))
    }

    /// How many calls have only read, those that failed included.
    pub fn reads(&self) -> usize {
        self.faults().reads
    }

    /// The calls that change something, in order, as `start container my-app`, those that failed included.
    pub fn mutations(&self) -> Vec<String> {
        self.faults().mutations.clone()
    }

    /// The calls that were dropped before they had ended, as in [`MemoryEngine::mutations`]. They had no effect.
    pub fn cancelled(&self) -> Vec<String> {
        self.faults().cancelled.clone()
    }

    /// Lets the next call of an operation fail, without an effect. Several failures are used up in their order.
    pub fn fail_next(&self, operation: Operation, error: EngineError) {
        self.faults().fail_next(operation, error);
    }

    /// Lets the next call of an operation that succeeds have its effect and fail nevertheless: its outcome is unknown
    /// to the caller. Reads are not concerned.
    pub fn lose_next_answer(&self, operation: Operation, error: EngineError) {
        self.faults().lose_next_answer(operation, error);
    }

    /// Holds back every call of an operation that begins from now on, before its effect, until the gate is opened.
    pub fn close_gate(&self, operation: Operation) -> Gate {
        self.faults().close(operation)
    }

    /// Lets every call fail with [`EngineError::Unreachable`], and ends every stream.
    pub fn down(&self) {
        self.faults().is_down = true;
        self.change(|state| state.events.disconnect());
    }

    /// Lets the engine answer again. Its containers have run on meanwhile.
    pub fn up(&self) {
        self.faults().is_down = false;
    }

    /// Lets every event be lost, or told again.
    pub fn set_events_lost(&self, are_lost: bool) {
        self.change(|state| state.events.is_mute = are_lost);
    }

    fn is_down(&self) -> bool {
        self.faults().is_down
    }

    /// Lets what is due happen, and then looks.
    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.settled())
    }

    /// Lets what is due happen, and then this. Those who follow a log hear of it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.settled());
        self.changes.send_modify(|number| *number += 1);
        result
    }

    fn settled(&self) -> MutexGuard<'_, State> {
        // A test that failed while it held the lock left nothing half done.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(self.clock.now());
        state
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
