//! The networks of the engine in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use jiff::Timestamp;

use super::state::State;
use crate::app::{Attachment, ContainerId, Digest, ImageStore, Network, NetworkPlace};
use crate::engine::{EngineError, EventSubject};

/// The engine's own network, in which a container is that asks for none.
pub(super) const DEFAULT_NETWORK: &str = "bridge";

/// Which addresses a network has: 172.17.0.0/16 is the default network's, and those after it are given away in turn.
const FIRST_SUBNET: u8 = 17;
/// One more than the last: as many as Docker's own pools of that size hold.
const END_OF_SUBNETS: u8 = 32;

/// The networks that there are.
pub(super) struct Networks {
    /// With the second number of their addresses.
    all: Vec<(Network, u8)>,
    /// How many there ever were.
    made: u64,
    engine_id: String,
}

impl Networks {
    pub(super) fn new(engine_id: &str) -> Self {
        let mut networks = Self { all: Vec::new(), made: 0, engine_id: engine_id.to_owned() };
        networks.add(DEFAULT_NETWORK, &BTreeMap::new(), FIRST_SUBNET, Timestamp::UNIX_EPOCH);
        networks
    }

    pub(super) fn listed(&self) -> Vec<Network> {
        self.all.iter().map(|(network, _)| network.clone()).collect()
    }

    pub(super) fn named(&self, name: &str) -> Option<&Network> {
        self.all.iter().map(|(network, _)| network).find(|network| network.name == name)
    }

    fn add(&mut self, name: &str, labels: &BTreeMap<String, String>, subnet: u8, created_at: Timestamp) {
        self.made += 1;
        let digest = Digest::of(format!("{} network {}", self.engine_id, self.made));
        let id = digest.as_str()["sha256:".len()..].to_owned();
        self.all.push((Network { id, name: name.to_owned(), labels: labels.clone(), created_at }, subnet));
    }

    fn free_subnet(&self) -> Option<u8> {
        (FIRST_SUBNET..END_OF_SUBNETS).find(|subnet| self.all.iter().all(|(_, taken)| taken != subnet))
    }

    /// The first free address in a network. The gateway has the first of all.
    pub(super) fn free_address(&self, id: &str, taken: &BTreeSet<String>) -> Option<String> {
        let (_, subnet) = self.all.iter().find(|(network, _)| network.id == id)?;
        let first = u32::from_be_bytes([172, *subnet, 0, 2]);
        let last = u32::from_be_bytes([172, *subnet, 255, 254]);
        (first..=last).map(|address| Ipv4Addr::from_bits(address).to_string()).find(|address| !taken.contains(address))
    }
}

impl State {
    /// One that is there stays as it is.
    pub(super) fn create_network(
        &mut self,
        name: &str,
        labels: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        if self.networks.named(name).is_some() {
            return Ok(());
        }
        let words = match self.images.kind {
            ImageStore::GraphDriver => {
                "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"
            }
            ImageStore::Containerd => "all predefined address pools have been fully subscribed",
        };
        let subnet = self.networks.free_subnet().ok_or_else(|| EngineError::NoAddressesLeft(words.to_owned()))?;
        self.networks.add(name, labels, subnet, now);
        self.events.tell(None, "create", EventSubject::Network(name.to_owned()));
        Ok(())
    }

    pub(super) fn remove_network(&mut self, id: &str) -> Result<(), EngineError> {
        let Some(name) = self.networks.all.iter().find(|(network, _)| network.id == id).map(|(it, _)| it.name.clone())
        else {
            return Ok(());
        };
        let is_in_it = |places: &BTreeMap<String, NetworkPlace>| {
            places.values().any(|place| place.address.is_some() && place.network_id.as_deref() == Some(id))
        };
        if self.containers().any(|container| is_in_it(&container.networks)) {
            return Err(EngineError::Conflict(format!(
                "error while removing network: network {name} has active endpoints"
            )));
        }
        self.networks.all.retain(|(network, _)| network.id != id);
        self.events.tell(None, "destroy", EventSubject::Network(name));
        Ok(())
    }

    pub(super) fn connect(&mut self, id: &ContainerId, attachment: &Attachment) -> Result<(), EngineError> {
        let Attachment { network: name, alias } = attachment;
        let network = self.networks.named(name).map(|network| network.id.clone());
        let network = network.ok_or_else(|| EngineError::NotFound(format!("network {name} not found")))?;
        let place = |container: &super::container::MemoryContainer| container.networks.get(name).cloned();
        if place(self.get_mut(id)?).is_some_and(|place| place.network_id.as_ref() == Some(&network)) {
            return Ok(());
        }
        let is_running = self.get_mut(id)?.has_started();
        let address = is_running.then(|| self.free_address(&network)).flatten();
        let container = self.get_mut(id)?;
        container.networks.insert(name.clone(), NetworkPlace { network_id: Some(network), address });
        container.aliases.insert(name.clone(), alias.clone());
        if is_running {
            let lost = std::mem::take(&mut container.lost_ports);
            container.ports.extend(lost);
        }
        Ok(())
    }

    /// `docker network disconnect`.
    pub(super) fn disconnect(&mut self, id: &ContainerId, network: &str) -> Result<(), EngineError> {
        let container = self.get_mut(id)?;
        if container.networks.remove(network).is_none() {
            return Err(EngineError::Conflict(format!("container {id} is not connected to network {network}")));
        }
        container.aliases.remove(network);
        if container.networks.is_empty() {
            container.lost_ports = std::mem::take(&mut container.ports);
        }
        self.events.tell(None, "disconnect", EventSubject::Disconnected(id.clone()));
        Ok(())
    }

    /// The places that a container gets in its networks when it starts: an address in each, or the network that is not
    /// there.
    pub(super) fn places(&self, id: &ContainerId) -> Result<BTreeMap<String, NetworkPlace>, String> {
        let places = self.container(id).map(|container| container.networks.clone()).unwrap_or_default();
        let joined = places.into_iter().map(|(name, place)| {
            let is_meant = |network: &&Network| place.network_id.as_ref().is_none_or(|id| *id == network.id);
            match self.networks.named(&name).filter(is_meant) {
                Some(network) => {
                    let address = self.free_address(&network.id);
                    Ok((name, NetworkPlace { network_id: Some(network.id.clone()), address }))
                }
                None => Err(format!("network {} not found", place.network_id.unwrap_or(name))),
            }
        });
        joined.collect()
    }

    fn free_address(&self, network: &str) -> Option<String> {
        let places = self.containers().flat_map(|container| container.networks.values());
        let taken = places.filter_map(|place| place.address.clone()).collect();
        self.networks.free_address(network, &taken)
    }
}
