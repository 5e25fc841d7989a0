//! One-shots that come back: one run for each time that is due, and one at a time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::one_shots::running_once;
use super::*;
use crate::app::labels;

/// What was seen to run: for each time that was due the containers that were started for it.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, BTreeSet<String>>);

impl Seen {
    /// Looks at the engine; fails when two containers run at once.
    fn look(&mut self, world: &World, case: &str) {
        let containers = world.engine.containers();
        let running = containers.iter().filter(|container| container.state == ContainerState::Running);
        assert!(running.count() <= 1, "{case}: {containers:?}");
        for container in containers {
            let inspected = world.engine.container(&container.name).unwrap();
            let due = container.labels.get(labels::DUE).cloned().unwrap_or_default();
            if inspected.detail.is_some_and(|detail| detail.started_at.is_some()) {
                self.0.entry(due).or_default().insert(container.id.0);
            }
        }
    }

    /// The minutes at which something has run.
    fn minutes(&self) -> Vec<&str> {
        self.0.keys().map(|due| &due[14..16]).collect()
    }

    fn assert_each_ran_once(&self, case: &str) {
        assert!(self.0.values().all(|containers| containers.len() == 1), "{case}: {self:?}");
    }
}

impl World {
    /// Lets so many seconds pass with a process, and looks at the engine in each; whether the process has lived on.
    async fn live_for(&self, plan: &CrashPlan, seconds: u64, seen: &mut Seen, case: &str) -> bool {
        let process = self.process(plan);
        let end = self.clock.now() + Duration::from_secs(seconds);
        let mut wait = Duration::from_secs(1);
        while self.clock.now() < end {
            // The end of a container wakes whoever waits, and nothing else does before the time that was asked for.
            let runs = self.engine.containers().iter().any(|container| container.state == ContainerState::Running);
            let left = Duration::try_from(end.duration_since(self.clock.now())).unwrap();
            self.clock.advance(if runs { Duration::from_secs(1) } else { wait.max(Duration::from_secs(1)) }.min(left));
            let work = async {
                let LookAgain(wait) = process.reconcile(&self.key).await.unwrap();
                while process.running_tasks() > 0 {
                    tokio::task::yield_now().await;
                }
                wait
            };
            let lives = tokio::select! {
                () = plan.death() => None,
                wait = work => Some(wait),
            };
            seen.look(self, case);
            let Some(next) = lives else {
                process.shut_down();
                return false;
            };
            wait = next;
        }
        process.shut_down();
        true
    }
}

/// A world whose app runs this script every five minutes, first at 03:35, one minute and forty seconds after its begin.
fn every_five_minutes(script: &str, fields: &Value) -> World {
    let world = World::new(ImageStore::GraphDriver);
    world.resources.apply(&app(script, fields));
    world
}

fn app(script: &str, fields: &Value) -> ContainerApp {
    let mut all = json!({"schedule": "*/5 * * * *"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    running_once(script, &all)
}

#[tokio::test]
async fn it_runs_when_it_is_due_and_is_ready_meanwhile() {
    let world = every_five_minutes("echo hello", &json!({}));
    let mut seen = Seen::default();
    world.live_for(&CrashPlan::none(), 60, &mut seen, "").await;
    assert_eq!(world.engine.containers(), []);
    let (status, reason, message) = world.ready();
    assert_eq!((status.as_str(), reason.as_str()), ("True", "Scheduled"));
    assert!(message.ends_with(": it runs next at 2033-05-18T03:35:00Z"), "{message}");
    let LookAgain(wait) = world.process(&CrashPlan::none()).reconcile(&world.key).await.unwrap();
    assert_eq!(wait, Duration::from_secs(40));

    world.live_for(&CrashPlan::none(), 60, &mut seen, "").await;
    let (status, reason, message) = world.ready();
    assert_eq!((status.as_str(), reason.as_str()), ("True", "Scheduled"));
    assert!(
        message.contains("it has exited with 0 at 2033-05-18T03:35:00Z; it runs next at 2033-05-18T03:40:00Z"),
        "{message}"
    );
    let schedule = world.status().schedule.unwrap();
    assert_eq!(schedule.last_schedule_time, schedule.last_successful_time);
    world.live_for(&CrashPlan::none(), 900, &mut seen, "").await;
    assert_eq!(seen.minutes(), ["35", "40", "45", "50"]);
    seen.assert_each_ran_once("");
    assert_eq!(world.engine.containers().len(), 1);
}

#[tokio::test]
async fn a_run_that_goes_on_holds_the_next_one_up() {
    let world = every_five_minutes("sleep 400", &json!({}));
    let mut seen = Seen::default();
    world.live_for(&CrashPlan::none(), 420, &mut seen, "").await;
    let (status, reason, message) = world.ready();
    assert_eq!((status.as_str(), reason.as_str()), ("True", "Running"));
    assert!(
        message.contains("the run of 2033-05-18T03:35:00Z goes on as my-app; the one of 2033-05-18T03:40:00Z waits"),
        "{message}"
    );
    world.live_for(&CrashPlan::none(), 600, &mut seen, "").await;
    // At 03:41:40 the one of 03:40 begins, and at 03:48:20 the one of 03:45.
    assert_eq!(seen.minutes(), ["35", "40", "45"]);
    seen.assert_each_ran_once("");
}

#[tokio::test]
async fn what_was_missed_is_caught_up_once_and_not_when_it_is_too_late() {
    for (fields, minutes) in [(json!({}), vec!["55"]), (json!({"startingDeadlineSeconds": 60}), vec![])] {
        let world = every_five_minutes("exit 0", &fields);
        let mut seen = Seen::default();
        world.live_for(&CrashPlan::none(), 10, &mut seen, "").await;
        world.clock.advance(Duration::from_secs(1400));
        world.live_for(&CrashPlan::none(), 30, &mut seen, "").await;
        assert_eq!(seen.minutes(), minutes);
        let is_told = world.ready().2.contains("is left out, since it could not begin within 60 s");
        assert_eq!(is_told, minutes.is_empty(), "{:?}", world.ready());
    }
}

#[tokio::test]
async fn a_suspended_app_does_not_run() {
    let world = every_five_minutes("exit 0", &json!({"startingDeadlineSeconds": 10}));
    let mut seen = Seen::default();
    world.live_for(&CrashPlan::none(), 10, &mut seen, "").await;
    let mut suspended = app("exit 0", &json!({"startingDeadlineSeconds": 10}));
    suspended.spec.suspend = true;
    world.resources.apply(&suspended);
    world.live_for(&CrashPlan::none(), 420, &mut seen, "").await;
    world.resources.apply(&app("exit 0", &json!({"startingDeadlineSeconds": 10})));
    world.live_for(&CrashPlan::none(), 30, &mut seen, "").await;
    assert_eq!(seen.minutes(), Vec::<&str>::new());
    world.live_for(&CrashPlan::none(), 260, &mut seen, "").await;
    assert_eq!(seen.minutes(), ["45"]);
}

#[tokio::test]
async fn a_failed_run_is_told_until_one_succeeds() {
    let world = every_five_minutes("exit 3", &json!({}));
    let mut seen = Seen::default();
    world.live_for(&CrashPlan::none(), 110, &mut seen, "").await;
    let (status, reason, message) = world.ready();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "RunFailed"));
    assert!(message.starts_with("the run of 2033-05-18T03:35:00Z: my-app has exited with 3"), "{message}");
    assert!(message.ends_with("it runs next at 2033-05-18T03:40:00Z"), "{message}");
    assert!(!world.is_stalled());
    world.live_for(&CrashPlan::none(), 1200, &mut seen, "").await;
    assert!(world.is_stalled(), "after the progress deadline");
    assert_eq!(seen.minutes(), ["35", "40", "45", "50", "55"]);
    // What is mended has not failed.
    world.resources.apply(&app("exit 0", &json!({})));
    world.live_for(&CrashPlan::none(), 2, &mut seen, "").await;
    assert_eq!((world.ready().0.as_str(), world.is_stalled()), ("True", false), "{:?}", world.ready());
    world.live_for(&CrashPlan::none(), 300, &mut seen, "").await;
    assert_eq!(world.ready().1, "Scheduled");
    seen.assert_each_ran_once("");
}

#[tokio::test]
async fn the_tries_of_a_run_are_its_own() {
    let world = every_five_minutes("exit 3", &json!({"backoffLimit": 2, "ttlSecondsAfterFinished": 20}));
    let mut seen = Seen::default();
    world.live_for(&CrashPlan::none(), 160, &mut seen, "").await;
    assert_eq!(seen.0.values().next().unwrap().len(), 3);
    assert_eq!(world.ready().1, "BackoffLimitExceeded");
    world.live_for(&CrashPlan::none(), 20, &mut seen, "").await;
    assert_eq!(world.engine.containers(), []);
    assert_eq!(world.ready().1, "BackoffLimitExceeded");
    world.live_for(&CrashPlan::none(), 260, &mut seen, "").await;
    assert_eq!(seen.0.values().map(BTreeSet::len).collect::<Vec<_>>(), [3, 3]);
}

#[tokio::test]
async fn an_edit_leaves_the_run_alone_that_goes_on() {
    let world = every_five_minutes("sleep 100", &json!({}));
    let mut seen = Seen::default();
    world.live_for(&CrashPlan::none(), 110, &mut seen, "").await;
    let before = world.engine.container("my-app").unwrap();
    world.resources.apply(&app("sleep 101", &json!({})));
    world.live_for(&CrashPlan::none(), 30, &mut seen, "").await;
    assert_eq!(world.engine.container("my-app").unwrap().id, before.id);
    world.live_for(&CrashPlan::none(), 300, &mut seen, "").await;
    assert_ne!(world.engine.container("my-app").unwrap().spec_hash(), before.spec_hash());
    seen.assert_each_ran_once("");
}

#[tokio::test]
async fn whoever_removes_the_container_of_a_run_ends_it() {
    let world = every_five_minutes("sleep 100", &json!({}));
    let mut seen = Seen::default();
    world.live_for(&CrashPlan::none(), 110, &mut seen, "").await;
    world.engine.remove_by_hand("my-app").unwrap();
    world.live_for(&CrashPlan::none(), 60, &mut seen, "").await;
    assert_eq!(world.engine.containers(), []);
    let (_, reason, message) = world.ready();
    assert!(
        reason == "RunFailed" && message.contains("the container my-app is gone before its run was over"),
        "{message}"
    );
    world.live_for(&CrashPlan::none(), 240, &mut seen, "").await;
    assert_eq!(seen.minutes(), ["35", "40"]);
    seen.assert_each_ran_once("");
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_and_each_run_is_made_once() {
    let cases = [
        ("sleep 3", json!({})),
        ("sleep 3; exit 1", json!({"ttlSecondsAfterFinished": 5})),
        ("sleep 1000", json!({"activeDeadlineSeconds": 20})),
        ("sleep 305", json!({})),
    ];
    for (script, fields) in cases {
        let story = async |plan: &CrashPlan, case: &str| {
            let world = every_five_minutes(script, &fields);
            let mut seen = Seen::default();
            if !world.live_for(plan, 520, &mut seen, case).await {
                // Nobody is there for a moment.
                world.clock.advance(Duration::from_secs(3));
                let begun = world.clock.now();
                let left = 2_000_000_520 - begun.as_second().min(2_000_000_520);
                world.live_for(&CrashPlan::none(), left.unsigned_abs(), &mut seen, case).await;
            }
            seen.assert_each_ran_once(case);
            assert_eq!(seen.minutes(), ["35", "40"], "{case}");
            assert!(world.engine.containers().len() <= 1, "{case}");
            assert_eq!(
                world.status().schedule.unwrap().last_schedule_time.unwrap().0.to_string(),
                "2033-05-18T03:40:00Z"
            );
        };
        let whole = CrashPlan::none();
        story(&whole, "without a death").await;
        for (number, effect) in whole.effects().iter().enumerate() {
            for moment in [Moment::Before, Moment::After] {
                let plan = CrashPlan::at(number, moment);
                story(&plan, &format!("{script}: {moment:?} effect {number}, {effect}")).await;
                assert!(plan.is_dead(), "{effect}");
            }
        }
    }
}
