//! A connection to a git server, by HTTP or by ssh.

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Client, StatusCode, Url};

use super::packets::{Message, Packets, Wire};
use super::ssh::SshConnection;
use crate::source::address::{GitAddress, shown};
use crate::source::web::{Found, Visit};
use crate::source::{SourceCredentials, SourceError, SourceLimits};

/// What asks for version 2 of the protocol; servers that do not know it answer with an older one.
const PROTOCOL: (HeaderName, HeaderValue) =
    (HeaderName::from_static("git-protocol"), HeaderValue::from_static("version=2"));
/// Some servers show what is not called git a page for people.
const USER: HeaderValue = HeaderValue::from_static(concat!("git/2.0 (longshore/", env!("CARGO_PKG_VERSION"), ")"));
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

/// A connection to a git server, on which messages are sent and answers read.
pub(super) struct Connection {
    pub(super) packets: Packets,
    /// Behind HTTP, where messages go to and who we are there.
    web: Option<(Visit, Url)>,
    pub(super) address: GitAddress,
}

impl Connection {
    /// Connects, up to where the server has begun to say what it can do.
    pub(super) async fn open(
        address: &GitAddress,
        credentials: &SourceCredentials,
        client: &Client,
        limits: &SourceLimits,
    ) -> Result<Self, SourceError> {
        let (stream, web) = match address {
            GitAddress::Ssh(ssh) => (Wire::Ssh(SshConnection::open(ssh, credentials, limits).await?), None),
            GitAddress::Web(url) => {
                let visit = Visit::new(client.clone(), url.clone(), credentials)?;
                let (found, base) = advertisement(&visit, url).await?;
                (Wire::Web(found.response), Some((visit, base)))
            }
        };
        let mut packets = Packets::new(stream, address.to_string());
        packets.limit(limits.references, "a list of references");
        Ok(Self { packets, web, address: address.clone() })
    }

    /// Sends a message, and reads on at its answer, which may have so many bytes.
    pub(super) async fn ask(&mut self, message: Message, most: u64, what: &'static str) -> Result<(), SourceError> {
        if let Some((visit, base)) = &self.web {
            let url = at(base, "git-upload-pack");
            let headers = headers([(CONTENT_TYPE, REQUEST), (ACCEPT, RESULT)]);
            let found = visit.post(&url, &headers, message.bytes()).await?;
            if found.response.status() != StatusCode::OK {
                return Err(visit.refusal(&found));
            }
            check_type(&found, RESULT)?;
            self.packets = Packets::new(Wire::Web(found.response), self.address.to_string());
        } else if let Wire::Ssh(ssh) = &mut self.packets.stream {
            ssh.send(message.bytes()).await?;
        }
        self.packets.limit(most, what);
        Ok(())
    }

    /// Says goodbye where that is usual.
    pub(super) async fn close(self) {
        if let Wire::Ssh(ssh) = self.packets.stream {
            ssh.close().await;
        }
    }
}

/// What the server can do, and the address that messages go to: where a redirect led, git's own rule.
async fn advertisement(visit: &Visit, url: &Url) -> Result<(Found, Url), SourceError> {
    let mut asked = at(url, "info/refs");
    asked.set_query(Some("service=git-upload-pack"));
    let found = visit.get(&asked, &headers([(ACCEPT, ADVERTISEMENT)])).await?;
    if found.response.status() != StatusCode::OK {
        return Err(visit.refusal(&found));
    }
    check_type(&found, ADVERTISEMENT)?;
    let Some(path) = found.url.path().strip_suffix("/info/refs") else {
        return Err(not_git(&found.url));
    };
    let mut base = found.url.clone();
    base.set_path(path);
    base.set_query(None);
    Ok((found, base))
}

/// An address below that of a repository.
fn at(base: &Url, below: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{below}", base.path().trim_end_matches('/')));
    url
}

fn headers<const N: usize>(more: [(HeaderName, &'static str); N]) -> HeaderMap {
    let mut headers: HeaderMap =
        more.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    headers.insert(PROTOCOL.0, PROTOCOL.1);
    headers.insert(USER_AGENT, USER);
    headers
}

fn check_type(found: &Found, expected: &str) -> Result<(), SourceError> {
    let kind = found.response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == expected)) {
        return Ok(());
    }
    Err(not_git(&found.url))
}

fn not_git(url: &Url) -> SourceError {
    SourceError::Invalid(format!(
        "{} does not answer as a git server does (smart HTTP); is it the address that git clone takes?",
        shown(url)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_below_the_repository_s_address() {
        for base in ["https://host/org/app.git", "https://host/org/app.git/"] {
            let url = at(&base.parse().unwrap(), "git-upload-pack");
            assert_eq!(url.as_str(), "https://host/org/app.git/git-upload-pack");
        }
    }
}
