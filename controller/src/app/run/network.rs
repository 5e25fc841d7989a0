//! Names and addresses: what a container is called, and what it asks for others.

use std::net::IpAddr;

use longshore_crds::{DnsConfig, DnsOption, Run};

use super::{Settings, refused};
use crate::app::Block;

/// What a container is called by itself, and how it finds others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Its own name; its ID when absent.
    pub hostname: Option<String>,
    /// Names that are found without a name server.
    pub hosts: Vec<(String, IpAddr)>,
    /// The name servers; the engine's own choice when empty.
    pub nameservers: Vec<IpAddr>,
    /// The domains in which short names are looked for; the engine's own choice when empty.
    pub searches: Vec<String>,
    /// Options of the resolver, as `resolv.conf` has them: `ndots:2`.
    pub options: Vec<String>,
}

impl Naming {
    pub(crate) fn of(run: &Run) -> Result<Self, Block> {
        let dns = run.dns_config.clone().unwrap_or_default();
        let mut hosts = Vec::new();
        for (index, alias) in run.host_aliases.iter().enumerate() {
            let address = address(&alias.ip, &format!("hostAliases[{index}].ip"))?;
            for name in &alias.hostnames {
                refuse_bad_host(name, &format!("hostAliases[{index}].hostnames"))?;
                hosts.push((name.clone(), address));
            }
        }
        Ok(Self {
            hostname: run.hostname.clone(),
            hosts,
            nameservers: nameservers(&dns)?,
            searches: dns.searches,
            options: dns.options.iter().map(option).collect(),
        })
    }

    pub(crate) fn settings(&self, settings: &mut Settings) {
        settings.set("hostname", self.hostname.as_ref());
        for (name, address) in &self.hosts {
            settings.add(&format!("extra host {name}"), &address.to_string());
        }
        settings.list("DNS servers", self.nameservers.iter().map(IpAddr::to_string));
        settings.list("DNS search domains", self.searches.iter().cloned());
        settings.list("DNS options", self.options.iter().cloned());
    }
}

fn nameservers(dns: &DnsConfig) -> Result<Vec<IpAddr>, Block> {
    let servers = dns.nameservers.iter().enumerate();
    servers.map(|(index, server)| address(server, &format!("dnsConfig.nameservers[{index}]"))).collect()
}

fn option(option: &DnsOption) -> String {
    match &option.value {
        Some(value) => format!("{}:{value}", option.name),
        None => option.name.clone(),
    }
}

fn address(text: &str, field: &str) -> Result<IpAddr, Block> {
    text.parse().map_err(|_| refused(field, format!("\"{text}\" is not an IP address, such as 10.0.0.7 or fd00::7")))
}

/// Engines write `name:address` into one text, and `host-gateway` would stand for the engine's host.
fn refuse_bad_host(name: &str, field: &str) -> Result<(), Block> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if name.bytes().all(is_good) {
        return Ok(());
    }
    Err(refused(field, format!("\"{name}\" is not a host's name; it has letters, digits, -, _ and .")))
}
