//! Credentials for a registry.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use super::Digest;

/// Beside these user names registries take a token for a password: Google's, Amazon's and Microsoft's.
const USERS_OF_TOKENS: [&str; 3] = ["oauth2accesstoken", "AWS", "00000000-0000-0000-0000-000000000000"];

/// A user name and a password for one registry. The password shows itself in no log and no `Debug` print.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The host that they are for, exactly as it stands in a reference: `gcr.io`, `127.0.0.1:5000`.
    pub host: String,
    /// The user's name.
    pub username: String,
    /// The password, or a token.
    pub password: SecretString,
}

impl Credentials {
    /// Whether the password is a token that is valid for minutes or hours.
    pub fn are_a_token(&self) -> bool {
        USERS_OF_TOKENS.contains(&self.username.as_str())
    }

    /// Whether these are the very same.
    pub fn are(&self, other: &Self) -> bool {
        self.host == other.host && self.show_the_same_as(other)
    }

    /// Whether a registry would be shown the same, be it another one.
    pub fn show_the_same_as(&self, other: &Self) -> bool {
        self.username == other.username && self.password.expose_secret() == other.password.expose_secret()
    }
}

/// What tells credentials from other ones, without being any. It is kept in memory only, and shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialsMark(Digest);

impl CredentialsMark {
    /// The mark of these credentials, in this order. One token is as good as the next: whoever may do nothing with one
    /// may do nothing with the one that follows it.
    pub fn of<'a>(all: impl IntoIterator<Item = Option<&'a Credentials>>) -> Self {
        let mut hasher = Sha256::new();
        for credentials in all {
            let Some(credentials) = credentials else {
                hasher.update(u64::MAX.to_be_bytes());
                continue;
            };
            let password = if credentials.are_a_token() { "" } else { credentials.password.expose_secret() };
            for part in [&*credentials.host, &*credentials.username, password] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        Self(Digest::from_sha256(&hasher.finalize()))
    }
}

impl fmt::Debug for CredentialsMark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CredentialsMark(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(username: &str, password: &str) -> CredentialsMark {
        let (host, username) = ("gcr.io".to_owned(), username.to_owned());
        CredentialsMark::of([Some(&Credentials { host, username, password: password.into() })])
    }

    #[test]
    fn another_password_is_another_mark_and_the_next_token_is_not() {
        assert_ne!(mark("user", "one"), mark("user", "two"));
        assert_ne!(mark("user", "one"), CredentialsMark::of([None]));
        assert_ne!(CredentialsMark::of([None]), CredentialsMark::of([None, None]));
        assert_eq!(mark("oauth2accesstoken", "one"), mark("oauth2accesstoken", "two"));
        assert_ne!(mark("oauth2accesstoken", "one"), mark("user", "one"));
    }

    #[test]
    fn a_mark_shows_nothing() {
        assert_eq!(format!("{:?}", mark("user", "canary")), "CredentialsMark(…)");
    }
}
