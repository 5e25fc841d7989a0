//! The key of a Google service account, as `gcloud iam service-accounts keys create` writes it.
//!
//! Google's registries take it as the password of the user `_json_key`
//! (<https://cloud.google.com/artifact-registry/docs/docker/authentication#json-key>).

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Deserialize;

use super::{BASE64, CredentialsError, NamedFor};
use crate::app::Credentials;
use crate::app::is_google_registry;

const USER: &str = "_json_key";

/// What tells such a key from other JSON. The rest is Google's own affair.
#[derive(Deserialize)]
struct ServiceAccount {
    #[serde(rename = "type")]
    kind: String,
    client_email: Option<String>,
    private_key: Option<String>,
}

/// What a Secret holds under one of its keys.
enum Held<'a> {
    /// A whole key of a service account, as JSON.
    Key(String),
    /// Something of Google's that cannot be used, under this key of the Secret.
    Other(&'a str),
}

/// The credentials of a service account, whose key stands in a Secret as JSON, plain or in base64, under any key.
pub(super) fn credentials_in(
    kind: &str,
    data: &BTreeMap<String, Vec<u8>>,
    host: &str,
    named_for: NamedFor,
) -> Result<Option<Credentials>, CredentialsError> {
    let held: Vec<(&String, Held<'_>)> =
        data.iter().filter_map(|(key, value)| Some((key, held(key, value)?))).collect();
    match held.as_slice() {
        [] => Err(CredentialsError::Kind(kind.to_owned())),
        [(_, Held::Other(key))] => Err(CredentialsError::NoWholeGoogleKey((*key).to_owned())),
        [(_, Held::Key(json))] if is_google_registry(host) => {
            Ok(Some(Credentials { host: host.to_owned(), username: USER.to_owned(), password: json.as_str().into() }))
        }
        [(key, Held::Key(_))] => match named_for {
            NamedFor::ThisRegistry => Err(CredentialsError::NotGoogles { key: (*key).clone(), host: host.to_owned() }),
            NamedFor::AnyRegistry => Ok(None),
        },
        several => {
            let keys: Vec<&str> = several.iter().map(|(key, _)| key.as_str()).collect();
            Err(CredentialsError::SeveralGoogleKeys(keys.join(", ")))
        }
    }
}

fn held<'a>(name: &'a str, value: &[u8]) -> Option<Held<'a>> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let json =
        if text.starts_with('{') { text.to_owned() } else { String::from_utf8(BASE64.decode(text).ok()?).ok()? };
    let account: ServiceAccount = serde_json::from_str(&json).ok()?;
    let is_whole = account.kind == "service_account" && account.client_email.is_some() && account.private_key.is_some();
    Some(if is_whole { Held::Key(json.trim().to_owned()) } else { Held::Other(name) })
}
