//! What is believed when an engine was told something by a registry and Longshore something else.

use super::{Purpose, RegistryError, RegistryErrorKind};
use crate::app::is_google_registry;

impl RegistryError {
    /// What it comes to once the registry was asked itself: what it said is believed before an engine's short words, but
    /// where it says nothing of what the engine met. That one can read from it, or cannot reach it from here, says
    /// nothing of an engine's push or of an engine's network.
    #[must_use]
    pub fn weighed(mut self, own: Option<Self>) -> Self {
        let Some(own) = own else { return self };
        if own.kind == self.kind {
            self.retry_after = own.retry_after.or(self.retry_after);
        }
        let limits_both = self.kind == RegistryErrorKind::RateLimited || own.kind == RegistryErrorKind::RateLimited;
        if own.kind != self.kind && !limits_both && own.tells_of(&self) {
            self.kind = own.kind;
            self.retry_after = own.retry_after;
            self.message = format!("{}; asked by Longshore, {}", self.message, own.message);
        }
        self.is_clear = true;
        self
    }

    /// What it comes to when the engine's words meant nothing, and the registry was asked itself. `None` when it has
    /// nothing against the request.
    pub fn found(own: Option<Self>, purpose: Purpose, words: &str) -> Option<Self> {
        let mut own = own?;
        own.request.purpose = purpose;
        // An error of the registry's own is what the engine met as well; that it does not answer here is not.
        let is_its_own_error = own.kind == RegistryErrorKind::Unavailable && !own.is_clear;
        let is_about_it = is_its_own_error || own.tells_of(&own);
        own.message = format!("{words}; asked by Longshore, {}", own.message);
        is_about_it.then_some(own)
    }

    /// Whether this answer to Longshore's own question says something of what an engine met.
    fn tells_of(&self, met: &Self) -> bool {
        let is_push = met.request.purpose == Purpose::Push;
        match self.kind {
            RegistryErrorKind::Unavailable | RegistryErrorKind::CertificateUnknown => false,
            // What is to be pushed is not there yet, and most registries make a repository with the first push.
            RegistryErrorKind::ManifestUnknown => !is_push,
            RegistryErrorKind::RepositoryNotFound => !is_push || met.request.host().is_some_and(is_google_registry),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RegistryErrorKind::{
        AuthenticationRequired, CertificateUnknown, ManifestUnknown, PermissionDenied, RateLimited, RegistryRetired,
        RepositoryNotFound, TokenExpired, Unavailable,
    };
    use super::*;
    use crate::app::{RegistryRequest, Shown};

    fn error(kind: RegistryErrorKind, host: &str, purpose: Purpose) -> RegistryError {
        let reference = format!("{host}/p/r/app:1").parse().unwrap();
        let request = RegistryRequest { reference: Some(reference), purpose, shown: Shown::Password };
        RegistryError::new(kind, "said", request)
    }

    #[test]
    fn the_registrys_own_answer_is_believed_where_it_says_something_of_the_matter() {
        for (met, purpose, host, own, expected) in [
            (PermissionDenied, Purpose::Push, "us-docker.pkg.dev", RepositoryNotFound, RepositoryNotFound),
            (PermissionDenied, Purpose::Push, "registry.example", RepositoryNotFound, PermissionDenied),
            (PermissionDenied, Purpose::Push, "us-docker.pkg.dev", ManifestUnknown, PermissionDenied),
            (PermissionDenied, Purpose::Pull, "registry.example", ManifestUnknown, ManifestUnknown),
            (ManifestUnknown, Purpose::Pull, "registry.example", RepositoryNotFound, RepositoryNotFound),
            (AuthenticationRequired, Purpose::Push, "gcr.io", TokenExpired, TokenExpired),
            (PermissionDenied, Purpose::Pull, "gcr.io", RegistryRetired, RegistryRetired),
            (Unavailable, Purpose::Pull, "gcr.io", RegistryRetired, RegistryRetired),
            (PermissionDenied, Purpose::Pull, "gcr.io", Unavailable, PermissionDenied),
            (PermissionDenied, Purpose::Pull, "gcr.io", CertificateUnknown, PermissionDenied),
            (PermissionDenied, Purpose::Pull, "gcr.io", RateLimited, PermissionDenied),
            (RateLimited, Purpose::Pull, "gcr.io", AuthenticationRequired, RateLimited),
        ] {
            let weighed = error(met, host, purpose).weighed(Some(error(own, host, Purpose::LookUp)));
            assert_eq!(weighed.kind, expected, "{met:?}, {own:?}, {purpose:?} at {host}");
            assert!(weighed.is_clear);
        }
        let met = error(PermissionDenied, "gcr.io", Purpose::Push);
        assert_eq!(met.clone().weighed(None), met);
    }

    #[test]
    fn how_long_to_wait_is_learnt_from_the_registry_itself() {
        let wait = Some(Duration::from_secs(7));
        for kind in [RateLimited, Unavailable] {
            let own = RegistryError { retry_after: wait, ..error(kind, "gcr.io", Purpose::LookUp) };
            assert_eq!(error(kind, "gcr.io", Purpose::Pull).weighed(Some(own)).retry_after, wait);
        }
    }

    #[test]
    fn words_that_mean_nothing_are_explained_by_the_registry_or_by_nobody() {
        let found =
            |kind, purpose| RegistryError::found(Some(error(kind, "a.example", Purpose::LookUp)), purpose, "no");
        assert_eq!(found(PermissionDenied, Purpose::Push).unwrap().message, "no; asked by Longshore, said");
        assert_eq!(found(ManifestUnknown, Purpose::Push), None);
        assert_eq!(found(Unavailable, Purpose::Pull), None);
        let own = RegistryError { is_clear: false, ..error(Unavailable, "a.example", Purpose::LookUp) };
        assert_eq!(RegistryError::found(Some(own), Purpose::Pull, "no").unwrap().kind, Unavailable);
        assert_eq!(RegistryError::found(None, Purpose::Pull, "no"), None);
    }
}
