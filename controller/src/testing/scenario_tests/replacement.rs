//! From one version to the next, and back when the next one fails.

use longshore_crds::RestartPolicy;

use super::*;

/// A version that failed is looked at again after this time.
const ROLLED_BACK: Duration = Duration::from_secs(10);

/// The app with a page, whose health check is this script's.
fn checked(content: &str, script: &str) -> ContainerApp {
    let mut app = node_app(content);
    let probe = json!({"exec": {"command": ["sh", "-c", script]}, "periodSeconds": 2, "failureThreshold": 2});
    app.spec.run.as_mut().unwrap().readiness_probe = Some(serde_json::from_value(probe).unwrap());
    app
}

impl World {
    /// Applies this and lets a process work until it is at rest.
    async fn roll_out(&self, app: &ContainerApp, rest: Duration) {
        self.resources.apply(app);
        self.live_until(&CrashPlan::none(), rest).await;
    }

    /// What was built.
    fn builds(&self) -> usize {
        self.engine.mutations().iter().filter(|call| call.starts_with("build image")).count()
    }

    /// Fails unless the first version runs again and the second one is not tried.
    fn assert_is_rolled_back(&self, case: &str) {
        let containers = self.engine.containers();
        let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["my-app"], "{case}");
        assert_eq!(containers[0].state, ContainerState::Running, "{case}");
        let (status, reason, message) = self.ready();
        assert_eq!((status.as_str(), reason.as_str()), ("False", "RolledBack"), "{case}: {message}");
        assert!(message.contains("its health check has failed 2 times in a row"), "{case}: {message}");
    }
}

#[tokio::test]
async fn a_version_is_ready_only_when_it_is_healthy() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.resources.apply(&checked("hello", "exit 0"));
        let process = world.process(&CrashPlan::none());
        // As far as it comes without any time.
        while process.reconcile(&world.key).await.unwrap().0 == AT_REST || process.running_tasks() > 0 {
            tokio::task::yield_now().await;
        }
        let (status, reason, message) = world.ready();
        assert_eq!((status.as_str(), reason.as_str()), ("False", "BecomingReady"), "{message}");
        assert_eq!(world.status().container.unwrap().health.as_deref(), Some("starting"));
        settle(&process, &world.key, &world.clock).await;
        world.assert_is_as_asked("healthy");
        assert_eq!(world.status().container.unwrap().health.as_deref(), Some("healthy"));
    }
}

#[tokio::test]
async fn a_broken_version_gives_way_to_the_old_one_and_is_not_tried_again() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.roll_out(&checked("hello", "exit 0"), AT_REST).await;
        let before = world.engine.container("my-app").unwrap();
        world.roll_out(&checked("welcome", "exit 1"), ROLLED_BACK).await;
        world.assert_is_rolled_back("broken");
        assert_eq!(world.engine.container("my-app").unwrap().id, before.id);
        assert_eq!(world.status().current_revision, Some(1));

        let (calls, builds) = (world.engine.mutations(), world.builds());
        let process = world.process(&CrashPlan::none());
        for _ in 0..50 {
            world.clock.advance(ROLLED_BACK);
            process.reconcile(&world.key).await.unwrap();
        }
        assert_eq!(world.engine.mutations(), calls);
        world.assert_is_rolled_back("fifty reconciles later");

        // What was there before is ready as soon as it is asked for again, without a build.
        world.roll_out(&checked("hello", "exit 0"), AT_REST).await;
        world.assert_is_as_asked("asked for again");
        assert_eq!((world.engine.container("my-app").unwrap().id, world.builds()), (before.id, builds));
        assert_eq!(world.status().rolled_back, None);
    }
}

#[tokio::test]
async fn what_replaced_what_and_how_long_the_gap_was_is_told() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.roll_out(&checked("hello", "exit 0"), AT_REST).await;
        world.roll_out(&checked("welcome", "exit 0"), AT_REST).await;
        let events = world.resources.events(&world.key);
        let replaced: Vec<_> = events.iter().filter(|event| event.reason == "Replaced").collect();
        assert_eq!(replaced.len(), 1);
        let note = &replaced[0].note;
        assert!(note.starts_with("replaced the container my-app.previous, with no gap: it runs the image "), "{note}");
    }
}

#[tokio::test]
async fn another_edit_is_tried_after_a_rollback() {
    let world = World::new(ImageStore::GraphDriver);
    world.roll_out(&checked("hello", "exit 0"), AT_REST).await;
    world.roll_out(&checked("welcome", "exit 1"), ROLLED_BACK).await;
    world.roll_out(&checked("welcome", "exit 0"), AT_REST).await;
    world.assert_is_as_asked("mended");
    assert_eq!(world.status().current_revision, Some(2));
}

#[tokio::test]
async fn going_back_and_forth_builds_each_version_once() {
    for store in BOTH_STORES {
        let world = World::new(store);
        let mut images = Vec::new();
        for content in ["hello", "welcome", "hello", "welcome"] {
            world.roll_out(&checked(content, "exit 0"), AT_REST).await;
            world.assert_is_as_asked(content);
            images.push(world.engine.containers()[0].image.clone());
        }
        assert_eq!(world.builds(), 2);
        assert_eq!((&images[0], &images[1]), (&images[2], &images[3]));
    }
}

#[tokio::test]
async fn an_earlier_revision_is_asked_for_by_its_number() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.roll_out(&checked("hello", "exit 0"), AT_REST).await;
        let first = world.engine.container("my-app").unwrap().image;
        world.roll_out(&checked("welcome", "exit 0"), AT_REST).await;
        let (second, builds) = (world.engine.container("my-app").unwrap().image, world.builds());

        let mut back = checked("welcome", "exit 0");
        back.spec.rollback_to = Some(1);
        world.roll_out(&back, AT_REST).await;
        world.assert_is_as_asked("revision 1");
        assert_eq!(
            (world.engine.container("my-app").unwrap().image, world.status().current_revision),
            (first, Some(1))
        );

        world.roll_out(&checked("welcome", "exit 0"), AT_REST).await;
        world.assert_is_as_asked("as the image section has it");
        assert_eq!((world.engine.container("my-app").unwrap().image, world.builds()), (second, builds));
    }
}

#[tokio::test]
async fn where_the_old_container_was_removed_meanwhile_its_image_runs_again() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.roll_out(&checked("hello", "exit 0"), AT_REST).await;
        let image = world.engine.container("my-app").unwrap().image;
        // The check is of the page: what is broken is the image.
        world.resources.apply(&checked("welcome", "exit 0"));
        let process = world.process(&CrashPlan::none());
        while world.engine.container("my-app.previous").is_none() || world.ready().1 != "BecomingReady" {
            process.reconcile(&world.key).await.unwrap();
            tokio::task::yield_now().await;
        }
        world.engine.remove_by_hand("my-app.previous").unwrap();
        world.engine.set_well("my-app", false).unwrap();
        settle_until(&process, &world.key, &world.clock, ROLLED_BACK).await;
        world.assert_is_rolled_back("from its image");
        assert_eq!(world.engine.container("my-app").unwrap().image, image);
        let builds = world.builds();
        world.engine.remove_by_hand("my-app").unwrap();
        settle_until(&process, &world.key, &world.clock, ROLLED_BACK).await;
        world.assert_is_rolled_back("removed once more");
        assert_eq!((world.engine.container("my-app").unwrap().image, world.builds()), (image, builds));
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_change_to_a_healthy_version() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            world.roll_out(&checked("hello", "exit 0"), AT_REST).await;
            world.resources.apply(&checked("welcome", "exit 0"));
            world.live(plan).await;
            world
        };
        dies_at_every_effect(scenario, World::assert_is_as_asked).await;
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_change_to_a_broken_version() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            world.roll_out(&checked("hello", "exit 0"), AT_REST).await;
            world.resources.apply(&checked("welcome", "exit 1"));
            world.live_until(plan, ROLLED_BACK).await;
            world
        };
        dies_at_every_effect_until(ROLLED_BACK, scenario, World::assert_is_rolled_back).await;
    }
}

#[tokio::test]
async fn a_one_shot_does_not_wait_for_its_health() {
    let world = World::new(ImageStore::GraphDriver);
    let mut app = checked("hello", "exit 0");
    let run = app.spec.run.as_mut().unwrap();
    run.restart_policy = RestartPolicy::Never;
    run.command = ["sh", "-c", "exit 0"].map(str::to_owned).to_vec();
    world.roll_out(&app, AT_REST).await;
    assert_eq!(world.ready().1, "Completed");
}
