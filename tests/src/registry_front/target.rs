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

/// The repository of `scope=repository:NAME:pull,push`; the first when there are several.
fn repository_in_scope(uri: &Uri) -> Option<String> {
    scope_in(uri.query()?)
}

/// The same in a form, which has the shape of a query.
pub(super) fn scope_in(query: &str) -> Option<String> {
    let scope = parameter(query, "scope")?;
    let name = scope.strip_prefix("repository:")?.split(' ').next()?;
    Some(name.rsplit_once(':')?.0.to_owned())
}

/// The first value of this name.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let (_, value) = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    let value = value.replace('+', " ");
    Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
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
            ("/v2/token?service=gcr.io", Kind::Token, ""),
        ] {
            let expected = Target { kind, repository: repository.to_owned() };
            assert_eq!(Target::of(&uri.parse().expect("it is a URI")), expected, "{uri}");
        }
    }
}
