//! Debian's `sshd` for one test: its own host key, its own account, one key that opens it, and one program that it runs.

use std::fs::{self, File, Permissions};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::lab_variable;
use crate::programs::run;

/// Between choosing a free port and listening on it somebody else may take it.
const ATTEMPTS: usize = 5;

/// Every session logs in with this name.
const USER: &str = "git";

/// An ssh server. It and all of its sessions have ended when it is dropped.
pub struct SshServer {
    folder: TempDir,
    address: SocketAddr,
    process: Child,
}

impl SshServer {
    /// A server that answers every session with this script, which begins with `#!`. Containers reach it at
    /// [`LabEngine::host_address`](crate::LabEngine::host_address).
    pub fn start(ip: IpAddr, script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for sshd");
        make_key(&folder.path().join("host_key"));
        make_key(&folder.path().join("key"));
        write_script(&folder.path().join("session"), script);
        for _ in 0..ATTEMPTS {
            let address = free_port(ip);
            configure(folder.path(), address);
            let mut process = spawn(folder.path());
            if listens(folder.path(), &mut process) {
                return Self { folder, address, process };
            }
            end(&mut process);
        }
        panic!("sshd does not start: {}", log_in(folder.path()));
    }

    /// `ssh://git@HOST:PORT`.
    pub fn address(&self) -> String {
        format!("ssh://{USER}@{}", self.address)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The private key that opens it, as `ssh-keygen` writes it.
    pub fn private_key(&self) -> String {
        fs::read_to_string(self.private_key_file()).expect("the key was made")
    }

    /// The same in a file.
    pub fn private_key_file(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    /// The line by which a client knows this server.
    pub fn known_hosts(&self) -> String {
        let key = fs::read_to_string(self.folder.path().join("host_key.pub")).expect("the key was made");
        format!("[{}]:{} {}", self.address.ip(), self.address.port(), key)
    }

    /// The same in a file.
    pub fn known_hosts_file(&self) -> PathBuf {
        let file = self.folder.path().join("known_hosts");
        fs::write(&file, self.known_hosts()).expect("the line is written");
        file
    }

    /// How often somebody has logged in.
    pub fn logins(&self) -> usize {
        self.log().matches(&format!("Accepted publickey for {USER} ")).count()
    }

    /// What it has to say.
    pub fn log(&self) -> String {
        log_in(self.folder.path())
    }

    /// The client with which a person would log in, for `GIT_SSH_COMMAND` or a shell: no agent, no other key, no
    /// server but this one.
    pub fn client(&self) -> String {
        format!(
            "{} -F none -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=yes \
             -o UserKnownHostsFile={} -i {}",
            lab_variable("LONGSHORE_LAB_SSH"),
            self.known_hosts_file().display(),
            self.private_key_file().display(),
        )
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn make_key(file: &Path) {
    let program = format!("{}-keygen", lab_variable("LONGSHORE_LAB_SSH"));
    let file = file.to_str().expect("the path is text");
    run(&program, &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file], "").expect("a key is made");
}

fn write_script(file: &Path, script: &str) {
    fs::write(file, script).expect("the script is written");
    fs::set_permissions(file, Permissions::from_mode(0o755)).expect("a mode is set");
}

fn free_port(ip: IpAddr) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).unwrap_or_else(|error| panic!("no port at {ip}: {error}"));
    listener.local_addr().expect("it is bound")
}

/// The account is ours, by another name: what the script reads belongs to who runs the test.
fn configure(folder: &Path, address: SocketAddr) {
    let here = folder.display();
    let accounts =
        format!("root:*:0:0::/:/bin/false\nsshd:*:65534:65534::/run/sshd:/bin/false\n{USER}:*:0:0::{here}:/bin/sh\n");
    fs::write(folder.join("passwd"), accounts).expect("the accounts are written");
    let configuration = format!(
        "ListenAddress {address}
HostKey {here}/host_key
AuthorizedKeysFile {here}/key.pub
AllowUsers {USER}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
ForceCommand {here}/session
DisableForwarding yes
AcceptEnv GIT_PROTOCOL
PidFile none
LogLevel VERBOSE
"
    );
    fs::write(folder.join("sshd_config"), configuration).expect("the configuration is written");
}

/// The lab's script ends it when its standard input is closed, be it because this process has died.
fn spawn(folder: &Path) -> Child {
    let log = File::create(folder.join("log")).expect("a file for the log");
    let mut sshd = Command::new(lab_variable("LONGSHORE_LAB_SSHD"));
    sshd.arg(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    sshd.spawn().expect("the lab's sshd can be started")
}

fn listens(folder: &Path, process: &mut Child) -> bool {
    for _ in 0..1000 {
        let log = log_in(folder);
        if log.contains("Server listening on") {
            return true;
        }
        if log.contains("Cannot bind any address") || process.try_wait().expect("it is ours").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn end(process: &mut Child) {
    drop(process.stdin.take());
    let _ = process.wait();
}

fn log_in(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}
