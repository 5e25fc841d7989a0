//! Patterns and lists in words that a person understands.

/// The name of an object, as the API server wants it (RFC 1123 subdomain).
pub(super) const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// The name of a namespace, as the API server wants it (RFC 1123 label).
pub(super) const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// A key of a Secret or a ConfigMap, as the API server wants it.
pub(super) const DATA_KEY: &str = "^[-._a-zA-Z0-9]+$";

/// What a pattern of our schemas means.
const MEANINGS: [(&str, &str); 23] = [
    (OBJECT_NAME, "a name has lower-case letters, digits, - and ., and begins and ends with a letter or a digit"),
    (
        NAMESPACE,
        "a name of one part has lower-case letters, digits and -, and begins and ends with a letter or a digit",
    ),
    (DATA_KEY, "a key has letters, digits, -, _ and ."),
    ("^[A-Za-z0-9_][A-Za-z0-9_.-]*$", "a tag has letters, digits, _, . and -, and begins with none of . and -"),
    (
        "^[a-zA-Z0-9][a-zA-Z0-9_.-]+$",
        "a container's name has letters, digits, _, . and -, and begins with a letter or a digit",
    ),
    ("^/", "a path in the container begins with /"),
    (r"^[^=\s]+$", "a variable's name has neither = nor spaces"),
    ("^([0-9]+(ms|s|m|h))+$", "a duration is written 90s, 5m or 1h30m"),
    (
        "^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$",
        "a platform is written as system/architecture, such as linux/amd64 or linux/arm64/v8",
    ),
    (r"^(https?|ssh)://[^\s]+$", "a repository is written https://host/path or ssh://git@host/path"),
    (r"^https?://[^\s]+$", "an archive is written https://host/path"),
    ("^([0-9a-f]{40}|[0-9a-f]{64})$", "a commit is written with all the digits of its hash, 40 or 64 of them"),
    ("^refs/", "a reference is written in full, such as refs/heads/main"),
    ("^sha256:[0-9a-f]{64}$", "a digest is written sha256: and 64 hexadecimal digits"),
    (r"^[^/@\s]+$", "a registry's host is written registry.example.com or registry.example.com:5000"),
    (
        "-----BEGIN CERTIFICATE-----",
        "certificates are written in PEM, each from its line BEGIN CERTIFICATE to its line END CERTIFICATE",
    ),
    (
        r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
        "a quantity is written 2, \"0.5\", 500m, 64Mi or 1G",
    ),
    (r"^[^=\s]*$", "what stands in front of variables' names has neither = nor spaces"),
    (r"^[^:\s]+$", "an option of the resolver has neither : nor spaces, such as ndots with the value \"2\""),
    ("^[^/]", "a file's path in a volume does not begin with /"),
    (r"^[^\s]+$", "a domain has no spaces"),
    ("^[A-Z][A-Z_]+$", "a capability is written in upper case without CAP_, such as NET_RAW, or ALL"),
    ("^(unix:///|tcp://).+$", "an endpoint is written unix:///var/run/docker.sock or tcp://host:2376"),
];

/// What is allowed, for a value that does not match this pattern.
pub(super) fn meaning_of(pattern: &str) -> String {
    MEANINGS
        .iter()
        .find(|(known, _)| *known == pattern)
        .map_or_else(|| format!("it must match {pattern}"), |(_, meaning)| (*meaning).to_owned())
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// The known word that was probably meant, if any is close.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const CLOSE_ENOUGH: f64 = 0.8;
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= CLOSE_ENOUGH)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;
    use longshore_crds::{ContainerApp, ContainerEngine};
    use serde_json::Value;

    use super::*;

    fn patterns_in(schema: &Value) -> Vec<String> {
        let own = schema.get("pattern").and_then(Value::as_str).map(str::to_owned);
        let nested: Vec<&Value> = match schema {
            Value::Object(fields) => fields.values().collect(),
            Value::Array(elements) => elements.iter().collect(),
            _ => Vec::new(),
        };
        own.into_iter().chain(nested.into_iter().flat_map(patterns_in)).collect()
    }

    #[test]
    fn every_pattern_of_our_schemas_has_words() {
        for definition in [ContainerApp::crd(), ContainerEngine::crd()] {
            let definition = serde_json::to_value(definition).unwrap();
            for pattern in patterns_in(&definition) {
                assert!(!meaning_of(&pattern).contains(&pattern), "no words for {pattern}");
            }
        }
    }

    #[test]
    fn the_closest_word_is_found_and_a_distant_one_is_not() {
        let known = ["image", "run", "push"];
        assert_eq!(closest("imgae", known), Some("image"));
        assert_eq!(closest("Push", known), Some("push"));
        assert_eq!(closest("volumes", known), None);
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
