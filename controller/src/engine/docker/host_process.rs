//! Which process of the host listens on a port, where the engine's host is the one that we are on.
//!
//! # Assumptions
//! Linux: the sockets of a network namespace are in `/proc/net`, and whose they are in `/proc/<pid>/fd` (proc(5)). Only
//! root sees the sockets of others' processes there; for anyone else only their own have a name.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use longshore_crds::Protocol;
use tokio::net::UnixStream;

/// A process of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostProcess {
    pid: u32,
    /// The name of its program. Its arguments are not read: there may be passwords among them.
    command: String,
}

impl fmt::Display for HostProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (PID {})", self.command, self.pid)
    }
}

/// The process that listens where an engine behind this socket could not; `None` when it cannot be seen.
pub(super) async fn listening_at(socket: &Path, address: SocketAddr, protocol: Protocol) -> Option<HostProcess> {
    let engine = UnixStream::connect(socket).await.ok()?.peer_cred().ok()?.pid()?;
    // It walks through the files of all processes.
    tokio::task::spawn_blocking(move || {
        if !shares_our_network(engine) {
            return None;
        }
        tables(protocol).into_iter().find_map(|table| {
            let text = fs::read_to_string(table).ok()?;
            inodes(&text, address, protocol).into_iter().find_map(owner)
        })
    })
    .await
    .ok()?
}

/// A process of another PID namespace has no ID here and is 0. Whose namespace may not be read, as that of root's engine
/// by others, has at least an ID, and so is on this host.
fn shares_our_network(engine: i32) -> bool {
    if engine <= 0 {
        return false;
    }
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    namespace(&engine.to_string()).is_none_or(|theirs| namespace("self") == Some(theirs))
}

fn tables(protocol: Protocol) -> [&'static str; 2] {
    match protocol {
        Protocol::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
        Protocol::Udp => ["/proc/net/udp", "/proc/net/udp6"],
    }
}

/// The inodes of the sockets in a table of `/proc/net` that keep others from listening there.
fn inodes(table: &str, address: SocketAddr, protocol: Protocol) -> Vec<u64> {
    // TCP_LISTEN; a socket of UDP that nobody has connected is in TCP_CLOSE.
    let state = match protocol {
        Protocol::Tcp => "0A",
        Protocol::Udp => "07",
    };
    let listening = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let local = socket_address(fields.nth(1)?)?;
        let is_listening = fields.nth(1)? == state;
        let inode = fields.nth(5)?.parse().ok()?;
        (is_listening && keeps_from(local, address)).then_some(inode)
    });
    listening.collect()
}

/// Whether a socket here keeps another from listening there. `::` may take IPv4 as well.
fn keeps_from(socket: SocketAddr, wanted: SocketAddr) -> bool {
    let (ours, theirs) = (socket.ip().to_canonical(), wanted.ip().to_canonical());
    let is_every = |every: IpAddr, other: IpAddr| every.is_unspecified() && (every.is_ipv6() || other.is_ipv4());
    socket.port() == wanted.port() && (ours == theirs || is_every(ours, theirs) || is_every(theirs, ours))
}

/// An address such as `0100007F:1F90`: words of 32 bits in the order of the machine's bytes, and the port.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words = address.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some(SocketAddr::new(ip, port))
}

/// The process that has a socket.
fn owner(inode: u64) -> Option<HostProcess> {
    let target = format!("socket:[{inode}]");
    let has_it = |process: &fs::DirEntry| {
        let files = fs::read_dir(process.path().join("fd"));
        files.is_ok_and(|files| {
            let mut links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
            links.any(|link| link.as_os_str() == target.as_str())
        })
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let (pid, process) = processes
        .filter_map(|process| Some((process.file_name().to_str()?.parse().ok()?, process)))
        .find(|(_, process): &(u32, fs::DirEntry)| has_it(process))?;
    let command = fs::read_to_string(process.path().join("comm")).ok()?;
    Some(HostProcess { pid, command: command.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F91 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
";

    const UDP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  10: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4714 2 0000000000000000 0
  11: 00000000000000000000000000000000:0036 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4715 2 0000000000000000 0
";

    #[test]
    fn a_socket_is_found_by_where_it_listens() {
        let tcp = |address: &str| inodes(TCP, address.parse().unwrap(), Protocol::Tcp);
        assert_eq!(tcp("127.0.0.1:8080"), [4711]);
        assert_eq!(tcp("0.0.0.0:8080"), [4711]);
        assert_eq!(tcp("10.0.0.1:80"), [4712]);
        assert!(tcp("127.0.0.2:8080").is_empty());
        assert!(tcp("127.0.0.1:8081").is_empty(), "a connection keeps nobody from listening");
        let udp = |address: &str| inodes(UDP6, address.parse().unwrap(), Protocol::Udp);
        assert_eq!(udp("[::1]:53"), [4714]);
        assert!(udp("127.0.0.1:53").is_empty());
        assert_eq!(udp("127.0.0.1:54"), [4715]);
    }

    #[tokio::test]
    async fn our_own_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let _engine = tokio::net::UnixListener::bind(&socket).unwrap();
        let address = listener.local_addr().unwrap();
        let found = listening_at(&socket, address, Protocol::Tcp).await;
        let found = found.expect("our own process");
        assert_eq!(found.pid, std::process::id());
        drop(listener);
        assert_eq!(listening_at(&socket, address, Protocol::Tcp).await, None);
        assert_eq!(listening_at(&folder.path().join("nobody"), address, Protocol::Tcp).await, None);
    }
}
