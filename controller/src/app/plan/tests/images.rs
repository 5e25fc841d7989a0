//! What is pushed, what is kept of superseded images, and what a removal takes.

use super::*;

fn pushing() -> (Desired, ImageReference) {
    let reference: ImageReference = "gcr.io/my-project/node-app:0.1".parse().unwrap();
    let destination = Destination { reference: reference.clone(), credentials: Ok(None), rules: PushRules::default() };
    (Desired { destinations: vec![destination], ..wanted() }, reference)
}

#[test]
fn a_destination_that_holds_nothing_is_tagged_and_pushed_after_the_start() {
    let (desired, reference) = pushing();
    let mut observed = everything_well(&desired);
    observed.remotes.insert(reference, Remote::Nothing);
    let plan = plan(&desired, &observed, now());
    let name = "gcr.io/my-project/node-app:0.1";
    assert_eq!(actions(&plan), [format!("tag image {name}"), format!("push image {name}")]);
}

#[test]
fn a_destination_that_holds_the_image_is_left_alone() {
    let (desired, reference) = pushing();
    let mut observed = everything_well(&desired);
    let manifest = ManifestDigest(Digest::of("manifest"));
    let held = RemoteImage { manifest, config: observed.images[0].config.clone(), size: None };
    observed.remotes.insert(reference, Remote::Holds(held));
    let plan = plan(&desired, &observed, now());
    assert_eq!(plan.steps, Vec::new());
    assert!(plan.is_fulfilled(&desired));
}

#[test]
fn superseded_images_beyond_the_limit_are_removed_and_used_ones_kept() {
    let desired = Desired { revision_history_limit: 1, ..wanted() };
    let mut observed = everything_well(&desired);
    for (age, name) in ["newest", "used", "oldest"].into_iter().enumerate() {
        let key = crate::app::ImageKey::built(&InputHash::of(&build_spec(name)));
        let mut old = image(name, &[desired.owner.private_reference(&key)]);
        old.created_at = Some(now() - Duration::from_secs(3600 * (age as u64 + 1)));
        observed.images.push(old);
    }
    let mut user = foreign_container("somebody", &[]);
    user.image = observed.images[2].id.clone();
    observed.containers.push(user);
    let plan = plan(&desired, &observed, now());
    assert_eq!(plan.steps.len(), 1, "{:?}", actions(&plan));
    assert_eq!(plan.steps[0].action, Action::RemoveImage { reference: observed.images[3].references[0].clone() });
}

#[test]
fn a_removal_takes_what_is_ours_and_the_private_tag_last() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.memory.claims = BTreeSet::from([desired.image.clone()]);
    let somebodys: ImageReference = "somebodys:tag".parse().unwrap();
    observed.images[0].references.push(somebodys.clone());
    observed.containers.push(foreign_container("web", &[]));
    let steps = plan_removal(&desired.owner, &observed, Removal::Everything, Duration::from_secs(1));
    let texts: Vec<String> = steps.iter().map(|step| step.action.to_string()).collect();
    let private = desired.owner.private_reference(&desired.image_key().unwrap());
    assert_eq!(
        texts,
        [
            "stop container my-app".to_owned(),
            "remove container my-app".to_owned(),
            "remove image node-app:0.1".to_owned(),
            format!("remove image {private}"),
        ]
    );
}

#[test]
fn an_image_that_a_foreign_container_uses_survives_the_removal_under_its_public_name() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.memory.claims = BTreeSet::from([desired.image.clone()]);
    let mut user = foreign_container("web", &[]);
    user.image = observed.images[0].id.clone();
    observed.containers = vec![user];
    let steps = plan_removal(&desired.owner, &observed, Removal::Everything, Duration::ZERO);
    let private = desired.owner.private_reference(&desired.image_key().unwrap());
    let removed: Vec<_> = steps.into_iter().map(|step| step.action).collect();
    assert_eq!(removed, [Action::RemoveImage { reference: private }]);
}

#[test]
fn an_image_that_another_resource_keeps_as_well_loses_only_our_tag() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    let other = Owner { uid: "uid-2".to_owned(), ..owner() };
    let key = desired.image_key().unwrap();
    observed.images[0].references = vec![desired.owner.private_reference(&key), other.private_reference(&key)];
    let mut theirs = container(&desired, &observed.images[0], "c2");
    theirs.labels = other.labels();
    observed.containers = vec![theirs];
    let steps = plan_removal(&desired.owner, &observed, Removal::Everything, Duration::ZERO);
    let removed: Vec<_> = steps.into_iter().map(|step| step.action).collect();
    assert_eq!(removed, [Action::RemoveImage { reference: desired.owner.private_reference(&key) }]);
}
