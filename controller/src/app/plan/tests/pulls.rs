//! Images that are pulled: by a tag, by a digest, by a tag that is followed, and for a platform.

use longshore_crds::PullPolicy;

use super::*;
use crate::app::{Purpose, RegistryRequest};

const OLD: &str = "old";
const NEW: &str = "new";

fn digest(name: &str) -> ManifestDigest {
    ManifestDigest(Digest::of(name))
}

/// A resource that follows node-app:0.2, by what the registry has said of it.
fn following(pull: Pull) -> Desired {
    Desired {
        repository: "node-app".parse().unwrap(),
        image: "node-app:0.2".parse().unwrap(),
        source: Ok(ImageSource::Pull(pull)),
        tags: Vec::new(),
        ..wanted()
    }
}

fn always() -> Desired {
    following(Pull { policy: PullPolicy::Always, ..Pull::default() })
}

fn pinned(name: &str) -> Desired {
    let desired = following(Pull { digest: Some(digest(name)), ..Pull::default() });
    Desired { image: desired.repository.pinned(&digest(name)), ..desired }
}

fn holds(name: &str) -> Remote {
    Remote::Holds(RemoteImage { manifest: digest(name), config: None, size: None })
}

/// An image that was pulled by this digest, for the resource when it is kept.
fn pulled(desired: &Desired, name: &str, is_kept: bool) -> Image {
    let Ok(ImageSource::Pull(pull)) = &desired.source else { panic!("it is pulled") };
    let pinned = desired.repository.pinned(&digest(name));
    let key = crate::app::ImageKey::pulled(&pinned, pull.platform.as_deref());
    let references = is_kept.then(|| desired.owner.private_reference(&key));
    let mut image = image(name, &references.into_iter().collect::<Vec<_>>());
    image.manifests.insert((desired.repository.clone(), digest(name)));
    image
}

/// What there is when the image of this digest is there, runs, and the status speaks of it.
fn running(desired: &Desired, name: &str) -> Observed {
    let image = pulled(desired, name, true);
    let mut observed =
        Observed { containers: vec![container(desired, &image, "c1")], followed: Some(holds(name)), ..engine() };
    observed.memory.image = Some(image.id.clone());
    observed.memory.image_reference = Some(desired.image.clone());
    observed.images = vec![image];
    observed
}

fn nobody_answers() -> RegistryError {
    let request = RegistryRequest::new(&always().image, Purpose::LookUp, None);
    RegistryError::unavailable("nobody answers", request)
}

/// The plan by what was found of the tag.
fn planned(desired: &Desired, observed: &Observed) -> (Desired, Plan) {
    let desired = desired.clone().on_followed_tag(observed);
    let plan = plan(&desired, observed, now());
    (desired, plan)
}

#[test]
fn an_image_that_is_pinned_is_pulled_by_its_digest_and_no_tag_is_made() {
    let desired = pinned(NEW);
    let plan = plan(&desired, &engine(), now());
    let pull = Action::PullImage { reference: desired.image.clone(), platform: None };
    assert_eq!(plan.steps[0].action, pull);
    assert_eq!(plan.claims, BTreeSet::from([desired.image.clone()]));
    assert!(matches!(&plan.steps[1].action, Action::TagImage { reference, .. } if Owner::is_private(reference)));
}

#[test]
fn an_image_that_is_pinned_is_not_asked_for_at_any_registry_again() {
    let desired = Desired { source: always().source, ..pinned(NEW) };
    let Ok(ImageSource::Pull(pull)) = &desired.source else { panic!("it is pulled") };
    assert_eq!(desired.followed(pull), None);
    assert_eq!(pinned(NEW).next_look_at_registries(), None);
    assert_eq!(always().next_look_at_registries(), Some(Duration::from_secs(300)));
}

#[test]
fn a_tag_that_was_moved_on_the_engine_is_not_taken_for_what_is_pinned() {
    let desired = pinned(NEW);
    let mut other = pulled(&desired, OLD, false);
    let private = desired.owner.private_reference(&desired.image_key().unwrap());
    other.references.push(private);
    let plan = plan(&desired, &Observed { images: vec![other], ..engine() }, now());
    assert!(matches!(plan.steps[0].action, Action::PullImage { .. }), "{:?}", actions(&plan));
}

#[test]
fn what_has_the_digest_on_the_engine_is_taken_from_whatever_repository() {
    let desired = pinned(NEW);
    let mut image = pulled(&desired, NEW, false);
    image.manifests = BTreeSet::from([("mirror.example/copy".parse().unwrap(), digest(NEW))]);
    let plan = plan(&desired, &Observed { images: vec![image.clone()], ..engine() }, now());
    assert!(
        matches!(&plan.steps[0].action, Action::TagImage { image: crate::app::ImageTarget::Present(id), .. } if *id == image.id)
    );
}

#[test]
fn a_tag_that_has_moved_is_pulled_and_the_cause_says_from_where_to_where() {
    let mut observed = running(&always(), OLD);
    observed.followed = Some(holds(NEW));
    let (desired, plan) = planned(&always(), &observed);
    let reference = desired.repository.pinned(&digest(NEW));
    assert_eq!(plan.steps[0].action, Action::PullImage { reference, platform: None });
    let moved = format!("node-app:0.2 moved {} → {}", digest(OLD).0.short(), digest(NEW).0.short());
    assert_eq!(plan.steps[0].cause, moved);
}

#[test]
fn a_tag_that_has_not_moved_is_left_alone() {
    let observed = running(&always(), OLD);
    let (desired, plan) = planned(&always(), &observed);
    assert_eq!(plan.steps, Vec::new());
    assert!(plan.is_fulfilled(&desired) && plan.source_trouble.is_none());
}

#[test]
fn while_the_registry_cannot_be_asked_what_runs_goes_on_and_is_told() {
    for (found, reason) in [
        (Some(Remote::Unknown(nobody_answers())), Reason::RegistryUnavailable),
        (Some(Remote::Nothing), Reason::ManifestUnknown),
    ] {
        let observed = Observed { followed: found, ..running(&always(), OLD) };
        let (desired, plan) = planned(&always(), &observed);
        assert_eq!(plan.steps, Vec::new());
        assert!(plan.is_fulfilled(&desired));
        assert_eq!(plan.source_trouble.map(|trouble| trouble.reason), Some(reason));
    }
}

#[test]
fn a_registry_that_cannot_be_asked_is_waited_for_when_nothing_is_known() {
    let unknown = Some(Remote::Unknown(nobody_answers()));
    let mut of_another_tag = Observed { followed: unknown.clone(), ..running(&always(), OLD) };
    of_another_tag.memory.image_reference = Some("node-app:0.1".parse().unwrap());
    for observed in [Observed { followed: unknown, ..engine() }, of_another_tag] {
        let (_, plan) = planned(&always(), &observed);
        assert_eq!((plan.image, plan.blocks[0].reason), (None, Reason::RegistryUnavailable));
        assert!(plan.blocks[0].message.contains("nobody answers"), "{}", plan.blocks[0].message);
    }
}

#[test]
fn an_image_for_another_platform_is_not_taken_for_the_one_that_is_asked_for() {
    let desired = following(Pull { platform: Some("linux/arm64".to_owned()), ..Pull::default() });
    let mut there = pulled(&desired, OLD, false);
    there.references.push(desired.image.clone());
    let mut observed = Observed { images: vec![there.clone()], ..engine() };
    let pull = plan(&desired, &observed, now()).steps[0].action.clone();
    assert_eq!(pull.to_string(), "pull image node-app:0.2 for linux/arm64");
    observed.of_platform.insert(there.id);
    assert!(matches!(plan(&desired, &observed, now()).steps[0].action, Action::TagImage { .. }));
}

#[test]
fn another_platform_is_another_key_and_another_container() {
    let arm = Pull { platform: Some("linux/arm64".to_owned()), ..Pull::default() };
    assert_ne!(following(arm).image_key(), following(Pull::default()).image_key());
    let on_arm = ContainerSpec { platform: Some("linux/arm64".to_owned()), ..spec(&[]) };
    assert_ne!(on_arm.hash(), spec(&[]).hash());
}

#[test]
fn a_digest_that_was_pulled_by_is_removed_with_the_resource_unless_another_tag_stands_there() {
    let desired = pinned(NEW);
    let image = pulled(&desired, NEW, true);
    let private = image.references[0].clone();
    let mut observed = Observed { images: vec![image], ..Observed::default() };
    observed.memory.claims.insert(desired.image.clone());
    let removed = |observed: &Observed| -> Vec<String> {
        let steps = plan_removal(&desired.owner, observed, Removal::Everything, Duration::ZERO);
        steps.iter().map(|step| step.action.to_string()).collect()
    };
    assert_eq!(removed(&observed), [format!("remove image {}", desired.image), format!("remove image {private}")]);
    observed.images[0].references.push("node-app:somebodys".parse().unwrap());
    assert_eq!(removed(&observed), [format!("remove image {private}")]);
}
