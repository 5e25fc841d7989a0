//! The records of revisions, as a reconciler on everything in memory leaves them.

use longshore_crds::{ContainerAppRevision, RevisionOutcome};

use super::*;
use crate::reconcile::ResourceError;
use crate::testing::ResourceOperation;

/// The password that the world's registry wants.
const CANARY: &str = "a+b/c";

/// What a secret of the build holds.
const BUILD_SECRET: &str = "canary-for-npm";

/// A resource that is stalled is looked at again after a minute.
const STALLED: Duration = Duration::from_mins(1);

/// An app whose build runs this.
fn building(script: &str) -> ContainerApp {
    let mut app = node_app("hello");
    let context = &mut app.spec.image.build.as_mut().unwrap().context;
    let dockerfile = format!("FROM node:6\nADD . /app\nRUN {script}\nCMD [\"node\", \"app.js\"]\n");
    context.inline.as_mut().unwrap().insert("Dockerfile".to_owned(), dockerfile);
    app
}

fn recorded(world: &World) -> Vec<(i64, RevisionOutcome)> {
    let revisions = world.resources.revisions(&world.key);
    revisions.iter().map(|revision| (revision.spec.revision, status(revision).outcome)).collect()
}

fn status(revision: &ContainerAppRevision) -> &longshore_crds::ContainerAppRevisionStatus {
    revision.status.as_ref().unwrap()
}

fn newest(world: &World) -> ContainerAppRevision {
    world.resources.revisions(&world.key).pop().unwrap()
}

#[tokio::test]
async fn what_was_built_is_recorded_with_its_inputs_and_its_log() {
    for store in BOTH_STORES {
        let world = World::new(store);
        let app = world.resources.apply(&node_app("hello"));
        world.live(&CrashPlan::none()).await;
        assert_eq!(recorded(&world), [(1, RevisionOutcome::Succeeded)]);
        assert_eq!(world.status().current_revision, Some(1));

        let revision = newest(&world);
        let owner = &revision.metadata.owner_references.as_ref().unwrap()[0];
        assert_eq!((owner.controller, Some(&owner.uid)), (Some(true), app.metadata.uid.as_ref()));
        let image = world.engine.image(&reference("node-app:0.1")).unwrap();
        assert_eq!(status(&revision).image.as_ref().unwrap().id, image.id.to_string());
        let inputs = revision.spec.inputs.as_ref().unwrap();
        assert_eq!(inputs.files.keys().collect::<Vec<_>>(), ["Dockerfile", "app.js"]);
        let log = &status(&revision).log;
        assert!(log.starts_with("#1 [1/3] FROM node:6\n") && log.contains("\n#2 DONE "), "{log}");
    }
}

#[tokio::test]
async fn a_change_is_the_next_revision_and_superseded_ones_are_kept_to_the_limit() {
    for store in BOTH_STORES {
        let world = World::new(store);
        for content in ["one", "two", "three", "four"] {
            let mut app = node_app(content);
            app.spec.revision_history_limit = 1;
            world.resources.apply(&app);
            world.live(&CrashPlan::none()).await;
        }
        assert_eq!(recorded(&world), [(3, RevisionOutcome::Succeeded), (4, RevisionOutcome::Succeeded)]);
        assert_eq!(world.status().current_revision, Some(4));
    }
}

#[tokio::test]
async fn a_build_that_fails_is_recorded_once_and_the_old_revision_stays_the_current_one() {
    for store in BOTH_STORES {
        let world = World::new(store);
        world.resources.apply(&node_app("hello"));
        world.live(&CrashPlan::none()).await;
        world.resources.apply(&building("echo compiling && exit 3"));
        // Every process tries once more.
        for _ in 0..3 {
            world.live_until(&CrashPlan::none(), STALLED).await;
        }
        assert_eq!(recorded(&world), [(1, RevisionOutcome::Succeeded), (2, RevisionOutcome::Failed)]);
        assert_eq!(world.status().current_revision, Some(1));
        let revision = newest(&world);
        let log = &status(&revision).log;
        assert!(log.contains("#3   compiling\n#3 ERROR\nERROR: "), "{log}");
        let failure = status(&revision).build.clone().and_then(|build| build.failure).unwrap();
        assert_eq!(failure.exit_code, Some(3));
        let running = world.status().conditions.into_iter().find(|condition| condition.type_ == "Running").unwrap();
        assert_eq!(running.message, "my-app runs as it was before; it waits until Built is True");
    }
}

#[tokio::test]
async fn no_secret_that_is_handled_is_told_or_recorded() {
    let printed = format!("echo token={CANARY} && echo npm={BUILD_SECRET}");
    for script in [printed.clone(), format!("{printed} && exit 1")] {
        let world = World::new(ImageStore::GraphDriver);
        let data = [("token".to_owned(), BUILD_SECRET.as_bytes().to_vec())].into();
        world.resources.put_secret("default", "npm", SecretData { kind: "Opaque".to_owned(), data });
        let mut app = building(&script);
        let secrets = json!([{"id": "npm", "secretKeyRef": {"name": "npm", "key": "token"}}]);
        app.spec.image.build.as_mut().unwrap().secrets = serde_json::from_value(secrets).unwrap();
        world.resources.apply(&app);
        world.live_until(&CrashPlan::none(), STALLED).await;
        let revision = newest(&world);
        let log = &status(&revision).log;
        assert!(log.contains("token=***") && log.contains("npm=***"), "{log}");
        assert_eq!(revision.spec.inputs.as_ref().unwrap().secrets, ["npm"]);
        let app = world.resources.get(&world.key).unwrap();
        let told = format!("{:?} {:?} {:?}", revision.status, app.status, world.resources.events(&world.key));
        assert!(!told.contains(CANARY) && !told.contains(BUILD_SECRET), "{told}");
    }
}

#[tokio::test]
async fn the_records_are_read_once_by_each_process() {
    let world = World::new(ImageStore::GraphDriver);
    world.resources.apply(&node_app("hello"));
    let process = world.process(&CrashPlan::none());
    settle(&process, &world.key, &world.clock).await;
    for _ in 0..100 {
        process.reconcile(&world.key).await.unwrap();
    }
    world.resources.apply(&node_app("welcome"));
    settle(&process, &world.key, &world.clock).await;
    assert_eq!(world.resources.revision_lists(), 1);
    assert_eq!(recorded(&world).len(), 2);
}

#[tokio::test]
async fn an_app_runs_while_its_records_cannot_be_written_and_they_follow() {
    let world = World::new(ImageStore::GraphDriver);
    for _ in 0..3 {
        let refused = ResourceError::Forbidden("no right to write".to_owned());
        world.resources.fail_next(ResourceOperation::WriteRevision, refused);
    }
    world.resources.apply(&node_app("hello"));
    world.live(&CrashPlan::none()).await;
    world.assert_is_as_asked("without a record");
    assert_eq!(recorded(&world), [(1, RevisionOutcome::Succeeded)]);
    let events = world.resources.events(&world.key);
    assert!(events.iter().any(|event| event.reason == "RevisionNotRecorded"), "{events:?}");
}

#[tokio::test]
async fn an_app_that_is_made_anew_goes_on_counting_while_the_old_records_are_there() {
    let world = World::new(ImageStore::GraphDriver);
    world.resources.apply(&node_app("hello"));
    world.live(&CrashPlan::none()).await;
    world.resources.delete(&world.key);
    world.live(&CrashPlan::none()).await;
    world.resources.apply(&node_app("hello"));
    world.live(&CrashPlan::none()).await;
    assert_eq!(recorded(&world), [(1, RevisionOutcome::Succeeded), (2, RevisionOutcome::Succeeded)]);
    assert_eq!(world.status().current_revision, Some(2));
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_and_each_revision_is_recorded_once() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            let limited = |mut app: ContainerApp| {
                app.spec.revision_history_limit = 1;
                app
            };
            for content in ["one", "two"] {
                world.resources.apply(&limited(node_app(content)));
                world.live(&CrashPlan::none()).await;
            }
            world.resources.apply(&limited(node_app("hello")));
            world.live(plan).await;
            world
        };
        dies_at_every_effect(scenario, |world, case| {
            world.assert_is_as_asked(case);
            let expected = [(2, RevisionOutcome::Succeeded), (3, RevisionOutcome::Succeeded)];
            assert_eq!(recorded(world), expected, "{case}");
            assert_eq!(world.status().current_revision, Some(3), "{case}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_build_that_fails() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            world.resources.apply(&building("exit 3"));
            world.live_until(plan, STALLED).await;
            world
        };
        dies_at_every_effect_until(STALLED, scenario, |world, case| {
            assert_eq!(recorded(world), [(1, RevisionOutcome::Failed)], "{case}");
            assert_eq!(world.ready().1, "BuildFailed", "{case}");
        })
        .await;
    }
}
