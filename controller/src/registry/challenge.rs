//! What a registry asks for when it answers with 401.

use http_auth::parser::ChallengeParser;
use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use crate::app::ImageReference;

/// How a registry wants a request to be authorised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// By a token from a token server
    /// (<https://distribution.github.io/distribution/spec/auth/token/>).
    Bearer {
        /// The server's address.
        realm: Url,
        /// What the registry calls itself there.
        service: Option<String>,
    },
    /// By the user's name and password themselves.
    Basic,
}

impl Challenge {
    /// What an answer says was wrong with the token that it was shown: `invalid_token` or `insufficient_scope`
    /// (RFC 6750, 3.1).
    pub(super) fn error_in(headers: &HeaderMap) -> Option<String> {
        let values = headers.get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
        let challenges = values.flat_map(ChallengeParser::new).filter_map(Result::ok);
        challenges.into_iter().find_map(|challenge| parameter(&challenge, "error"))
    }

    /// The challenge in an answer; a token rather than the password where both would do.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let challenges = || {
            headers
                .get_all(WWW_AUTHENTICATE)
                .into_iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(ChallengeParser::new)
                .filter_map(Result::ok)
        };
        challenges().find_map(|challenge| Self::bearer(&challenge)).or_else(|| {
            challenges().any(|challenge| challenge.scheme.eq_ignore_ascii_case("basic")).then_some(Self::Basic)
        })
    }

    fn bearer(challenge: &http_auth::ChallengeRef<'_>) -> Option<Self> {
        challenge.scheme.eq_ignore_ascii_case("bearer").then_some(())?;
        let realm = parameter(challenge, "realm")?.parse().ok()?;
        Some(Self::Bearer { realm, service: parameter(challenge, "service") })
    }
}

fn parameter(challenge: &http_auth::ChallengeRef<'_>, name: &str) -> Option<String> {
    let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.to_unescaped())
}

/// What a token is to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// To pull.
    Pull,
    /// To delete, and to look before.
    Delete,
}

/// The address of a token that allows this in a repository and nothing else, whatever scope the registry asked for.
pub(super) fn token_address(realm: &Url, service: Option<&str>, reference: &ImageReference, scope: Scope) -> Url {
    let mut url = realm.clone();
    let mut query = url.query_pairs_mut();
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    let actions = match scope {
        Scope::Pull => "pull",
        Scope::Delete => "pull,delete",
    };
    query.append_pair("scope", &format!("repository:{}:{actions}", reference.path()));
    drop(query);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::of(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.parse().unwrap(), service: service.map(str::to_owned) }
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let token = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/node:pull""#;
        let expected = bearer("https://auth.docker.io/token", Some("registry.docker.io"));
        assert_eq!(challenge(&[token]), Some(expected.clone()));
        assert_eq!(challenge(&[r#"Basic realm="x""#]), Some(Challenge::Basic));
        assert_eq!(challenge(&[r#"Basic realm="x""#, token]), Some(expected));
        assert_eq!(challenge(&[r#"bearer REALM="https://a/t""#]), Some(bearer("https://a/t", None)));
    }

    #[test]
    fn what_is_not_a_challenge_that_we_know_is_none() {
        for value in ["", "Negotiate", r#"Bearer service="x""#, r#"Bearer realm="no address""#, "Bearer"] {
            assert_eq!(challenge(&[value]), None, "{value}");
        }
        assert_eq!(challenge(&[]), None);
    }

    #[test]
    fn a_token_is_asked_for_one_repository_and_for_what_is_to_be_done_there() {
        let realm = "https://auth.example/token?account=a".parse().unwrap();
        let reference = "gcr.io/my-project/node-app".parse().unwrap();
        for (scope, actions) in [(Scope::Pull, "pull"), (Scope::Delete, "pull%2Cdelete")] {
            let expected = format!(
                "https://auth.example/token?account=a&service=a+service\
                 &scope=repository%3Amy-project%2Fnode-app%3A{actions}"
            );
            assert_eq!(token_address(&realm, Some("a service"), &reference, scope).as_str(), expected);
        }
    }
}
