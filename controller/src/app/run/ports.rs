//! The ports of the `run` section, ranges counted out.

use std::net::IpAddr;

use longshore_crds::ContainerPort;

use super::refused;
use crate::app::{Block, Part, Policy, Reason, WantedPort};

/// How many ports a container publishes at most. For each an engine runs programs and keeps rules of its own, one after
/// the other, so that a start with thousands takes minutes.
const MOST_PORTS: usize = 256;

/// The ports that are asked for, or why they cannot be.
pub(in crate::app) fn wanted_ports(ports: &[ContainerPort], policy: &Policy) -> Result<Vec<WantedPort>, Block> {
    let mut wanted: Vec<(usize, WantedPort)> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let range = counted_out(index, port, policy)?;
        for one in range {
            refuse_a_second(&wanted, index, &one)?;
            wanted.push((index, one));
        }
        if wanted.len() > MOST_PORTS {
            let message =
                format!("with this one there are {} ports; a container publishes {MOST_PORTS} at most", wanted.len());
            return Err(refused(&format!("ports[{index}]"), message));
        }
    }
    Ok(wanted.into_iter().map(|(_, port)| port).collect())
}

/// The ports of one entry.
fn counted_out(index: usize, port: &ContainerPort, policy: &Policy) -> Result<Vec<WantedPort>, Block> {
    let field = |name: &str| format!("ports[{index}].{name}");
    let first = number(port.container_port).ok_or_else(|| no_port(&field("containerPort"), port.container_port))?;
    let last = match port.end_port {
        None => first,
        Some(end) => number(end).ok_or_else(|| no_port(&field("endPort"), end))?,
    };
    if last < first {
        let message =
            format!("{last} is below containerPort {first}; write the last port of the range, or leave it out");
        return Err(refused(&field("endPort"), message));
    }
    if usize::from(last - first) >= MOST_PORTS {
        let message = format!("from {first} to {last} are {} ports; write {MOST_PORTS} at most", last - first + 1);
        return Err(refused(&field("endPort"), message));
    }
    let host_ip = address(&port.host_ip, &field("hostIP"))?;
    let host_ports = host_ports(port.host_port, last - first, &field("hostPort"), policy)?;
    Ok((first..=last)
        .zip(host_ports)
        .map(|(container_port, host_port)| WantedPort { host_ip, host_port, container_port, protocol: port.protocol })
        .collect())
}

fn number(value: i32) -> Option<u16> {
    u16::try_from(value).ok().filter(|number| *number > 0)
}

fn no_port(field: &str, value: i32) -> Block {
    refused(field, format!("{value} is not a port; a port is 1 to 65535"))
}

/// An IPv4 address that is written as one of IPv6 is an IPv4 address to engines, and told as such.
fn address(text: &str, field: &str) -> Result<IpAddr, Block> {
    let address: Result<IpAddr, _> = text.parse();
    address
        .map(|address| address.to_canonical())
        .map_err(|_| refused(field, format!("\"{text}\" is not an IP address, such as 127.0.0.1 or ::1")))
}

/// The host's ports for one port and so many more.
fn host_ports(first: i32, more: u16, field: &str, policy: &Policy) -> Result<Vec<Option<u16>>, Block> {
    if first == 0 {
        return match policy.refuses_chosen_host_ports() {
            Some(refusal) => Err(refused_by_policy(field, &refusal)),
            None => Ok(vec![None; usize::from(more) + 1]),
        };
    }
    let message = "write one from 1 to 65535, or leave it out, and the engine chooses";
    let first = number(first).ok_or_else(|| refused(field, format!("{first} is not a port; {message}")))?;
    let last = first.checked_add(more).ok_or_else(|| {
        let message =
            format!("from {first} on there are not {} ports; write {} at most", u32::from(more) + 1, u16::MAX - more);
        refused(field, message)
    })?;
    match (first..=last).find_map(|port| policy.refuses_host_port(port)) {
        Some(refusal) => Err(refused_by_policy(field, &refusal)),
        None => Ok((first..=last).map(Some).collect()),
    }
}

fn refused_by_policy(field: &str, refusal: &str) -> Block {
    Block::terminal(Part::Container, Reason::PolicyRefused, format!("spec.run.{field}: {refusal}"))
}

/// Two cannot be published at once on one host port; and of two that the engine chooses for the same, nobody could tell
/// which is which.
fn refuse_a_second(wanted: &[(usize, WantedPort)], index: usize, port: &WantedPort) -> Result<(), Block> {
    let Some(fixed) = port.fixed() else {
        return match wanted.iter().find(|(_, earlier)| earlier == port) {
            None => Ok(()),
            Some((other, _)) => {
                let message = format!(
                    "{} has a port that the engine chooses by spec.run.ports[{other}] already; leave one of the two out, or \
                     write its hostPort",
                    port.container_port
                );
                Err(refused(&format!("ports[{index}].containerPort"), message))
            }
        };
    };
    let is_taken = |earlier: &WantedPort| earlier.fixed().is_some_and(|earlier| earlier.collides_with(&fixed));
    match wanted.iter().find(|(_, earlier)| is_taken(earlier)) {
        None => Ok(()),
        Some((other, _)) => {
            let message = format!("{} is published by spec.run.ports[{other}] already", fixed.host_port);
            Err(refused(&format!("ports[{index}].hostPort"), message))
        }
    }
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;
