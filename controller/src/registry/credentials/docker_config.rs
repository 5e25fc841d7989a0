//! What `docker login` writes into its configuration, as it stands in a Secret
//! (<https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets>). Nothing in it is ever executed:
//! `credHelpers` and `credsStore` are not looked at.

use std::collections::BTreeMap;

use base64::Engine as _;
use secrecy::SecretString;
use serde::Deserialize;

use super::{BASE64, CredentialsError};
use crate::app::Credentials;

const DOCKER_HUB: &str = "docker.io";
/// What Docker Hub is called in configurations, its own name included.
const DOCKER_HUB_NAMES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];

/// The form of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `config.json`, with the entries under `auths`: the key `.dockerconfigjson`.
    Current,
    /// The older `.dockercfg`, which is the entries themselves.
    Old,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    auths: BTreeMap<String, Login>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// The credentials that a configuration has for a registry's host; `None` when it has none for exactly this host.
///
/// `https://` or `http://` before a host and `/`, `/v1` or `/v2` behind it do not count, as in `docker login`; Docker
/// Hub is known by its old names too.
pub(super) fn credentials_in(
    data: &BTreeMap<String, Vec<u8>>,
    form: Form,
    host: &str,
) -> Result<Option<Credentials>, CredentialsError> {
    let text = data.get(form.key()).ok_or(CredentialsError::NoKey(form.key()))?;
    let configuration = form.read(text).ok_or(CredentialsError::NoDockerConfiguration(form.key(), form.example()))?;
    let scope_of = |address: &str| scope(address, host);
    if let Some((_, login)) = first(&configuration, |address| scope_of(address) == Scope::Host) {
        return login_to(login, form, host).map(Some);
    }
    match first(&configuration, |address| scope_of(address) == Scope::Path) {
        Some(_) => Err(CredentialsError::OnlyForAPath(form.key(), host.to_owned())),
        None => Ok(None),
    }
}

impl Form {
    /// The key of a Secret under which it stands.
    fn key(self) -> &'static str {
        match self {
            Self::Current => ".dockerconfigjson",
            Self::Old => ".dockercfg",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Current => r#"{"auths": {"HOST": {"auth": …}}}"#,
            Self::Old => r#"{"HOST": {"auth": …}}"#,
        }
    }

    fn read(self, text: &[u8]) -> Option<Configuration> {
        match self {
            Self::Current => serde_json::from_slice(text).ok(),
            Self::Old => serde_json::from_slice(text).ok().map(|auths| Configuration { auths }),
        }
    }
}

fn first(configuration: &Configuration, wanted: impl Fn(&str) -> bool) -> Option<(&String, &Login)> {
    configuration.auths.iter().find(|(address, _)| wanted(address))
}

/// What an entry's address means for a host.
#[derive(PartialEq, Eq)]
enum Scope {
    /// The host itself.
    Host,
    /// Only something in the host.
    Path,
    /// Another host.
    Elsewhere,
}

fn scope(address: &str, host: &str) -> Scope {
    let address = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")).unwrap_or(address);
    let (name, path) = address.split_once('/').unwrap_or((address, ""));
    let is_host = if host == DOCKER_HUB { DOCKER_HUB_NAMES.contains(&name) } else { name == host };
    match path.trim_end_matches('/') {
        _ if !is_host => Scope::Elsewhere,
        "" | "v1" | "v2" => Scope::Host,
        _ => Scope::Path,
    }
}

fn login_to(login: &Login, form: Form, host: &str) -> Result<Credentials, CredentialsError> {
    if login.identitytoken.as_ref().is_some_and(|token| !token.is_empty()) {
        return Err(CredentialsError::IdentityToken(form.key(), host.to_owned()));
    }
    let (username, password) = match login {
        Login { auth: Some(auth), .. } if !auth.is_empty() => decoded(auth),
        Login { username: Some(username), password: Some(password), .. } => {
            Some((username.clone(), password.as_str().into()))
        }
        _ => None,
    }
    .ok_or_else(|| CredentialsError::NoPassword(form.key(), host.to_owned()))?;
    Ok(Credentials { host: host.to_owned(), username, password })
}

/// The user name up to the first colon, and the password behind it.
fn decoded(auth: &str) -> Option<(String, SecretString)> {
    let text = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.into())).filter(|(username, _)| !username.is_empty())
}
