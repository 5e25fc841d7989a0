//! Credentials for registries, from Secrets of the type `kubernetes.io/dockerconfigjson`.
//!
//! Such a Secret holds what `docker login` writes into its configuration
//! (<https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets>). Nothing in it is ever executed:
//! `credHelpers` and `credsStore` are not looked at.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::Credentials;

const KIND: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";

const DOCKER_HUB: &str = "docker.io";
/// What Docker Hub is called in configurations, its own name included.
const DOCKER_HUB_NAMES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];

/// The standard alphabet, as `docker login` writes it; padding is left out by some who write it by hand.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a Secret gives no credentials. The messages are to stand behind its name; they name its keys and never quote what is in
/// them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// It is of another type.
    #[error("its type is {0}, and {KIND} is needed; kubectl create secret docker-registry makes one")]
    Kind(String),
    /// The key is not there.
    #[error("it has no key {KEY}; kubectl create secret docker-registry makes one that has it")]
    NoKey,
    /// The key does not hold what it should.
    #[error(
        "its key {KEY} is not a Docker configuration: JSON of the form {{\"auths\": {{\"HOST\": {{\"auth\": …}}}}}}"
    )]
    Malformed,
    /// The host's entry has no user name and password that can be read.
    #[error(
        "its key {KEY} has an entry for {0} without a user name and a password; give it \"auth\", the base64 of USER:PASSWORD, or \"username\" and \"password\""
    )]
    NoPassword(String),
    /// The host's entry has an identity token.
    #[error(
        "its key {KEY} has an identity token for {0}, which cannot be used; log in with a user name and a password or an access token"
    )]
    IdentityToken(String),
    /// There are entries only for paths in the host.
    #[error("its key {KEY} has an entry for a path in {0}; write the entry for the host {0} itself")]
    OnlyForAPath(String),
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

/// The credentials that a Secret of this type and with these keys has for a registry's host, written as in an image
/// reference: `gcr.io`, `127.0.0.1:5000`, `docker.io`. `None` when it has none for exactly this host.
///
/// `https://` or `http://` before a host and `/`, `/v1` or `/v2` behind it do not count, as in `docker login`; Docker
/// Hub is known by its old names too.
pub fn credentials_for(
    kind: &str,
    data: &BTreeMap<String, Vec<u8>>,
    host: &str,
) -> Result<Option<Credentials>, CredentialsError> {
    if kind != KIND {
        return Err(CredentialsError::Kind(kind.to_owned()));
    }
    let text = data.get(KEY).ok_or(CredentialsError::NoKey)?;
    let configuration: Configuration = serde_json::from_slice(text).map_err(|_| CredentialsError::Malformed)?;
    let scope_of = |address: &str| scope(address, host);
    if let Some((_, login)) = first(&configuration, |address| scope_of(address) == Scope::Host) {
        return login_to(login, host).map(Some);
    }
    match first(&configuration, |address| scope_of(address) == Scope::Path) {
        Some(_) => Err(CredentialsError::OnlyForAPath(host.to_owned())),
        None => Ok(None),
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

fn login_to(login: &Login, host: &str) -> Result<Credentials, CredentialsError> {
    if login.identitytoken.as_ref().is_some_and(|token| !token.is_empty()) {
        return Err(CredentialsError::IdentityToken(host.to_owned()));
    }
    let (username, password) = match login {
        Login { auth: Some(auth), .. } if !auth.is_empty() => decoded(auth),
        Login { username: Some(username), password: Some(password), .. } => {
            Some((username.clone(), password.as_str().into()))
        }
        _ => None,
    }
    .ok_or_else(|| CredentialsError::NoPassword(host.to_owned()))?;
    Ok(Credentials { host: host.to_owned(), username, password })
}

/// The user name up to the first colon, and the password behind it.
fn decoded(auth: &str) -> Option<(String, SecretString)> {
    let text = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.into())).filter(|(username, _)| !username.is_empty())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    /// `user:pass` in base64.
    const AUTH: &str = "dXNlcjpwYXNz";

    fn secret(json: &str) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([(KEY.to_owned(), json.as_bytes().to_vec())])
    }

    fn secret_for(address: &str) -> BTreeMap<String, Vec<u8>> {
        secret(&format!(r#"{{"auths": {{"{address}": {{"auth": "{AUTH}"}}}}}}"#))
    }

    fn found(data: &BTreeMap<String, Vec<u8>>, host: &str) -> Option<(String, String)> {
        credentials_for(KIND, data, host).unwrap().map(|credentials| {
            assert_eq!(credentials.host, host);
            (credentials.username, credentials.password.expose_secret().to_owned())
        })
    }

    fn refused(json: &str) -> CredentialsError {
        credentials_for(KIND, &secret(json), "gcr.io").unwrap_err()
    }

    #[test]
    fn a_host_gets_its_own_credentials() {
        let user = Some(("user".to_owned(), "pass".to_owned()));
        for (address, host) in [
            ("gcr.io", "gcr.io"),
            ("https://gcr.io", "gcr.io"),
            ("http://gcr.io/", "gcr.io"),
            ("https://gcr.io/v2/", "gcr.io"),
            ("127.0.0.1:5000", "127.0.0.1:5000"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("docker.io", "docker.io"),
            ("registry-1.docker.io", "docker.io"),
        ] {
            assert_eq!(found(&secret_for(address), host), user, "{address} for {host}");
        }
    }

    #[test]
    fn no_other_host_gets_them() {
        for (address, host) in [
            ("gcr.io", "gcr.io.evil.com"),
            ("gcr.io.evil.com", "gcr.io"),
            ("gcr.io", "eu.gcr.io"),
            ("eu.gcr.io", "gcr.io"),
            ("*.gcr.io", "eu.gcr.io"),
            ("gcr.io", "gcr.io:443"),
            ("gcr.io", "gcr.io:5000"),
            ("127.0.0.1:5000", "127.0.0.1:5001"),
            ("evil.com/gcr.io", "gcr.io"),
            ("https://user@gcr.io", "gcr.io"),
            ("https://gcr.io@evil.com", "gcr.io"),
            ("https://https://gcr.io", "gcr.io"),
            ("", "gcr.io"),
            ("docker.io", "gcr.io"),
            ("hub.docker.io", "docker.io"),
        ] {
            assert_eq!(found(&secret_for(address), host), None, "{address} for {host}");
        }
    }

    #[test]
    fn a_user_name_and_a_password_may_stand_by_themselves() {
        let data = secret(r#"{"auths": {"gcr.io": {"username": "_json_key", "password": "{\"a\": 1}"}}}"#);
        let expected = ("_json_key".to_owned(), "{\"a\": 1}".to_owned());
        assert_eq!(found(&data, "gcr.io"), Some(expected));
    }

    #[test]
    fn a_password_may_have_colons_and_the_base64_no_padding() {
        // `u:p:w` with and without its padding.
        for auth in ["dTpwOnc=", "dTpwOnc"] {
            let data = secret(&format!(r#"{{"auths": {{"gcr.io": {{"auth": "{auth}"}}}}}}"#));
            assert_eq!(found(&data, "gcr.io"), Some(("u".to_owned(), "p:w".to_owned())));
        }
    }

    #[test]
    fn a_secret_without_entries_has_none() {
        assert_eq!(found(&secret("{}"), "gcr.io"), None);
        assert_eq!(found(&secret(r#"{"auths": {}, "credsStore": "evil"}"#), "gcr.io"), None);
    }

    #[test]
    fn entries_that_cannot_be_used_say_why() {
        let host = || "gcr.io".to_owned();
        for json in [
            r#"{"auths": {"gcr.io": {}}}"#,
            r#"{"auths": {"gcr.io": {"auth": "!"}}}"#,
            r#"{"auths": {"gcr.io": {"auth": "dXNlcg=="}}}"#,
            r#"{"auths": {"gcr.io": {"auth": "OnBhc3M="}}}"#,
            r#"{"auths": {"gcr.io": {"username": "user"}}}"#,
        ] {
            assert_eq!(refused(json), CredentialsError::NoPassword(host()), "{json}");
        }
        let token = r#"{"auths": {"gcr.io": {"auth": "dXNlcjpwYXNz", "identitytoken": "x"}}}"#;
        assert_eq!(refused(token), CredentialsError::IdentityToken(host()));
        let path = r#"{"auths": {"gcr.io/my-project": {"auth": "dXNlcjpwYXNz"}}}"#;
        assert_eq!(refused(path), CredentialsError::OnlyForAPath(host()));
    }

    #[test]
    fn a_secret_of_another_kind_or_without_the_key_is_refused() {
        let other = credentials_for("Opaque", &secret_for("gcr.io"), "gcr.io").unwrap_err();
        assert_eq!(other, CredentialsError::Kind("Opaque".to_owned()));
        let empty = credentials_for(KIND, &BTreeMap::new(), "gcr.io").unwrap_err();
        assert_eq!(empty, CredentialsError::NoKey);
    }

    #[test]
    fn an_error_never_quotes_the_secret() {
        const CANARY: &str = "canary";
        for json in [
            r"canary",
            r#"{"auths": "canary"}"#,
            r#"{"auths": {"gcr.io": {"auth": "canary"}}}"#,
            r#"{"auths": {"gcr.io": {"auth": 1, "password": "canary"}}}"#,
            r#"{"auths": {"gcr.io": {"identitytoken": "canary"}}}"#,
        ] {
            let error = refused(json);
            assert!(!format!("{error} {error:?}").contains(CANARY), "{json}: {error}");
        }
    }
}
