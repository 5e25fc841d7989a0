//! The tests' own git server, seen with git itself: what it promises to the tests that lean on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use longshore_tests::{Answer, Change, GitServer, Repository, SshServer};
use tempfile::TempDir;

/// Somebody with git, and with nothing else that git could ask.
struct Client {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Client {
    fn knowing(environment: &[(&'static str, String)]) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), environment: environment.to_vec() }
    }

    fn of(server: &GitServer) -> Self {
        Self::knowing(&[("GIT_SSL_CAINFO", server.authority_file().display().to_string())])
    }

    fn over_ssh(server: &SshServer) -> Self {
        Self::knowing(&[("GIT_SSH_COMMAND", server.client())])
    }

    fn git(&self, arguments: &[&str]) -> Result<String, String> {
        let mut git = Command::new("git");
        git.env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.environment.iter().cloned());
        git.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_TERMINAL_PROMPT", "0")]);
        let output = git.args(arguments).current_dir(self.folder.path()).output().expect("git can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Why git could not do this.
    fn refusal(&self, arguments: &[&str]) -> String {
        match self.git(arguments) {
            Ok(said) => panic!("git {} was not refused: {said}", arguments.join(" ")),
            Err(problem) => problem,
        }
    }

    fn clone(&self, url: &str) -> &Path {
        self.git(&["clone", "--quiet", url, "cloned"]).unwrap_or_else(|problem| panic!("{url}: {problem}"));
        self.folder.path()
    }

    /// Lines of commit and reference.
    fn references(&self, url: &str) -> String {
        self.git(&["ls-remote", url]).unwrap_or_else(|problem| panic!("{url}: {problem}"))
    }
}

fn app(server: &GitServer) -> Repository {
    let repository = server.repository("team/app");
    repository.commit(&[("Dockerfile", "FROM busybox\n"), ("a folder/\"grüße\".txt", "hello\n")]);
    repository
}

#[test]
fn what_is_committed_is_cloned() {
    let server = GitServer::start();
    let repository = app(&server);
    repository.symlink("link", "../../etc/passwd");
    let library = server.repository("library");
    let of_library = library.commit(&[("lib.js", "1\n")]);
    repository.submodule("lib", &server.url(&library), &of_library);
    let changes = [("run.sh", Change::Executable(b"#!/bin/sh\n")), ("binary", Change::File(&[0, 255, b'\n', 0]))];
    let last = repository.commit_on("main", &changes);

    let client = Client::of(&server);
    let clone = client.clone(&server.url(&repository)).join("cloned");
    let head = client.git(&["-C", "cloned", "rev-parse", "HEAD"]).expect("a commit is checked out");
    assert_eq!(head.trim(), last);
    assert_eq!(fs::read_to_string(clone.join("a folder/\"grüße\".txt")).expect("it is there"), "hello\n");
    assert_eq!(fs::read(clone.join("binary")).expect("it is there"), [0, 255, b'\n', 0]);
    assert_eq!(fs::read_link(clone.join("link")).expect("it is a link"), Path::new("../../etc/passwd"));
    let mode = |name: &str| fs::metadata(clone.join(name)).expect("it is there").permissions().mode();
    assert_eq!(mode("run.sh") & 0o111, 0o111);
    assert_eq!(mode("Dockerfile") & 0o111, 0);

    client.git(&["-C", "cloned", "submodule", "--quiet", "update", "--init"]).expect("the submodule is fetched");
    assert_eq!(fs::read_to_string(clone.join("lib/lib.js")).expect("it is there"), "1\n");
}

#[test]
fn a_removal_is_committed() {
    let server = GitServer::start();
    let repository = app(&server);
    repository.commit_on("main", &[("a folder/\"grüße\".txt", Change::Removal)]);
    assert_eq!(repository.git(&["ls-tree", "-r", "--name-only", "main"], b""), "Dockerfile\n");
}

#[test]
fn branches_and_tags_are_where_they_were_put() {
    let server = GitServer::start();
    let repository = app(&server);
    let first = repository.resolve("main");
    repository.branch("release", &first);
    repository.tag("v1", &first);
    let object = repository.annotated_tag("v2", &first);
    let second = repository.commit_on("release", &[("notes", Change::File(b"new\n"))]);
    assert_ne!(first, second);
    let client = Client::of(&server);
    let url = server.url(&repository);
    let expected = format!(
        "{first}\tHEAD\n{first}\trefs/heads/main\n{second}\trefs/heads/release\n{first}\trefs/tags/v1\n\
         {object}\trefs/tags/v2\n{first}\trefs/tags/v2^{{}}\n"
    );
    assert_eq!(client.references(&url), expected);
    // As after a forced push, and after a removal.
    repository.branch("release", &first);
    repository.tag("v1", &second);
    repository.remove_reference("refs/tags/v2");
    let expected =
        format!("{first}\tHEAD\n{first}\trefs/heads/main\n{first}\trefs/heads/release\n{second}\trefs/tags/v1\n");
    assert_eq!(client.references(&url), expected);
}

#[test]
fn a_commit_is_fetched_by_its_name_and_without_its_history() {
    let server = GitServer::start();
    let repository = app(&server);
    let wanted = repository.commit(&[("Dockerfile", "FROM scratch\n")]);
    repository.commit(&[("Dockerfile", "FROM node:6\n")]);
    let client = Client::of(&server);
    client.git(&["init", "--quiet", "cloned"]).expect("a repository is made");
    let fetch = ["-C", "cloned", "fetch", "--quiet", "--depth", "1", &server.url(&repository), &wanted];
    client.git(&fetch).expect("the commit is fetched");
    let fetched = client.git(&["-C", "cloned", "rev-list", "FETCH_HEAD"]).expect("it has a history");
    assert_eq!(fetched.trim(), wanted);
}

#[test]
fn requests_are_recorded() {
    let server = GitServer::start();
    let repository = app(&server);
    Client::of(&server).references(&server.url(&repository));
    let requests = server.requests();
    let first = &requests[0];
    assert_eq!((first.method.as_str(), first.status), ("GET", 200));
    assert_eq!(first.path, "/team/app.git/info/refs");
    assert_eq!(first.query.as_deref(), Some("service=git-upload-pack"));
    assert!(requests.iter().all(|request| request.authorization.is_none()), "{requests:?}");
    server.forget_requests();
    assert!(server.requests().is_empty());
}

#[test]
fn nobody_vouches_for_it_but_its_own_authority() {
    let server = GitServer::start();
    let other = GitServer::start();
    let url = server.url(&app(&server));
    let problem = Client::of(&other).refusal(&["ls-remote", &url]);
    assert!(problem.contains("certificate"), "{problem}");
    assert!(server.requests().is_empty());
}

#[test]
fn credentials_are_wanted_when_it_is_told_so() {
    let server = GitServer::start();
    let url = server.url(&app(&server));
    server.want_credentials("someone", "p:ass+/word");
    let client = Client::of(&server);
    let problem = client.refusal(&["ls-remote", &url]);
    assert!(problem.contains("could not read Username"), "{problem}");
    let wrong = url.replace("https://", "https://someone:wrong@");
    assert!(client.refusal(&["ls-remote", &wrong]).contains("Authentication failed"));
    assert!(server.requests().iter().all(|request| request.status == 401), "{:?}", server.requests());
    server.forget_requests();
    client.references(&url.replace("https://", "https://someone:p%3Aass%2B%2Fword@"));
    let requests = server.requests();
    let statuses: Vec<u16> = requests.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [401, 200, 200]);
    assert_eq!(requests[1].authorization.as_deref(), Some("Basic c29tZW9uZTpwOmFzcysvd29yZA=="));
}

#[test]
fn it_goes_away_and_comes_back_at_the_same_port() {
    let mut server = GitServer::start();
    let url = server.url(&app(&server));
    let client = Client::of(&server);
    for _ in 0..2 {
        client.references(&url);
        server.become_unreachable();
        let problem = client.refusal(&["ls-remote", &url]);
        assert!(problem.contains("Failed to connect") || problem.contains("Connection refused"), "{problem}");
        server.become_reachable();
    }
    client.references(&url);
}

#[test]
fn a_redirect_leads_to_another_server() {
    let (old, new) = (GitServer::start(), GitServer::start());
    let url = old.url(&app(&old));
    app(&new);
    old.answer_with(Answer::RedirectTo(new.address()));
    // The two have an authority each.
    let mut client = Client::knowing(&[]);
    let both = client.folder.path().join("authorities.pem");
    fs::write(&both, [old.authority(), new.authority()].concat()).expect("the authorities are written");
    client.environment.push(("GIT_SSL_CAINFO", both.display().to_string()));
    client.references(&url);
    assert_eq!(old.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [302]);
    assert!(new.requests().iter().all(|request| request.status == 200), "{:?}", new.requests());
    old.answer_with(Answer::Repositories);
    old.forget_requests();
    client.references(&url);
    assert!(old.requests().iter().all(|request| request.status == 200), "{:?}", old.requests());
}

#[test]
fn a_failure_is_answered_when_it_is_told_so() {
    let server = GitServer::start();
    let url = server.url(&app(&server));
    server.answer_with(Answer::Status(503));
    let problem = Client::of(&server).refusal(&["ls-remote", &url]);
    assert!(problem.contains("503"), "{problem}");
}

#[test]
fn nothing_is_written_over_https_and_what_is_not_there_is_not_found() {
    let server = GitServer::start();
    let url = server.url(&app(&server));
    let client = Client::of(&server);
    client.clone(&url);
    let problem = client.refusal(&["-C", "cloned", "push", "origin", "HEAD:refs/heads/mine"]);
    assert!(problem.contains("403"), "{problem}");
    let problem = client.refusal(&["ls-remote", &url.replace("app", "nothing")]);
    assert!(problem.contains("not found"), "{problem}");
}

#[test]
fn the_same_repositories_are_there_over_ssh() {
    let server = GitServer::start();
    let repository = app(&server);
    let ssh = server.over_ssh();
    let client = Client::over_ssh(&ssh);
    let clone = client.clone(&server.ssh_url(&ssh, &repository)).join("cloned");
    assert!(clone.join("Dockerfile").is_file());
    assert_eq!(ssh.logins(), 1);
    assert!(server.requests().is_empty());
}

#[test]
fn ssh_opens_for_its_own_key_and_is_known_by_its_own() {
    let server = GitServer::start();
    let repository = app(&server);
    let (ssh, other) = (server.over_ssh(), server.over_ssh());
    let url = server.ssh_url(&ssh, &repository);
    let key = |server: &SshServer| server.private_key_file().display().to_string();
    let with_other_key = ssh.client().replace(&key(&ssh), &key(&other));
    let problem = Client::knowing(&[("GIT_SSH_COMMAND", with_other_key)]).refusal(&["ls-remote", &url]);
    assert!(problem.contains("Permission denied (publickey)"), "{problem}");
    let problem = Client::over_ssh(&other).refusal(&["ls-remote", &url]);
    assert!(problem.contains("Host key verification failed"), "{problem}");
    assert_eq!(ssh.logins(), 0, "{}", ssh.log());
}

#[test]
fn ssh_reads_repositories_and_does_nothing_else() {
    let server = GitServer::start();
    let repository = app(&server);
    let ssh = server.over_ssh();
    let client = Client::over_ssh(&ssh);
    let outside = format!("{}/../authority.pem", ssh.address());
    let problem = client.refusal(&["ls-remote", &outside]);
    assert!(problem.contains("lets repositories be read, and nothing else"), "{problem}");
    client.clone(&server.ssh_url(&ssh, &repository));
    let problem = client.refusal(&["-C", "cloned", "push", "origin", "HEAD:refs/heads/mine"]);
    assert!(problem.contains("lets repositories be read, and nothing else"), "{problem}");
    let command = format!("{} -p {} git@127.0.0.1 id", ssh.client(), ssh.port());
    let output = Command::new("sh").args(["-c", &command]).output().expect("ssh can be started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nothing else: id") && output.stdout.is_empty(), "{said}");
}

#[test]
fn nothing_of_it_is_left() {
    let server = GitServer::start();
    let repository = app(&server);
    let ssh = server.over_ssh();
    let (https_port, ssh_port) = (server.port(), ssh.port());
    let folders = [server.authority_file(), ssh.private_key_file()];
    // A session that never ends by itself.
    let waiting = format!("{} -p {ssh_port} git@127.0.0.1 git-upload-pack /{}.git", ssh.client(), repository.name());
    let mut session = Command::new("sh");
    session.args(["-c", &format!("exec {waiting}")]).stdin(std::process::Stdio::piped());
    let mut session =
        session.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("ssh");
    while !ssh.log().contains("Starting session") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(ssh);
    assert!(!session.wait().expect("it ends with its server").success());
    drop(server);
    for port in [https_port, ssh_port] {
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "{port} is still open");
    }
    for file in folders {
        assert!(!file.parent().expect("it lay in a folder").exists(), "{} is still there", file.display());
    }
}

#[tokio::test]
async fn a_test_may_hold_it_in_a_runtime_of_its_own() {
    let mut server = GitServer::start();
    let url = server.url(&app(&server));
    Client::of(&server).references(&url);
    server.become_unreachable();
    server.become_reachable();
    Client::of(&server).references(&url);
}
