//! What a test lets go wrong at the engine in memory, and what it counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;

use crate::engine::EngineError;

/// A call of the engine's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// [`Engine::info`](crate::engine::Engine::info).
    Info,
    /// [`Engine::list_containers`](crate::engine::Engine::list_containers).
    ListContainers,
    /// [`Engine::find_containers`](crate::engine::Engine::find_containers).
    FindContainers,
    /// [`Engine::inspect_container`](crate::engine::Engine::inspect_container).
    InspectContainer,
    /// [`Engine::create_container`](crate::engine::Engine::create_container).
    CreateContainer,
    /// [`Engine::start_container`](crate::engine::Engine::start_container).
    StartContainer,
    /// [`Engine::stop_container`](crate::engine::Engine::stop_container).
    StopContainer,
    /// [`Engine::unpause_container`](crate::engine::Engine::unpause_container).
    UnpauseContainer,
    /// [`Engine::adjust_container`](crate::engine::Engine::adjust_container).
    AdjustContainer,
    /// [`Engine::rename_container`](crate::engine::Engine::rename_container).
    RenameContainer,
    /// [`Engine::remove_container`](crate::engine::Engine::remove_container).
    RemoveContainer,
    /// [`Engine::list_volumes`](crate::engine::Engine::list_volumes).
    ListVolumes,
    /// [`Engine::create_volume`](crate::engine::Engine::create_volume).
    CreateVolume,
    /// [`Engine::remove_volume`](crate::engine::Engine::remove_volume).
    RemoveVolume,
    /// [`Engine::list_networks`](crate::engine::Engine::list_networks).
    ListNetworks,
    /// [`Engine::create_network`](crate::engine::Engine::create_network).
    CreateNetwork,
    /// [`Engine::remove_network`](crate::engine::Engine::remove_network).
    RemoveNetwork,
    /// [`Engine::connect_container`](crate::engine::Engine::connect_container).
    ConnectContainer,
    /// [`Engine::logs`](crate::engine::Engine::logs).
    Logs,
    /// [`Engine::list_images`](crate::engine::Engine::list_images).
    ListImages,
    /// [`Engine::list_kept_images`](crate::engine::Engine::list_kept_images).
    ListKeptImages,
    /// [`Engine::find_image`](crate::engine::Engine::find_image).
    FindImage,
    /// [`Engine::look_up_image`](crate::engine::Engine::look_up_image).
    LookUpImage,
    /// [`Engine::pull_image`](crate::engine::Engine::pull_image).
    PullImage,
    /// [`Engine::build_image`](crate::engine::Engine::build_image).
    BuildImage,
    /// [`Engine::tag_image`](crate::engine::Engine::tag_image).
    TagImage,
    /// [`Engine::push_image`](crate::engine::Engine::push_image).
    PushImage,
    /// [`Engine::remove_image`](crate::engine::Engine::remove_image).
    RemoveImage,
    /// [`Engine::events`](crate::engine::Engine::events).
    Events,
}

impl Operation {
    /// The verb of a call that changes something, `None` for one that only reads.
    pub(super) fn verb(self) -> Option<&'static str> {
        match self {
            Self::Info
            | Self::ListContainers
            | Self::FindContainers
            | Self::InspectContainer
            | Self::ListVolumes
            | Self::ListNetworks
            | Self::Logs
            | Self::ListImages
            | Self::ListKeptImages
            | Self::FindImage
            | Self::LookUpImage
            | Self::Events => None,
            Self::CreateVolume => Some("create volume"),
            Self::RemoveVolume => Some("remove volume"),
            Self::CreateNetwork => Some("create network"),
            Self::RemoveNetwork => Some("remove network"),
            Self::ConnectContainer => Some("connect container"),
            Self::CreateContainer => Some("create container"),
            Self::StartContainer => Some("start container"),
            Self::StopContainer => Some("stop container"),
            Self::UnpauseContainer => Some("unpause container"),
            Self::AdjustContainer => Some("adjust container"),
            Self::RenameContainer => Some("rename container"),
            Self::RemoveContainer => Some("remove container"),
            Self::PullImage => Some("pull image"),
            Self::BuildImage => Some("build image"),
            Self::TagImage => Some("tag image"),
            Self::PushImage => Some("push image"),
            Self::RemoveImage => Some("remove image"),
        }
    }
}

/// Holds calls back until a test lets them go on. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    is_open: Arc<watch::Sender<bool>>,
    waiting: Arc<watch::Sender<usize>>,
}

impl Gate {
    pub(super) fn closed() -> Self {
        Self { is_open: Arc::new(watch::Sender::new(false)), waiting: Arc::new(watch::Sender::new(0)) }
    }

    /// Lets the calls that wait go on, and all later ones pass.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// How many calls wait.
    pub fn waiting(&self) -> usize {
        *self.waiting.borrow()
    }

    /// Returns once a call waits.
    pub async fn reached(&self) {
        let mut waiting = self.waiting.subscribe();
        // The sender lives as long as this gate, so the wait ends only with a call.
        let _ = waiting.wait_for(|count| *count > 0).await;
    }

    pub(super) async fn pass(&self) {
        self.waiting.send_modify(|count| *count += 1);
        let _leave = Leave(&self.waiting);
        let mut is_open = self.is_open.subscribe();
        let _ = is_open.wait_for(|is_open| *is_open).await;
    }
}

/// A call that waits no longer, because it went on or because it was dropped.
struct Leave<'a>(&'a watch::Sender<usize>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// What shall go wrong, and what was counted.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) is_down: bool,
    failures: BTreeMap<Operation, VecDeque<EngineError>>,
    lost_answers: BTreeMap<Operation, VecDeque<EngineError>>,
    gates: BTreeMap<Operation, Gate>,
    pub(super) reads: usize,
    pub(super) mutations: Vec<String>,
    pub(super) cancelled: Vec<String>,
}

impl Faults {
    pub(super) fn fail_next(&mut self, operation: Operation, error: EngineError) {
        self.failures.entry(operation).or_default().push_back(error);
    }

    pub(super) fn lose_next_answer(&mut self, operation: Operation, error: EngineError) {
        self.lost_answers.entry(operation).or_default().push_back(error);
    }

    pub(super) fn close(&mut self, operation: Operation) -> Gate {
        let gate = Gate::closed();
        self.gates.insert(operation, gate.clone());
        gate
    }

    pub(super) fn gate(&self, operation: Operation) -> Option<Gate> {
        self.gates.get(&operation).cloned()
    }

    /// Counts a call.
    pub(super) fn count(&mut self, operation: Operation, subject: &str) {
        match operation.verb() {
            None => self.reads += 1,
            Some(verb) => self.mutations.push(format!("{verb} {subject}")),
        }
    }

    pub(super) fn take_failure(&mut self, operation: Operation) -> Option<EngineError> {
        self.failures.get_mut(&operation)?.pop_front()
    }

    pub(super) fn take_lost_answer(&mut self, operation: Operation) -> Option<EngineError> {
        self.lost_answers.get_mut(&operation)?.pop_front()
    }
}
