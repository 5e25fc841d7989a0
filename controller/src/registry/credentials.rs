//! Credentials from a Secret of the type `kubernetes.io/dockerconfigjson`.
//!
//! A host gets only what is stored for exactly that host: nothing that merely begins or ends like it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::Credentials;

/// The type of the Secret, and the key in it.
const SECRET_TYPE: &str = "kubernetes.io/dockerconfigjson";
const SECRET_KEY: &str = ".dockerconfigjson";

/// Why a Secret cannot be used. The messages never quote what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// It is of another type.
    #[error("its type is {0}; it must be {SECRET_TYPE}, as kubectl create secret docker-registry makes it")]
    Type(String),
    /// It has not the key.
    #[error("it has no key {SECRET_KEY}; kubectl create secret docker-registry makes one")]
    NoKey,
    /// The value is not what Docker writes.
    #[error("the value of {SECRET_KEY} is not a Docker configuration: {0}")]
    Format(&'static str),
}

#[derive(Deserialize)]
struct DockerConfiguration {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    username: Option<String>,
    password: Option<String>,
    auth: Option<String>,
}

/// What a Secret holds for a registry's host; `None` when it holds nothing for exactly that host.
pub fn credentials_for(
    secret_type: &str,
    data: &BTreeMap<String, Vec<u8>>,
    host: &str,
) -> Result<Option<Credentials>, CredentialsError> {
    if secret_type != SECRET_TYPE {
        return Err(CredentialsError::Type(secret_type.to_owned()));
    }
    let value = data.get(SECRET_KEY).ok_or(CredentialsError::NoKey)?;
    // The parser's own message could quote a part of the value.
    let configuration: DockerConfiguration =
        serde_json::from_slice(value).map_err(|_| CredentialsError::Format("it must be JSON with the key auths"))?;
    let entry = configuration.auths.into_iter().find(|(key, _)| host_of(key) == host);
    entry.map(|(_, entry)| entry.credentials(host)).transpose()
}

/// The host in a key of `auths`, which may be written as an address: `https://index.docker.io/v1/`.
fn host_of(key: &str) -> &str {
    let without_scheme = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    match without_scheme.split('/').next().unwrap_or_default() {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

impl Entry {
    fn credentials(self, host: &str) -> Result<Credentials, CredentialsError> {
        let (username, password) = match (self.username, self.password, self.auth) {
            (Some(username), Some(password), _) => (username, password),
            (_, _, Some(auth)) => decode(&auth)?,
            _ => {
                return Err(CredentialsError::Format("an entry of auths needs auth, or username and password"));
            }
        };
        Ok(Credentials { host: host.to_owned(), username, password: SecretString::from(password) })
    }
}

/// `auth` is the name and the password with a colon between them, in base64.
fn decode(auth: &str) -> Result<(String, String), CredentialsError> {
    let bad = || CredentialsError::Format("auth must be user:password in base64");
    let bytes = STANDARD.decode(auth.trim()).map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    let (username, password) = text.split_once(':').ok_or_else(bad)?;
    Ok((username.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn look(json: &str, host: &str) -> Result<Option<(String, String)>, CredentialsError> {
        let data = [(SECRET_KEY.to_owned(), json.as_bytes().to_vec())].into();
        let found = credentials_for(SECRET_TYPE, &data, host)?;
        Ok(found.map(|found| (found.username, found.password.expose_secret().to_owned())))
    }

    fn pair(username: &str, password: &str) -> (String, String) {
        (username.to_owned(), password.to_owned())
    }

    #[test]
    fn a_name_and_a_password_are_read_from_either_form() {
        let plain = r#"{"auths": {"gcr.io": {"username": "_json_key", "password": "a:b+/"}}}"#;
        assert_eq!(look(plain, "gcr.io").unwrap(), Some(pair("_json_key", "a:b+/")));
        let encoded = format!(r#"{{"auths": {{"gcr.io": {{"auth": "{}"}}}}}}"#, STANDARD.encode("user:p:w"));
        assert_eq!(look(&encoded, "gcr.io").unwrap(), Some(pair("user", "p:w")));
    }

    #[test]
    fn only_exactly_the_host_gets_them() {
        let json = r#"{"auths": {"https://gcr.io": {"username": "u", "password": "p"}}}"#;
        for host in ["gcr.io.evil.test", "evil.test", "us.gcr.io", "gcr.io:5000"] {
            assert_eq!(look(json, host).unwrap(), None, "{host}");
        }
        assert_eq!(look(json, "gcr.io").unwrap(), Some(pair("u", "p")));
    }

    #[test]
    fn docker_hub_is_known_by_its_old_name() {
        let json = r#"{"auths": {"https://index.docker.io/v1/": {"username": "u", "password": "p"}}}"#;
        assert_eq!(look(json, "docker.io").unwrap(), Some(pair("u", "p")));
    }

    #[test]
    fn an_error_never_quotes_the_secret() {
        let json = r#"{"auths": {"gcr.io": {"auth": "c2VjcmV0LWNhbmFyeQ=="}}, "x"#;
        let broken = look(json, "gcr.io").unwrap_err().to_string();
        assert!(!broken.contains("canary") && !broken.contains("c2Vj"), "{broken}");
        let no_colon = look(r#"{"auths": {"gcr.io": {"auth": "c2VjcmV0LWNhbmFyeQ=="}}}"#, "gcr.io").unwrap_err();
        assert!(!no_colon.to_string().contains("c2Vj"), "{no_colon}");
    }
}
