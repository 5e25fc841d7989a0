//! What differs between the inputs of two revisions, in words.

use std::collections::{BTreeMap, BTreeSet};

use longshore_crds::{BaseImageStatus, ContainerAppRevisionSpec, RevisionInputs};

/// How many files are named.
const NAMED_FILES: usize = 3;

/// The longest value of a build argument that is quoted, in characters.
const LONGEST_VALUE: usize = 40;

/// How many characters of a digest or a commit are quoted.
const SHORT: usize = 12;

/// What has changed from one revision to another, as phrases that can stand after "because"; none when nothing that is
/// recorded has: `context: app.js changed`, `args: VERSION 0.1 → 0.2`. The values of build arguments are no secrets: the
/// image's history has them.
pub fn changes(before: &ContainerAppRevisionSpec, now: &ContainerAppRevisionSpec) -> Vec<String> {
    let (Some(old), Some(new)) = (&before.inputs, &now.inputs) else {
        return change_of_source(before, now).into_iter().collect();
    };
    let mut changes = Vec::new();
    changes.extend(commit(before, now));
    changes.extend(files(old, new));
    let revision = |spec: &ContainerAppRevisionSpec| spec.source.as_ref().map(|source| source.revision.clone());
    if changes.is_empty() && revision(before) != revision(now) {
        changes.push("the context changed".to_owned());
    }
    changes.extend(args(&old.args, &new.args));
    changes.extend(base_images(&old.base_images, &new.base_images));
    let fields = [
        (old.dockerfile != new.dockerfile, "another Dockerfile is used"),
        (old.target != new.target, "another target is built"),
        (old.platforms != new.platforms, "the platforms changed"),
        (old.secrets != new.secrets, "the IDs of the build's secrets changed"),
        (old.rebuild_token != new.rebuild_token, "the rebuildToken changed"),
    ];
    changes.extend(fields.into_iter().filter(|(has_changed, _)| *has_changed).map(|(_, phrase)| phrase.to_owned()));
    if changes.is_empty() {
        // Something that is hashed and not recorded, such as a label.
        changes.extend(change_of_source(before, now));
    }
    changes
}

fn change_of_source(before: &ContainerAppRevisionSpec, now: &ContainerAppRevisionSpec) -> Option<String> {
    match (&before.input_hash, &now.input_hash) {
        (None, Some(_)) => Some("it is built, no longer pulled".to_owned()),
        (Some(_), None) => Some("it is pulled, no longer built".to_owned()),
        (None, None) if before.image != now.image => {
            Some(format!("{} is asked for, no longer {}", now.image, before.image))
        }
        (None, None) => Some(format!("{} is another image now", now.image)),
        (Some(old), Some(new)) => (old != new).then(|| "what goes into the build has changed".to_owned()),
    }
}

/// `commit 12ab34cd56ef → 34cd56ef12ab`, where both come from a repository.
fn commit(before: &ContainerAppRevisionSpec, now: &ContainerAppRevisionSpec) -> Option<String> {
    let commit = |spec: &ContainerAppRevisionSpec| {
        let revision = &spec.source.as_ref()?.revision;
        let (_, commit) = revision.rsplit_once("sha1:")?;
        Some(commit.chars().take(SHORT).collect::<String>())
    };
    let (old, new) = (commit(before)?, commit(now)?);
    (old != new).then(|| format!("commit {old} → {new}"))
}

/// `args: VERSION 0.1 → 0.2`.
fn args(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let is_short = |value: &String| value.chars().count() <= LONGEST_VALUE && !value.contains(char::is_control);
    let change = |name: &String| match (old.get(name), new.get(name)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) if is_short(old) && is_short(new) => Some(format!("args: {name} {old} → {new}")),
        (Some(_), Some(_)) => Some(format!("args: {name} changed")),
        (None, _) => Some(format!("args: {name} is new")),
        (_, None) => Some(format!("args: {name} is gone")),
    };
    names.into_iter().filter_map(change).collect()
}

/// Files cannot be compared with folders, nor with nothing.
fn files(old: &RevisionInputs, new: &RevisionInputs) -> Vec<String> {
    let are_folders = |inputs: &RevisionInputs| inputs.files.keys().any(|path| path.ends_with('/'));
    if old.files.is_empty() || new.files.is_empty() || are_folders(old) != are_folders(new) {
        return Vec::new();
    }
    let mut changes = changed_files(&old.files, &new.files);
    if changes.len() > NAMED_FILES {
        let others = changes.len() - NAMED_FILES;
        changes.truncate(NAMED_FILES);
        changes.push(format!("{others} more files of the context changed"));
    }
    changes
}

/// `context: app.js changed`.
fn changed_files(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |path: &String| match (old.get(path), new.get(path)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(_), Some(_)) => Some(format!("context: {path} changed")),
        (None, _) => Some(format!("context: {path} is new")),
        (_, None) => Some(format!("context: {path} is gone")),
    };
    paths.into_iter().filter_map(change).collect()
}

/// `base image node:6 moved a1b2c3d4e5f6 → c3d4e5f6a1b2`.
fn base_images(old: &[BaseImageStatus], new: &[BaseImageStatus]) -> Vec<String> {
    let short =
        |image: &BaseImageStatus| image.digest.trim_start_matches("sha256:").chars().take(SHORT).collect::<String>();
    let change = |image: &BaseImageStatus| {
        let before = old.iter().find(|before| before.reference == image.reference);
        match before {
            None => Some(format!("base image {} is new", image.reference)),
            Some(before) if before.digest != image.digest => {
                Some(format!("base image {} moved {} → {}", image.reference, short(before), short(image)))
            }
            Some(_) => None,
        }
    };
    // Records that name no base images were written when they were not known.
    if old.is_empty() { Vec::new() } else { new.iter().filter_map(change).collect() }
}

#[cfg(test)]
mod tests {
    use longshore_crds::SourceStatus;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn built(files: &[(&str, &str)], change: impl FnOnce(&mut RevisionInputs)) -> ContainerAppRevisionSpec {
        let mut inputs = RevisionInputs { files: map(files), ..RevisionInputs::default() };
        change(&mut inputs);
        ContainerAppRevisionSpec {
            app: "my-app".to_owned(),
            revision: 1,
            image: "node-app:0.1".to_owned(),
            input_hash: Some(format!("{inputs:?}")),
            source: Some(SourceStatus { revision: format!("{files:?}"), files: 1, size: 1 }),
            inputs: Some(inputs),
        }
    }

    fn pulled(image: &str) -> ContainerAppRevisionSpec {
        let unbuilt = built(&[], |_| {});
        ContainerAppRevisionSpec { image: image.to_owned(), input_hash: None, source: None, inputs: None, ..unbuilt }
    }

    #[test]
    fn files_are_named() {
        let before = built(&[("app.js", "1"), ("old.js", "1"), ("same.js", "1")], |_| {});
        let now = built(&[("app.js", "2"), ("new.js", "1"), ("same.js", "1")], |_| {});
        assert_eq!(
            changes(&before, &now),
            ["context: app.js changed", "context: new.js is new", "context: old.js is gone"]
        );
    }

    #[test]
    fn of_many_files_a_few_are_named() {
        let before = built(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")], |_| {});
        let now = built(&[("a", "2"), ("b", "2"), ("c", "2"), ("d", "2"), ("e", "2")], |_| {});
        assert_eq!(changes(&before, &now)[2..], ["context: c changed", "2 more files of the context changed"]);
    }

    #[test]
    fn files_and_folders_are_not_compared() {
        let (before, now) = (built(&[("a", "1")], |_| {}), built(&[("a/", "1")], |_| {}));
        assert_eq!(changes(&before, &now), ["the context changed"]);
    }

    #[test]
    fn arguments_are_told_with_their_values_unless_those_are_long() {
        let before = built(&[], |inputs| inputs.args = map(&[("LONG", "x"), ("VERSION", "0.1")]));
        let long = "y".repeat(100);
        let now = built(&[], |inputs| inputs.args = map(&[("LONG", &long), ("MODE", "x"), ("VERSION", "0.2")]));
        assert_eq!(changes(&before, &now), ["args: LONG changed", "args: MODE is new", "args: VERSION 0.1 → 0.2"]);
    }

    #[test]
    fn a_commit_is_told_before_its_files() {
        let at = |commit: &str, content: &str| ContainerAppRevisionSpec {
            source: Some(SourceStatus { revision: format!("main@sha1:{}", commit.repeat(20)), files: 1, size: 1 }),
            ..built(&[("app.js", content)], |_| {})
        };
        let expected = ["commit 121212121212 → 343434343434", "context: app.js changed"];
        assert_eq!(changes(&at("12", "1"), &at("34", "2")), expected);
    }

    #[test]
    fn a_base_image_that_moved_is_told_with_both_digests() {
        let base =
            |digest: &str| BaseImageStatus { reference: "node:6".to_owned(), digest: format!("sha256:{digest}") };
        let before = built(&[], |inputs| inputs.base_images = vec![base(&"a1".repeat(32))]);
        let now = built(&[], |inputs| inputs.base_images = vec![base(&"c3".repeat(32))]);
        assert_eq!(changes(&before, &now), ["base image node:6 moved a1a1a1a1a1a1 → c3c3c3c3c3c3"]);
    }

    #[test]
    fn single_fields_have_a_phrase_each() {
        let now = built(&[], |inputs| {
            inputs.target = Some("release".to_owned());
            inputs.rebuild_token = Some("again".to_owned());
        });
        assert_eq!(changes(&built(&[], |_| {}), &now), ["another target is built", "the rebuildToken changed"]);
    }

    #[test]
    fn nothing_is_said_of_the_same() {
        assert_eq!(changes(&built(&[("a", "1")], |_| {}), &built(&[("a", "1")], |_| {})), [""; 0]);
    }

    #[test]
    fn a_pulled_image_is_told_by_its_reference() {
        assert_eq!(changes(&pulled("a:1"), &pulled("a:2")), ["a:2 is asked for, no longer a:1"]);
        assert_eq!(changes(&pulled("a:1"), &pulled("a:1")), ["a:1 is another image now"]);
        assert_eq!(changes(&pulled("a:1"), &built(&[], |_| {})), ["it is built, no longer pulled"]);
    }
}
