//! The host ports of the engine in memory: which are free, and in which words a start is refused at one that is not.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use longshore_crds::Protocol;

use crate::app::{ImageStore, PublishedPort, WantedPort};
use crate::engine::EngineError;

/// From where engines choose: `net.ipv4.ip_local_port_range` of a Linux host, as it is set by default.
const FIRST_CHOSEN: u16 = 32_768;
const LAST_CHOSEN: u16 = 60_999;

/// The ports of the host.
pub(super) struct HostPorts {
    kind: ImageStore,
    /// Those on which processes outside of containers listen.
    foreign: BTreeSet<PublishedPort>,
    /// The next to be chosen: each start gets other ones, as with engines.
    next: u16,
}

impl HostPorts {
    pub(super) fn new(kind: ImageStore) -> Self {
        Self { kind, foreign: BTreeSet::new(), next: FIRST_CHOSEN }
    }

    pub(super) fn occupy(&mut self, port: PublishedPort) {
        self.foreign.insert(port);
    }

    pub(super) fn vacate(&mut self, port: &PublishedPort) {
        self.foreign.remove(port);
    }

    /// What is published for a container that asks for these, beside those that other containers hold; or the engine's
    /// words for what stands in the way.
    pub(super) fn publish(
        &mut self,
        name: &str,
        asked: &[WantedPort],
        held: &[PublishedPort],
    ) -> Result<Vec<PublishedPort>, EngineError> {
        let mut taken = held.to_vec();
        let (fixed, open): (Vec<&WantedPort>, Vec<&WantedPort>) =
            asked.iter().partition(|port| port.host_port.is_some());
        for port in fixed.into_iter().chain(open) {
            let port = match port.fixed() {
                Some(port) => self.free(&port, &taken).map(|()| port),
                None => self.choose(port, &taken),
            };
            taken.push(port.map_err(|refusal| refusal.of_endpoint(name))?);
        }
        let mut published = taken.split_off(held.len());
        published.sort_unstable();
        Ok(published)
    }

    fn choose(&mut self, port: &WantedPort, taken: &[PublishedPort]) -> Result<PublishedPort, Refusal> {
        loop {
            let WantedPort { host_ip, container_port, protocol, .. } = *port;
            let chosen = PublishedPort { host_ip, host_port: self.next, container_port, protocol };
            self.next = if self.next == LAST_CHOSEN { FIRST_CHOSEN } else { self.next + 1 };
            match self.free(&chosen, taken) {
                Ok(()) => return Ok(chosen),
                Err(Refusal::NoAddress(message)) => return Err(Refusal::NoAddress(message)),
                Err(Refusal::Taken(_)) => {}
            }
        }
    }

    fn free(&self, port: &PublishedPort, taken: &[PublishedPort]) -> Result<(), Refusal> {
        let address = SocketAddr::new(port.host_ip, port.host_port);
        if taken.iter().any(|other| other.collides_with(port)) {
            return Err(Refusal::Taken(format!("Bind for {address} failed: port is already allocated")));
        }
        if !is_of_the_host(port.host_ip) {
            return Err(Refusal::NoAddress(self.cannot_bind(port, "cannot assign requested address")));
        }
        if self.foreign.iter().any(|other| other.collides_with(port)) {
            return Err(Refusal::Taken(self.cannot_bind(port, "address already in use")));
        }
        Ok(())
    }

    /// What an engine says of a port at which it cannot listen: 20.10 finds out when its proxy does, 29 binds the port
    /// itself.
    fn cannot_bind(&self, port: &PublishedPort, why: &str) -> String {
        let address = SocketAddr::new(port.host_ip, port.host_port);
        let protocol = match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        let family = if port.host_ip.is_ipv4() { 4 } else { 6 };
        match self.kind {
            ImageStore::GraphDriver => {
                format!("Error starting userland proxy: listen {protocol}{family} {address}: bind: {why}")
            }
            ImageStore::Containerd => format!("failed to bind host port {address}/{protocol}: {why}"),
        }
    }
}

/// Why a port cannot be published.
enum Refusal {
    Taken(String),
    NoAddress(String),
}

impl Refusal {
    fn of_endpoint(self, name: &str) -> EngineError {
        let told = |why: &str| format!("driver failed programming external connectivity on endpoint {name}: {why}");
        match self {
            Self::Taken(why) => EngineError::PortTaken(told(&why)),
            Self::NoAddress(why) => EngineError::AddressNotFound(told(&why)),
        }
    }
}

/// Its host has no network beyond itself.
fn is_of_the_host(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_loopback()
}
