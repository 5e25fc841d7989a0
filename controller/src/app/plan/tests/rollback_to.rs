//! The image of an earlier revision, where the spec names one.

use longshore_crds::RevisionOutcome;

use super::revisions::{image_id, other_record};
use super::*;

/// Revision 1, of another image that is still there, and the spec that wants it back.
fn back_to(number: i64) -> (Desired, Observed) {
    let desired = Desired { rollback_to: Some(number), ..wanted() };
    let mut observed = everything_well(&desired);
    observed.images.push(image("older", &[desired.owner.private_reference(&desired.image_key().unwrap())]));
    observed.revisions = Some(vec![other_record(1, "older", RevisionOutcome::Succeeded)]);
    (desired, observed)
}

#[test]
fn the_image_of_an_earlier_revision_takes_over_and_nothing_is_built() {
    let (desired, mut observed) = back_to(1);
    let planned = plan(&desired, &observed, now());
    let actions = actions(&planned);
    assert_eq!(actions[0], "tag image node-app:0.1");
    assert!(actions.contains(&"create container my-app.next".to_owned()), "{actions:?}");
    assert!(!actions.iter().any(|action| action.starts_with("build") || action.starts_with("record")), "{actions:?}");

    observed.images[0].references.pop();
    observed.images[1].references.push(desired.image.clone());
    observed.containers = vec![container(&desired, &observed.images[1], "c2")];
    let well = plan(&desired, &observed, now());
    assert_eq!((well.steps.len(), well.image.map(|image| image.id)), (0, Some(image_id("older"))));
    assert_eq!(well.current_revision, Some(1));
}

#[test]
fn a_revision_that_is_not_there_is_refused_and_those_that_are_are_named() {
    let (desired, observed) = back_to(7);
    let refused = plan(&desired, &observed, now());
    assert_eq!((refused.steps.len(), refused.blocks[0].reason), (0, Reason::RevisionNotFound));
    let expected = "spec.rollbackTo: 7 is no revision of my-app that has an image; those that have one are 1";
    assert_eq!(refused.blocks[0].message, expected);
    assert!(refused.blocks[0].is_terminal);
}

#[test]
fn an_image_that_the_engine_has_no_more_is_not_made_up() {
    let (desired, mut observed) = back_to(1);
    observed.images.pop();
    let refused = plan(&desired, &observed, now());
    assert_eq!((refused.steps.len(), refused.blocks[0].reason), (0, Reason::ImageNotFound));
}
