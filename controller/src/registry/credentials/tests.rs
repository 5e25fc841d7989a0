//! Which Secret gives which registry what.

use base64::Engine as _;
use secrecy::ExposeSecret as _;

use super::*;

const KIND: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";

/// `user:pass` in base64.
const AUTH: &str = "dXNlcjpwYXNz";

fn secret(json: &str) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([(KEY.to_owned(), json.as_bytes().to_vec())])
}

fn secret_for(address: &str) -> BTreeMap<String, Vec<u8>> {
    secret(&format!(r#"{{"auths": {{"{address}": {{"auth": "{AUTH}"}}}}}}"#))
}

fn found(data: &BTreeMap<String, Vec<u8>>, host: &str) -> Option<(String, String)> {
    found_in(KIND, data, host, NamedFor::AnyRegistry).unwrap()
}

fn found_in(
    kind: &str,
    data: &BTreeMap<String, Vec<u8>>,
    host: &str,
    named_for: NamedFor,
) -> Result<Option<(String, String)>, CredentialsError> {
    let found = credentials_for(kind, data, host, named_for)?;
    Ok(found.map(|credentials| {
        assert_eq!(credentials.host, host);
        (credentials.username, credentials.password.expose_secret().to_owned())
    }))
}

fn refused(json: &str) -> CredentialsError {
    found_in(KIND, &secret(json), "gcr.io", NamedFor::ThisRegistry).unwrap_err()
}

fn data<const COUNT: usize>(entries: [(&str, &str); COUNT]) -> BTreeMap<String, Vec<u8>> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).collect()
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
        assert_eq!(refused(json), CredentialsError::NoPassword(KEY, host()), "{json}");
    }
    let token = r#"{"auths": {"gcr.io": {"auth": "dXNlcjpwYXNz", "identitytoken": "x"}}}"#;
    assert_eq!(refused(token), CredentialsError::IdentityToken(KEY, host()));
    let path = r#"{"auths": {"gcr.io/my-project": {"auth": "dXNlcjpwYXNz"}}}"#;
    assert_eq!(refused(path), CredentialsError::OnlyForAPath(KEY, host()));
}

#[test]
fn a_secret_of_another_kind_or_without_the_key_is_refused() {
    for kind in ["Opaque", "kubernetes.io/tls", ""] {
        let other = found_in(kind, &secret_for("gcr.io"), "gcr.io", NamedFor::ThisRegistry).unwrap_err();
        assert_eq!(other, CredentialsError::Kind(kind.to_owned()));
    }
    let empty = found_in(KIND, &BTreeMap::new(), "gcr.io", NamedFor::ThisRegistry).unwrap_err();
    assert_eq!(empty, CredentialsError::NoKey(KEY));
}

#[test]
fn the_older_configuration_is_its_entries() {
    let old = data([(".dockercfg", r#"{"https://gcr.io": {"auth": "dXNlcjpwYXNz"}, "quay.io": {"auth": "!"}}"#)]);
    let of = |host: &str| found_in("kubernetes.io/dockercfg", &old, host, NamedFor::AnyRegistry);
    assert_eq!(of("gcr.io"), Ok(Some(("user".to_owned(), "pass".to_owned()))));
    assert_eq!(of("eu.gcr.io"), Ok(None));
    assert_eq!(of("quay.io"), Err(CredentialsError::NoPassword(".dockercfg", "quay.io".to_owned())));
}

#[test]
fn a_user_name_and_a_password_are_for_the_registry_beside_which_they_are_named() {
    const KIND: &str = "kubernetes.io/basic-auth";
    let login = data([("username", "user"), ("password", "p:w +/~=")]);
    let expected = Some(("user".to_owned(), "p:w +/~=".to_owned()));
    assert_eq!(found_in(KIND, &login, "registry.test:5000", NamedFor::ThisRegistry), Ok(expected));
    let of_a_build = found_in(KIND, &login, "registry.test:5000", NamedFor::AnyRegistry);
    assert_eq!(of_a_build, Err(CredentialsError::NamesNoRegistry));
    for login in [data([("username", "user")]), data([("username", "user"), ("password", "")]), BTreeMap::new()] {
        let refused = found_in(KIND, &login, "registry.test:5000", NamedFor::ThisRegistry);
        assert_eq!(refused, Err(CredentialsError::NoBasicAuth));
    }
}

/// What `gcloud iam service-accounts keys create` writes, without what does not matter here.
const GOOGLE_KEY: &str = r#"{"type": "service_account", "client_email": "pusher@my-project.iam.gserviceaccount.com", "private_key": "canary"}"#;

#[test]
fn the_key_of_a_google_service_account_is_found_under_any_name() {
    let encoded = BASE64.encode(GOOGLE_KEY);
    let expected = Some(("_json_key".to_owned(), GOOGLE_KEY.to_owned()));
    for secret in [
        data([("key.json", GOOGLE_KEY)]),
        data([("gcr", &format!("\n{GOOGLE_KEY}\n"))]),
        data([("key.json", &encoded)]),
        data([("key.json", &format!("{encoded}\n")), ("note", "made by hand"), ("number", "1")]),
    ] {
        for host in ["gcr.io", "eu.gcr.io", "europe-west1-docker.pkg.dev"] {
            assert_eq!(found_in("Opaque", &secret, host, NamedFor::ThisRegistry), Ok(expected.clone()), "{host}");
            assert_eq!(found_in("Opaque", &secret, host, NamedFor::AnyRegistry), Ok(expected.clone()), "{host}");
        }
    }
}

#[test]
fn the_key_of_a_google_service_account_is_shown_to_no_one_else() {
    let secret = data([("key.json", GOOGLE_KEY)]);
    for host in ["gcr.io.evil.test", "evil.test", "docker.io", "gcr.io:5000", "us-docker.pkg.dev.evil.test"] {
        assert_eq!(found_in("Opaque", &secret, host, NamedFor::AnyRegistry), Ok(None));
        let refused = found_in("Opaque", &secret, host, NamedFor::ThisRegistry).unwrap_err();
        assert_eq!(refused, CredentialsError::NotGoogles { key: "key.json".to_owned(), host: host.to_owned() });
    }
}

#[test]
fn what_is_no_whole_key_of_one_service_account_is_refused() {
    for other in [
        r#"{"type": "authorized_user", "client_email": "a", "private_key": "canary"}"#,
        r#"{"type": "service_account", "private_key": "canary"}"#,
        r#"{"type": "external_account"}"#,
    ] {
        let refused = found_in("Opaque", &data([("key.json", other)]), "gcr.io", NamedFor::ThisRegistry).unwrap_err();
        assert_eq!(refused, CredentialsError::NoWholeGoogleKey("key.json".to_owned()));
        assert!(!refused.to_string().contains("canary"));
    }
    let several = data([("a.json", GOOGLE_KEY), ("b.json", GOOGLE_KEY)]);
    let refused = found_in("Opaque", &several, "gcr.io", NamedFor::ThisRegistry).unwrap_err();
    assert_eq!(refused, CredentialsError::SeveralGoogleKeys("a.json, b.json".to_owned()));
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
