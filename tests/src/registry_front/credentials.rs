//! The credentials that the front takes. It remembers none: what it is shown says itself how long it is good, and a
//! secret that the lab shares with the tests vouches for it.
//!
//! - the lab's fixed user and password, and the password as an access token;
//! - an [`access_token`], beside the user name `oauth2accesstoken` or as a bearer token;
//! - a [`service_account_key`], beside `_json_key`, or in base64 beside `_json_key_base64`
//!   (<https://cloud.google.com/artifact-registry/docs/docker/authentication#json-key>);
//! - what a test has registered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::{digest, hmac};
use serde_json::{Value, json};

use crate::lab_variable;

/// How long a bearer token lasts that the front gives for credentials.
pub(super) const BEARER_LASTS: Duration = Duration::from_secs(300);

/// What an access token begins with, as those of Google do.
const ACCESS: &str = "ya29.lab";
/// What a token begins with that the front has given.
const BEARER: &str = "bearer.lab";

/// An access token for somebody, such as Google's metadata server gives, which ends after this time.
pub fn access_token(subject: &str, lasts: Duration) -> String {
    Vouching::of_the_lab().token(ACCESS, subject, lasts)
}

/// A service account's key, as the JSON that `gcloud iam service-accounts keys create` writes. The private key in it
/// is none.
pub fn service_account_key(name: &str) -> String {
    let email = format!("{name}@my-project.iam.gserviceaccount.com");
    let vouched = Vouching::of_the_lab().code(&format!("key {email}"));
    let key = json!({
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": vouched,
        "private_key": "-----BEGIN PRIVATE KEY-----\nbm9uZQ==\n-----END PRIVATE KEY-----\n",
        "client_email": email,
        "client_id": "100000000000000000000",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    serde_json::to_string_pretty(&key).expect("JSON can be written")
}

/// The secret of the lab, by which the front knows what the tests have made.
pub(super) struct Vouching(hmac::Key);

impl Vouching {
    pub(super) fn with(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    fn of_the_lab() -> Self {
        Self::with(&lab_variable("LONGSHORE_LAB_GCR_SECRET"))
    }

    /// What only who has the secret can say of these words.
    fn code(&self, words: &str) -> String {
        hexadecimal(hmac::sign(&self.0, words.as_bytes()).as_ref())[..40].to_owned()
    }

    fn token(&self, sort: &str, subject: &str, lasts: Duration) -> String {
        let words = format!("{sort}.{}.{}", hexadecimal(subject.as_bytes()), (now() + lasts).as_millis());
        let code = self.code(&words);
        format!("{words}.{code}")
    }

    /// A bearer token for who has shown credentials.
    pub(super) fn bearer(&self, subject: &str) -> String {
        self.token(BEARER, subject, BEARER_LASTS)
    }

    /// Whose access token it is, if it is one that has not ended; else why it is refused.
    pub(super) fn access(&self, token: &str) -> Result<String, Refused> {
        self.checked(ACCESS, token)
    }

    /// Whose bearer token it is, given by the front for credentials.
    pub(super) fn bearer_of(&self, token: &str) -> Result<String, Refused> {
        self.checked(BEARER, token)
    }

    fn checked(&self, sort: &str, token: &str) -> Result<String, Refused> {
        let (subject, until) = parts(token).ok_or(Refused::Unknown)?;
        let words = token.rsplit_once('.').map_or("", |(words, _)| words);
        if !token.starts_with(sort) || token.rsplit_once('.').map(|(_, code)| code) != Some(&self.code(words)) {
            return Err(Refused::Unknown);
        }
        if until <= now() { Err(Refused::Ended) } else { Ok(subject) }
    }

    /// Whose key it is: the account's address.
    pub(super) fn key(&self, json: &str) -> Result<String, Refused> {
        let key: Value = serde_json::from_str(json).map_err(|_| Refused::Unknown)?;
        let email = key["client_email"].as_str().ok_or(Refused::Unknown)?;
        let is_vouched = key["private_key_id"] == *self.code(&format!("key {email}"));
        if is_vouched { Ok(email.to_owned()) } else { Err(Refused::Unknown) }
    }

    /// The same in base64.
    pub(super) fn key_in_base64(&self, text: &str) -> Result<String, Refused> {
        let json = BASE64_STANDARD.decode(text.trim()).map_err(|_| Refused::Unknown)?;
        self.key(&String::from_utf8_lossy(&json))
    }
}

/// Why credentials are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    Ended,
}

/// For whom a token claims to be, and until when.
pub(super) fn parts(token: &str) -> Option<(String, Duration)> {
    let mut from_the_end = token.rsplit('.');
    let (_code, until, subject) = (from_the_end.next()?, from_the_end.next()?, from_the_end.next()?);
    let subject: Option<Vec<u8>> =
        (0..subject.len()).step_by(2).map(|at| u8::from_str_radix(subject.get(at..at + 2)?, 16).ok()).collect();
    Some((String::from_utf8(subject?).ok()?, Duration::from_millis(until.parse().ok()?)))
}

/// By what a password can be told from another without being said.
pub(super) fn fingerprint(secret: &str) -> String {
    hexadecimal(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_it_ends_and_only_as_what_it_is() {
        let vouching = Vouching::with("secret");
        let token = vouching.token(ACCESS, "node@lab", Duration::from_secs(60));
        assert_eq!(vouching.access(&token), Ok("node@lab".to_owned()));
        assert_eq!(vouching.bearer_of(&token), Err(Refused::Unknown));
        assert_eq!(Vouching::with("other").access(&token), Err(Refused::Unknown));
        assert_eq!(vouching.access(&token.replace("ya29.lab", "ya29.LAB")), Err(Refused::Unknown));
        assert_eq!(vouching.access(&vouching.token(ACCESS, "node@lab", Duration::ZERO)), Err(Refused::Ended));
        assert_eq!(vouching.bearer_of(&vouching.bearer("a.b")), Ok("a.b".to_owned()));
        assert_eq!(vouching.access("anything"), Err(Refused::Unknown));
    }
}
