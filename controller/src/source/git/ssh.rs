//! `git-upload-pack` on an ssh server.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use russh::client::{self, Handle, Msg};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{AlgorithmKind, Channel, ChannelMsg, Disconnect, Preferred, SshId};
use secrecy::{ExposeSecret as _, SecretString};

use super::known_hosts::HostKeys;
use crate::source::address::SshAddress;
use crate::source::error::quoted;
use crate::source::{SourceAuthentication, SourceCredentials, SourceError, SourceLimits};

/// How much of what the server says on the side is kept for a message.
const MOST_SAID: usize = 4096;

/// A running `git-upload-pack`.
pub(super) struct SshConnection {
    /// The connection ends when this is dropped.
    session: Handle<Visitor>,
    channel: Channel<Msg>,
    address: SshAddress,
    silence: Duration,
    /// What the server said on the side: that there is no such repository, for one.
    said: Vec<u8>,
}

/// Who looks at the server's key.
struct Visitor {
    keys: Arc<HostKeys>,
    refusal: Arc<Mutex<Option<SourceError>>>,
}

impl client::Handler for Visitor {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let verdict = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.keys.check(key),
            PublicKeyOrCertificate::Certificate(_) => Err(self.keys.no_common_kind()),
        };
        let is_right = verdict.is_ok();
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = verdict.err();
        Ok(is_right)
    }
}

impl SshConnection {
    /// Connects, makes sure that it is the right server, tells it who we are, and starts `git-upload-pack`.
    pub(super) async fn open(
        address: &SshAddress,
        credentials: &SourceCredentials,
        limits: &SourceLimits,
    ) -> Result<Self, SourceError> {
        let keys = Arc::new(HostKeys::of(address, credentials.known_hosts.as_deref())?);
        let identity = identity_for(address, credentials)?;
        let configuration = client::Config {
            client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-longshore_", env!("CARGO_PKG_VERSION")))),
            preferred: Preferred { key: keys.algorithms().into(), ..Preferred::default() },
            inactivity_timeout: Some(limits.silence),
            nodelay: true,
            ..client::Config::default()
        };
        let refusal = Arc::new(Mutex::new(None));
        let visitor = Visitor { keys: Arc::clone(&keys), refusal: Arc::clone(&refusal) };
        let connecting = client::connect(Arc::new(configuration), (address.host.as_str(), address.port), visitor);
        let session = match tokio::time::timeout(limits.silence, connecting).await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => {
                let refusal = refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
                return Err(refusal.unwrap_or_else(|| not_connected(address, &keys, &error)));
            }
            Err(_) => return Err(silent(address)),
        };
        let mut connection = Opening { session, address, silence: limits.silence };
        connection.authenticate(identity).await?;
        connection.start().await
    }

    /// Sends to the program.
    pub(super) async fn send(&mut self, bytes: Vec<u8>) -> Result<(), SourceError> {
        let sending = self.channel.data_bytes(bytes);
        match tokio::time::timeout(self.silence, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => Err(silent(&self.address)),
        }
    }

    /// What the program says next; `None` when it has ended.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
        loop {
            let Ok(message) = tokio::time::timeout(self.silence, self.channel.wait()).await else {
                return Err(silent(&self.address));
            };
            match message {
                Some(ChannelMsg::Data { data }) if !data.is_empty() => return Ok(Some(data)),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MOST_SAID.saturating_sub(self.said.len());
                    self.said.extend_from_slice(&data[..data.len().min(room)]);
                }
                // What was said on the side may come after the end of what it says.
                Some(ChannelMsg::Eof) => {}
                Some(ChannelMsg::Close) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }

    /// What it means that the program ended too early.
    pub(super) fn ended(&self) -> SourceError {
        let said = quoted(&String::from_utf8_lossy(&self.said));
        if said.is_empty() {
            return SourceError::Unreachable(format!("the connection to {} ended too early", self.address));
        }
        let lower = said.to_lowercase();
        let sentence = format!("{} gives no repository; the server says: {said}", self.address);
        if lower.contains("denied") || lower.contains("permission") || lower.contains("forbidden") {
            SourceError::Denied(sentence)
        } else {
            SourceError::NotFound(sentence)
        }
    }

    /// Says goodbye, for servers that write down who does not.
    pub(super) async fn close(self) {
        let goodbye = self.session.disconnect(Disconnect::ByApplication, "", "en");
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
}

struct Opening<'a> {
    session: Handle<Visitor>,
    address: &'a SshAddress,
    silence: Duration,
}

impl Opening<'_> {
    async fn authenticate(&mut self, identity: Identity) -> Result<(), SourceError> {
        let key = Arc::new(identity.0);
        let hash = if key.algorithm().is_rsa() {
            let hash = self.within(self.session.best_supported_rsa_hash()).await?;
            // A server that does not say takes what the newer standard wants (RFC 8332); SHA-1 is not offered.
            hash.flatten().or(Some(russh::keys::HashAlg::Sha512))
        } else {
            None
        };
        let offered = PrivateKeyWithHashAlg::new(key, hash);
        let answer =
            tokio::time::timeout(self.silence, self.session.authenticate_publickey(self.address.user.clone(), offered));
        match answer.await {
            Ok(Ok(result)) if result.success() => Ok(()),
            // A connection that ends in between looks like a refusal.
            Ok(Ok(_)) if self.session.is_closed() => Err(failed(self.address, &russh::Error::HUP)),
            Ok(Ok(_)) => Err(SourceError::Denied(format!(
                "the ssh server {} does not let the user {} in with the key of the source's Secret; check that its public half is known there",
                self.address.server(),
                self.address.user
            ))),
            Ok(Err(error)) => Err(failed(self.address, &error)),
            Err(_) => Err(silent(self.address)),
        }
    }

    async fn start(self) -> Result<SshConnection, SourceError> {
        let channel = self.within(self.session.channel_open_session()).await?;
        // A server that does not take the variable speaks the older protocol, which is understood as well.
        self.within(channel.set_env(false, "GIT_PROTOCOL", "version=2")).await?;
        self.within(channel.exec(false, format!("git-upload-pack {}", in_quotes(&self.address.path)))).await?;
        Ok(SshConnection {
            session: self.session,
            channel,
            address: self.address.clone(),
            silence: self.silence,
            said: Vec::new(),
        })
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T, russh::Error>>) -> Result<T, SourceError> {
        match tokio::time::timeout(self.silence, call).await {
            Ok(result) => result.map_err(|error| failed(self.address, &error)),
            Err(_) => Err(silent(self.address)),
        }
    }
}

/// A private key. It has no `Debug`.
struct Identity(russh::keys::PrivateKey);

fn identity_for(address: &SshAddress, credentials: &SourceCredentials) -> Result<Identity, SourceError> {
    let Some(SourceAuthentication::Key { identity, password }) = &credentials.authentication else {
        return Err(SourceError::Denied(format!(
            "{address} wants an ssh key: name a Secret with identity and known_hosts whose key is for this server"
        )));
    };
    let password = password.as_ref().map(SecretString::expose_secret);
    decode_secret_key(identity.expose_secret(), password).map(Identity).map_err(|error| {
        let problem = match error {
            russh::keys::Error::KeyIsEncrypted if password.is_none() => {
                "it is encrypted: put what it is encrypted with under password"
            }
            _ if password.is_some() => "it is not a private key, or the password does not decrypt it",
            _ => "it is not a private key in a format that is understood (OpenSSH, PKCS#8, PKCS#1)",
        };
        SourceError::Invalid(format!("the ssh key in the source's Secret for {address} cannot be used: {problem}"))
    })
}

/// A path for the shell that servers run the command in; those that have none understand this form as well.
fn in_quotes(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

fn not_connected(address: &SshAddress, keys: &HostKeys, error: &russh::Error) -> SourceError {
    match error {
        russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. } => keys.no_common_kind(),
        other => failed(address, other),
    }
}

fn failed(address: &SshAddress, error: &russh::Error) -> SourceError {
    let problem = match error {
        russh::Error::NoCommonAlgo { .. } => "it has no algorithm in common with this side".to_owned(),
        other => quoted(&other.to_string()),
    };
    SourceError::Unreachable(format!("the ssh server {} does not answer: {problem}", address.server()))
}

fn silent(address: &SshAddress) -> SourceError {
    SourceError::Unreachable(format!(
        "the ssh server {} does not answer: it said nothing for too long",
        address.server()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::address::GitAddress;

    #[test]
    fn a_path_stays_one_word_for_a_shell() {
        assert_eq!(in_quotes("/org/app.git"), "'/org/app.git'");
        assert_eq!(in_quotes("/a'; rm -rf /"), r"'/a'\''; rm -rf /'");
    }

    #[test]
    fn a_key_that_cannot_be_used_is_not_quoted() {
        let GitAddress::Ssh(address) = GitAddress::parse("git@host:a").unwrap() else { panic!("ssh") };
        let key = SourceAuthentication::Key { identity: "canary".into(), password: None };
        let credentials = SourceCredentials { authentication: Some(key), ..SourceCredentials::default() };
        let Err(SourceError::Invalid(sentence)) = identity_for(&address, &credentials) else { panic!("it is refused") };
        assert!(!sentence.contains("canary"), "{sentence}");
        let none = identity_for(&address, &SourceCredentials::default());
        assert!(matches!(none, Err(SourceError::Denied(_))));
    }
}
