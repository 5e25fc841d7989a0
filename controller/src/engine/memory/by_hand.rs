//! What other people do on the engine in memory: none of it is counted, waits at a gate or fails on request.

use std::collections::BTreeMap;
use std::time::Duration;

use longshore_crds::RestartPolicy;

use super::MemoryEngine;
use super::container::{KILLED, LogLine, Phase};
use super::images::Origin;
use super::state::State;
use crate::app::{Adjustable, ContainerId, ContainerSpec, EngineImageId, ImageReference, PublishedPort, WantedPort};
use crate::engine::{CreateContainer, EngineError};
use crate::registry::memory::MemoryImage;

impl MemoryEngine {
    /// Puts an image under a reference, as `docker load` does.
    pub fn load(&self, reference: &ImageReference, image: &MemoryImage) -> EngineImageId {
        let now = self.clock.now();
        self.change(|state| {
            let id = state.images.add(image.clone(), Origin::File, now);
            // The image is there: it was just added.
            let _ = state.images.tag(&id, reference);
            id
        })
    }

    /// Runs a container without labels, as `docker run -d` does.
    pub fn run_by_hand(
        &self,
        name: &str,
        image: &ImageReference,
        ports: &[PublishedPort],
    ) -> Result<ContainerId, EngineError> {
        let now = self.clock.now();
        self.change(|state| {
            let missing = || EngineError::NotFound(format!("No such image: {image}"));
            let request = CreateContainer {
                name: name.to_owned(),
                image: state.images.find(image).cloned().ok_or_else(missing)?,
                labels: BTreeMap::new(),
                spec: spec_of(ports),
                attachment: None,
            };
            let id = state.create(&request, now)?;
            state.start(&id, now)?;
            Ok(id)
        })
    }

    /// `docker stop`.
    pub fn stop_by_hand(&self, name: &str) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.with_named(name, |state, id| {
            state.stop(id, now);
            Ok(())
        })
    }

    /// `docker start`.
    pub fn start_by_hand(&self, name: &str) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.with_named(name, |state, id| state.start(id, now))
    }

    /// `docker kill`: the restart policy does not bring it back.
    pub fn kill_by_hand(&self, name: &str) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.with_named(name, |state, id| state.kill(id, now))
    }

    /// `docker pause`.
    pub fn pause_by_hand(&self, name: &str) -> Result<(), EngineError> {
        self.with_named(name, State::pause)
    }

    /// `docker update`: what is absent stays as it is.
    pub fn adjust_by_hand(&self, name: &str, to: &Adjustable) -> Result<(), EngineError> {
        self.with_named(name, |state, id| state.adjust(id, to))
    }

    /// `docker rm -f`.
    pub fn remove_by_hand(&self, name: &str) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.with_named(name, |state, id| {
            if state.get_mut(id)?.is_alive() {
                state.kill(id, now)?;
            }
            state.remove(id)
        })
    }

    /// `docker rename`.
    pub fn rename_by_hand(&self, name: &str, to: &str) -> Result<(), EngineError> {
        self.with_named(name, |state, id| state.rename(id, to))
    }

    /// `docker network create`, with these labels.
    pub fn create_network_by_hand(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.change(|state| state.create_network(name, labels, now))
    }

    /// `docker network rm`.
    pub fn remove_network_by_hand(&self, name: &str) -> Result<(), EngineError> {
        self.change(|state| match state.networks.named(name).map(|network| network.id.clone()) {
            Some(id) => state.remove_network(&id),
            None => Err(EngineError::NotFound(format!("network {name} not found"))),
        })
    }

    /// `docker network disconnect`.
    pub fn disconnect_by_hand(&self, name: &str, network: &str) -> Result<(), EngineError> {
        self.with_named(name, |state, id| state.disconnect(id, network))
    }

    /// `docker rmi -f`: a container that uses the image keeps it.
    pub fn untag_by_hand(&self, reference: &ImageReference) {
        self.change(|state| state.untag_by_force(reference));
    }

    /// `docker tag`.
    pub fn tag_by_hand(&self, image: &EngineImageId, reference: &ImageReference) -> Result<(), EngineError> {
        self.change(|state| {
            state.images.tag(image, reference)?;
            state.events.tell_of_tag(reference, image);
            Ok(())
        })
    }

    /// The program of a container ends by itself, with this exit code; the restart policy decides what comes next.
    pub fn crash(&self, name: &str, exit_code: i64) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.with_named(name, |state, id| state.crash(id, exit_code, now))
    }

    /// The kernel kills the program of a container for want of memory; the restart policy decides what comes next.
    pub fn kill_for_memory(&self, name: &str) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.with_named(name, |state, id| {
            state.get_mut(id)?.oom_killed = true;
            state.crash(id, KILLED, now)
        })
    }

    /// From its next health check on, a container is well or not, whatever its check's command would find.
    pub fn set_well(&self, name: &str, is_well: bool) -> Result<(), EngineError> {
        self.with_named(name, |state, id| {
            state.get_mut(id)?.is_well = Some(is_well);
            Ok(())
        })
    }

    /// The program of a container prints a line.
    pub fn print(&self, name: &str, text: &str) -> Result<(), EngineError> {
        let at = self.clock.now();
        self.with_named(name, |state, id| {
            let line = LogLine { at, is_stderr: false, text: text.to_owned() };
            state.get_mut(id)?.log.push(line);
            Ok(())
        })
    }

    /// A process outside of containers listens on a port of the host.
    pub fn occupy(&self, port: PublishedPort) {
        self.change(|state| state.host_ports.occupy(port));
    }

    /// That process ends.
    pub fn vacate(&self, port: &PublishedPort) {
        self.change(|state| state.host_ports.vacate(port));
    }

    fn with_named<T>(
        &self,
        name: &str,
        action: impl FnOnce(&mut State, &ContainerId) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.change(|state| {
            let id = state.named(name).map(|container| container.id.clone());
            let id = id.ok_or_else(|| EngineError::NotFound(format!("No such container: {name}")))?;
            action(state, &id)
        })
    }
}

impl State {
    fn pause(&mut self, id: &ContainerId) -> Result<(), EngineError> {
        let container = self.get_mut(id)?;
        if container.phase != Phase::Running {
            let name = &container.name;
            return Err(EngineError::Conflict(format!("container {name} is not running")));
        }
        container.phase = Phase::Paused;
        self.tell(id, "pause");
        Ok(())
    }
}

/// What `docker run` makes of nothing but ports.
fn spec_of(ports: &[PublishedPort]) -> ContainerSpec {
    ContainerSpec {
        ports: ports.iter().copied().map(WantedPort::from).collect(),
        restart_policy: RestartPolicy::Never,
        grace_period: Duration::from_secs(10),
        ..ContainerSpec::default()
    }
}
