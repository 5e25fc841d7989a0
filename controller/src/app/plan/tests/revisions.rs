//! Which records of revisions are written and removed.

use std::sync::Arc;

use longshore_crds::{BuildFailure, RevisionOutcome, SourceStatus};

use super::*;
use crate::app::Retry;
use crate::app::{AttemptKey, ContextContent, Making, RevisionRecord};

/// Everything as it should be, and no record yet.
fn unrecorded(desired: &Desired) -> Observed {
    let source = SourceStatus { revision: "sha256:1".to_owned(), files: 1, size: 1 };
    let files = [("app.js".to_owned(), "111111111111".to_owned())].into();
    Observed {
        revisions: Some(Vec::new()),
        context: Some(ContextContent { source, files }),
        ..everything_well(desired)
    }
}

/// The records that a plan wants to write.
fn written(plan: &Plan) -> Vec<RevisionRecord> {
    let records = plan.steps.iter().filter_map(|step| match &step.action {
        Action::RecordRevision { record } => Some(record.as_ref().clone()),
        _ => None,
    });
    records.collect()
}

fn removed(plan: &Plan) -> Vec<i64> {
    let numbers = plan.steps.iter().filter_map(|step| match &step.action {
        Action::RemoveRevision { number, .. } => Some(*number),
        _ => None,
    });
    numbers.collect()
}

/// Writes and removes as the plan says, and says what is planned then.
fn after(desired: &Desired, observed: &mut Observed) -> Plan {
    let planned = plan(desired, observed, now());
    let records = observed.revisions.get_or_insert_default();
    for record in written(&planned) {
        records.retain(|other| other.name() != record.name());
        records.push(Arc::new(record));
    }
    records.retain(|record| !removed(&planned).contains(&record.number()));
    plan(desired, observed, now())
}

fn numbers(observed: &Observed) -> Vec<i64> {
    let mut numbers: Vec<i64> = observed.revisions.iter().flatten().map(|record| record.number()).collect();
    numbers.sort_unstable();
    numbers
}

/// A record of other inputs.
pub(super) fn other_record(number: i64, content: &str, outcome: RevisionOutcome) -> Arc<RevisionRecord> {
    let desired = Desired { source: Ok(ImageSource::Build(Box::new(build_spec(content)))), ..wanted() };
    let planned = plan(&desired, &unrecorded(&desired), now());
    let mut record = written(&planned).remove(0);
    record.spec.revision = number;
    record.status.outcome = outcome;
    let image = record.status.image.as_mut().unwrap();
    image.id = image_id(content).to_string();
    Arc::new(record)
}

pub(super) fn image_id(name: &str) -> EngineImageId {
    image(name, &[]).id
}

fn build_action(desired: &Desired) -> Action {
    let reference = desired.owner.private_reference(&desired.image_key().unwrap());
    Action::BuildImage { hash: desired.input_hash().unwrap(), reference, pull: false, anew: false }
}

/// What was observed after a build that failed at this time.
fn failed(desired: &Desired, at: Timestamp) -> Observed {
    let failure = Failure {
        count: 0,
        last: at,
        part: Part::Image,
        reason: Reason::BuildFailed,
        message: "step 2 failed".to_owned(),
        retry: Retry::Never,
        build_failure: Some(BuildFailure { step: Some("RUN false".to_owned()), ..BuildFailure::default() }),
    };
    let making = Making {
        what: AttemptKey::of(&build_action(desired)),
        has_failed: true,
        started_at: at - Duration::from_secs(3),
        finished_at: at,
        build: None,
        log: "#2 ERROR\n".into(),
    };
    let mut observed = Observed { revisions: Some(Vec::new()), making: Some(making), ..engine() };
    observed.attempts.failed(&build_action(desired), failure);
    observed
}

#[test]
fn an_image_that_is_there_gets_a_record_and_then_no_more() {
    let desired = wanted();
    let mut observed = unrecorded(&desired);
    let first = plan(&desired, &observed, now());
    assert_eq!(actions(&first), ["record revision 1"]);
    assert!(first.is_fulfilled(&desired), "nothing waits for a record");
    let record = &written(&first)[0];
    assert_eq!(record.name(), "my-app-1");
    assert_eq!(record.spec.input_hash.as_deref(), Some(desired.input_hash().unwrap().as_str()));
    assert_eq!(record.spec.inputs.as_ref().unwrap().files["app.js"], "111111111111");
    assert_eq!(record.status.outcome, RevisionOutcome::Succeeded);
    assert_eq!(record.image_id(), Some(observed.images[0].id.to_string().as_str()));

    let then = after(&desired, &mut observed);
    assert_eq!(actions(&then), Vec::<String>::new());
    assert_eq!(then.current_revision, Some(1));
}

#[test]
fn while_the_records_cannot_be_read_none_is_written() {
    let desired = wanted();
    let observed = Observed { revisions: None, ..unrecorded(&desired) };
    assert_eq!(plan(&desired, &observed, now()).steps, Vec::new());
}

#[test]
fn a_plan_from_nothing_shows_the_record_behind_the_image() {
    let desired = wanted();
    let observed = Observed { revisions: Some(Vec::new()), ..engine() };
    let planned = plan(&desired, &observed, now());
    let expected = ["build image", "tag image", "record revision 1", "create container", "start container"];
    let begin_so = actions(&planned).iter().zip(expected).all(|(action, begin)| action.starts_with(begin));
    assert!(begin_so && planned.steps.len() == expected.len(), "{:?}", actions(&planned));
}

#[test]
fn the_record_of_a_build_holds_how_it_went() {
    let desired = wanted();
    let making = Making {
        what: AttemptKey::of(&build_action(&desired)),
        has_failed: false,
        started_at: now() - Duration::from_millis(2500),
        finished_at: now(),
        build: Some(longshore_crds::BuildStatus { steps: 4, ..longshore_crds::BuildStatus::default() }),
        log: "#1 [1/4] FROM node:6\n".into(),
    };
    let mut observed = Observed { making: Some(making), ..unrecorded(&desired) };
    let record = written(&plan(&desired, &observed, now())).remove(0);
    assert_eq!(record.status.log, "#1 [1/4] FROM node:6\n");
    assert_eq!(record.status.build.map(|build| build.steps), Some(4));
    assert_eq!(record.status.finished_at.map(|time| time.0), Some(now()));

    // What this process has built for other inputs is not told of this image.
    observed.making.as_mut().unwrap().what = AttemptKey::of(&one_shot().pull_action().unwrap());
    let record = written(&plan(&desired, &observed, now())).remove(0);
    assert_eq!((record.status.log.as_str(), record.status.build), ("", None));
}

#[test]
fn other_inputs_are_the_next_revision_and_their_build_says_what_has_changed() {
    let desired = wanted();
    let mut observed = unrecorded(&desired);
    after(&desired, &mut observed);
    let edited = Desired { source: Ok(ImageSource::Build(Box::new(build_spec("two")))), ..wanted() };
    observed.context.as_mut().unwrap().files.insert("app.js".to_owned(), "222222222222".to_owned());
    let planned = plan(&edited, &observed, now());
    assert_eq!(planned.steps[0].cause, "context: app.js changed");
    assert_eq!(written(&planned)[0].number(), 2);
    assert_eq!(planned.current_revision, Some(1), "the container of the first still runs");
}

#[test]
fn the_same_inputs_are_built_again_for_what_became_of_them() {
    let desired = wanted();
    let mut observed = unrecorded(&desired);
    after(&desired, &mut observed);
    observed.images.clear();
    assert_eq!(plan(&desired, &observed, now()).steps[0].cause, "its image is gone from the engine");
    let mut record = observed.revisions.as_mut().unwrap().remove(0).as_ref().clone();
    record.status.outcome = RevisionOutcome::Failed;
    observed.revisions = Some(vec![Arc::new(record)]);
    assert_eq!(plan(&desired, &observed, now()).steps[0].cause, "its last build failed");
}

#[test]
fn inputs_that_come_back_are_a_revision_of_their_own() {
    let desired = wanted();
    let mut observed = unrecorded(&desired);
    after(&desired, &mut observed);
    observed.revisions.as_mut().unwrap().push(other_record(2, "two", RevisionOutcome::Succeeded));
    after(&desired, &mut observed);
    assert_eq!(numbers(&observed), [1, 2, 3]);
}

#[test]
fn the_same_inputs_built_anew_are_the_same_revision_with_the_new_image() {
    let desired = wanted();
    let mut observed = unrecorded(&desired);
    after(&desired, &mut observed);
    observed.images[0].id = image_id("built again");
    observed.containers[0].image = image_id("built again");
    let record = written(&plan(&desired, &observed, now())).remove(0);
    assert_eq!(record.number(), 1);
    assert_eq!(record.image_id(), Some(image_id("built again").to_string().as_str()));
    after(&desired, &mut observed);
    assert_eq!(numbers(&observed), [1]);
}

#[test]
fn another_image_under_the_same_pulled_reference_is_another_revision() {
    let desired = one_shot();
    let private = desired.owner.private_reference(&desired.image_key().unwrap());
    let pulled = |name: &str| image(name, &[private.clone(), desired.image.clone()]);
    let mut observed = Observed { revisions: Some(Vec::new()), images: vec![pulled("first")], ..engine() };
    let record = written(&plan(&desired, &observed, now())).remove(0);
    assert_eq!((record.spec.input_hash.as_ref(), record.spec.image.as_str()), (None, "hello-world:latest"));
    after(&desired, &mut observed);
    observed.images = vec![pulled("second")];
    after(&desired, &mut observed);
    assert_eq!(numbers(&observed), [1, 2]);
}

#[test]
fn a_number_is_never_given_twice() {
    let desired = wanted();
    let mut observed = unrecorded(&desired);
    // Of an app that had the name before and is gone; its records will go too.
    let mut foreign = other_record(4, "foreign", RevisionOutcome::Succeeded).as_ref().clone();
    foreign.owner_uid = "uid-0".to_owned();
    observed.revisions = Some(vec![Arc::new(foreign)]);
    assert_eq!(written(&plan(&desired, &observed, now()))[0].number(), 5);
    // A record that somebody removed was counted by the status.
    observed.memory.current_revision = Some(7);
    let planned = plan(&desired, &observed, now());
    assert_eq!(written(&planned)[0].number(), 8);
    assert_eq!(removed(&planned), Vec::<i64>::new());
}

#[test]
fn a_build_that_failed_is_recorded_with_its_log() {
    let desired = wanted();
    let mut observed = failed(&desired, now());
    let planned = plan(&desired, &observed, now());
    assert_eq!(actions(&planned), ["record revision 1"]);
    let record = &written(&planned)[0];
    assert_eq!((record.status.outcome, record.status.log.as_str()), (RevisionOutcome::Failed, "#2 ERROR\n"));
    let failure = record.status.build.as_ref().and_then(|build| build.failure.clone());
    assert_eq!(failure.and_then(|failure| failure.step).as_deref(), Some("RUN false"));
    assert_eq!(actions(&after(&desired, &mut observed)), Vec::<String>::new());
}

#[test]
fn the_same_build_that_fails_again_or_succeeds_later_is_the_same_revision() {
    let desired = wanted();
    let mut observed = failed(&desired, now());
    after(&desired, &mut observed);
    let records = observed.revisions.clone();

    let later = now() + Duration::from_secs(60);
    observed = Observed { revisions: records.clone(), ..failed(&desired, later) };
    after(&desired, &mut observed);
    assert_eq!(numbers(&observed), [1]);
    let finished = observed.revisions.as_ref().unwrap()[0].status.finished_at.clone();
    assert_eq!(finished.map(|time| time.0), Some(later));

    observed = Observed { revisions: records, ..unrecorded(&desired) };
    let settled = after(&desired, &mut observed);
    assert_eq!((numbers(&observed), settled.current_revision), (vec![1], Some(1)));
    assert!(observed.revisions.unwrap()[0].has_succeeded());
}

#[test]
fn a_failure_of_what_once_succeeded_leaves_the_success_recorded() {
    let desired = wanted();
    let mut observed = unrecorded(&desired);
    after(&desired, &mut observed);
    let records = observed.revisions;
    observed = Observed { revisions: records, ..failed(&desired, now()) };
    after(&desired, &mut observed);
    assert_eq!(numbers(&observed), [1, 2]);
}

#[test]
fn a_failure_is_recorded_before_the_build_is_tried_again() {
    let desired = wanted();
    let mut observed = failed(&desired, now());
    let mut failure = observed.attempts.failure(&build_action(&desired)).unwrap().clone();
    failure.retry = Retry::SOON;
    observed.attempts.failed(&build_action(&desired), failure);
    let planned = plan(&desired, &observed, now() + Duration::from_secs(600));
    let actions = actions(&planned);
    assert_eq!(actions[0], "record revision 1");
    assert!(actions[1].starts_with("build image"), "{actions:?}");
}

#[test]
fn superseded_records_beyond_the_limit_are_removed() {
    let desired = Desired { revision_history_limit: 2, ..wanted() };
    let mut observed = unrecorded(&desired);
    let older = (1..=4).map(|number| other_record(number, &format!("old {number}"), RevisionOutcome::Succeeded));
    observed.revisions = Some(older.collect());
    let planned = plan(&desired, &observed, now());
    assert_eq!((written(&planned)[0].number(), removed(&planned)), (5, vec![2, 1]));
    after(&desired, &mut observed);
    assert_eq!(numbers(&observed), [3, 4, 5]);
}

#[test]
fn failures_do_not_push_out_the_revision_to_go_back_to() {
    let desired = Desired { revision_history_limit: 2, ..wanted() };
    let mut observed = unrecorded(&desired);
    let failures = (2..=5).map(|number| other_record(number, &format!("broken {number}"), RevisionOutcome::Failed));
    let good = other_record(1, "good", RevisionOutcome::Succeeded);
    observed.revisions = Some(std::iter::once(good).chain(failures).collect());
    after(&desired, &mut observed);
    assert_eq!(numbers(&observed), [1, 5, 6]);
}

#[test]
fn the_record_of_what_runs_after_a_rollback_stays_whatever_the_limit() {
    let desired = Desired { revision_history_limit: 0, ..wanted() };
    let mut observed = unrecorded(&desired);
    let older = (1..=3).map(|number| other_record(number, &format!("old {number}"), RevisionOutcome::Succeeded));
    observed.revisions = Some(older.collect());
    observed.containers[0].image = image_id("old 2");
    let planned = after(&desired, &mut observed);
    assert_eq!(numbers(&observed), [2, 4]);
    assert_eq!(planned.current_revision, Some(2));
}

#[test]
fn a_record_that_cannot_be_written_holds_nothing_up() {
    let desired = wanted();
    let mut observed = unrecorded(&desired);
    observed.containers.clear();
    let step = plan(&desired, &observed, now()).steps.remove(0);
    assert!(step.action.is_bookkeeping());
    let failure = Failure {
        count: 0,
        last: now(),
        part: Part::Image,
        reason: Reason::RevisionNotRecorded,
        message: "forbidden".to_owned(),
        retry: Retry::SOON,
        build_failure: None,
    };
    observed.attempts.failed(&step.action, failure);
    let planned = plan(&desired, &observed, now());
    assert_eq!(actions(&planned), ["create container my-app", "start container my-app"]);
    let wait = planned.look_again.unwrap();
    assert!(planned.blocks.is_empty() && wait >= Duration::from_secs(1) && wait < Duration::from_secs(2), "{wait:?}");
    let later = plan(&desired, &observed, now() + wait);
    assert_eq!(actions(&later)[0], "record revision 1");
}

#[test]
fn another_rebuild_token_builds_without_the_cache() {
    let before = wanted();
    let newest = other_record(1, "other", RevisionOutcome::Succeeded);
    let mut desired = wanted();
    if let Ok(ImageSource::Build(build)) = &mut desired.source {
        build.rebuild_token = Some("again".to_owned());
    }
    let observed = Observed { revisions: Some(vec![newest]), ..unrecorded(&before) };
    let is_anew = |desired: &Desired, observed: &Observed| {
        let plan = plan(desired, observed, now());
        plan.steps.iter().any(|step| matches!(step.action, Action::BuildImage { anew: true, .. }))
    };
    assert!(is_anew(&desired, &observed));
    assert!(!is_anew(&desired, &unrecorded(&before)), "without a record nothing is known of another token");
}
