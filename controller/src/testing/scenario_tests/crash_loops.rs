//! Containers that keep ending, and those that run and are not well.

use super::*;

/// The app, whose container runs this script.
fn running(script: &str) -> ContainerApp {
    let mut app = node_app("hello");
    app.spec.run.as_mut().unwrap().command = ["sh", "-c", script].map(str::to_owned).to_vec();
    app
}

/// The app, restarted when this script fails twice in a row.
fn alive(script: &str) -> ContainerApp {
    let mut app = node_app("hello");
    let probe = json!({"exec": {"command": ["sh", "-c", script]}, "periodSeconds": 2, "failureThreshold": 2});
    app.spec.run.as_mut().unwrap().liveness_probe = Some(serde_json::from_value(probe).unwrap());
    app
}

impl World {
    /// Lets time pass as an attached process spends it: a look each second, and whenever one is asked for.
    pub(super) async fn pass(&self, process: &Reconciler, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            process.reconcile(&self.key).await.unwrap();
            while process.running_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.status().conditions.iter().any(|condition| condition.type_ == "Stalled")
    }

    fn starts(&self) -> usize {
        self.engine.mutations().iter().filter(|call| *call == "start container my-app").count()
    }
}

#[tokio::test]
async fn a_crash_loop_is_told_without_a_write_for_each_restart_and_stalls_after_the_deadline() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.resources.apply(&running("echo no database; sleep 1; exit 3"));
        let process = world.process(&CrashPlan::none());
        world.pass(&process, 60).await;
        let (status, reason, message) = world.ready();
        assert_eq!((status.as_str(), reason.as_str()), ("False", "CrashLoopBackOff"));
        assert_eq!(message, "my-app keeps ending, last with exit code 3: see longshore logs my-app");
        let container = world.status().container.unwrap();
        assert_eq!((container.exit_code, container.oom_killed), (Some(3), false));
        assert!(container.restarts > 0 && container.log_tail.unwrap().starts_with("no database\n"));
        assert!(!world.is_stalled());

        let (writes, restarts) =
            (world.resources.writes().len(), world.engine.container("my-app").unwrap().detail.unwrap().restarts);
        world.pass(&process, 700).await;
        assert!(world.is_stalled());
        let restarted = world.engine.container("my-app").unwrap().detail.unwrap().restarts - restarts;
        let written = world.resources.writes().len() - writes;
        assert!(written <= 14, "{written} writes in 700 seconds, and {restarted} restarts");
        // It comes right by an edit.
        world.resources.apply(&running("server"));
        settle(&process, &world.key, &world.clock).await;
        world.assert_is_as_asked("mended");
    }
}

#[tokio::test]
async fn a_container_that_crashed_once_is_ready_again_when_it_has_stayed_up() {
    let world = World::new(ImageStore::GraphDriver);
    world.resources.apply(&running("server"));
    let process = world.process(&CrashPlan::none());
    settle(&process, &world.key, &world.clock).await;
    world.engine.kill_for_memory("my-app").unwrap();
    process.reconcile(&world.key).await.unwrap();
    let container = world.status().container.unwrap();
    assert_eq!((container.exit_code, container.oom_killed), (Some(137), true));
    assert!(world.ready().2.contains("for want of memory (OOMKilled, exit code 137)"), "{}", world.ready().2);
    world.pass(&process, 12).await;
    world.assert_is_as_asked("a while later");
}

#[tokio::test]
async fn an_unhealthy_container_is_restarted_by_its_liveness_probe_and_less_and_less_often() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.resources.apply(&alive("exit 0"));
        let process = world.process(&CrashPlan::none());
        settle(&process, &world.key, &world.clock).await;
        let starts = world.starts();
        world.engine.set_well("my-app", false).unwrap();
        world.pass(&process, 6).await;
        assert_eq!(world.starts() - starts, 1);
        assert_eq!(world.status().container.unwrap().liveness_restarts, 1);
        // After 10, 20, 40, 80, 160 seconds, and then every 300.
        world.pass(&process, 340).await;
        assert_eq!(world.starts() - starts, 6);
        let (status, reason, _) = world.ready();
        assert_eq!((status.as_str(), reason.as_str()), ("False", "CrashLoopBackOff"));
        world.pass(&process, 600).await;
        assert!(world.is_stalled());

        world.engine.set_well("my-app", true).unwrap();
        world.pass(&process, 5).await;
        world.assert_is_as_asked("well again");
        assert!(!world.is_stalled());
        world.pass(&process, 600).await;
        assert_eq!(world.status().container.unwrap().liveness_restarts, 0);
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_restart_by_the_liveness_probe() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            world.resources.apply(&alive("exit 0"));
            world.live(&CrashPlan::none()).await;
            world.engine.set_well("my-app", false).unwrap();
            world.clock.advance(Duration::from_secs(4));
            // One restart, as far as the process lives.
            let process = world.process(plan);
            let work = async {
                while world.status().container.is_none_or(|container| container.liveness_restarts == 0)
                    || world
                        .engine
                        .container("my-app")
                        .unwrap()
                        .detail
                        .unwrap()
                        .health
                        .is_none_or(|report| report.failing_streak > 0)
                {
                    process.reconcile(&world.key).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = plan.death() => {}
                () = work => {}
            }
            process.shut_down();
            world.engine.set_well("my-app", true).unwrap();
            world.live(&CrashPlan::none()).await;
            world
        };
        dies_at_every_effect(scenario, |world, case| {
            world.assert_is_as_asked(case);
            assert!(world.status().container.unwrap().liveness_restarts <= 1, "{case}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_change_without_a_gap() {
    for store in BOTH_STORES {
        let overlapping = |content: &str| {
            let mut app = node_app(content);
            let run = app.spec.run.as_mut().unwrap();
            run.ports.clear();
            run.strategy = longshore_crds::Strategy::Overlap;
            app
        };
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            world.resources.apply(&overlapping("hello"));
            world.live(&CrashPlan::none()).await;
            world.resources.apply(&overlapping("welcome"));
            world.live(plan).await;
            world
        };
        dies_at_every_effect(scenario, |world, case| {
            let containers = world.engine.containers();
            let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
            assert_eq!(names, ["my-app"], "{case}");
            assert_eq!(world.ready().0, "True", "{case}: {}", world.ready().2);
            let calls = world.engine.mutations();
            let position = |call: &str| calls.iter().position(|made| made == call);
            assert!(position("start container my-app.next") < position("stop container my-app"), "{case}: {calls:?}");
        })
        .await;
    }
}
