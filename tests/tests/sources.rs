//! Git repositories behind ssh as sources, read from Debian's own `sshd` and git.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use longshore::source::{
    GitReference, GitSource, RemoteSource, SourceEntry, SourceError, SourceLimits, SourceReader, git_credentials,
};
use longshore_tests::lab_variable;
use tempfile::TempDir;

/// Who logs in.
const USER: &str = "git";

/// A server with one repository. The kinds of its keys and its configuration are the test's to choose, which
/// [`longshore_tests::SshServer`] does not offer.
struct GitOverSsh {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl GitOverSsh {
    /// Starts a server that has a key of this kind and lets one of this kind in.
    fn start(host_key: &str, key: &str) -> Self {
        Self::start_with(host_key, key, "AcceptEnv GIT_PROTOCOL\n")
    }

    /// The same, with something of sshd's configuration.
    fn start_with(host_key: &str, key: &str, configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        make_key(&folder.path().join("host_key"), host_key, "");
        make_key(&folder.path().join("key"), key, "");
        git(folder.path(), &["init", "--quiet", "--initial-branch=main", "app's"]);
        let port = free_port();
        configure(folder.path(), port, configuration);
        let process = start(folder.path());
        let server = Self { folder, port, process };
        server.commit("one\n");
        server
    }

    /// Another server at the same place, with the same repository and another key.
    fn change_host_key(&mut self) {
        end(&mut self.process);
        for name in ["host_key", "host_key.pub"] {
            fs::remove_file(self.folder.path().join(name)).expect("the key goes");
        }
        make_key(&self.folder.path().join("host_key"), "ed25519", "");
        self.process = start(self.folder.path());
    }

    fn commit(&self, text: &str) -> String {
        let repository = self.folder.path().join("app's");
        fs::write(repository.join("file"), text).expect("it is written");
        git(&repository, &["add", "--all"]);
        git(&repository, &["commit", "--quiet", "--message", "a commit"]);
        git(&repository, &["rev-parse", "HEAD"])
    }

    fn read_text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("it is there")
    }

    fn known_hosts(&self) -> String {
        format!("[localhost]:{} {}", self.port, self.read_text("host_key.pub"))
    }

    fn url(&self) -> String {
        format!("ssh://{USER}@localhost:{}{}/app's", self.port, self.folder.path().display())
    }

    /// The repository, with what a Secret has.
    fn source(&self, secret: &[(&str, &str)]) -> RemoteSource {
        let data: BTreeMap<_, _> =
            secret.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        let credentials = git_credentials("Opaque", &data, &self.url()).expect("the Secret fits");
        RemoteSource::Git(GitSource {
            url: self.url(),
            reference: GitReference::Branch("main".to_owned()),
            submodules: false,
            credentials: Some(credentials),
        })
    }

    fn right_source(&self) -> RemoteSource {
        self.source(&[("identity", &self.read_text("key")), ("known_hosts", &self.known_hosts())])
    }
}

impl Drop for GitOverSsh {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// The lab's script ends the server and its sessions when its standard input is closed.
fn end(process: &mut Child) {
    drop(process.stdin.take());
    process.wait().expect("it ends");
}

fn make_key(file: &Path, kind: &str, password: &str) {
    keygen(&["-q", "-t", kind, "-N", password, "-C", "", "-f", file.to_str().expect("the path is text")]);
}

fn keygen(arguments: &[&str]) {
    let output = Command::new(format!("{}-keygen", lab_variable("LONGSHORE_LAB_SSH"))).args(arguments).output();
    let output = output.expect("ssh-keygen runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// The account is ours, by another name: what git reads belongs to who runs the test.
fn configure(folder: &Path, port: u16, more: &str) {
    let here = folder.display();
    let accounts =
        format!("root:*:0:0::/:/bin/false\nsshd:*:65534:65534::/run/sshd:/bin/false\n{USER}:*:0:0::{here}:/bin/sh\n");
    fs::write(folder.join("passwd"), accounts).expect("it is written");
    let configuration = format!(
        "ListenAddress 127.0.0.1:{port}
HostKey {here}/host_key
AuthorizedKeysFile {here}/key.pub
AllowUsers {USER}
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
{more}"
    );
    fs::write(folder.join("sshd_config"), configuration).expect("it is written");
}

fn start(folder: &Path) -> Child {
    let log = fs::File::create(folder.join("log")).expect("a log");
    let mut sshd = Command::new(lab_variable("LONGSHORE_LAB_SSHD"));
    sshd.arg(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    let mut process = sshd.spawn().expect("the lab's sshd can be started");
    for _ in 0..500 {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        if log.contains("Server listening on") {
            return process;
        }
        assert!(process.try_wait().expect("it is ours").is_none(), "sshd has ended: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("sshd does not listen")
}

/// A reader and its folder.
fn reader() -> (SourceReader, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let reader = SourceReader::new(folder.path(), 1 << 30, None, SourceLimits::default()).expect("a reader");
    (reader, folder)
}

async fn read(source: &RemoteSource) -> Result<(String, String), SourceError> {
    let (reader, _folder) = reader();
    let revision = reader.resolve(source).await?;
    let tree = reader.fetch(source, &revision).await?;
    let SourceEntry::File { content, .. } = &tree.entries["file"] else { panic!("it is a file") };
    let file = reader.store().open_content(content).expect("the content is there");
    Ok((revision.to_string(), std::io::read_to_string(file).expect("it is text")))
}

async fn refusal(source: &RemoteSource) -> SourceError {
    match read(source).await {
        Err(error) => error,
        Ok((revision, _)) => panic!("{revision} is read"),
    }
}

#[tokio::test]
async fn a_repository_is_read_with_keys_of_every_usual_kind() {
    for (host_key, key) in [("ed25519", "ed25519"), ("ecdsa", "ecdsa"), ("rsa", "rsa")] {
        let server = GitOverSsh::start(host_key, key);
        let commit = server.commit("two\n");
        let read = read(&server.right_source()).await;
        assert_eq!(read, Ok((format!("main@sha1:{commit}"), "two\n".to_owned())), "{}", server.read_text("log"));
    }
}

#[tokio::test]
async fn a_server_that_speaks_the_older_protocol_is_understood() {
    let server = GitOverSsh::start_with("ed25519", "ed25519", "");
    let (first, second) = (git(&server.folder.path().join("app's"), &["rev-parse", "HEAD"]), server.commit("two\n"));
    assert_eq!(read(&server.right_source()).await, Ok((format!("main@sha1:{second}"), "two\n".to_owned())));
    let RemoteSource::Git(source) = server.right_source() else { panic!("a repository") };
    let old = RemoteSource::Git(GitSource { reference: GitReference::Commit(first.clone()), ..source });
    assert_eq!(read(&old).await, Ok((format!("sha1:{first}"), "one\n".to_owned())));
}

#[tokio::test]
async fn a_server_that_nothing_is_known_of_is_not_spoken_to() {
    let server = GitOverSsh::start("ed25519", "ed25519");
    let key = server.read_text("key");
    let other = server.known_hosts().replace("localhost", "other");
    for secret in [vec![("identity", key.as_str())], vec![("identity", &key), ("known_hosts", &other)]] {
        let error = refusal(&server.source(&secret)).await;
        let SourceError::HostKeyUnknown(sentence) = error else { panic!("{error}") };
        assert!(sentence.contains("into the key known_hosts of the source's Secret"), "{sentence}");
    }
    assert!(!server.read_text("log").contains("Connection from"), "{}", server.read_text("log"));
}

#[tokio::test]
async fn a_server_whose_key_changed_is_not_told_who_we_are() {
    let mut server = GitOverSsh::start("ed25519", "ed25519");
    let source = server.right_source();
    assert!(read(&source).await.is_ok());
    server.change_host_key();
    let error = refusal(&source).await;
    let SourceError::HostKeyMismatch(sentence) = error else { panic!("{error}") };
    assert!(sentence.contains("has another key (SHA256:"), "{sentence}");
    assert!(!server.read_text("log").contains("publickey"), "{}", server.read_text("log"));
}

#[tokio::test]
async fn a_server_that_has_no_key_of_a_known_kind_is_refused() {
    let server = GitOverSsh::start("ecdsa", "ed25519");
    let folder = tempfile::tempdir().expect("a folder");
    make_key(&folder.path().join("other"), "ed25519", "");
    let other = fs::read_to_string(folder.path().join("other.pub")).expect("a key");
    let known_hosts = format!("[localhost]:{} {other}", server.port);
    let error = refusal(&server.source(&[("identity", &server.read_text("key")), ("known_hosts", &known_hosts)])).await;
    assert!(matches!(error, SourceError::HostKeyMismatch(_)), "{error}");
}

#[tokio::test]
async fn a_key_that_is_not_let_in_is_denied() {
    let server = GitOverSsh::start("ed25519", "ed25519");
    let folder = tempfile::tempdir().expect("a folder");
    make_key(&folder.path().join("other"), "ed25519", "");
    let other = fs::read_to_string(folder.path().join("other")).expect("a key");
    let error = refusal(&server.source(&[("identity", &other), ("known_hosts", &server.known_hosts())])).await;
    assert!(matches!(error, SourceError::Denied(_)), "{error}");
}

#[tokio::test]
async fn an_encrypted_key_is_opened_with_its_password() {
    let server = GitOverSsh::start("ed25519", "ed25519");
    let file: PathBuf = server.folder.path().join("key");
    keygen(&["-q", "-p", "-P", "", "-N", "canary", "-f", file.to_str().expect("the path is text")]);
    let (key, known_hosts) = (server.read_text("key"), server.known_hosts());
    let with =
        |password: &str| server.source(&[("identity", &key), ("known_hosts", &known_hosts), ("password", password)]);
    assert!(read(&with("canary")).await.is_ok());
    for password in ["", "canary2"] {
        let error = refusal(&with(password)).await;
        let SourceError::Invalid(sentence) = error else { panic!("{error}") };
        assert!(sentence.contains("password") && !sentence.contains("canary"), "{sentence}");
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_not_found() {
    let server = GitOverSsh::start("ed25519", "ed25519");
    let RemoteSource::Git(source) = server.right_source() else { panic!("a repository") };
    let missing = RemoteSource::Git(GitSource { url: format!("{}-missing", source.url), ..source });
    let error = refusal(&missing).await;
    assert!(matches!(error, SourceError::NotFound(_)), "{error}");
}

#[tokio::test]
async fn a_connection_ends_with_the_future_that_it_is_for() {
    let server = GitOverSsh::start_with("ed25519", "ed25519", "ForceCommand sleep 60\nLogLevel VERBOSE\n");
    let (reader, _folder) = reader();
    let source = server.right_source();
    let resolving = reader.resolve(&source);
    let says = async |words: &str| {
        for _ in 0..500 {
            if server.read_text("log").contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("sshd did not say \"{words}\": {}", server.read_text("log"));
    };
    tokio::select! {
        answer = resolving => panic!("it is answered: {answer:?}"),
        () = says("Starting session: forced-command") => {}
    }
    says("Connection closed by").await;
}

#[tokio::test]
async fn hashed_names_of_hosts_are_found() {
    let server = GitOverSsh::start("ed25519", "ed25519");
    let file = server.folder.path().join("known_hosts");
    fs::write(&file, server.known_hosts()).expect("it is written");
    keygen(&["-q", "-H", "-f", file.to_str().expect("the path is text")]);
    let known_hosts = server.read_text("known_hosts");
    assert!(known_hosts.starts_with("|1|"), "{known_hosts}");
    let source = server.source(&[("identity", &server.read_text("key")), ("known_hosts", &known_hosts)]);
    assert!(read(&source).await.is_ok());
}
