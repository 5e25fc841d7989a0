//! Where a registry is, and whom its credentials may be sent to.

use std::net::IpAddr;

use reqwest::Url;

use crate::app::ImageReference;

const DOCKER_HUB: &str = "docker.io";

/// Registries whose API or whose tokens come from another host than the one that their references name.
const KNOWN: &[Known] = &[
    Known { host: DOCKER_HUB, api: "registry-1.docker.io", token_server: "auth.docker.io" },
    Known { host: "registry.gitlab.com", api: "registry.gitlab.com", token_server: "gitlab.com" },
];

struct Known {
    host: &'static str,
    api: &'static str,
    token_server: &'static str,
}

/// Whether a registry is spoken to by HTTPS or by plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Secure,
    Plain,
}

/// The address of a registry's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    base: Url,
    token_server: Option<&'static str>,
    is_plain: bool,
}

impl Endpoint {
    /// The endpoint of the registry that a reference names.
    ///
    /// # Errors
    /// A sentence, when the host is none that an address can have.
    pub(super) fn of(reference: &ImageReference, way: Way) -> Result<Self, String> {
        let host = reference.host();
        let known = KNOWN.iter().find(|known| known.host == host);
        let is_plain = way == Way::Plain;
        let scheme = if is_plain { "http" } else { "https" };
        let address = known.map_or(host, |known| known.api);
        let base = Url::parse(&format!("{scheme}://{address}/"))
            .map_err(|error| format!("\"{host}\" is not the address of a registry: {error}"))?;
        Ok(Self { base, token_server: known.map(|known| known.token_server), is_plain })
    }

    /// The address of the list of a repository's tags, of this many at most.
    pub(super) fn tags(&self, reference: &ImageReference, most: usize) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/tags/list", reference.path()));
        url.set_query(Some(&format!("n={most}")));
        url
    }

    /// The address of a tag's manifest. A path and a tag are made of characters that need no escape.
    pub(super) fn manifest(&self, reference: &ImageReference) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/manifests/{}", reference.path(), reference.version()));
        url
    }

    /// The address at which a registry says how it wants requests to be authorised.
    pub(super) fn ping(&self) -> Url {
        let mut url = self.base.clone();
        url.set_path("/v2/");
        url
    }

    /// Whether an answer from this address is the registry's own, and not one from a host that it redirected to.
    pub(super) fn is_same_origin(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Whether the registry's credentials may be sent to a token server at this address: it is the registry's own
    /// host, or the one that is known to be its, by HTTPS; or, where the registry itself is asked by plain HTTP,
    /// exactly where it is.
    pub(super) fn trusts(&self, realm: &Url) -> bool {
        let is_own_host = realm.host() == self.base.host();
        let is_known = self.token_server.is_some() && realm.host_str() == self.token_server;
        match realm.scheme() {
            "https" => is_own_host || (is_known && realm.port().is_none()),
            "http" => self.is_plain && self.is_same_origin(realm),
            _ => false,
        }
    }
}

/// Whether a host, with or without a port, is this machine's loopback: `localhost`, 127.0.0.0/8 or `[::1]`. Docker Engine
/// too takes plain HTTP there.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(reference: &str) -> Endpoint {
        let reference: ImageReference = reference.parse().unwrap();
        let way = if is_loopback(reference.host()) { Way::Plain } else { Way::Secure };
        Endpoint::of(&reference, way).unwrap()
    }

    fn manifest_address(reference: &str) -> String {
        endpoint(reference).manifest(&reference.parse().unwrap()).to_string()
    }

    #[test]
    fn a_registry_is_asked_by_https_and_loopback_by_plain_http() {
        for (reference, expected) in [
            ("gcr.io/p/app:0.2", "https://gcr.io/v2/p/app/manifests/0.2"),
            ("gcr.io:8443/p/app", "https://gcr.io:8443/v2/p/app/manifests/latest"),
            ("node:6", "https://registry-1.docker.io/v2/library/node/manifests/6"),
            ("10.0.0.1:5000/app", "https://10.0.0.1:5000/v2/app/manifests/latest"),
            ("127.0.0.1.evil.com/app", "https://127.0.0.1.evil.com/v2/app/manifests/latest"),
            ("localhost.evil.com/app", "https://localhost.evil.com/v2/app/manifests/latest"),
            ("127.0.0.1:5000/app:1", "http://127.0.0.1:5000/v2/app/manifests/1"),
            ("127.9.9.9/app:1", "http://127.9.9.9/v2/app/manifests/1"),
            ("localhost:5000/app:1", "http://localhost:5000/v2/app/manifests/1"),
            ("localhost/app:1", "http://localhost/v2/app/manifests/1"),
            ("[::1]:5000/app:1", "http://[::1]:5000/v2/app/manifests/1"),
        ] {
            assert_eq!(manifest_address(reference), expected);
        }
    }

    #[test]
    fn a_registry_is_spoken_to_as_it_is_set() {
        let reference = "10.0.0.1:5000/app:1".parse().unwrap();
        let plain = Endpoint::of(&reference, Way::Plain).unwrap();
        assert_eq!(plain.manifest(&reference).as_str(), "http://10.0.0.1:5000/v2/app/manifests/1");
        assert!(plain.trusts(&"http://10.0.0.1:5000/token".parse().unwrap()));
        assert!(!plain.trusts(&"http://10.0.0.2:5000/token".parse().unwrap()));
        let reference = "127.0.0.1:5000/app:1".parse().unwrap();
        let secure = Endpoint::of(&reference, Way::Secure).unwrap();
        assert_eq!(secure.manifest(&reference).as_str(), "https://127.0.0.1:5000/v2/app/manifests/1");
    }

    #[test]
    fn a_token_server_is_trusted_when_it_is_the_registry_s_own() {
        for (reference, realm) in [
            ("gcr.io/p/app", "https://gcr.io/v2/token"),
            ("gcr.io/p/app", "https://gcr.io:8443/token"),
            ("node", "https://auth.docker.io/token"),
            ("registry.gitlab.com/g/app", "https://gitlab.com/jwt/auth"),
            ("127.0.0.1:5000/app", "http://127.0.0.1:5000/token"),
        ] {
            assert!(endpoint(reference).trusts(&realm.parse().unwrap()), "{realm} for {reference}");
        }
    }

    #[test]
    fn no_other_token_server_is_trusted() {
        for (reference, realm) in [
            ("gcr.io/p/app", "https://evil.com/token"),
            ("gcr.io/p/app", "https://gcr.io.evil.com/token"),
            ("gcr.io/p/app", "https://gcr.io@evil.com/token"),
            ("gcr.io/p/app", "https://evil.com/gcr.io"),
            ("gcr.io/p/app", "https://auth.gcr.io/token"),
            ("gcr.io/p/app", "https://auth.docker.io/token"),
            ("gcr.io/p/app", "http://gcr.io/v2/token"),
            ("gcr.io/p/app", "ftp://gcr.io/v2/token"),
            ("node", "http://auth.docker.io/token"),
            ("node", "https://auth.docker.io:8443/token"),
            ("node", "https://auth.docker.io.evil.com/token"),
            ("127.0.0.1:5000/app", "http://127.0.0.1:5001/token"),
            ("127.0.0.1:5000/app", "http://localhost:5000/token"),
        ] {
            assert!(!endpoint(reference).trusts(&realm.parse().unwrap()), "{realm} for {reference}");
        }
    }
}
