//! Which superseded tags are deleted at their registries, and what is remembered of them.

use longshore_crds::{ContainerApp, PushStatus};

use super::*;
use crate::app::{ImageTarget, Purpose, RegistryRequest, TagDeletion};

const REPOSITORY: &str = "gcr.io/p/app";

fn tag(name: &str) -> ImageReference {
    format!("{REPOSITORY}:{name}").parse().unwrap()
}

fn digest(content: &str) -> ManifestDigest {
    ManifestDigest(Digest::of(content))
}

fn held(content: &str) -> Remote {
    Remote::Holds(RemoteImage { manifest: digest(content), config: None, size: None })
}

fn nobody_answers() -> Remote {
    let request = RegistryRequest::new(&tag("new"), Purpose::LookUp, None);
    Remote::Unknown(RegistryError::unavailable("nobody answers", request))
}

/// A tag that was pushed with this content and superseded so many seconds ago.
fn superseded_tag(name: &str, content: &str, seconds: u64) -> PushedTag {
    let superseded_at = Some(now() - Duration::from_secs(seconds));
    PushedTag { reference: tag(name), digest: Some(digest(content)), superseded_at }
}

/// An image that is pushed to `new`, of which so many superseded ones are kept; everything is well, `old` and `older` are
/// superseded and still there, and nobody else needs them.
fn pushed(keep: usize) -> (Desired, Observed) {
    let rules = PushRules { keep: Some(keep), ..PushRules::default() };
    let destination = Destination { reference: tag("new"), credentials: Ok(None), rules };
    let desired = Desired { destinations: vec![destination], ..wanted() };
    let mut observed = everything_well(&desired);
    observed.images[0].references.push(tag("new"));
    observed.images[0].manifests.insert((REPOSITORY.parse().unwrap(), digest("new")));
    observed.memory.pushed_tags = vec![superseded_tag("older", "older", 20), superseded_tag("old", "old", 10)];
    observed.remotes = ["new", "old", "older"].map(|name| (tag(name), held(name))).into();
    observed.uses = Some(Uses::default());
    (desired, observed)
}

fn deletions(desired: &Desired, observed: &Observed) -> Vec<TagDeletion> {
    let steps = plan(desired, observed, now()).steps;
    let deletions = steps.into_iter().filter_map(|step| match step.action {
        Action::DeleteTag { tag } => Some(tag),
        _ => None,
    });
    deletions.collect()
}

fn deleted(desired: &Desired, observed: &Observed) -> Vec<String> {
    deletions(desired, observed).iter().map(|deletion| deletion.reference.version().to_owned()).collect()
}

fn remembered(desired: &Desired, observed: &Observed) -> Vec<String> {
    let tags = plan(desired, observed, now()).pushed_tags;
    tags.iter().map(|tag| tag.reference.version().to_owned()).collect()
}

#[test]
fn the_newest_superseded_images_stay_and_the_oldest_goes_first() {
    for (keep, expected) in [(0, vec!["older", "old"]), (1, vec!["older"]), (2, vec![])] {
        let (desired, observed) = pushed(keep);
        assert_eq!(deleted(&desired, &observed), expected, "{keep}");
    }
    let (desired, observed) = pushed(1);
    let step = plan(&desired, &observed, now()).steps.remove(0);
    assert_eq!(step.action.to_string(), "delete tag gcr.io/p/app:older");
    assert_eq!(step.cause, "it is superseded, and 1 superseded image is kept in gcr.io/p/app");
    assert!(step.action.is_bookkeeping(), "nothing waits for it");
}

#[test]
fn only_tags_that_may_have_to_go_are_looked_at() {
    let (desired, observed) = pushed(1);
    assert_eq!(superseded(&desired, &observed, now()), [tag("older")]);
    let (desired, observed) = pushed(2);
    assert_eq!(superseded(&desired, &observed, now()), []);
}

#[test]
fn nothing_is_deleted_before_everything_is_as_it_should_be() {
    let (desired, mut observed) = pushed(0);
    for remote in [Remote::Nothing, nobody_answers()] {
        observed.remotes.insert(tag("new"), remote);
        assert_eq!(superseded(&desired, &observed, now()), []);
        assert_eq!(deleted(&desired, &observed), [""; 0]);
    }
    let (desired, mut observed) = pushed(0);
    observed.containers.clear();
    assert_eq!(deleted(&desired, &observed), [""; 0]);
}

#[test]
fn only_what_still_holds_what_was_pushed_is_deleted_and_the_rest_is_forgotten() {
    let (desired, mut observed) = pushed(0);
    observed.remotes.insert(tag("old"), held("somebody's"));
    observed.remotes.insert(tag("older"), Remote::Nothing);
    assert_eq!(deleted(&desired, &observed), [""; 0]);
    assert_eq!(remembered(&desired, &observed), [""; 0]);

    observed.remotes.insert(tag("old"), nobody_answers());
    observed.remotes.remove(&tag("older"));
    assert_eq!(deleted(&desired, &observed), [""; 0]);
    assert_eq!(remembered(&desired, &observed), ["older", "old"]);
}

#[test]
fn what_is_used_is_not_deleted() {
    let (desired, mut observed) = pushed(0);
    observed.uses = None;
    assert_eq!(deleted(&desired, &observed), [""; 0], "nobody knows who uses it");

    let other = |image: serde_json::Value| {
        let spec = serde_json::from_value(serde_json::json!({"image": image})).unwrap();
        Some(Uses::of([&ContainerApp::new("other", spec)]))
    };
    observed.uses = other(serde_json::json!({"name": REPOSITORY, "tags": ["old"]}));
    assert_eq!(deleted(&desired, &observed), ["older"]);
    observed.uses = other(serde_json::json!({"name": REPOSITORY, "digest": digest("older").to_string()}));
    assert_eq!(deleted(&desired, &observed), ["old"]);

    let (desired, mut observed) = pushed(0);
    observed.memory.base_images.insert(tag("old"), "unknown".to_owned());
    assert_eq!(deleted(&desired, &observed), ["older"], "it is built on");
    observed.memory.base_images.insert(tag("any"), digest("older").to_string());
    assert_eq!(deleted(&desired, &observed), [""; 0], "it is built on");
}

#[test]
fn an_image_that_a_wanted_tag_holds_is_not_superseded() {
    let (desired, mut observed) = pushed(0);
    observed.memory.pushed_tags.push(superseded_tag("same", "new", 100));
    observed.remotes.insert(tag("same"), held("new"));
    assert_eq!(deleted(&desired, &observed), ["older", "old"]);
    let (desired, mut observed) = pushed(1);
    observed.memory.pushed_tags.push(superseded_tag("same", "new", 1));
    assert_eq!(deleted(&desired, &observed), ["older"], "it does not count as one of those that are kept");
}

#[test]
fn tags_of_one_image_may_go_along_with_one_another_and_no_others() {
    let (desired, mut observed) = pushed(0);
    observed.memory.pushed_tags.push(superseded_tag("old-slim", "old", 10));
    observed.remotes.insert(tag("old-slim"), held("old"));
    let along: Vec<(String, usize)> = deletions(&desired, &observed)
        .iter()
        .map(|deletion| (deletion.reference.version().to_owned(), deletion.along.len()))
        .collect();
    let expected = [("older", 0), ("old-slim", 1), ("old", 1)];
    assert_eq!(along, expected.map(|(name, along)| (name.to_owned(), along)));
}

#[test]
fn a_push_is_remembered_from_before_it_is_begun() {
    let (desired, mut observed) = pushed(1);
    observed.memory.pushed_tags.clear();
    observed.images[0].manifests.clear();
    observed.remotes.insert(tag("new"), Remote::Nothing);
    let planned = plan(&desired, &observed, now());
    let is_push = |step: &Step| matches!(&step.action, Action::PushImage { image: ImageTarget::Present(_), .. });
    assert!(planned.steps.iter().any(is_push));
    assert_eq!(planned.pushed_tags, [PushedTag::claimed(tag("new"))]);

    // Somebody heard nothing of its end: what is there is what was pushed.
    observed.memory.pushed_tags = planned.pushed_tags;
    observed.images[0].manifests.insert((REPOSITORY.parse().unwrap(), digest("new")));
    observed.remotes.insert(tag("new"), held("new"));
    let known = plan(&desired, &observed, now()).pushed_tags;
    assert_eq!(known, [PushedTag { digest: Some(digest("new")), ..PushedTag::claimed(tag("new")) }]);
}

#[test]
fn what_was_there_before_is_not_ours_and_what_was_pushed_before_keep_was_asked_for_is() {
    let status = |pushed_at: Option<Timestamp>| PushStatus {
        reference: tag("new").to_string(),
        digest: Some(digest("new").to_string()),
        size: None,
        drifted_to: None,
        missing: false,
        pushed_at: pushed_at.map(crate::app::status::time),
    };
    for (pushed_at, expected) in [(None, vec![]), (Some(now()), vec!["new".to_owned()])] {
        let (desired, mut observed) = pushed(1);
        observed.memory.pushed_tags.clear();
        observed.memory.pushed.insert(tag("new"), status(pushed_at));
        assert_eq!(remembered(&desired, &observed), expected);
    }
}

#[test]
fn without_keep_nothing_is_remembered_or_deleted() {
    let (mut desired, observed) = pushed(0);
    desired.destinations[0].rules.keep = None;
    assert_eq!(deleted(&desired, &observed), [""; 0]);
    assert_eq!(remembered(&desired, &observed), [""; 0]);
}

#[test]
fn what_cannot_be_deleted_for_ever_is_not_remembered_for_ever() {
    let (desired, mut observed) = pushed(0);
    let many = (0..300_u64).map(|number| superseded_tag(&format!("t{number}"), &format!("c{number}"), 1000 - number));
    observed.memory.pushed_tags = many.collect();
    observed.uses = None;
    let left = remembered(&desired, &observed);
    assert_eq!((left.len(), left.first().map(String::as_str)), (256, Some("t44")));
}

#[test]
fn a_deletion_that_has_failed_holds_up_those_of_its_repository_and_nothing_else() {
    let (desired, mut observed) = pushed(0);
    let first = plan(&desired, &observed, now()).steps.remove(0);
    let failure = Failure {
        count: 0,
        last: now(),
        part: Part::Push,
        reason: Reason::PermissionDenied,
        message: "no".to_owned(),
        retry: Retry::Rarely,
        build_failure: None,
    };
    observed.attempts.failed(&first.action, failure.clone());
    let planned = plan(&desired, &observed, now());
    assert_eq!((planned.steps.len(), planned.blocks.len()), (0, 0));
    assert!(planned.is_fulfilled(&desired) && planned.next_look().is_some());
    assert_eq!(superseded(&desired, &observed, now()), []);
    let later = now() + Duration::from_mins(6);
    assert_eq!(plan(&desired, &observed, later).steps.len(), 2, "it is tried again");

    observed.attempts = Attempts::default();
    let shared = Failure { reason: Reason::TagShared, retry: Retry::Never, ..failure };
    observed.attempts.failed(&first.action, shared);
    assert_eq!(deleted(&desired, &observed), ["old"], "the others go on");
    assert_eq!(remembered(&desired, &observed), ["old"], "it is left there and forgotten");
}
