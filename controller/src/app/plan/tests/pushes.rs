//! What is pushed side by side, and what is done about a tag that somebody has moved.

use longshore_crds::{Drift, PushStatus};

use super::*;
use crate::app::{ImageTarget, Purpose, RegistryError, RegistryErrorKind, RegistryRequest};

/// A resource that is pushed to these references, all of which hold nothing yet.
fn pushed_to(references: &[&str]) -> (Desired, Observed) {
    let destinations = references.iter().map(|reference| Destination {
        reference: reference.parse().unwrap(),
        credentials: Ok(None),
        rules: PushRules::default(),
    });
    let desired = Desired { destinations: destinations.collect(), ..wanted() };
    let mut observed = everything_well(&desired);
    for destination in &desired.destinations {
        observed.remotes.insert(destination.reference.clone(), Remote::Nothing);
        observed.images[0].references.push(destination.reference.clone());
    }
    (desired, observed)
}

fn ours(observed: &Observed) -> RemoteImage {
    RemoteImage {
        manifest: ManifestDigest(Digest::of("ours")),
        config: observed.images[0].config.clone(),
        size: Some(7),
    }
}

fn theirs() -> RemoteImage {
    RemoteImage { manifest: ManifestDigest(Digest::of("theirs")), config: None, size: None }
}

/// The registry held the image when it was last asked.
fn held_before(observed: &mut Observed, reference: &str) {
    observed.memory.image = Some(observed.images[0].id.clone());
    let status = PushStatus {
        reference: reference.to_owned(),
        digest: Some(ours(observed).manifest.to_string()),
        size: None,
        drifted_to: None,
        missing: false,
        pushed_at: None,
    };
    observed.memory.pushed.insert(reference.parse().unwrap(), status);
}

fn holds(observed: &mut Observed, reference: &str, remote: RemoteImage) {
    observed.remotes.insert(reference.parse().unwrap(), Remote::Holds(remote));
}

fn push(observed: &Observed, reference: &str) -> Action {
    let image = ImageTarget::Present(observed.images[0].id.clone());
    Action::PushImage { reference: reference.parse().unwrap(), image }
}

/// What is begun beside what is under way.
fn begun(desired: &Desired, observed: &Observed, running: &[Action]) -> Vec<String> {
    match plan(desired, observed, now()).turn(desired, running) {
        Turn::Begin(steps) => steps.iter().map(|step| step.action.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn destinations_are_pushed_to_together_and_each_is_sent_its_layers_once() {
    let (one, again, two) = ("one.example/app:1", "one.example/app:2", "two.example/app:1");
    let (desired, mut observed) = pushed_to(&[one, again, two]);
    assert_eq!(begun(&desired, &observed, &[]), [format!("push image {one}"), format!("push image {two}")]);
    let both = [push(&observed, one), push(&observed, two)];
    assert_eq!(begun(&desired, &observed, &both), [""; 0]);
    let remote = ours(&observed);
    holds(&mut observed, one, remote);
    assert_eq!(begun(&desired, &observed, &both[1..]), [format!("push image {again}")]);
}

#[test]
fn the_other_tags_of_a_repository_follow_together_once_the_layers_are_there() {
    let tags = ["one.example/app:1", "one.example/app:2", "one.example/app:3"];
    let (desired, mut observed) = pushed_to(&tags);
    assert_eq!(begun(&desired, &observed, &[]), [format!("push image {}", tags[0])]);
    let remote = ours(&observed);
    holds(&mut observed, tags[0], remote);
    let others = [format!("push image {}", tags[1]), format!("push image {}", tags[2])];
    assert_eq!(begun(&desired, &observed, &[]), others);
}

#[test]
fn a_destination_that_fails_waits_alone() {
    let (one, two) = ("one.example/app:1", "two.example/app:1");
    let (desired, mut observed) = pushed_to(&[one, two]);
    let failure = Failure {
        count: 0,
        last: now(),
        part: Part::Push,
        reason: Reason::RegistryUnavailable,
        message: "no".to_owned(),
        retry: crate::app::Retry::SOON,
        build_failure: None,
    };
    observed.attempts.failed(&push(&observed, one), failure);
    assert_eq!(begun(&desired, &observed, &[]), [format!("push image {two}")]);
    assert_eq!(begun(&desired, &observed, &[push(&observed, two)]), [""; 0]);
    let later = plan(&desired, &observed, now() + Duration::from_secs(2));
    let turn = later.turn(&desired, &[push(&observed, two)]);
    let Turn::Begin(steps) = turn else { panic!("{turn:?}") };
    assert_eq!(steps[0].action, push(&observed, one), "while the other one goes on");
}

#[test]
fn a_container_is_started_while_a_push_goes_on() {
    let (desired, mut observed) = pushed_to(&["one.example/app:1"]);
    observed.containers.clear();
    let running = [push(&observed, "one.example/app:1")];
    let begun = begun(&desired, &observed, &running);
    assert!(begun[0].starts_with("create container"), "{begun:?}");
}

#[test]
fn an_edit_ends_the_push_that_it_makes_useless_and_no_other() {
    let (_, observed) = pushed_to(&["one.example/app:1", "two.example/app:1"]);
    let running = [push(&observed, "one.example/app:1"), push(&observed, "two.example/app:1")];
    let (edited, observed) = pushed_to(&["two.example/app:1"]);
    let turn = plan(&edited, &observed, now()).turn(&edited, &running);
    assert_eq!(turn, Turn::Cancel(running[..1].to_vec()));
}

#[test]
fn the_end_of_a_push_is_awaited_when_the_registry_holds_its_image_already() {
    let (desired, mut observed) = pushed_to(&["one.example/app:1"]);
    let running = [push(&observed, "one.example/app:1")];
    let remote = ours(&observed);
    holds(&mut observed, "one.example/app:1", remote);
    assert_eq!(plan(&desired, &observed, now()).turn(&desired, &running), Turn::Await);
}

#[test]
fn a_tag_that_somebody_has_moved_is_put_back() {
    let (desired, mut observed) = pushed_to(&["one.example/app:1"]);
    held_before(&mut observed, "one.example/app:1");
    holds(&mut observed, "one.example/app:1", theirs());
    let plan = plan(&desired, &observed, now());
    assert_eq!(actions(&plan), ["push image one.example/app:1"]);
    assert!(plan.steps[0].cause.starts_with("somebody has moved the tag"), "{}", plan.steps[0].cause);
}

#[test]
fn a_tag_that_somebody_has_moved_is_told_where_that_is_asked_for_and_the_next_image_is_pushed() {
    let name = "one.example/app:1";
    let (mut desired, mut observed) = pushed_to(&[name]);
    desired.destinations[0].rules.drift = Drift::Report;
    held_before(&mut observed, name);
    let gone = plan(&desired, &observed, now());
    assert_eq!(gone.blocks[0].reason, Reason::TagMoved);
    holds(&mut observed, name, theirs());
    let moved = plan(&desired, &observed, now());
    assert_eq!((moved.steps.len(), moved.blocks[0].reason), (0, Reason::TagMoved));
    assert!(moved.blocks[0].is_terminal && !moved.is_fulfilled(&desired));
    let message = &moved.blocks[0].message;
    for digest in [ours(&observed).manifest, theirs().manifest] {
        assert!(message.contains(&digest.to_string()), "{message}");
    }
    observed.memory.image = Some(Digest::of("the image before").as_str().parse().unwrap());
    assert_eq!(actions(&plan(&desired, &observed, now())), [format!("push image {name}")]);
}

#[test]
fn a_tag_that_never_moves_is_not_taken_from_another_image() {
    let name = "one.example/app:1";
    let (mut desired, mut observed) = pushed_to(&[name]);
    desired.destinations[0].rules.immutable_tags = true;
    assert_eq!(actions(&plan(&desired, &observed, now())), [format!("push image {name}")]);
    holds(&mut observed, name, theirs());
    let refused = plan(&desired, &observed, now());
    assert_eq!((refused.steps.len(), refused.blocks[0].reason), (0, Reason::TagImmutable));
    assert!(refused.blocks[0].is_terminal, "{:?}", refused.blocks);
    let remote = ours(&observed);
    holds(&mut observed, name, remote);
    assert!(plan(&desired, &observed, now()).is_fulfilled(&desired));
}

#[test]
fn a_registry_that_asked_a_look_to_wait_is_not_pushed_to_meanwhile() {
    let (reference, other) = ("one.example/app:1", "two.example/app:1");
    for (wait, begun_now) in [(None, vec![reference, other]), (Some(Duration::from_secs(3)), vec![other])] {
        let (desired, mut observed) = pushed_to(&[reference, other]);
        let request = RegistryRequest::new(&reference.parse().unwrap(), Purpose::LookUp, None);
        let limited = RegistryError::new(RegistryErrorKind::RateLimited, "one.example answered 429", request);
        let limited = RegistryError { retry_after: wait, ..limited };
        observed.remotes.insert(reference.parse().unwrap(), Remote::Unknown(limited));
        let expected: Vec<String> = begun_now.iter().map(|each| format!("push image {each}")).collect();
        assert_eq!(begun(&desired, &observed, &[]), expected);
        if wait.is_some() {
            let plan = plan(&desired, &observed, now());
            let block = &plan.blocks[0];
            assert_eq!((block.reason, block.is_terminal), (Reason::RateLimited, false));
            assert_eq!(plan.next_look(), wait);
            assert!(block.message.contains("after 3 seconds"), "{}", block.message);
        }
    }
}
