//! What the engine in memory holds, and what its calls do to it. No call is awaited here and no time is read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::container::{KILLED, MemoryContainer, Phase};
use super::images::{Images, no_such_image};
use super::networks::Networks;
use super::ports::HostPorts;
use super::transmitter::Transmitter;
use crate::app::{
    Adjustable, ContainerId, Digest, EngineImageId, Image, ImageReference, ImageStore, Mount, PublishedPort, Volume,
    WantedPort,
};
use crate::engine::{CreateContainer, EngineError};

/// The exit code of a container whose start has failed before its program began, where no earlier run left one.
const NOT_STARTED: i64 = 128;
/// The exit code of a container whose program is not in its image.
const NO_SUCH_PROGRAM: i64 = 127;

/// Everything on one engine.
pub(super) struct State {
    pub(super) images: Images,
    pub(super) build_cache: BTreeSet<Digest>,
    /// What the context of each shared key held when it was last sent: the digests of its files by their paths.
    pub(super) contexts: BTreeMap<String, BTreeMap<String, Digest>>,
    pub(super) host_ports: HostPorts,
    pub(super) events: Transmitter,
    pub(super) networks: Networks,
    /// The labels of volumes that stay, by their names.
    volumes: BTreeMap<String, BTreeMap<String, String>>,
    containers: BTreeMap<ContainerId, MemoryContainer>,
    /// In the order in which they were made.
    made: Vec<ContainerId>,
    /// How many there ever were.
    created: u64,
    engine_id: String,
}

impl State {
    pub(super) fn new(engine_id: &str, kind: ImageStore) -> Self {
        Self {
            images: Images::new(kind),
            build_cache: BTreeSet::new(),
            contexts: BTreeMap::new(),
            host_ports: HostPorts::new(kind),
            events: Transmitter::default(),
            networks: Networks::new(engine_id),
            volumes: BTreeMap::new(),
            containers: BTreeMap::new(),
            made: Vec::new(),
            created: 0,
            engine_id: engine_id.to_owned(),
        }
    }

    /// Lets everything happen that happens by itself until now, in its order.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.next_change(now) {
            match self.containers.get(&id).map(|container| (container.phase, container.next_end())) {
                // A restart that fails leaves the container exited, with the error: nobody is there to hear of it.
                Some((Phase::Restarting(_), _)) => drop(self.begin(&id, at)),
                Some((_, Some(end))) if end <= at => self.end_by_itself(&id, at),
                _ => self.check(&id),
            }
        }
    }

    /// The containers, the newest first as engines list them.
    pub(super) fn containers(&self) -> impl Iterator<Item = &MemoryContainer> {
        self.made.iter().rev().filter_map(|id| self.containers.get(id))
    }

    pub(super) fn container(&self, id: &ContainerId) -> Option<&MemoryContainer> {
        self.containers.get(id)
    }

    pub(super) fn named(&self, name: &str) -> Option<&MemoryContainer> {
        self.containers().find(|container| container.name == name)
    }

    /// What a list of images shows: those that a reference points at, or that a container uses.
    pub(super) fn listed_images(&self) -> Vec<Image> {
        let mut images = self.images.all();
        let is_named = |image: &Image| !image.references.is_empty() || !image.manifests.is_empty();
        images.retain(|image| is_named(image) || self.uses(&image.id));
        images
    }

    pub(super) fn create(&mut self, request: &CreateContainer, now: Timestamp) -> Result<ContainerId, EngineError> {
        let content = self.images.content(&request.image).cloned();
        let content = content.ok_or_else(|| no_such_image(&request.image))?;
        self.reserve(&request.name)?;
        // As engines do with volumes that a container names and nobody has made.
        for volume in request.spec.mounts.iter().filter_map(Mount::claim) {
            self.create_volume(volume, &BTreeMap::new());
        }
        let id = self.new_id();
        let container = MemoryContainer::new(id.clone(), request, &content, now);
        self.containers.insert(id.clone(), container);
        self.made.push(id.clone());
        self.tell(&id, "create");
        Ok(id)
    }

    pub(super) fn listed_volumes(&self) -> Vec<Volume> {
        let volumes = self.volumes.iter();
        volumes.map(|(name, labels)| Volume { name: name.clone(), labels: labels.clone() }).collect()
    }

    /// One that is there stays as it is.
    pub(super) fn create_volume(&mut self, name: &str, labels: &BTreeMap<String, String>) {
        self.volumes.entry(name.to_owned()).or_insert_with(|| labels.clone());
    }

    pub(super) fn remove_volume(&mut self, name: &str) -> Result<(), EngineError> {
        let has_it =
            |container: &&MemoryContainer| container.spec.mounts.iter().any(|mount| mount.claim() == Some(name));
        if let Some(holder) = self.containers.values().find(has_it) {
            return Err(EngineError::Conflict(format!("remove {name}: volume is in use - [{}]", holder.id)));
        }
        self.volumes.remove(name);
        Ok(())
    }

    pub(super) fn start(&mut self, id: &ContainerId, now: Timestamp) -> Result<(), EngineError> {
        let container = self.get_mut(id)?;
        match container.phase {
            Phase::Running | Phase::Restarting(_) => return Ok(()),
            Phase::Paused => {
                let name = &container.name;
                return Err(EngineError::Conflict(format!(
                    "cannot start the paused container {name}, unpause it instead"
                )));
            }
            Phase::Created | Phase::Exited => container.reset_restarts(),
        }
        self.begin(id, now)
    }

    /// Even without a grace period a program that heeds the signal was seen to end by it.
    pub(super) fn stop(&mut self, id: &ContainerId, now: Timestamp) {
        let Some(container) = self.containers.get_mut(id).filter(|container| container.is_alive()) else {
            return;
        };
        let exit_code = container.program.stops_with.unwrap_or(KILLED);
        container.end(now, exit_code);
        for action in ["kill", "die", "stop"] {
            self.tell(id, action);
        }
    }

    pub(super) fn kill(&mut self, id: &ContainerId, now: Timestamp) -> Result<(), EngineError> {
        let container = self.get_mut(id)?;
        if !container.is_alive() {
            let name = &container.name;
            return Err(EngineError::Conflict(format!("cannot kill container {name}: it is not running")));
        }
        container.end(now, KILLED);
        for action in ["kill", "die"] {
            self.tell(id, action);
        }
        Ok(())
    }

    /// Its program ends by itself, now.
    pub(super) fn crash(&mut self, id: &ContainerId, exit_code: i64, now: Timestamp) -> Result<(), EngineError> {
        self.get_mut(id)?.end_by_itself(now, exit_code);
        self.tell(id, "die");
        Ok(())
    }

    /// One that is not paused goes on as it is.
    pub(super) fn unpause(&mut self, id: &ContainerId) -> Result<(), EngineError> {
        let container = self.get_mut(id)?;
        if container.phase == Phase::Paused {
            container.phase = Phase::Running;
            self.tell(id, "unpause");
        }
        Ok(())
    }

    /// What is absent stays as it is, but for the bound of processes.
    pub(super) fn adjust(&mut self, id: &ContainerId, to: &Adjustable) -> Result<(), EngineError> {
        let is = &mut self.get_mut(id)?.adjustable;
        *is = Adjustable {
            restart: to.restart,
            memory: to.memory.or(is.memory),
            memory_and_swap: to.memory_and_swap.or(is.memory_and_swap),
            reserved_memory: to.reserved_memory.or(is.reserved_memory),
            cpu: to.cpu.or(is.cpu),
            cpu_shares: to.cpu_shares.or(is.cpu_shares),
            pids: to.pids,
        };
        let difference = is.difference(to);
        self.tell(id, "update");
        match difference {
            Some(difference) => Err(EngineError::Other(format!("{difference} is still to be done"))),
            None => Ok(()),
        }
    }

    pub(super) fn rename(&mut self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        if self.get_mut(id)?.name == name {
            return Ok(());
        }
        self.reserve(name)?;
        name.clone_into(&mut self.get_mut(id)?.name);
        self.tell(id, "rename");
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &ContainerId) -> Result<(), EngineError> {
        let Some(container) = self.containers.get(id) else {
            return Ok(());
        };
        if container.is_alive() {
            return Err(EngineError::Conflict(format!(
                "cannot remove container {}: it is running, stop it before",
                container.name
            )));
        }
        self.tell(id, "destroy");
        self.containers.remove(id);
        self.made.retain(|made| made != id);
        Ok(())
    }

    pub(super) fn untag(&mut self, reference: &ImageReference) -> Result<(), EngineError> {
        let (is_used, image) = (self.is_used(reference), self.images.find(reference).cloned());
        self.images.untag(reference, is_used)?;
        self.tell_of_untag(reference, image.as_ref());
        Ok(())
    }

    pub(super) fn untag_by_force(&mut self, reference: &ImageReference) {
        let (is_used, image) = (self.is_used(reference), self.images.find(reference).cloned());
        self.images.untag_by_force(reference, is_used);
        self.tell_of_untag(reference, image.as_ref());
    }

    /// 29 names the reference that is gone, 20.10 the image that it pointed at.
    fn tell_of_untag(&self, reference: &ImageReference, image: Option<&EngineImageId>) {
        match (self.images.kind, image) {
            (_, None) => {}
            (ImageStore::Containerd, Some(_)) => self.events.tell_of_reference("untag", reference),
            (ImageStore::GraphDriver, Some(image)) => self.events.tell_of_image("untag", image),
        }
    }

    fn is_used(&self, reference: &ImageReference) -> bool {
        self.images.find(reference).is_some_and(|id| self.uses(id))
    }

    fn uses(&self, image: &EngineImageId) -> bool {
        self.containers.values().any(|container| container.image == *image)
    }

    pub(super) fn get_mut(&mut self, id: &ContainerId) -> Result<&mut MemoryContainer, EngineError> {
        let missing = || EngineError::NotFound(format!("No such container: {id}"));
        self.containers.get_mut(id).ok_or_else(missing)
    }

    fn reserve(&self, name: &str) -> Result<(), EngineError> {
        if !is_container_name(name) {
            return Err(EngineError::Other(format!(
                "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            )));
        }
        match self.named(name) {
            Some(_) => Err(EngineError::NameTaken(name.to_owned())),
            None => Ok(()),
        }
    }

    /// An ID that no container had before.
    fn new_id(&mut self) -> ContainerId {
        self.created += 1;
        let digest = Digest::of(format!("{} container {}", self.engine_id, self.created));
        ContainerId(digest.as_str()["sha256:".len()..].to_owned())
    }

    fn next_change(&self, now: Timestamp) -> Option<(Timestamp, ContainerId)> {
        let changes = self.containers.values();
        changes
            .filter_map(|container| Some((container.next_change()?, container.id.clone())))
            .filter(|(at, _)| *at <= now)
            .min()
    }

    fn end_by_itself(&mut self, id: &ContainerId, at: Timestamp) {
        if let Some(container) = self.containers.get_mut(id)
            && let Some(end) = container.program.end
        {
            container.end_by_itself(at, end.exit_code);
            self.tell(id, "die");
        }
    }

    fn check(&mut self, id: &ContainerId) {
        if let Some(told) = self.containers.get_mut(id).and_then(MemoryContainer::check) {
            self.tell(id, &told);
        }
    }

    fn begin(&mut self, id: &ContainerId, at: Timestamp) -> Result<(), EngineError> {
        let container = self.get_mut(id)?;
        let asked = container.spec.ports.clone();
        let (name, missing) = (container.name.clone(), container.program.missing.clone());
        let ports = if container.has_lost_its_network { None } else { Some(self.publish(id, &name, &asked)?) };
        if let Some(program) = missing {
            let message = format!("unable to start container process: exec: \"{program}\": executable file not found");
            self.get_mut(id)?.fail_to_begin(NO_SUCH_PROGRAM, &message);
            return Err(EngineError::Other(message));
        }
        let places = match self.places(id) {
            Ok(places) => places,
            Err(message) => {
                self.get_mut(id)?.fail_to_begin(NOT_STARTED, &message);
                return Err(EngineError::NotFound(message));
            }
        };
        self.get_mut(id)?.begin(at, ports.unwrap_or_default(), places);
        self.tell(id, "start");
        Ok(())
    }

    fn publish(
        &mut self,
        id: &ContainerId,
        name: &str,
        asked: &[WantedPort],
    ) -> Result<Vec<PublishedPort>, EngineError> {
        let held: Vec<PublishedPort> =
            self.containers.values().flat_map(|container| container.ports.iter().copied()).collect();
        let published = self.host_ports.publish(name, asked, &held);
        if let Err(error) = &published {
            // Docker Engine 29 leaves the network behind that it could not publish, and starts with it the next time;
            // 20.10 tries the ports again.
            let loses_network = self.images.kind == ImageStore::Containerd;
            let container = self.get_mut(id)?;
            container.has_lost_its_network = loses_network;
            container.fail_to_begin(NOT_STARTED, &error.to_string());
        }
        published
    }

    pub(super) fn tell(&mut self, id: &ContainerId, action: &str) {
        if let Some(container) = self.containers.get(id) {
            self.events.tell_of_container(container.owner_uid(), action, id);
        }
    }
}

/// moby's `names.RestrictedNamePattern`.
fn is_container_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first && name.len() > 1 && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
