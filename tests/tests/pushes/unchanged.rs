//! What it costs that nothing has changed.

use longshore_tests::registry_front::{Kind, SeenRequest};
use longshore_tests::{RegistryFront, StandaloneProject};
use serde_json::json;

use super::{ENGINES, assert_is_pushed, log_in, pushed_with, repository_of};

#[test]
fn an_unchanged_push_costs_one_round_trip_a_tag_and_no_byte_of_a_blob() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        log_in(&project);
        let front = RegistryFront::of(&repository_of(&project));
        let file = pushed_with("gcr.io", &project, &json!({"tags": ["latest", "0.2", "0.2.1"]}), &[]);
        assert_is_pushed(&project, &project.up(&file).well().all());
        let before = front.requests();
        let sent: Vec<&SeenRequest> = before.iter().filter(|request| request.kind == Kind::Uploads).collect();
        assert!(sent.iter().map(|request| request.received).sum::<u64>() > 0, "{before:#?}");

        project.up(&file).well();
        let after = front.requests().split_off(before.len());
        assert!(after.len() <= 3, "{after:#?}");
        assert!(after.iter().all(|request| request.kind == Kind::Manifests && request.method != "PUT"), "{after:#?}");
    }
}
