//! Containers that end: tried again, stopped at their deadline, removed when their time is over, and not run again.

use serde_json::Value;

use super::*;

/// An app of `node:6` that runs this script as a one-shot.
pub(super) fn running_once(script: &str, fields: &Value) -> ContainerApp {
    let mut run = json!({"containerName": "my-app", "restartPolicy": "Never", "command": ["sh", "-c", script]});
    run.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    super::running::app(&run)
}

/// A world in which the app of this script was applied.
fn world_of(store: ImageStore, script: &str, fields: &Value) -> World {
    let world = World::new(store);
    world.resources.apply(&running_once(script, fields));
    world
}

impl World {
    fn made(&self) -> usize {
        self.engine.mutations().iter().filter(|call| *call == "create container my-app").count()
    }

    fn reason(&self) -> String {
        self.ready().1
    }
}

#[tokio::test]
async fn a_failed_one_shot_is_tried_again_with_a_growing_wait_until_it_has_failed_for_good() {
    for store in BOTH_STORES {
        let world = world_of(store, "echo no database; exit 3", &json!({"backoffLimit": 3}));
        let process = world.process(&CrashPlan::none());
        // After 10, 20 and 40 seconds.
        for (seconds, made) in [(5, 1), (8, 2), (10, 2), (13, 3), (30, 3), (12, 4)] {
            world.pass(&process, seconds).await;
            assert_eq!(world.made(), made, "{:?}", world.ready());
        }
        world.pass(&process, 2).await;
        let notes: Vec<String> = world.resources.events(&world.key).into_iter().map(|event| event.note).collect();
        for failures in ["once", "2 times", "3 times"] {
            let cause = format!("it has failed {failures}, and backoffLimit is 3");
            assert!(notes.iter().any(|note| note.contains(&cause)), "{cause}: {notes:?}");
        }
        assert!(!notes.iter().any(|note| note.contains("is gone")), "nobody has taken it away: {notes:?}");
        let (status, reason, message) = world.ready();
        assert_eq!((status.as_str(), reason.as_str()), ("False", "BackoffLimitExceeded"));
        assert_eq!(
            message,
            "my-app has failed 4 times, last with exit code 3, and backoffLimit is 3: see longshore logs my-app, and \
             change the spec to run it again"
        );
        assert!(world.is_stalled());
        assert!(world.status().container.unwrap().log_tail.unwrap().contains("no database"));
        world.pass(&process, 1000).await;
        assert_eq!((world.made(), world.reason().as_str()), (4, "BackoffLimitExceeded"));
        // Another process sees the same, and an edit is another run.
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.made(), 4);
        world.resources.apply(&running_once("exit 0", &json!({"backoffLimit": 3})));
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.reason(), "Completed");
    }
}

#[tokio::test]
async fn without_a_limit_a_one_shot_that_is_never_restarted_runs_once() {
    let world = world_of(ImageStore::GraphDriver, "exit 3", &json!({}));
    world.live(&CrashPlan::none()).await;
    assert_eq!((world.made(), world.reason().as_str()), (1, "RunFailed"));
    assert_eq!(
        world.ready().2,
        "my-app has exited with 3 and restartPolicy is Never: see longshore logs my-app, and change the spec to run it again"
    );
    assert!(world.is_stalled());
}

#[tokio::test]
async fn the_engine_itself_tries_again_as_often_as_it_may() {
    for store in BOTH_STORES {
        let world = world_of(store, "exit 3", &json!({"restartPolicy": "OnFailure", "backoffLimit": 2}));
        let process = world.process(&CrashPlan::none());
        world.pass(&process, 20).await;
        let (_, reason, message) = world.ready();
        assert_eq!((world.made(), reason.as_str()), (1, "BackoffLimitExceeded"));
        assert!(
            message.starts_with("my-app has failed 3 times, last with exit code 3, and backoffLimit is 2"),
            "{message}"
        );
        assert_eq!(world.engine.container("my-app").unwrap().detail.unwrap().restarts, 2);
        world.pass(&process, 400).await;
        assert_eq!(world.reason(), "BackoffLimitExceeded");
    }
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_stopped_and_has_failed() {
    for script in ["sleep 1000", "trap 'exit 0' TERM; sleep 1000 & wait"] {
        for policy in ["Never", "OnFailure"] {
            let fields = json!({"restartPolicy": policy, "activeDeadlineSeconds": 30, "backoffLimit": 5});
            let world = world_of(ImageStore::Containerd, script, &fields);
            let process = world.process(&CrashPlan::none());
            world.pass(&process, 25).await;
            assert_eq!(world.reason(), "Running");
            world.pass(&process, 10).await;
            let (_, reason, message) = world.ready();
            assert_eq!(reason, "DeadlineExceeded");
            assert!(message.starts_with("my-app has run for more than 30 s, its activeDeadlineSeconds"), "{message}");
            assert!(world.is_stalled());
            assert_eq!(world.engine.container("my-app").unwrap().state, ContainerState::Exited);
            world.pass(&process, 400).await;
            assert_eq!((world.made(), world.reason().as_str()), (1, "DeadlineExceeded"));
        }
    }
}

#[tokio::test]
async fn the_deadline_counts_from_the_first_try() {
    for policy in ["Never", "OnFailure"] {
        let fields = json!({"restartPolicy": policy, "activeDeadlineSeconds": 25, "backoffLimit": 50});
        let world = world_of(ImageStore::GraphDriver, "sleep 4; exit 3", &fields);
        let process = world.process(&CrashPlan::none());
        world.pass(&process, 60).await;
        assert_eq!(world.reason(), "DeadlineExceeded", "{policy}");
        assert_ne!(world.engine.container("my-app").unwrap().state, ContainerState::Running);
    }
}

#[tokio::test]
async fn the_next_look_is_at_the_deadline() {
    let fields = json!({"activeDeadlineSeconds": 90});
    let world = world_of(ImageStore::GraphDriver, "sleep 1000", &fields);
    world.live_until(&CrashPlan::none(), Duration::from_secs(30)).await;
    let LookAgain(wait) = world.process(&CrashPlan::none()).reconcile(&world.key).await.unwrap();
    assert_eq!(wait, Duration::from_secs(90));
}

#[tokio::test]
async fn the_container_of_a_run_that_is_over_is_removed_and_its_result_stays() {
    for (script, reason) in [("echo done", "Completed"), ("echo oops; exit 3", "RunFailed")] {
        for policy in ["Never", "OnFailure"] {
            let limit = if policy == "OnFailure" { json!(0) } else { Value::Null };
            let fields = json!({"restartPolicy": policy, "ttlSecondsAfterFinished": 60, "backoffLimit": limit});
            let world = world_of(ImageStore::GraphDriver, script, &fields);
            let process = world.process(&CrashPlan::none());
            world.pass(&process, 50).await;
            assert_eq!(world.reason(), reason, "{policy}");
            assert_eq!(world.engine.containers().len(), 1);
            let LookAgain(wait) = process.reconcile(&world.key).await.unwrap();
            assert!(wait <= Duration::from_secs(12), "{wait:?}");
            world.pass(&process, 20).await;
            assert_eq!(world.engine.containers(), []);
            for _ in 0..2 {
                assert_eq!(world.reason(), reason, "{policy}");
                let container = world.status().container.unwrap();
                assert!(container.log_tail.unwrap().starts_with(if reason == "Completed" { "done" } else { "oops" }));
                assert_eq!(container.exit_code, Some(if reason == "Completed" { 0 } else { 3 }));
                world.pass(&process, 400).await;
                world.live(&CrashPlan::none()).await;
            }
            assert_eq!(world.made(), 1);
            // Another image is another run.
            world.registry.put(&reference("node:6"), &MemoryImage::new("node 6.1"));
            world.resources.apply(&running_once("echo again", &fields));
            world.live_until(&CrashPlan::none(), Duration::from_secs(30)).await;
            assert_eq!((world.made(), world.reason().as_str()), (2, "Completed"));
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_the_tries_of_a_one_shot() {
    for store in BOTH_STORES {
        let fields = json!({"backoffLimit": 2, "ttlSecondsAfterFinished": 30});
        let scenario = async |plan: &CrashPlan| {
            let world = world_of(store, "exit 3", &fields);
            world.live(plan).await;
            world
        };
        dies_at_every_effect(scenario, |world, case| {
            assert_eq!(world.reason(), "BackoffLimitExceeded", "{case}");
            assert_eq!(world.engine.containers(), [], "{case}");
            let started = world.engine.mutations().iter().filter(|call| call.starts_with("start container")).count();
            assert_eq!(started, 3, "{case}: {:?}", world.engine.mutations());
        })
        .await;
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_stop_at_the_deadline() {
    let fields = json!({"activeDeadlineSeconds": 20, "backoffLimit": 2});
    let scenario = async |plan: &CrashPlan| {
        let world = world_of(ImageStore::GraphDriver, "trap 'exit 0' TERM; sleep 1000 & wait", &fields);
        world.live(plan).await;
        world
    };
    dies_at_every_effect(scenario, |world, case| {
        assert_eq!(world.reason(), "DeadlineExceeded", "{case}");
        assert_eq!(world.engine.containers().len(), 1, "{case}");
    })
    .await;
}
