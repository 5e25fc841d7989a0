//! Images that are pushed to several destinations.

use super::*;

const DESTINATIONS: [&str; 3] =
    ["gcr.io/my-project/node-app:0.1", "gcr.io/my-project/node-app:latest", "open.example/node-app:0.1"];

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_push_to_several_destinations() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            let mut app = node_app("hello");
            app.spec.push[0].tags = ["0.1", "latest"].map(str::to_owned).to_vec();
            let mut open = app.spec.push[0].clone();
            open.to = "open.example/node-app".to_owned();
            open.tags.truncate(1);
            open.secret_ref = None;
            app.spec.push.push(open);
            world.resources.apply(&app);
            world.live(plan).await;
            world
        };
        dies_at_every_effect(scenario, |world, case| {
            world.assert_is_as_asked(case);
            let image = world.engine.image(&reference("node-app:0.1")).unwrap();
            for destination in DESTINATIONS {
                let held = world.registry.tagged(&reference(destination));
                assert!(held.is_some_and(|held| image.is(&held)), "{case}: {destination}");
            }
            let push = world.status().push;
            assert!(push.len() == 3 && push.iter().all(|push| push.size.is_some()), "{case}: {push:?}");
        })
        .await;
    }
}
