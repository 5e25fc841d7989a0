//! What it costs to find that nothing has changed, counted at the registry.

use longshore_tests::registry_front::{Kind, SeenRequest};
use longshore_tests::{LabEngine, RegistryFront, StandaloneProject, eventually};
use serde_json::json;

use super::{ENGINES, assert_is_pushed, log_in, pushed_with, repository_of};

const TAGS: [&str; 3] = ["latest", "0.2", "0.2.1"];

#[test]
fn an_unchanged_push_costs_one_round_trip_a_tag_and_no_byte_of_a_blob() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        log_in(&project);
        let front = RegistryFront::of(&repository_of(&project));
        let file = pushed_with("gcr.io", &project, &json!({"tags": TAGS}), &[]);
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

/// `gcr.io` is shown a password at once; `evil.test` is a registry like any other, which wants tokens of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_lives_on_asks_once_a_tag_at_every_interval_and_sends_no_byte_of_a_blob() {
    for engine in ENGINES {
        for host in ["gcr.io", "evil.test"] {
            asks_once(engine, host).await;
        }
    }
}

async fn asks_once(engine: LabEngine, host: &str) {
    let project = StandaloneProject::begin(engine);
    let front = RegistryFront::of(&repository_of(&project));
    front.register(&project.name, "password");
    let config = json!({"auths": {host: {"username": project.name, "password": "password"}}});
    project.file("docker/config.json", &config.to_string());
    let file = pushed_with(host, &project, &json!({"tags": TAGS, "interval": "1s"}), &[]);
    let attached = project.attach(&file);
    let is_ready = || async { project.condition("pushed", "Ready")["status"] == "True" };
    eventually(&format!("it is pushed: {}", attached.told()), is_ready).await;
    // The look that follows the last push may find its authorisation for the first time.
    let looks = |from: usize| front.requests().split_off(from);
    let settled = front.requests().len() + TAGS.len();
    eventually("it has looked again", || async { front.requests().len() >= settled }).await;

    let before = front.requests().len();
    eventually("it looks on", || async { looks(before).len() >= 5 * TAGS.len() }).await;
    drop(attached);
    let after = looks(before);
    let is_one_question = |request: &SeenRequest| request.kind == Kind::Manifests && request.method == "HEAD";
    assert!(after.iter().all(|request| is_one_question(request) && request.status == 200), "{after:#?}");
    let of_each = TAGS.map(|tag| after.iter().filter(|request| request.path.ends_with(&format!("/{tag}"))).count());
    let (least, most) = (of_each.iter().min(), of_each.iter().max());
    assert!(most <= least.map(|least| least + 1).as_ref(), "{of_each:?}");
    let of_the_user = RegistryFront::requests_of(&project.name);
    assert!(of_the_user.iter().all(|request| request.host == host), "{of_the_user:#?}");
}
