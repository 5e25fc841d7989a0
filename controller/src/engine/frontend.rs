//! Which program reads a Dockerfile. A first line such as `# syntax=docker/dockerfile:1` names an image that BuildKit
//! pulls and runs with the whole build in its hands, so only those of a list are let in.

use std::collections::BTreeMap;

use super::{BuildRequest, EngineError};
use crate::app::Repository;

/// The argument that names a front end from outside, since BuildKit 0.11.
const ARGUMENT: &str = "BUILDKIT_SYNTAX";

/// Refuses a build whose Dockerfile or arguments name a front end that is not allowed.
pub(in crate::engine) fn check(request: &BuildRequest) -> Result<(), EngineError> {
    for (by, image) in images_of(request.context.dockerfile().text(), &request.args) {
        if !is_allowed(&image, &request.frontends) {
            let allowed: Vec<String> = request.frontends.iter().map(Repository::familiar).collect();
            return Err(EngineError::Unsupported(format!(
                "{by}{image} asks for a front end that is not allowed, since it would have the whole build in its \
                 hands; use {}, or leave the line out",
                allowed.join(" or ")
            )));
        }
    }
    Ok(())
}

/// The images of the front ends that a build asks for, each with the words that do.
pub(crate) fn images_of(dockerfile: &[u8], args: &BTreeMap<String, String>) -> Vec<(&'static str, String)> {
    let by_dockerfile = named_in(dockerfile).into_iter().map(|value| ("# syntax=", value));
    let by_argument = args.get(ARGUMENT).map(|value| ("the argument BUILDKIT_SYNTAX=", value.trim().to_owned()));
    // What follows the image are flags for it.
    let image = |value: String| value.split(' ').next().unwrap_or_default().to_owned();
    by_dockerfile.chain(by_argument).map(|(by, value)| (by, image(value))).collect()
}

/// Whether an image is one of the front ends that are let in.
pub(in crate::engine) fn is_allowed(image: &str, allowed: &[Repository]) -> bool {
    let without_digest = image.split('@').next().unwrap_or_default();
    let (folder, name) = without_digest.rsplit_once('/').unwrap_or(("", without_digest));
    let name = name.split(':').next().unwrap_or_default();
    let repository = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    repository.parse::<Repository>().is_ok_and(|repository| allowed.contains(&repository))
}

/// Whether a text asks for a front end of its own.
pub(in crate::engine) fn names_one(text: &[u8]) -> bool {
    !named_in(text).is_empty()
}

/// What a Dockerfile names as its front end, in every way that some BuildKit reads: comments with `#` and `//` at its
/// very beginning, and a JSON object. Where releases differ in what ends the beginning, the longer one is taken.
fn named_in(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => rest,
        _ => text,
    };
    let in_comments = ["#", "//"].into_iter().flat_map(|comment| {
        text.lines()
            .map_while(move |line| directive(line, comment))
            .filter(|(name, _)| name.eq_ignore_ascii_case("syntax"))
            .map(|(_, value)| value.to_owned())
    });
    let in_json = || {
        let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
        Some(json.get("syntax")?.as_str()?.to_owned())
    };
    in_comments.chain(in_json()).collect()
}

/// The name and the value of a line such as `# syntax=docker/dockerfile:1`.
fn directive<'a>(line: &'a str, comment: &str) -> Option<(&'a str, &'a str)> {
    let (name, value) = line.strip_prefix(comment)?.split_once('=')?;
    let name = name.trim();
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|character| character.is_ascii_alphanumeric());
    let value = value.trim();
    (is_name && !value.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_in(text: &str) -> bool {
        let allowed = ["docker/dockerfile".parse().unwrap()];
        named_in(text.as_bytes()).iter().all(|value| is_allowed(value.split(' ').next().unwrap(), &allowed))
    }

    #[test]
    fn the_official_front_end_is_let_in_under_every_spelling() {
        for image in [
            "docker/dockerfile",
            "docker/dockerfile:1",
            "docker/dockerfile:1.7-labs",
            "docker.io/docker/dockerfile:1.4",
            "docker/dockerfile:1@sha256:dbbd5e059e8a07ff7ea6233b213b36aa516b4c53c645f1817a4dd18b83cbea56",
        ] {
            assert!(is_let_in(&format!("# syntax={image}\nFROM scratch\n")), "{image}");
        }
        assert!(is_let_in("FROM scratch\n"));
    }

    #[test]
    fn any_other_is_refused_however_it_is_written() {
        for text in [
            "# syntax=evil.example/dockerfile\n",
            "#syntax = evil/dockerfile:1 --flag\n",
            "# escape=`\n#  SYNTAX=evil/dockerfile\n",
            "# anything=1\n# syntax=evil/dockerfile\n",
            "\u{feff}# syntax=evil/dockerfile\r\n",
            "#!/usr/bin/env buildctl\n# syntax=evil/dockerfile\n",
            "// syntax=evil/dockerfile\n",
            "{\"syntax\": \"evil/dockerfile\"}",
            "# syntax=docker/dockerfile\n# syntax=evil/dockerfile\n",
            "# syntax=docker/dockerfile-upstream:master\n",
            "# syntax=dockerfile.v0\n",
            "# syntax=evil.example/docker/dockerfile:1\n",
            "# syntax=docker/dockerfile/evil\n",
        ] {
            assert!(!is_let_in(text), "{text}");
        }
    }

    #[test]
    fn a_comment_further_down_is_a_comment() {
        assert!(is_let_in("# My app\n# syntax=evil/dockerfile\nFROM scratch\n"));
        assert!(is_let_in("FROM scratch\n# syntax=evil/dockerfile\n"));
    }
}
