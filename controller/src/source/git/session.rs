//! A conversation with a git server: which references it has, and the pack of a commit. Version 2 of the protocol
//! (<https://git-scm.com/docs/protocol-v2>) is asked for; a server that answers with version 0 or 1
//! (<https://git-scm.com/docs/pack-protocol>) is understood too.

use std::collections::BTreeSet;

use reqwest::Client;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::connection::Connection;
use super::packets::{Message, Packet};
use crate::source::address::GitAddress;
use crate::source::reference::{FoundReference, is_commit};
use crate::source::{SourceCredentials, SourceError, SourceLimits};

const AGENT: &str = concat!("agent=longshore/", env!("CARGO_PKG_VERSION"));

/// A conversation with a git server.
pub(super) struct Session {
    connection: Connection,
    server: Server,
    limits: SourceLimits,
}

/// What a server can do.
enum Server {
    /// It speaks version 2.
    Two(Vec<String>),
    /// It speaks an older version, and has said already which references it has.
    Older { capabilities: Vec<String>, references: Vec<Advertised> },
}

/// A reference of an older server, with the object that it names itself: for an annotated tag, the tag.
struct Advertised {
    object: String,
    reference: FoundReference,
}

/// What a pack has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// One commit, without those before it.
    One,
    /// All branches and tags with their whole history, since the server gives out no single commit.
    Whole,
}

impl Session {
    /// Connects and learns what the server can do.
    pub(super) async fn open(
        address: &GitAddress,
        credentials: &SourceCredentials,
        client: &Client,
        limits: &SourceLimits,
    ) -> Result<Self, SourceError> {
        let mut connection = Connection::open(address, credentials, client, limits).await?;
        let server = greeting(&mut connection).await?;
        let session = Self { connection, server, limits: *limits };
        if session.value_of("object-format").is_some_and(|format| format != "sha1") {
            return Err(SourceError::Invalid(format!(
                "{address} is a repository with SHA-256 objects, which is not supported; only SHA-1 is"
            )));
        }
        Ok(session)
    }

    /// The references whose names begin with one of these. An older server gives all that it has.
    pub(super) async fn references(&mut self, prefixes: &[String]) -> Result<Vec<FoundReference>, SourceError> {
        if let Server::Older { references, .. } = &self.server {
            return Ok(references.iter().map(|advertised| advertised.reference.clone()).collect());
        }
        let message = Message::default()
            .line("command=ls-refs")
            .lines(self.capabilities_for_command())
            .delimiter()
            .lines(["peel".to_owned(), "symrefs".to_owned()])
            .lines(prefixes.iter().map(|prefix| format!("ref-prefix {prefix}")))
            .flush();
        self.connection.ask(message, self.limits.references, "a list of references").await?;
        let mut references = Vec::new();
        while let Some(line) = self.connection.packets.line().await? {
            references.push(reference_in(&line).ok_or_else(|| self.connection.packets.not_git())?);
        }
        Ok(references)
    }

    /// Writes the pack of a commit, and says what is in it.
    pub(super) async fn pack(
        &mut self,
        commit: &str,
        file: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Depth, SourceError> {
        let depth = match &self.server {
            Server::Two(_) => self.ask_for_pack(commit).await?,
            Server::Older { .. } => self.ask_older_for_pack(commit).await?,
        };
        let mut bytes = 0;
        loop {
            let packet = self.connection.packets.next().await?;
            let Packet::Data(data) = packet else { break };
            // A sideband: 1 is the pack, 2 what is to be shown to a person, 3 an error.
            match data.split_first() {
                Some((1, pack)) => {
                    bytes += pack.len();
                    file.write_all(pack).await.map_err(SourceError::store)?;
                }
                Some((2, _)) => {}
                Some((3, problem)) => {
                    return Err(self.connection.packets.refused(&String::from_utf8_lossy(problem)));
                }
                _ => return Err(self.connection.packets.not_git()),
            }
        }
        if bytes == 0 {
            return Err(self.connection.packets.not_git());
        }
        file.flush().await.map_err(SourceError::store)?;
        Ok(depth)
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        self.connection.close().await;
    }

    async fn ask_for_pack(&mut self, commit: &str) -> Result<Depth, SourceError> {
        let can_be_shallow =
            self.value_of("fetch").is_some_and(|features| features.split(' ').any(|feature| feature == "shallow"));
        let depth = if can_be_shallow { Depth::One } else { Depth::Whole };
        let message = Message::default()
            .line("command=fetch")
            .lines(self.capabilities_for_command())
            .delimiter()
            .lines(["no-progress".to_owned(), "ofs-delta".to_owned()])
            .lines(can_be_shallow.then(|| "deepen 1".to_owned()))
            .lines([format!("want {commit}"), "done".to_owned()])
            .flush();
        self.connection.ask(message, self.limits.download, "a pack").await?;
        // Parts with a name each come before the pack; the last one is the pack's.
        loop {
            match self.connection.packets.line().await? {
                Some(line) if line == "packfile" => return Ok(depth),
                Some(_) => {}
                // A part ends. That the whole answer ends without a pack shows itself at the next packet.
                None => {}
            }
        }
    }

    async fn ask_older_for_pack(&mut self, commit: &str) -> Result<Depth, SourceError> {
        let Server::Older { capabilities, references } = &self.server else { return Ok(Depth::One) };
        let has = |name: &str| capabilities.iter().any(|capability| capability == name);
        if !has("side-band-64k") || !has("ofs-delta") {
            return Err(SourceError::Invalid(format!(
                "{} speaks a version of git's protocol that is too old",
                self.connection.address
            )));
        }
        // A tag's commit is no reference itself; what is asked for then is the tag.
        let advertised = references.iter().find(|advertised| advertised.reference.commit == commit);
        let gives_any = has("allow-reachable-sha1-in-want") || has("allow-any-sha1-in-want");
        let (wanted, depth) = match advertised {
            Some(advertised) if has("shallow") => (BTreeSet::from([advertised.object.as_str()]), Depth::One),
            None if gives_any && has("shallow") => (BTreeSet::from([commit]), Depth::One),
            _ => (tips(references), Depth::Whole),
        };
        if wanted.is_empty() {
            return Err(SourceError::ReferenceNotFound(format!(
                "{} has no commit {commit}: it is empty",
                self.connection.address
            )));
        }
        let features = ["multi_ack_detailed", "side-band-64k", "ofs-delta", "no-progress", "shallow"];
        let features: Vec<&str> = features.into_iter().filter(|feature| has(feature)).collect();
        let wants = wanted.into_iter().enumerate().map(|(index, object)| match index {
            0 => format!("want {object} {} {AGENT}", features.join(" ")),
            _ => format!("want {object}"),
        });
        let mut message = Message::default().lines(wants);
        if depth == Depth::One {
            message = message.line("deepen 1");
        }
        let message = message.flush().line("done");
        self.connection.ask(message, self.limits.download, "a pack").await?;
        if depth == Depth::One {
            // The commits without parents, up to the end of that part.
            while self.connection.packets.line().await?.is_some() {}
        }
        match self.connection.packets.line().await? {
            Some(line) if line == "NAK" => Ok(depth),
            _ => Err(self.connection.packets.not_git()),
        }
    }

    /// What is said of ourselves with each command; only what the server knows.
    fn capabilities_for_command(&self) -> Vec<String> {
        let mut capabilities = Vec::new();
        if self.value_of("agent").is_some() {
            capabilities.push(AGENT.to_owned());
        }
        if self.value_of("object-format").is_some() {
            capabilities.push("object-format=sha1".to_owned());
        }
        capabilities
    }

    fn value_of(&self, name: &str) -> Option<&str> {
        let (Server::Two(capabilities) | Server::Older { capabilities, .. }) = &self.server;
        capabilities.iter().find_map(|capability| match capability.split_once('=') {
            Some((found, value)) if found == name => Some(value),
            None if capability == name => Some(""),
            _ => None,
        })
    }
}

/// The branches and tags of an older server.
fn tips(references: &[Advertised]) -> BTreeSet<&str> {
    references
        .iter()
        .filter(|advertised| {
            let name = &advertised.reference.name;
            name.starts_with("refs/heads/") || name.starts_with("refs/tags/") || name == "HEAD"
        })
        .map(|advertised| advertised.object.as_str())
        .collect()
}

/// What a server says first.
async fn greeting(connection: &mut Connection) -> Result<Server, SourceError> {
    let mut first = connection.packets.line().await?;
    // Behind HTTP a message of its own names the service; some servers leave it out.
    if first.as_deref().is_some_and(|line| line.starts_with("# service=")) {
        if connection.packets.line().await?.is_some() {
            return Err(connection.packets.not_git());
        }
        first = connection.packets.line().await?;
    }
    if first.as_deref() == Some("version 2") {
        let mut capabilities = Vec::new();
        while let Some(line) = connection.packets.line().await? {
            capabilities.push(line);
        }
        return Ok(Server::Two(capabilities));
    }
    if first.as_deref() == Some("version 1") {
        first = connection.packets.line().await?;
    }
    let mut lines = Vec::new();
    while let Some(line) = first {
        lines.push(line);
        first = connection.packets.line().await?;
    }
    older(&lines).ok_or_else(|| connection.packets.not_git())
}

/// What an older server can do and has; `None` when that is not what its lines say.
fn older(lines: &[String]) -> Option<Server> {
    let Some((first, rest)) = lines.split_first() else {
        return Some(Server::Older { capabilities: Vec::new(), references: Vec::new() });
    };
    let (first, capabilities) = first.split_once('\0')?;
    let capabilities: Vec<String> = capabilities.split_ascii_whitespace().map(str::to_owned).collect();
    let mut references: Vec<Advertised> = Vec::new();
    for line in std::iter::once(first).chain(rest.iter().map(String::as_str)) {
        let (object, name) = line.split_once(' ')?;
        // An empty repository has this instead of a reference; an incomplete one says where it ends.
        if name == "capabilities^{}" || object == "shallow" {
            continue;
        }
        if !is_commit(object) {
            return None;
        }
        if let Some(tag) = name.strip_suffix("^{}") {
            let last = references.last_mut().filter(|last| last.reference.name == tag)?;
            object.clone_into(&mut last.reference.commit);
            continue;
        }
        let target = capabilities.iter().find_map(|capability| {
            capability.strip_prefix("symref=")?.strip_prefix(name)?.strip_prefix(':').map(str::to_owned)
        });
        let reference = FoundReference { name: name.to_owned(), commit: object.to_owned(), target };
        references.push(Advertised { object: object.to_owned(), reference });
    }
    Some(Server::Older { capabilities, references })
}

/// A line of the answer to `ls-refs`.
fn reference_in(line: &str) -> Option<FoundReference> {
    let mut words = line.split(' ');
    let mut reference =
        FoundReference { commit: words.next()?.to_owned(), name: words.next()?.to_owned(), target: None };
    for attribute in words {
        if let Some(target) = attribute.strip_prefix("symref-target:") {
            reference.target = Some(target.to_owned());
        } else if let Some(commit) = attribute.strip_prefix("peeled:") {
            commit.clone_into(&mut reference.commit);
        }
    }
    is_commit(&reference.commit).then_some(reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    fn found(name: &str, commit: &str, target: Option<&str>) -> FoundReference {
        FoundReference { name: name.to_owned(), commit: commit.to_owned(), target: target.map(str::to_owned) }
    }

    #[test]
    fn references_are_read() {
        let head = format!("{ONE} HEAD symref-target:refs/heads/main");
        assert_eq!(reference_in(&head), Some(found("HEAD", ONE, Some("refs/heads/main"))));
        let tag = format!("{ONE} refs/tags/v1 peeled:{TWO}");
        assert_eq!(reference_in(&tag), Some(found("refs/tags/v1", TWO, None)));
        for line in ["", "HEAD", "unborn HEAD", "xyz HEAD"] {
            assert_eq!(reference_in(line), None, "{line}");
        }
    }

    #[test]
    fn what_an_older_server_has_is_read() {
        let lines = [
            format!("{ONE} HEAD\0side-band-64k symref=HEAD:refs/heads/main agent=git/2"),
            format!("{ONE} refs/heads/main"),
            format!("{TWO} refs/tags/v1"),
            format!("{ONE} refs/tags/v1^{{}}"),
        ];
        let Some(Server::Older { capabilities, references }) = older(&lines) else { panic!("an older server") };
        assert_eq!(capabilities, ["side-band-64k", "symref=HEAD:refs/heads/main", "agent=git/2"]);
        let (tag, head) = (&references[2], &references[0]);
        assert_eq!((tag.object.as_str(), tag.reference.commit.as_str()), (TWO, ONE));
        assert_eq!(head.reference, found("HEAD", ONE, Some("refs/heads/main")));
        assert_eq!(tips(&references), BTreeSet::from([ONE, TWO]));
    }

    #[test]
    fn an_empty_older_repository_has_no_references() {
        let lines = [format!("{} capabilities^{{}}\0side-band-64k", "0".repeat(40))];
        assert!(matches!(older(&lines), Some(Server::Older { references, .. }) if references.is_empty()));
        assert!(older(&["what?".to_owned()]).is_none());
    }
}
