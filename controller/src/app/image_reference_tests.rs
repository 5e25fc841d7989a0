//! References against the grammar that the distribution writes down as regular expressions
//! (<https://github.com/distribution/reference/blob/main/regexp.go>), and against Docker's defaults.

use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;

use super::*;

const DIGEST: &str = "sha256:0d3300874769cbafa3830ad4506f74c10aebf10c11ecf7838361ed49fe16ab55";
const HEX: &str = "0d3300874769cbafa3830ad4506f74c10aebf10c11ecf7838361ed49fe16ab55";

const COMPONENT: &str = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const TAG: &str = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const SHA256: &str = "sha256:[0-9a-f]{64}";
const LABEL: &str = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const IPV6: &str = "\\[[a-fA-F0-9:]+\\]";

/// The grammar's `reference`, of a name with its host. Of digests those that are supported.
static GRAMMAR: LazyLock<Regex> = LazyLock::new(|| {
    let host = format!("(?:{LABEL}(?:\\.{LABEL})*|{IPV6})(?::[0-9]+)?");
    let path = format!("{COMPONENT}(?:/{COMPONENT})*");
    Regex::new(&format!("^(?P<host>{host})/(?P<path>{path})(?::(?P<tag>{TAG}))?(?:@(?P<digest>{SHA256}))?$")).unwrap()
});

/// What the grammar and Docker's defaults make of a text: host, path, tag and digest.
type Parts = (String, String, Option<String>, Option<String>);

fn expected(text: &str) -> Option<Parts> {
    if text.len() == 64 && text.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f')) {
        return None;
    }
    let (host, rest) = match text.split_once('/') {
        Some(("index.docker.io" | "docker.io", rest)) => ("docker.io", rest),
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) || first.to_lowercase() != first => {
            (first, rest)
        }
        _ => ("docker.io", text),
    };
    let library = if host == "docker.io" && !rest.contains('/') { "library/" } else { "" };
    let full = format!("{host}/{library}{rest}");
    let found = GRAMMAR.captures(&full)?;
    let part = |name: &str| found.name(name).map(|part| part.as_str().to_owned());
    let (host, path) = (part("host")?, part("path")?);
    let address = host.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _)| address);
    let is_address = address.is_none_or(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    let fits = host.len() + 1 + path.len() <= 255;
    (fits && is_address).then(|| (host, path, part("tag"), part("digest")))
}

fn parsed(text: &str) -> Option<Parts> {
    let reference: ImageReference = text.parse().ok()?;
    let digest = reference.digest().map(ToString::to_string);
    let tag = reference.tag().map(str::to_owned);
    Some((reference.host().to_owned(), reference.path().to_owned(), tag, digest))
}

/// The tag that is meant where nothing is said.
fn with_the_default((host, path, tag, digest): Parts) -> Parts {
    let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
    (host, path, tag, digest)
}

/// References as they should be.
fn members() -> impl Strategy<Value = String> {
    let host = format!(
        "(localhost/|docker\\.io/|index\\.docker\\.io/|{LABEL}\\.{LABEL}/|{LABEL}:[0-9]{{1,5}}/|\\[::[0-9a-f]{{1,4}}\\](:[0-9]{{1,5}})?/|[A-Z][A-Za-z0-9]{{0,5}}/)?"
    );
    let text = format!("{host}{COMPONENT}(/{COMPONENT}){{0,3}}(:{TAG})?(@{SHA256})?");
    proptest::string::string_regex(&text).unwrap()
}

/// The same with one character more, less or another.
fn near_misses() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        Just('/'),
        Just(':'),
        Just('@'),
        Just('.'),
        Just('_'),
        Just('-'),
        Just('A'),
        Just(' '),
        Just('é'),
        Just('['),
        Just('0'),
        Just('\n'),
    ];
    (members(), any::<prop::sample::Index>(), character, 0..3_u8).prop_map(|(text, place, character, what)| {
        let mut characters: Vec<char> = text.chars().collect();
        let place = place.index(characters.len());
        match what {
            0 => characters.insert(place, character),
            1 => drop(characters.remove(place)),
            _ => characters[place] = character,
        }
        characters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_the_grammar_takes_is_taken_as_it_means_it(text in members()) {
        prop_assert_eq!(parsed(&text), expected(&text).map(with_the_default));
    }

    #[test]
    fn what_is_nearly_a_reference_is_taken_only_where_the_grammar_takes_it(text in near_misses()) {
        prop_assert_eq!(parsed(&text), expected(&text).map(with_the_default));
    }

    #[test]
    fn any_text_at_all_is_taken_only_where_the_grammar_takes_it(text in "\\PC{0,40}") {
        prop_assert_eq!(parsed(&text), expected(&text).map(with_the_default));
    }

    #[test]
    fn what_is_printed_is_read_back_as_the_same(text in members()) {
        if let Ok(reference) = text.parse::<ImageReference>() {
            prop_assert_eq!(reference.to_string().parse(), Ok(reference.clone()));
            prop_assert_eq!(reference.canonical().parse(), Ok(reference.clone()));
            let repository = reference.repository();
            prop_assert_eq!(&repository.familiar().parse::<Repository>().unwrap(), repository);
            prop_assert_eq!(&repository.to_string().parse::<Repository>().unwrap(), repository);
        }
    }
}

#[test]
fn names_are_completed_as_docker_completes_them() {
    for (text, canonical, printed) in [
        ("node", "docker.io/library/node:latest", "node:latest"),
        ("node:6", "docker.io/library/node:6", "node:6"),
        ("library/node", "docker.io/library/node:latest", "node:latest"),
        ("docker.io/node", "docker.io/library/node:latest", "node:latest"),
        ("docker.io/library/node", "docker.io/library/node:latest", "node:latest"),
        ("index.docker.io/node", "docker.io/library/node:latest", "node:latest"),
        ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
        ("a/b", "docker.io/a/b:latest", "a/b:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
        ("localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"),
        ("registry:5000/a/b", "registry:5000/a/b:latest", "registry:5000/a/b:latest"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest", "127.0.0.1:5000/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("[2001:db8::1]/app", "[2001:db8::1]/app:latest", "[2001:db8::1]/app:latest"),
        ("GCR.io/p/app", "GCR.io/p/app:latest", "GCR.io/p/app:latest"),
        ("Registry/app", "Registry/app:latest", "Registry/app:latest"),
        ("docker.io/gcr.io/app", "docker.io/gcr.io/app:latest", "docker.io/gcr.io/app:latest"),
        ("docker.io/localhost/app", "docker.io/localhost/app:latest", "docker.io/localhost/app:latest"),
        ("a__b/c--d/e.f_g", "docker.io/a__b/c--d/e.f_g:latest", "a__b/c--d/e.f_g:latest"),
        ("node:_", "docker.io/library/node:_", "node:_"),
    ] {
        let reference: ImageReference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((reference.canonical().as_str(), reference.to_string().as_str()), (canonical, printed), "{text}");
    }
}

#[test]
fn a_digest_counts_more_than_the_tag_beside_it() {
    let both: ImageReference = format!("node:6@{DIGEST}").parse().unwrap();
    assert_eq!((both.tag(), both.version()), (Some("6"), DIGEST));
    assert_eq!(both.to_string(), format!("node:6@{DIGEST}"));
    assert_eq!(both.for_engine(), format!("docker.io/library/node@{DIGEST}"));
    let alone: ImageReference = format!("localhost:5000/node@{DIGEST}").parse().unwrap();
    assert_eq!((alone.tag(), alone.version()), (None, DIGEST));
    assert_eq!(alone.repository().pinned(&DIGEST.parse().unwrap()), alone);
}

#[test]
fn a_name_of_64_hexadecimal_digits_is_an_id_unless_something_stands_beside_it() {
    assert_eq!(HEX.parse::<Repository>(), Err(ReferenceError::Id(HEX.to_owned())));
    assert_eq!(HEX.parse::<ImageReference>(), Err(ReferenceError::Id(HEX.to_owned())));
    for text in [format!("{HEX}:1"), format!("docker.io/{HEX}"), format!("library/{HEX}"), HEX[1..].to_owned()] {
        let reference: ImageReference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(reference.to_string().parse(), Ok(reference));
    }
}

#[test]
fn what_is_no_reference_is_refused() {
    let long_tag = format!("node:{}", "a".repeat(129));
    let long_name = format!("gcr.io/{}", "a".repeat(249));
    let (sha512, upper) = (format!("node@sha512:{HEX}{HEX}"), format!("node@{}", DIGEST.to_uppercase()));
    for text in [
        "",
        " ",
        "/",
        ":",
        "@",
        ":6",
        "/node",
        "node/",
        "node:",
        "node@",
        "a//b",
        "a/b:5000/c",
        "a/b/",
        "-a",
        "a-",
        ".a",
        "a.",
        "_a",
        "a_",
        "a..b",
        "a___b",
        "a._b",
        "Node",
        "a/Node",
        "gcr.io/Node",
        "node:.6",
        "node:-6",
        "node:6:7",
        "a/node:6/7",
        "nöde",
        "node:sechs§",
        "node ",
        " node",
        "node\n",
        "gcr..io/a",
        "-gcr.io/a",
        "gcr-.io/a",
        ":5000/a",
        "gcr.io:/a",
        "gcr.io:x/a",
        "[::1/a",
        "[::x]/a",
        "[]/a",
        "::1/a",
        "http://gcr.io/a",
        "user@gcr.io/a",
        "gcr.io/a@b",
        "node@sha256:abc",
        "node@md5:d41d8cd98f00b204e9800998ecf8427e",
        "a@b@c",
        &long_tag,
        &long_name,
        &sha512,
        &upper,
    ] {
        assert!(text.parse::<ImageReference>().is_err(), "\"{text}\" is taken");
    }
}

#[test]
fn what_stands_where_only_a_repository_may_is_named() {
    let pinned = format!("node@{DIGEST}");
    assert_eq!("node:6".parse::<Repository>(), Err(ReferenceError::HasTag("node:6".to_owned())));
    assert_eq!(pinned.parse::<Repository>(), Err(ReferenceError::HasDigest(pinned.clone())));
    assert_eq!("a/Node".parse::<Repository>(), Err(ReferenceError::UpperCase("a/Node".to_owned())));
}
