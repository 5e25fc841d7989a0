//! What registries were shown and took, so that they need not be asked at every look how they want it.
//!
//! # Guarantees
//! An authorisation is kept for one repository of one host and the very credentials that it was got with. Nothing that
//! a registry refused is kept.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret as _;

use crate::app::{Credentials, Digest, ImageReference};

/// How many are kept; when there are more, all are forgotten and got anew.
const MOST_KEPT: usize = 4096;

/// How long before its end a token is not shown any more, unless that is more than the last sixth of its life.
const NEARLY_DEAD: Duration = Duration::from_secs(10);
const LAST_PART: u32 = 6;

/// What is shown in the header of that name.
#[derive(Clone, Debug)]
pub(super) struct Authorization {
    pub(super) value: HeaderValue,
    /// Until when it is shown; absent when it is a password's, which does not end by itself.
    until: Option<Instant>,
}

impl Authorization {
    /// A password's.
    pub(super) fn lasting(value: HeaderValue) -> Self {
        Self { value, until: None }
    }

    /// A token's, given just now for this long.
    pub(super) fn ending(value: HeaderValue, lasts: Duration) -> Self {
        let used_for = lasts.saturating_sub(NEARLY_DEAD.min(lasts / LAST_PART));
        Self { value, until: Instant::now().checked_add(used_for) }
    }

    fn is_good(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// For what an authorisation is. It shows nothing of the credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claim(String);

impl Claim {
    /// A look at this reference with these credentials.
    pub(super) fn of(reference: &ImageReference, credentials: Option<&Credentials>) -> Self {
        let user = credentials.map(|shown| (shown.username.as_str(), shown.password.expose_secret()));
        let words = format!("{:?} {:?} {user:?}", reference.host(), reference.path());
        Self(Digest::of(words).to_string())
    }
}

/// The authorisations that registries took.
#[derive(Default)]
pub(super) struct Authorizations(Mutex<HashMap<Claim, Authorization>>);

impl Authorizations {
    /// One that has not ended.
    pub(super) fn get(&self, claim: &Claim) -> Option<Authorization> {
        self.lock().get(claim).filter(|kept| kept.is_good()).cloned()
    }

    pub(super) fn keep(&self, claim: &Claim, authorization: &Authorization) {
        let mut kept = self.lock();
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(claim.clone(), authorization.clone());
    }

    pub(super) fn forget(&self, claim: &Claim) {
        self.lock().remove(claim);
    }

    /// A panic elsewhere leaves the map as it was: each change to it is a single call.
    fn lock(&self) -> MutexGuard<'_, HashMap<Claim, Authorization>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_until_shortly_before_its_end() {
        let kept = Authorizations::default();
        let claim = Claim::of(&"gcr.io/a".parse().unwrap(), None);
        let value = HeaderValue::from_static("Bearer x");
        for (lasts, is_kept) in [(300, true), (60, true), (1, true), (0, false)] {
            kept.keep(&claim, &Authorization::ending(value.clone(), Duration::from_secs(lasts)));
            assert_eq!(kept.get(&claim).is_some(), is_kept, "{lasts} s");
        }
        let almost = Authorization { value, until: Some(Instant::now()) };
        kept.keep(&claim, &almost);
        assert!(kept.get(&claim).is_none());
    }

    #[test]
    fn other_credentials_another_repository_and_another_host_have_claims_of_their_own() {
        let credentials = |username: &str, password: &str| Credentials {
            host: "a.example".to_owned(),
            username: username.to_owned(),
            password: password.into(),
        };
        let claim = |reference: &str, credentials: Option<&Credentials>| {
            let reference: ImageReference = reference.parse().unwrap();
            Claim::of(&reference, credentials)
        };
        let own = credentials("user", "pass");
        let claims = [
            claim("a.example/b/c", Some(&own)),
            claim("a.example/b/c", None),
            claim("a.example/b/d", Some(&own)),
            claim("b.example/b/c", Some(&own)),
            claim("a.example/b/c", Some(&credentials("user", "other"))),
            claim("a.example/b/c", Some(&credentials("other", "pass"))),
            claim("a.example/b/c", Some(&credentials("user\" \"pass", ""))),
        ];
        for (at, one) in claims.iter().enumerate() {
            assert!(!claims[at + 1..].contains(one), "{at}");
        }
        assert_eq!(claim("a.example/b/c:1", None), claim("a.example/b/c:2", None));
    }
}
