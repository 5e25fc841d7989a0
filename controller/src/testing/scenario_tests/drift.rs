//! What somebody does behind our back, with and without the events that tell of it.

use tokio::time::advance;

use super::*;
use crate::app::{Adjustable, Bytes, EngineRestart, Owner};
use crate::telemetry::{Metrics, Observer};

/// A little longer than until everything on an engine is listed anew.
const RELISTED: Duration = Duration::from_secs(31);

fn bounded() -> ContainerApp {
    let mut app = node_app("hello");
    let resources = json!({"limits": {"memory": "64Mi"}});
    app.spec.run.as_mut().unwrap().resources = Some(serde_json::from_value(resources).unwrap());
    app
}

/// The app, whose health check is well until it is told otherwise.
fn checked() -> ContainerApp {
    let mut app = node_app("hello");
    let probe = json!({"exec": {"command": ["sh", "-c", "exit 0"]}, "periodSeconds": 2, "failureThreshold": 2});
    app.spec.run.as_mut().unwrap().readiness_probe = Some(serde_json::from_value(probe).unwrap());
    app
}

impl World {
    fn notes(&self) -> Vec<String> {
        self.resources.events(&self.key).into_iter().map(|event| event.note).collect()
    }
}

/// What somebody does by hand.
type Deed<'a> = dyn Fn() + 'a;

/// Which references somebody means.
type Choice = fn(&ImageReference) -> bool;

/// The same, in a world that is still to be made.
type DeedIn = dyn Fn(&World);

#[tokio::test]
async fn what_somebody_does_is_put_right_and_the_event_tells_it() {
    let edited = |change: fn(&mut Adjustable)| {
        move |world: &World| {
            let mut is = world.engine.container("my-app").unwrap().detail.unwrap().adjustable.unwrap();
            change(&mut is);
            world.engine.adjust_by_hand("my-app", &is).unwrap();
        }
    };
    let rows: [(&str, Box<DeedIn>, bool); 8] = [
        ("somebody has stopped or killed it", Box::new(|world| world.engine.stop_by_hand("my-app").unwrap()), true),
        ("somebody has stopped or killed it", Box::new(|world| world.engine.kill_by_hand("my-app").unwrap()), true),
        ("the container my-app is gone", Box::new(|world| world.engine.remove_by_hand("my-app").unwrap()), false),
        (
            "renamed the container mine to my-app: somebody has renamed it",
            Box::new(|world| world.engine.rename_by_hand("my-app", "mine").unwrap()),
            true,
        ),
        ("somebody has paused it", Box::new(|world| world.engine.pause_by_hand("my-app").unwrap()), true),
        ("restart policy no \u{2192} always", Box::new(edited(|is| is.restart = EngineRestart::No)), true),
        ("memory limit 32Mi \u{2192} 64Mi", Box::new(edited(|is| is.memory = Some(Bytes(32 << 20)))), true),
        ("processor shares 512 \u{2192} none", Box::new(edited(|is| is.cpu_shares = Some(512))), false),
    ];
    for store in BOTH_STORES {
        for (cause, deed, is_kept) in &rows {
            let world = World::new(store);
            world.resources.apply(&bounded());
            world.live(&CrashPlan::none()).await;
            let id = world.engine.container("my-app").unwrap().id;
            deed(&world);
            world.live(&CrashPlan::none()).await;
            world.assert_is_as_asked(cause);
            assert!(world.notes().iter().any(|note| note.contains(cause)), "{cause}: {:#?}", world.notes());
            assert_eq!(world.engine.container("my-app").unwrap().id == id, *is_kept, "{cause}");
            let is = world.engine.container("my-app").unwrap().detail.unwrap().adjustable.unwrap();
            let expected = Adjustable {
                restart: EngineRestart::Always,
                memory: Some(Bytes(64 << 20)),
                memory_and_swap: Some(Bytes(64 << 20)),
                ..Adjustable::default()
            };
            assert_eq!(is, expected, "{cause}");
        }
    }
}

#[tokio::test]
async fn what_is_suspended_is_left_as_somebody_has_made_it() {
    let world = World::new(ImageStore::Containerd);
    world.resources.apply(&bounded());
    world.live(&CrashPlan::none()).await;
    let mut suspended = bounded();
    suspended.spec.suspend = true;
    world.resources.apply(&suspended);
    world.live(&CrashPlan::none()).await;
    let calls = world.engine.mutations();
    world.engine.pause_by_hand("my-app").unwrap();
    world.engine.rename_by_hand("my-app", "mine").unwrap();
    world.engine.untag_by_hand(&reference("node-app:0.1"));
    world.live(&CrashPlan::none()).await;
    assert_eq!(world.engine.mutations(), calls);
    world.resources.apply(&bounded());
    world.live(&CrashPlan::none()).await;
    world.assert_is_as_asked("no longer suspended");
}

#[tokio::test]
async fn a_tag_that_somebody_takes_away_is_given_back_without_a_build() {
    for store in BOTH_STORES {
        let deeds: [(&str, Choice); 3] =
            [("public", |reference| !Owner::is_private(reference)), ("private", Owner::is_private), ("all", |_| true)];
        for (which, is_taken) in deeds {
            let world = World::new(store);
            world.resources.apply(&node_app("hello"));
            world.live(&CrashPlan::none()).await;
            let before = world.engine.container("my-app").unwrap();
            // That by which it was pushed is of no use any more.
            let references = || {
                let mut references = world.engine.image(&reference("node-app:0.1")).unwrap().references;
                references.retain(|reference| reference.host() != "gcr.io");
                references
            };
            let expected = references();
            if which == "all" {
                world.engine.untag_by_hand(&reference("gcr.io/my-project/node-app:0.1"));
            }
            for reference in expected.iter().filter(|reference| is_taken(reference)) {
                world.engine.untag_by_hand(reference);
            }
            world.live(&CrashPlan::none()).await;
            world.assert_is_as_asked(which);
            assert_eq!(references(), expected, "{store:?}, {which}");
            assert_eq!(world.engine.container("my-app").unwrap().id, before.id, "{store:?}, {which}");
            let builds = world.engine.mutations().iter().filter(|call| call.starts_with("build image")).count();
            assert_eq!(builds, 1, "{store:?}, {which}");
            let is_told = |note: &String| note.contains(": somebody has removed ");
            assert!(world.notes().iter().any(is_told), "{which}: {:?}", world.notes());
        }
    }
}

/// Lets the tasks that are due run, without any time.
async fn breathe() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// The number of the metric.
fn found_by_relist(metrics: &Metrics) -> String {
    let text = String::from_utf8(metrics.exposition().unwrap()).unwrap();
    let line = text.lines().find(|line| line.starts_with("longshore_drift_found_by_relist_total"));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn what_events_have_lost_the_relist_finds_and_a_metric_counts() {
    for store in BOTH_STORES {
        let world = World::new(store);
        let metrics = Arc::new(Metrics::new().unwrap());
        let reporter = Arc::new(Observer::new(Arc::clone(&metrics)));
        let (process, mut wakes) = world.process_telling(&CrashPlan::none(), Arc::new(NoAmbientCredentials), reporter);
        world.resources.apply(&checked());
        settle(&process, &world.key, &world.clock).await;
        world.assert_is_as_asked("at first");
        // An event tells it: nothing is left for the relist.
        world.engine.rename_by_hand("my-app", "mine").unwrap();
        breathe().await;
        settle(&process, &world.key, &world.clock).await;
        advance(RELISTED).await;
        breathe().await;
        assert_eq!(found_by_relist(&metrics), "0");
        settle(&process, &world.key, &world.clock).await;
        world.assert_is_as_asked("renamed");

        world.engine.set_events_lost(true);
        let deeds: [(&str, Box<Deed<'_>>); 3] = [
            ("stopped", Box::new(|| world.engine.stop_by_hand("my-app").unwrap())),
            ("removed", Box::new(|| world.engine.remove_by_hand("my-app").unwrap())),
            (
                "unwell",
                Box::new(|| {
                    world.engine.set_well("my-app", false).unwrap();
                    world.clock.advance(Duration::from_secs(10));
                }),
            ),
        ];
        for (number, (what, deed)) in deeds.iter().enumerate() {
            // What this process has done itself is listed anew, and what it has lost as well.
            process.reconcile(&world.key).await.unwrap();
            while wakes.try_recv().is_ok() {}
            deed();
            breathe().await;
            assert!(wakes.try_recv().is_err(), "{what}: an event was to be lost");
            advance(RELISTED).await;
            breathe().await;
            assert_eq!(wakes.try_recv().ok(), Some(world.key.clone()), "{what}");
            assert_eq!(found_by_relist(&metrics), (number + 1).to_string(), "{what}");
            if *what == "unwell" {
                process.reconcile(&world.key).await.unwrap();
                assert_eq!(world.ready().1, "Unhealthy");
            } else {
                settle(&process, &world.key, &world.clock).await;
                world.assert_is_as_asked(what);
            }
        }
        process.shut_down();
    }
}
