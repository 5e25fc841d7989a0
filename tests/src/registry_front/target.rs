//! What a request is about, by its path.

use hyper::Uri;
use percent_encoding::percent_decode_str;

use super::protocol::Kind;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: Kind,
    /// Empty where there is none.
    pub(super) repository: String,
}

impl Target {
    pub(super) fn of(uri: &Uri) -> Self {
        let path = uri.path();
        if path == "/v2/token" {
            return Self { kind: Kind::Token, repository: repository_in_scope(uri).unwrap_or_default() };
        }
        let rest = path.strip_prefix("/v2/").unwrap_or_default();
        for (word, kind) in
            [("/blobs/uploads/", Kind::Uploads), ("/manifests/", Kind::Manifests), ("/blobs/", Kind::Blobs)]
        {
            if let Some((repository, _)) = rest.rsplit_once(word) {
                return Self { kind, repository: repository.to_owned() };
            }
        }
        match rest.strip_suffix("/tags/list") {
            Some(repository) => Self { kind: Kind::Other, repository: repository.to_owned() },
            None if rest.is_empty() => Self { kind: Kind::Ping, repository: String::new() },
            None => Self { kind: Kind::Other, repository: rest.to_owned() },
        }
    }
}

/// The repository of `scope=repository:NAME:pull,push`.
fn repository_in_scope(uri: &Uri) -> Option<String> {
    scope_in(uri.query()?)
}

/// The same in a form, which has the shape of a query. Of several, the one that is pushed to: containerd asks for the
/// repositories from which it would take layers in the same breath, in the order of their names.
pub(super) fn scope_in(query: &str) -> Option<String> {
    let scopes: Vec<String> = parameters(query, "scope").collect();
    let repositories = || {
        let scopes = scopes.iter().flat_map(|scope| scope.split(' '));
        scopes.filter_map(|scope| scope.strip_prefix("repository:")?.rsplit_once(':'))
    };
    let pushed_to = repositories().find(|(_, actions)| actions.contains("push"));
    let (name, _) = pushed_to.or_else(|| repositories().next())?;
    Some(name.to_owned())
}

/// The first value of this name.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    parameters(query, name).next()
}

fn parameters(query: &str, name: &str) -> impl Iterator<Item = String> {
    let values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(move |(key, _)| *key == name);
    values.map(|(_, value)| percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_about_the_repository_in_its_path_or_its_scope() {
        for (uri, kind, repository) in [
            ("/v2/", Kind::Ping, ""),
            ("/v2/a/b/manifests/0.2", Kind::Manifests, "a/b"),
            ("/v2/a/b/blobs/sha256:00", Kind::Blobs, "a/b"),
            ("/v2/a/b/blobs/uploads/?mount=x&from=y", Kind::Uploads, "a/b"),
            ("/v2/a/b/blobs/uploads/1-2?_state=x", Kind::Uploads, "a/b"),
            ("/v2/a/tags/list", Kind::Other, "a"),
            ("/v2/token?service=gcr.io&scope=repository%3Aa%2Fb%3Apull%2Cpush", Kind::Token, "a/b"),
            ("/v2/token?scope=repository:a:pull+repository:b:pull", Kind::Token, "a"),
            ("/v2/token?scope=repository:a:pull&scope=repository:b:pull,push", Kind::Token, "b"),
            ("/v2/token?service=gcr.io", Kind::Token, ""),
        ] {
            let expected = Target { kind, repository: repository.to_owned() };
            assert_eq!(Target::of(&uri.parse().expect("it is a URI")), expected, "{uri}");
        }
    }
}
