//! Who a server is told that we are, and how a server is known.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::SourceError;
use super::address::{GitAddress, archive_address};

/// What a source's Secret holds. What is secret in it shows itself in no log and no `Debug` print.
#[derive(Clone, Debug, Default)]
pub struct SourceCredentials {
    /// Who the server is told that we are; it is sent only to exactly the scheme, host and port of the source.
    pub authentication: Option<SourceAuthentication>,
    /// The keys of ssh servers, in the format of OpenSSH's `known_hosts`. They are not secret.
    pub known_hosts: Option<String>,
    /// Certificate authorities that are trusted beside the system's, in PEM. They are not secret.
    pub certificate_authorities: Option<String>,
}

/// Who a server is told that we are.
#[derive(Clone, Debug)]
pub enum SourceAuthentication {
    /// A user name and a password, or a token in its place.
    Basic {
        /// The user's name.
        username: String,
        /// The password, or a token.
        password: SecretString,
    },
    /// A token.
    Bearer(SecretString),
    /// An ssh key.
    Key {
        /// The private key, in OpenSSH's format, PKCS#8 or PKCS#1.
        identity: SecretString,
        /// What the key is encrypted with.
        password: Option<SecretString>,
    },
}

impl SourceCredentials {
    /// What of it may be shown to any server: nothing that is secret.
    pub(super) fn without_secrets(&self) -> Self {
        Self { authentication: None, ..self.clone() }
    }

    /// Everything in it that tells who asks, for [`super::store::ContentStore::name_of`]; it is never written anywhere.
    pub(super) fn parts(&self) -> Vec<&str> {
        match &self.authentication {
            None => vec!["nobody"],
            Some(SourceAuthentication::Basic { username, password }) => {
                vec!["basic", username, password.expose_secret()]
            }
            Some(SourceAuthentication::Bearer(token)) => vec!["bearer", token.expose_secret()],
            Some(SourceAuthentication::Key { identity, .. }) => vec!["key", identity.expose_secret()],
        }
    }
}

/// Reads the credentials for a git repository out of a Secret, by the keys that Flux's `GitRepository` has:
/// `username` and `password`, or `bearerToken`, for HTTPS; `identity` and `known_hosts`, and `password` where the key
/// is encrypted, for ssh; `ca.crt` beside any of them. Secrets of the types `kubernetes.io/basic-auth` and
/// `kubernetes.io/ssh-auth` are read as well, the latter with `known_hosts` beside `ssh-privatekey`.
pub fn git_credentials(
    kind: &str,
    data: &BTreeMap<String, Vec<u8>>,
    url: &str,
) -> Result<SourceCredentials, SourceError> {
    let address = GitAddress::parse(url)?;
    let secret = SecretReader { kind, data };
    match &address {
        GitAddress::Web(_) => secret.for_web(&address.to_string()),
        GitAddress::Ssh(_) => secret.for_ssh(&address.to_string()),
    }
}

/// Reads the credentials for an archive out of a Secret: `username` and `password`, or `bearerToken`, and `ca.crt`.
pub fn archive_credentials(
    kind: &str,
    data: &BTreeMap<String, Vec<u8>>,
    url: &str,
) -> Result<SourceCredentials, SourceError> {
    let address = archive_address(url)?;
    SecretReader { kind, data }.for_web(&super::address::shown(&address))
}

struct SecretReader<'a> {
    kind: &'a str,
    data: &'a BTreeMap<String, Vec<u8>>,
}

impl SecretReader<'_> {
    fn for_web(&self, address: &str) -> Result<SourceCredentials, SourceError> {
        let (username, password) = (self.text("username")?, self.secret("password")?);
        let token = self.secret("bearerToken")?;
        let authentication = match (username, password, token) {
            (Some(username), Some(password), None) => Some(SourceAuthentication::Basic { username, password }),
            (None, None, Some(token)) => Some(SourceAuthentication::Bearer(token)),
            (None, None, None) => None,
            (_, _, Some(_)) => {
                return Err(wrong("it has both bearerToken and username or password; leave one of the two out"));
            }
            (Some(_), None, None) => return Err(wrong("it has username but no password")),
            (None, Some(_), None) => return Err(wrong("it has password but no username")),
        };
        let authorities = self.text("ca.crt")?;
        if authentication.is_none() && authorities.is_none() {
            return Err(wrong(&format!(
                "for {address} it needs username and password, or bearerToken, or ca.crt; it is of the type {} and has {}",
                self.kind,
                self.names()
            )));
        }
        Ok(SourceCredentials { authentication, known_hosts: None, certificate_authorities: authorities })
    }

    fn for_ssh(&self, address: &str) -> Result<SourceCredentials, SourceError> {
        let identity = match self.secret("identity")? {
            Some(identity) => Some(identity),
            None => self.secret("ssh-privatekey")?,
        };
        let Some(identity) = identity else {
            return Err(wrong(&format!(
                "for {address} it needs identity, an ssh key, and known_hosts; it is of the type {} and has {}",
                self.kind,
                self.names()
            )));
        };
        Ok(SourceCredentials {
            authentication: Some(SourceAuthentication::Key { identity, password: self.secret("password")? }),
            known_hosts: self.text("known_hosts")?,
            certificate_authorities: self.text("ca.crt")?,
        })
    }

    /// What stands under a key, if it is not empty.
    fn text(&self, key: &str) -> Result<Option<String>, SourceError> {
        let Some(value) = self.data.get(key).filter(|value| !value.is_empty()) else { return Ok(None) };
        match std::str::from_utf8(value) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(wrong(&format!("its key {key} is not text"))),
        }
    }

    fn secret(&self, key: &str) -> Result<Option<SecretString>, SourceError> {
        Ok(self.text(key)?.map(SecretString::from))
    }

    fn names(&self) -> String {
        if self.data.is_empty() {
            return "nothing".to_owned();
        }
        self.data.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

fn wrong(problem: &str) -> SourceError {
    SourceError::Invalid(format!("the Secret with the source's credentials cannot be used: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "https://host/app.git";
    const SSH: &str = "ssh://git@host/app.git";

    fn read(kind: &str, data: &[(&str, &str)], url: &str) -> Result<SourceCredentials, String> {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        git_credentials(kind, &data, url).map_err(|error| error.to_string())
    }

    fn parts(kind: &str, data: &[(&str, &str)], url: &str) -> Vec<String> {
        read(kind, data, url).unwrap().parts().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_keys_of_flux_are_read() {
        assert_eq!(parts("Opaque", &[("username", "me"), ("password", "p")], WEB), ["basic", "me", "p"]);
        assert_eq!(parts("Opaque", &[("bearerToken", "t")], WEB), ["bearer", "t"]);
        let ssh = [("identity", "key"), ("known_hosts", "host ssh-ed25519 AAAA"), ("password", "p")];
        assert_eq!(parts("Opaque", &ssh, SSH), ["key", "key"]);
        let credentials = read("Opaque", &ssh, SSH).unwrap();
        assert_eq!(credentials.known_hosts.as_deref(), Some("host ssh-ed25519 AAAA"));
        let Some(SourceAuthentication::Key { password: Some(password), .. }) = credentials.authentication else {
            panic!("a key with its password")
        };
        assert_eq!(password.expose_secret(), "p");
        let authority = read("Opaque", &[("ca.crt", "PEM")], WEB).unwrap();
        assert_eq!(authority.certificate_authorities.as_deref(), Some("PEM"));
        assert!(authority.authentication.is_none());
    }

    #[test]
    fn the_types_of_kubernetes_are_read() {
        let basic = [("username", "me"), ("password", "p")];
        assert_eq!(parts("kubernetes.io/basic-auth", &basic, WEB), ["basic", "me", "p"]);
        let ssh = [("ssh-privatekey", "key"), ("known_hosts", "host ssh-ed25519 AAAA")];
        assert_eq!(parts("kubernetes.io/ssh-auth", &ssh, SSH), ["key", "key"]);
    }

    #[test]
    fn a_secret_that_does_not_fit_is_refused_with_what_to_put_into_it() {
        for (data, url, expected) in [
            (&[("identity", "canary")] as &[_], WEB, "it needs username and password, or bearerToken, or ca.crt"),
            (&[("username", "canary"), ("password", "canary")], SSH, "it needs identity, an ssh key, and known_hosts"),
            (&[("username", "canary")], WEB, "it has username but no password"),
            (&[("password", "canary")], WEB, "it has password but no username"),
            (&[("bearerToken", "canary"), ("username", "canary")], WEB, "leave one of the two out"),
            (&[], WEB, "has nothing"),
        ] {
            let sentence = read("Opaque", data, url).unwrap_err();
            assert!(sentence.contains(expected), "{sentence}");
            assert!(!sentence.contains("canary"), "{sentence}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        for data in [&[("username", "me"), ("password", "canary")] as &[_], &[("bearerToken", "canary")]] {
            assert!(!format!("{:?}", read("Opaque", data, WEB).unwrap()).contains("canary"));
        }
        let ssh = [("identity", "canary"), ("password", "canary"), ("known_hosts", "x")];
        let credentials = read("Opaque", &ssh, SSH).unwrap();
        assert!(!format!("{credentials:?}").contains("canary"));
        assert!(credentials.without_secrets().authentication.is_none());
    }
}
