//! Ports of an engine's host: as they are asked for, as they are published, and what lies between.

use std::fmt;
use std::net::IpAddr;

use longshore_crds::Protocol;

/// A port of the container and where it is published on the engine's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishedPort {
    /// The host's address; unspecified means every address of its family.
    pub host_ip: IpAddr,
    /// The host's port, never 0.
    pub host_port: u16,
    /// The container's port, never 0.
    pub container_port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

impl PublishedPort {
    /// Whether both cannot be published at once on one host: the same port and protocol on addresses that overlap.
    ///
    /// `0.0.0.0` and `::` do not: Docker Engine 20.10 and 29 listen on each family by itself.
    pub fn collides_with(&self, other: &Self) -> bool {
        self.host_port == other.host_port
            && self.protocol == other.protocol
            && addresses_overlap(self.host_ip, other.host_ip)
    }
}

fn addresses_overlap(one: IpAddr, other: IpAddr) -> bool {
    one == other || (one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified()))
}

/// As engines print it: `0.0.0.0:8080->80/tcp`.
impl fmt::Display for PublishedPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        PortRun::of(self).fmt(formatter)
    }
}

/// A port of the container that is to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WantedPort {
    /// The host's address; unspecified means every address of its family.
    pub host_ip: IpAddr,
    /// The host's port, never 0; the engine chooses one when absent.
    pub host_port: Option<u16>,
    /// The container's port, never 0.
    pub container_port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

impl WantedPort {
    /// What is published for it, where that is said.
    pub fn fixed(&self) -> Option<PublishedPort> {
        Some(PublishedPort {
            host_ip: self.host_ip,
            host_port: self.host_port?,
            container_port: self.container_port,
            protocol: self.protocol,
        })
    }

    /// Whether what is published does what is asked, but for the number of a port that the engine chooses.
    fn is_met_by(&self, published: &PublishedPort) -> bool {
        let asked = PublishedPort {
            host_ip: self.host_ip,
            host_port: self.host_port.unwrap_or(published.host_port),
            container_port: self.container_port,
            protocol: self.protocol,
        };
        asked == *published
    }
}

impl From<PublishedPort> for WantedPort {
    fn from(port: PublishedPort) -> Self {
        Self {
            host_ip: port.host_ip,
            host_port: Some(port.host_port),
            container_port: port.container_port,
            protocol: port.protocol,
        }
    }
}

/// As it is hashed: `0.0.0.0:8080->80/tcp`, with a host port of 0 where the engine chooses.
impl fmt::Display for WantedPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        PortRun::of(&at_least_numbered(self)).fmt(formatter)
    }
}

/// What is published and was not asked for, and the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortDifference {
    /// What is published though nobody asks for it.
    pub superfluous: Vec<PublishedPort>,
    /// What is asked for and not published.
    pub missing: Vec<WantedPort>,
}

impl PortDifference {
    /// How what is published differs from what is asked for; `None` when it does not. A port that the engine chooses is
    /// met by any that nothing else asks for.
    pub fn between(published: &[PublishedPort], wanted: &[WantedPort]) -> Option<Self> {
        let mut superfluous = published.to_vec();
        let mut missing = Vec::new();
        let (fixed, chosen): (Vec<&WantedPort>, Vec<&WantedPort>) =
            wanted.iter().partition(|port| port.host_port.is_some());
        for port in fixed.into_iter().chain(chosen) {
            match superfluous.iter().position(|published| port.is_met_by(published)) {
                Some(met) => {
                    superfluous.remove(met);
                }
                None => missing.push(*port),
            }
        }
        (!superfluous.is_empty() || !missing.is_empty()).then_some(Self { superfluous, missing })
    }

    /// How what a container was made for differs from what is asked for now.
    pub fn of_specs(made: &[WantedPort], wanted: &[WantedPort]) -> Option<String> {
        let only_in = |left: &[WantedPort], right: &[WantedPort]| {
            left.iter().filter(|port| !right.contains(port)).copied().collect::<Vec<_>>()
        };
        let (old, new) = (only_in(made, wanted), only_in(wanted, made));
        (!old.is_empty() || !new.is_empty()).then(|| in_words(&old, &new))
    }
}

/// `port 8080 is published, port 4000 is asked for`.
impl fmt::Display for PortDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let published: Vec<WantedPort> = self.superfluous.iter().copied().map(WantedPort::from).collect();
        formatter.write_str(&in_words(&published, &self.missing))
    }
}

/// The numbers alone, where they tell the two sides apart and are all that differs.
fn in_words(published: &[WantedPort], asked: &[WantedPort]) -> String {
    let same_otherwise = |one: &WantedPort, other: &WantedPort| {
        (one.host_ip, one.protocol) == (other.host_ip, other.protocol) && one.host_port != other.host_port
    };
    let numbers_suffice = published.iter().all(|old| asked.iter().all(|new| same_otherwise(old, new)))
        && asked.iter().all(|port| port.host_port.is_some());
    let list = |ports: &[WantedPort]| if numbers_suffice { numbers(ports) } else { in_full(ports) };
    format!("{} published, {} asked for", list(published), list(asked))
}

fn numbers(ports: &[WantedPort]) -> String {
    let mut numbers: Vec<u16> = ports.iter().filter_map(|port| port.host_port).collect();
    numbers.sort_unstable();
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for number in numbers {
        match runs.last_mut().filter(|(_, last)| number - *last <= 1) {
            Some((_, last)) => *last = number,
            None => runs.push((number, number)),
        }
    }
    let told: Vec<String> = runs.iter().map(|(first, last)| range(*first, *last)).collect();
    match (told.as_slice(), ports.len()) {
        ([], _) => "no port is".to_owned(),
        ([one], 1) => format!("port {one} is"),
        (several, _) => format!("ports {} are", several.join(", ")),
    }
}

fn in_full(ports: &[WantedPort]) -> String {
    let fixed: Vec<PublishedPort> = ports.iter().filter_map(WantedPort::fixed).collect();
    let chosen = ports.iter().filter(|port| port.host_port.is_none());
    let mut told = compact(&fixed);
    told.extend(chosen.map(|port| {
        let any = PortRun { host_port: None, ..PortRun::of(&at_least_numbered(port)) };
        format!("{any} at a port that the engine chooses")
    }));
    match told.as_slice() {
        [] => "no port is".to_owned(),
        [one] => format!("{one} is"),
        several => format!("{} are", several.join(", ")),
    }
}

/// With 0 where the engine chooses: for writing alone.
fn at_least_numbered(port: &WantedPort) -> PublishedPort {
    PublishedPort {
        host_ip: port.host_ip,
        host_port: port.host_port.unwrap_or(0),
        container_port: port.container_port,
        protocol: port.protocol,
    }
}

/// Published ports as they are told: `0.0.0.0:8080->80/tcp`, and those that follow one another on both sides as one,
/// `0.0.0.0:8000-8010->8000-8010/tcp`.
pub fn compact(ports: &[PublishedPort]) -> Vec<String> {
    let mut sorted = ports.to_vec();
    sorted.sort_unstable_by_key(|port| {
        let distance = i32::from(port.host_port) - i32::from(port.container_port);
        (port.host_ip, port.protocol, distance, port.host_port)
    });
    let mut runs: Vec<PortRun> = Vec::new();
    for port in &sorted {
        match runs.last_mut().filter(|run| run.is_followed_by(port)) {
            Some(run) => run.length += 1,
            None => runs.push(PortRun::of(port)),
        }
    }
    runs.sort_unstable_by_key(|run| (run.host_ip, run.host_port, run.container_port, run.protocol));
    runs.iter().map(ToString::to_string).collect()
}

/// Ports that follow one another, on the host and in the container.
struct PortRun {
    host_ip: IpAddr,
    /// The first; none is written when absent.
    host_port: Option<u16>,
    container_port: u16,
    protocol: Protocol,
    /// How many follow the first.
    length: u16,
}

impl PortRun {
    fn of(port: &PublishedPort) -> Self {
        let PublishedPort { host_ip, host_port, container_port, protocol } = *port;
        Self { host_ip, host_port: Some(host_port), container_port, protocol, length: 0 }
    }

    fn is_followed_by(&self, port: &PublishedPort) -> bool {
        let next = |first: u16| first.checked_add(self.length).and_then(|last| last.checked_add(1));
        (self.host_ip, self.protocol) == (port.host_ip, port.protocol)
            && self.host_port.and_then(next) == Some(port.host_port)
            && next(self.container_port) == Some(port.container_port)
    }
}

impl fmt::Display for PortRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        match self.host_ip {
            IpAddr::V4(address) => write!(formatter, "{address}")?,
            IpAddr::V6(address) => write!(formatter, "[{address}]")?,
        }
        if let Some(first) = self.host_port {
            write!(formatter, ":{}", range(first, first.saturating_add(self.length)))?;
        }
        let last = self.container_port.saturating_add(self.length);
        write!(formatter, "->{}/{protocol}", range(self.container_port, last))
    }
}

fn range(first: u16, last: u16) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

#[cfg(test)]
#[path = "port_tests.rs"]
mod tests;
