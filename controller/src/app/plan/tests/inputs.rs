//! What goes into a build from outside: base images that move, and sources that cannot be asked.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::*;
use crate::app::{Block, BuildAccess};
use crate::app::{Purpose, RegistryError, RegistryRequest};

const BASE: &str = "node:6";

fn base() -> ImageReference {
    BASE.parse().unwrap()
}

fn digest(name: &str) -> ManifestDigest {
    Digest::of(name).as_str().parse().unwrap()
}

fn holds(name: &str) -> Remote {
    Remote::Holds(RemoteImage { manifest: digest(name), config: None, size: None })
}

/// The resource of the other tests, built on node:6.
fn built_on_a_base() -> Desired {
    let mut desired = wanted();
    change_build(&mut desired, |build| build.method.named_base_images = BTreeSet::from([base()]));
    desired
}

fn change_build(desired: &mut Desired, change: impl FnOnce(&mut BuildSpec)) {
    match &mut desired.source {
        Ok(ImageSource::Build(build)) => change(build),
        other => panic!("a build: {other:?}"),
    }
}

fn build_of(desired: &Desired) -> &BuildSpec {
    match &desired.source {
        Ok(ImageSource::Build(build)) => build,
        other => panic!("a build: {other:?}"),
    }
}

/// Everything well, with a base image that the registry holds by this name.
fn well_on(desired: &Desired, remote: Remote) -> (Desired, Observed) {
    let found = Observed { base_images: BTreeMap::from([(base(), remote)]), ..engine() };
    let desired = desired.clone().on_base_images(&found);
    let observed = Observed { base_images: found.base_images, ..everything_well(&desired) };
    (desired, observed)
}

fn builds(desired: &Desired, observed: &Observed) -> Option<bool> {
    let desired = desired.clone().on_base_images(observed);
    plan(&desired, observed, now()).steps.iter().find_map(|step| match step.action {
        Action::BuildImage { pull, .. } => Some(pull),
        _ => None,
    })
}

#[test]
fn a_base_image_that_has_moved_builds_anew_and_is_asked_for() {
    let desired = built_on_a_base();
    let (_, mut observed) = well_on(&desired, holds("one"));
    assert_eq!(builds(&desired, &observed), None);
    observed.base_images.insert(base(), holds("two"));
    let mut old = image("old base", &[base()]);
    old.manifests.insert((base().repository().clone(), digest("one")));
    observed.images.push(old);
    assert_eq!(builds(&desired, &observed), Some(true));
}

#[test]
fn a_base_image_that_is_not_followed_may_move() {
    let mut desired = built_on_a_base();
    change_build(&mut desired, |build| build.method.follows_base_images = false);
    let (_, mut observed) = well_on(&desired, holds("one"));
    observed.base_images.insert(base(), holds("two"));
    assert_eq!(builds(&desired, &observed), None);
    assert_eq!(build_of(&desired).base_images_to_look_up(&[]).count(), 0);
}

#[test]
fn registries_are_asked_at_the_interval_when_something_follows_from_it() {
    let mut desired = built_on_a_base();
    let interval = Duration::from_secs(30);
    change_build(&mut desired, |build| build.method.base_image_interval = interval);
    assert_eq!(desired.next_look_at_registries(), Some(interval));
    change_build(&mut desired, |build| build.method.follows_base_images = false);
    assert_eq!(desired.next_look_at_registries(), None);
    assert_eq!(wanted().next_look_at_registries(), None, "it names no base image");
}

#[test]
fn while_a_registry_cannot_be_asked_what_counted_before_counts() {
    let desired = built_on_a_base();
    let (_, mut observed) = well_on(&desired, holds("one"));
    let request = RegistryRequest::new(&base(), Purpose::Build, None);
    let no_route = RegistryError::unavailable("no route", request);
    observed.base_images.insert(base(), Remote::Unknown(no_route));
    observed.memory.base_images.insert(base(), digest("one").to_string());
    assert_eq!(builds(&desired, &observed), None);
}

#[test]
fn a_base_image_that_only_the_engine_has_counts_by_its_id() {
    let desired = built_on_a_base();
    let local = image("local base", &[base()]);
    let mut observed =
        Observed { base_images: BTreeMap::from([(base(), Remote::Nothing)]), images: vec![local.clone()], ..engine() };
    let found = desired.clone().on_base_images(&observed);
    assert_eq!(build_of(&found).base_images[&base()], local.id.to_string());
    assert_eq!(builds(&desired, &observed), Some(false));
    observed.images[0].id = image("another", &[]).id;
    assert_ne!(desired.clone().on_base_images(&observed).input_hash(), found.input_hash());
}

#[test]
fn an_image_that_a_resource_has_built_here_is_no_registrys() {
    let desired = built_on_a_base();
    let mut built = built_image(&wanted());
    built.references.push(base());
    assert_eq!(build_of(&desired).base_images_to_look_up(&[built]).count(), 0);
    assert_eq!(build_of(&desired).base_images_to_look_up(&[image("pulled", &[base()])]).count(), 1);
}

#[test]
fn an_image_that_only_inherits_the_label_is_not_what_was_built() {
    let desired = wanted();
    let mut heir = built_image(&desired);
    heir.references = vec!["somebody/elses:1".parse().unwrap()];
    let observed = Observed { images: vec![heir], ..engine() };
    assert!(builds(&desired, &observed).is_some());
}

#[test]
fn a_secret_that_is_missing_keeps_from_building_and_from_nothing_else() {
    let mut desired = wanted();
    let missing = Block::waiting(Part::Image, Reason::SecretNotFound, "the Secret npm does not exist");
    change_build(&mut desired, |build| build.method.access = Err(missing.clone()));
    let blocked = plan(&desired, &engine(), now());
    assert_eq!((blocked.steps, blocked.blocks), (Vec::new(), vec![missing]));
    assert!(plan(&desired, &everything_well(&desired), now()).is_fulfilled(&desired));
    change_build(&mut desired, |build| build.method.access = Ok(BuildAccess::default()));
    assert!(builds(&desired, &engine()).is_some());
}

/// What is there when the source of generation 1 was built, and cannot be asked any more.
fn source_away(reason: Reason) -> (Desired, Observed) {
    let mut desired = wanted();
    let mut observed = everything_well(&desired);
    observed.memory.image = Some(observed.images[0].id.clone());
    observed.memory.conditions = vec![Condition {
        type_: "Built".to_owned(),
        status: "True".to_owned(),
        reason: "ImagePresent".to_owned(),
        message: String::new(),
        observed_generation: Some(desired.generation),
        last_transition_time: Time(now()),
    }];
    desired.source = Err(Block::waiting(Part::Source, reason, "the server does not answer"));
    (desired, observed)
}

#[test]
fn while_its_source_is_away_what_was_built_for_this_spec_is_what_is_wanted() {
    let (desired, mut observed) = source_away(Reason::SourceUnavailable);
    let well = plan(&desired, &observed, now());
    assert!(well.is_fulfilled(&desired));
    assert_eq!(well.source_trouble.unwrap().reason, Reason::SourceUnavailable);
    // It heals as well.
    observed.containers.clear();
    assert_eq!(actions(&plan(&desired, &observed, now())), ["create container my-app", "start container my-app"]);
}

#[test]
fn another_spec_waits_for_its_source() {
    let (mut desired, observed) = source_away(Reason::SourceUnavailable);
    desired.generation += 1;
    let waits = plan(&desired, &observed, now());
    assert_eq!((waits.steps.len(), waits.blocks[0].reason), (0, Reason::SourceUnavailable));
    assert!(waits.container.is_some(), "what runs goes on");
}

#[test]
fn a_source_that_refuses_is_an_obstacle_at_once() {
    let (desired, observed) = source_away(Reason::SourceDenied);
    let refused = plan(&desired, &observed, now());
    assert_eq!((refused.steps.len(), refused.blocks[0].reason), (0, Reason::SourceDenied));
}

#[test]
fn a_build_whose_image_is_seen_already_is_let_come_to_its_end() {
    let desired = wanted();
    let reference = desired.owner.private_reference(&desired.image_key().unwrap());
    let running = Action::BuildImage { hash: desired.input_hash().unwrap(), reference, pull: false, anew: false };
    assert!(desired.awaits_the_end_of(&running));
    let mut edited = wanted();
    change_build(&mut edited, |build| build.target = Some("other".to_owned()));
    assert!(!edited.awaits_the_end_of(&running), "an edit makes it useless");
    let pull = one_shot().pull_action().unwrap();
    assert!(one_shot().awaits_the_end_of(&pull) && !desired.awaits_the_end_of(&pull));
}
