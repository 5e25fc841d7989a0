//! Credentials for registries, from Secrets.
//!
//! A Docker configuration names the host of each of its entries. A user name and a password name none, and are shown
//! only to the registry beside which their Secret stands. The key of a Google service account is shown to Google's
//! registries alone.

mod docker_config;
mod google_key;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::app::Credentials;
use docker_config::Form;

/// The standard alphabet, as `docker login` writes it; padding is left out by some who write it by hand.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// For which registries a Secret was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedFor {
    /// For this one: it stands beside the reference.
    ThisRegistry,
    /// For whichever registries a build asks.
    AnyRegistry,
}

/// Why a Secret gives no credentials. The messages are to stand behind its name; they name its keys and never quote
/// what is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// It is of a type that holds no credentials for registries.
    #[error(
        "its type is {0}, and it holds no key of a Google service account: a kubernetes.io/dockerconfigjson, a \
         kubernetes.io/basic-auth, or an Opaque one with such a key is needed; kubectl create secret docker-registry \
         makes the first"
    )]
    Kind(String),
    /// The key is not there.
    #[error("it has no key {0}; kubectl create secret docker-registry makes one that has .dockerconfigjson")]
    NoKey(&'static str),
    /// The key does not hold what it should.
    #[error("its key {0} is not a Docker configuration: JSON of the form {1}")]
    NoDockerConfiguration(&'static str, &'static str),
    /// The host's entry has no user name and password that can be read.
    #[error(
        "its key {0} has an entry for {1} without a user name and a password; give it \"auth\", the base64 of USER:PASSWORD, or \"username\" and \"password\""
    )]
    NoPassword(&'static str, String),
    /// The host's entry has an identity token.
    #[error(
        "its key {0} has an identity token for {1}, which cannot be used; log in with a user name and a password or an access token"
    )]
    IdentityToken(&'static str, String),
    /// There are entries only for paths in the host.
    #[error("its key {0} has an entry for a path in {1}; write the entry for the host {1} itself")]
    OnlyForAPath(&'static str, String),
    /// A user name or a password is missing, empty, or no text.
    #[error(
        "its keys username and password must both be there, and be text; kubectl create secret generic NAME \
             --type=kubernetes.io/basic-auth --from-literal=username=… --from-literal=password=… makes such a one"
    )]
    NoBasicAuth,
    /// It could be shown to the wrong registry.
    #[error(
        "its type is kubernetes.io/basic-auth, which names no registry, so that it could be shown to the wrong one: for \
         the registries of a build use a kubernetes.io/dockerconfigjson, which kubectl create secret docker-registry makes"
    )]
    NamesNoRegistry,
    /// It holds the key of a Google service account, and the registry is not Google's.
    #[error(
        "its key {key} is a key of a Google service account, which is shown to gcr.io, *.gcr.io and *-docker.pkg.dev only, not to {host}"
    )]
    NotGoogles {
        /// The key of the Secret.
        key: String,
        /// The registry.
        host: String,
    },
    /// It holds something of Google's that is no key of a service account, or only a part of one.
    #[error(
        "its key {0} is no whole key of a Google service account; gcloud iam service-accounts keys create makes one"
    )]
    NoWholeGoogleKey(String),
    /// It holds several keys of Google service accounts.
    #[error("its keys {0} are keys of Google service accounts; one Secret may hold one")]
    SeveralGoogleKeys(String),
}

/// The credentials that a Secret of this type and with these keys has for a registry's host, written as in an image
/// reference: `gcr.io`, `127.0.0.1:5000`, `docker.io`. `None` when it has none for exactly this host.
pub fn credentials_for(
    kind: &str,
    data: &BTreeMap<String, Vec<u8>>,
    host: &str,
    named_for: NamedFor,
) -> Result<Option<Credentials>, CredentialsError> {
    match (kind, named_for) {
        ("kubernetes.io/dockerconfigjson", _) => docker_config::credentials_in(data, Form::Current, host),
        ("kubernetes.io/dockercfg", _) => docker_config::credentials_in(data, Form::Old, host),
        ("kubernetes.io/basic-auth", NamedFor::ThisRegistry) => basic_auth(data, host).map(Some),
        ("kubernetes.io/basic-auth", NamedFor::AnyRegistry) => Err(CredentialsError::NamesNoRegistry),
        _ => google_key::credentials_in(kind, data, host, named_for),
    }
}

/// <https://kubernetes.io/docs/concepts/configuration/secret/#basic-authentication-secret>
fn basic_auth(data: &BTreeMap<String, Vec<u8>>, host: &str) -> Result<Credentials, CredentialsError> {
    let text = |key: &str| {
        let text = std::str::from_utf8(data.get(key)?).ok()?;
        Some(text).filter(|text| !text.is_empty())
    };
    match (text("username"), text("password")) {
        (Some(username), Some(password)) => {
            Ok(Credentials { host: host.to_owned(), username: username.to_owned(), password: password.into() })
        }
        _ => Err(CredentialsError::NoBasicAuth),
    }
}
