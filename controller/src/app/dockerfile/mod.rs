//! What can be told of a Dockerfile without building it: the images that it is built on.
//!
//! # Caveats
//! A Dockerfile that is broken gives what can be told all the same: it is the builder's to say what is wrong.

mod lines;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

use super::ImageReference;
use lines::Instruction;
use variables::expand;

const SCRATCH: &str = "scratch";

/// A stage: what stands between one `FROM` and the next.
struct Stage {
    name: Option<String>,
    /// The stage or the image that it begins with.
    base: String,
    /// The stages, by name or number, and the images that it copies from.
    sources: Vec<String>,
}

/// The images that a Dockerfile is built on, as `FROM`, `COPY --from=` and `RUN --mount=from=` name them, where the
/// stage that is built needs them; the last stage when there is no target.
///
/// Those named by a digest are left out: they never move. So are those whose names depend on the platform.
pub fn base_images(
    dockerfile: &str,
    args: &BTreeMap<String, String>,
    target: Option<&str>,
) -> BTreeSet<ImageReference> {
    let stages = stages(dockerfile, args);
    let mut images = BTreeSet::new();
    for index in needed(&stages, target) {
        let stage = &stages[index];
        let names = std::iter::once(&stage.base).chain(&stage.sources);
        let outside = names.filter(|name| *name != SCRATCH && stage_before(&stages, index, name).is_none());
        images.extend(
            outside.filter_map(|name| name.parse().ok()).filter(|image: &ImageReference| image.digest().is_none()),
        );
    }
    images
}

fn stages(dockerfile: &str, args: &BTreeMap<String, String>) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut variables = BTreeMap::new();
    for instruction in lines::instructions(dockerfile) {
        match (instruction.keyword.as_str(), stages.last_mut()) {
            ("FROM", _) => stages.push(stage(&instruction, &variables)),
            ("ARG", None) => declare(&instruction, args, &mut variables),
            ("COPY" | "ADD" | "RUN", Some(stage)) => stage.sources.extend(instruction.sources()),
            _ => {}
        }
    }
    stages
}

fn stage(from: &Instruction, variables: &BTreeMap<String, String>) -> Stage {
    let words: Vec<&str> = from.words().collect();
    let name = match words.as_slice() {
        [_, keyword, name, ..] if keyword.eq_ignore_ascii_case("as") => Some(name.to_lowercase()),
        _ => None,
    };
    let base = words.first().map_or_else(String::new, |base| expand(base, variables));
    Stage { name, base, sources: Vec::new() }
}

/// `ARG`s before the first `FROM`: a value that is given counts more than the default.
fn declare(arg: &Instruction, args: &BTreeMap<String, String>, variables: &mut BTreeMap<String, String>) {
    for word in arg.words() {
        let (name, default) = match word.split_once('=') {
            Some((name, default)) => (name, Some(expand(default, variables))),
            None => (word, None),
        };
        if let Some(value) = args.get(name).cloned().or(default) {
            variables.insert(name.to_owned(), value);
        }
    }
}

/// The stage of this name or number among those before another.
fn stage_before(stages: &[Stage], end: usize, name: &str) -> Option<usize> {
    let name = name.to_lowercase();
    let by_name = stages[..end].iter().rposition(|stage| stage.name.as_ref() == Some(&name));
    by_name.or_else(|| name.parse().ok().filter(|number| *number < end))
}

/// The stages that the target is made of, itself included.
fn needed(stages: &[Stage], target: Option<&str>) -> BTreeSet<usize> {
    let target = match target {
        Some(name) => stage_before(stages, stages.len(), name),
        None => stages.len().checked_sub(1),
    };
    let mut needed = BTreeSet::new();
    let mut waiting: Vec<usize> = target.into_iter().collect();
    while let Some(index) = waiting.pop() {
        if needed.insert(index) {
            let stage = &stages[index];
            let names = std::iter::once(&stage.base).chain(&stage.sources);
            waiting.extend(names.filter_map(|name| stage_before(stages, index, name)));
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dockerfile: &str) -> Vec<String> {
        with(dockerfile, &[], None)
    }

    fn with(dockerfile: &str, args: &[(&str, &str)], target: Option<&str>) -> Vec<String> {
        let args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        base_images(dockerfile, &args, target).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_image_of_a_from_is_a_base_image() {
        assert_eq!(of("FROM node:6\nADD . /app\n"), ["node:6"]);
        assert_eq!(of("from gcr.io/p/base\n"), ["gcr.io/p/base:latest"]);
        assert_eq!(of("FROM --platform=$BUILDPLATFORM golang:1.26 AS build\n"), ["golang:1.26"]);
    }

    #[test]
    fn a_stage_is_no_image_and_only_what_the_target_needs_counts() {
        let dockerfile =
            "FROM golang:1 AS build\nRUN make\nFROM node:6 AS unused\nFROM busybox\nCOPY --from=build /a /a\n";
        assert_eq!(of(dockerfile), ["busybox:latest", "golang:1"]);
        assert_eq!(with(dockerfile, &[], Some("unused")), ["node:6"]);
        assert_eq!(with(dockerfile, &[], Some("BUILD")), ["golang:1"]);
        assert_eq!(with(dockerfile, &[], Some("no-such-stage")), [""; 0]);
    }

    #[test]
    fn images_that_files_are_taken_from_count() {
        let dockerfile = "FROM busybox\nCOPY --from=nginx:1 /etc/nginx /etc/nginx\n\
                          RUN --mount=type=bind,from=tools:2,target=/t --mount=type=cache,target=/c make\n\
                          FROM busybox\nCOPY --chown=1 --from=0 a b\n";
        assert_eq!(of(dockerfile), ["busybox:latest", "nginx:1", "tools:2"]);
    }

    #[test]
    fn arguments_before_the_first_from_are_filled_in() {
        let dockerfile = "ARG VERSION=6\nARG IMAGE=node:${VERSION}\nFROM $IMAGE\n";
        assert_eq!(of(dockerfile), ["node:6"]);
        assert_eq!(with(dockerfile, &[("VERSION", "8")], None), ["node:8"]);
        assert_eq!(of("ARG TAG\nFROM node:${TAG:-6}\n"), ["node:6"]);
        assert_eq!(with("ARG TAG\nFROM node:${TAG:-6}\n", &[("TAG", "8")], None), ["node:8"]);
        assert_eq!(of("ARG SLIM=1\nFROM node:6${SLIM:+-slim}\n"), ["node:6-slim"]);
    }

    #[test]
    fn what_never_moves_or_is_no_image_is_left_out() {
        let digest = "0".repeat(64);
        assert_eq!(of(&format!("FROM node:6@sha256:{digest}\n")), [""; 0]);
        assert_eq!(of("FROM scratch\nADD a /\n"), [""; 0]);
        assert_eq!(of("FROM $NOWHERE\n"), [""; 0]);
        assert_eq!(of(""), [""; 0]);
    }

    #[test]
    fn lines_are_read_as_the_builder_reads_them() {
        assert_eq!(of("# FROM a\nFROM \\\n  # a comment\n\n  b:1 \\\n  AS c\n"), ["b:1"]);
        assert_eq!(of("# escape=`\nFROM `\n  b:1\n"), ["b:1"]);
        assert_eq!(of("\u{feff}FROM b:1\r\nRUN x\r\n"), ["b:1"]);
        let heredoc = "FROM b:1\nRUN <<EOF\nFROM c:1\nEOF\nCOPY <<-\"A\" <<B /d/\n\tFROM d\n\tA\nFROM e\nB\n";
        assert_eq!(of(heredoc), ["b:1"]);
    }
}
