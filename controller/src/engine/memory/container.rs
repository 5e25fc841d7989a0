//! One container of the engine in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clock::after;
use super::health::Checks;
use super::networks::DEFAULT_NETWORK;
use super::program::Program;
use crate::app::{
    Adjustable, Container, ContainerDetail, ContainerId, ContainerSpec, ContainerState, EngineImageId, EngineRestart,
    HealthCheck, NetworkPlace, PublishedPort, labels,
};
use crate::engine::CreateContainer;
use crate::registry::memory::MemoryImage;
use jiff::Timestamp;

/// The exit code of a program that is killed: 128 and the number of SIGKILL.
pub(super) const KILLED: i64 = 137;

/// How long the engine waits before it starts a container again for the first time. It doubles with every restart, up
/// to [`LONGEST_BACKOFF`], and begins anew when the program has run for [`LONG_ENOUGH`] (moby's `restartmanager`).
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Created,
    Running,
    Paused,
    /// It has ended and is started again at this time.
    Restarting(Timestamp),
    Exited,
}

/// A line of a container's log.
#[derive(Clone, Debug)]
pub(super) struct LogLine {
    pub(super) at: Timestamp,
    pub(super) is_stderr: bool,
    pub(super) text: String,
}

/// A container.
#[derive(Clone, Debug)]
pub(super) struct MemoryContainer {
    pub(super) id: ContainerId,
    pub(super) name: String,
    pub(super) image: EngineImageId,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) spec: ContainerSpec,
    /// What can be changed of it, as it is now.
    pub(super) adjustable: Adjustable,
    pub(super) phase: Phase,
    /// Whether a start failed at its ports and left a network behind that publishes none.
    pub(super) has_lost_its_network: bool,
    /// What it published before it was taken out of its last network.
    pub(super) lost_ports: Vec<PublishedPort>,
    pub(super) exit_code: i64,
    pub(super) oom_killed: bool,
    pub(super) error: String,
    pub(super) log: Vec<LogLine>,
    /// The networks that it is in, by their names.
    pub(super) networks: BTreeMap<String, NetworkPlace>,
    /// The names by which it is found in them.
    pub(super) aliases: BTreeMap<String, String>,
    /// The ports that it holds now.
    pub(super) ports: Vec<PublishedPort>,
    pub(super) restarts: i64,
    pub(super) started_at: Option<Timestamp>,
    /// While it runs and has a health check.
    pub(super) checks: Option<Checks>,
    /// What health checks come to, where a test has set it.
    pub(super) is_well: Option<bool>,
    health_check: Option<HealthCheck>,
    entrypoint: Vec<String>,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
    backoff: Duration,
    pub(super) program: Program,
}

impl MemoryContainer {
    pub(super) fn new(id: ContainerId, request: &CreateContainer, image: &MemoryImage, now: Timestamp) -> Self {
        let (entrypoint, command) = command_of(&request.spec, image);
        let mut env = image.env.clone();
        env.extend(request.spec.env.clone());
        let attachment = request.attachment.as_ref();
        let network = attachment.map_or(DEFAULT_NETWORK, |asked| &asked.network);
        Self {
            id,
            name: request.name.clone(),
            image: request.image.clone(),
            labels: request.labels.clone(),
            spec: request.spec.clone(),
            adjustable: Adjustable::of(&request.spec),
            phase: Phase::Created,
            has_lost_its_network: false,
            lost_ports: Vec::new(),
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            log: Vec::new(),
            networks: BTreeMap::from([(network.to_owned(), NetworkPlace::default())]),
            aliases: attachment.map(|asked| (asked.network.clone(), asked.alias.clone())).into_iter().collect(),
            ports: Vec::new(),
            restarts: 0,
            started_at: None,
            checks: None,
            is_well: None,
            health_check: request.spec.health_check.clone().or_else(|| image.health_check.clone()),
            program: Program::of_container(&[entrypoint.clone(), command.clone()].concat()),
            entrypoint,
            command,
            env,
            created_at: now,
            finished_at: None,
            backoff: FIRST_BACKOFF,
        }
    }

    /// Whether the engine refuses to remove it.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.phase, Phase::Created | Phase::Exited)
    }

    /// Whether its program has begun and not ended.
    pub(super) fn has_started(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Paused)
    }

    /// Whether others in a network find it by this name.
    pub(super) fn is_found_by(&self, network: &str, alias: &str) -> bool {
        let is_called_so = self.name == alias || self.aliases.get(network).is_some_and(|own| own == alias);
        self.has_started() && self.networks.contains_key(network) && is_called_so
    }

    pub(super) fn owner_uid(&self) -> Option<String> {
        self.labels.get(labels::OWNER_UID).cloned()
    }

    /// The next time at which something happens to it by itself.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Running => self.next_end().into_iter().chain(self.checks.as_ref().map(Checks::next)).min(),
            Phase::Restarting(at) => Some(at),
            _ => None,
        }
    }

    /// When its program ends by itself.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        Some(after(self.started_at?, self.program.end?.after))
    }

    /// Looks whether it is well; what is told of it.
    pub(super) fn check(&mut self) -> Option<String> {
        let started_at = self.started_at?;
        let is_well = self.is_well;
        self.checks.as_mut()?.look(started_at, is_well)
    }

    /// Its program begins, with these ports and these places in its networks.
    pub(super) fn begin(&mut self, at: Timestamp, ports: Vec<PublishedPort>, networks: BTreeMap<String, NetworkPlace>) {
        self.phase = Phase::Running;
        self.exit_code = 0;
        self.oom_killed = false;
        self.error.clear();
        self.started_at = Some(at);
        self.checks = self.health_check.as_ref().map(|check| Checks::begin(check, at));
        self.ports = ports;
        self.lost_ports.clear();
        self.networks = networks;
        self.log.extend(self.program.lines.iter().map(|line| LogLine {
            at: after(at, line.after),
            is_stderr: line.is_stderr,
            text: line.text.clone(),
        }));
    }

    /// The engine could not start it. An exit code that an earlier run left is kept.
    pub(super) fn fail_to_begin(&mut self, exit_code: i64, error: &str) {
        if self.exit_code == 0 {
            self.exit_code = exit_code;
        }
        error.clone_into(&mut self.error);
        if self.phase != Phase::Created {
            self.phase = Phase::Exited;
        }
    }

    /// Its program ends by itself; the restart policy decides what comes next.
    pub(super) fn end_by_itself(&mut self, at: Timestamp, exit_code: i64) {
        let ran_for = self.started_at.map(|started| Duration::try_from(at.duration_since(started)).unwrap_or_default());
        self.end(at, exit_code);
        let is_restarted = match self.adjustable.restart {
            EngineRestart::Always | EngineRestart::UnlessStopped => true,
            EngineRestart::OnFailure { most } => exit_code != 0 && (most == 0 || self.restarts < i64::from(most)),
            EngineRestart::No => false,
        };
        if is_restarted {
            if ran_for.is_some_and(|ran_for| ran_for >= LONG_ENOUGH) {
                self.backoff = FIRST_BACKOFF;
            }
            // The engine counts a restart when it decides on it, not when it happens.
            self.restarts += 1;
            self.phase = Phase::Restarting(after(at, self.backoff));
            self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
        }
    }

    /// Someone ends it; it is not started again.
    pub(super) fn end(&mut self, at: Timestamp, exit_code: i64) {
        if !matches!(self.phase, Phase::Restarting(_)) {
            self.exit_code = exit_code;
            self.finished_at = Some(at);
            self.log.retain(|line| line.at <= at);
        }
        self.phase = Phase::Exited;
        self.checks = None;
        self.ports.clear();
        self.networks.values_mut().for_each(|place| place.address = None);
    }

    /// Someone starts it: what the restart policy has counted begins anew.
    pub(super) fn reset_restarts(&mut self) {
        self.restarts = 0;
        self.backoff = FIRST_BACKOFF;
    }

    /// As a list shows it.
    pub(super) fn listed(&self) -> Container {
        Container {
            id: self.id.clone(),
            name: self.name.clone(),
            image: self.image.clone(),
            labels: self.labels.clone(),
            state: match self.phase {
                Phase::Created => ContainerState::Created,
                Phase::Running => ContainerState::Running,
                Phase::Paused => ContainerState::Paused,
                Phase::Restarting(_) => ContainerState::Restarting,
                Phase::Exited => ContainerState::Exited,
            },
            ports: self.ports.clone(),
            health: self.checks.as_ref().map(|checks| checks.report().health),
            networks: self.networks.clone(),
            created_at: self.created_at,
            detail: None,
        }
    }

    /// As an inspection shows it.
    pub(super) fn inspected(&self) -> Container {
        Container {
            detail: Some(ContainerDetail {
                exit_code: self.exit_code,
                oom_killed: self.oom_killed,
                error: self.error.clone(),
                restarts: self.restarts,
                started_at: self.started_at,
                finished_at: self.finished_at,
                asked_ports: self.spec.ports.clone(),
                command: self.entrypoint.clone(),
                args: self.command.clone(),
                env: self.env.clone(),
                adjustable: Some(self.adjustable.clone()),
                health: self.checks.as_ref().map(Checks::report),
            }),
            ..self.listed()
        }
    }
}

/// The entry point and the command that a container gets: an entry point of its own does away with the image's
/// command (moby's `daemon/commit.go`, `merge`).
fn command_of(spec: &ContainerSpec, image: &MemoryImage) -> (Vec<String>, Vec<String>) {
    match (spec.command.is_empty(), spec.args.is_empty()) {
        (true, true) => (image.entrypoint.clone(), image.command.clone()),
        (true, false) => (image.entrypoint.clone(), spec.args.clone()),
        (false, _) => (spec.command.clone(), spec.args.clone()),
    }
}
