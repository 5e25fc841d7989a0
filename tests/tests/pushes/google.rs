//! Google's registry with a service account's key, and with the identity of a machine whose tokens soon end.

use std::process::Output;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use longshore_tests::registry_front::credentials::service_account_key;
use longshore_tests::{MetadataServer, RegistryFront, StandaloneProject, eventually};
use serde_json::{Value, json};

use super::{ENGINES, assert_is_pushed, goes_and_comes_back, pushed_with, repository_of};

fn opaque(key: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "gcr"},
        "stringData": {"key.json": key},
    })
}

#[test]
fn the_key_of_a_service_account_pushes_and_pulls() {
    for engine in ENGINES {
        for encoded in [false, true] {
            let project = StandaloneProject::begin(engine);
            let key = service_account_key(&project.name);
            let key = if encoded { BASE64_STANDARD.encode(key) } else { key };
            goes_and_comes_back(&project, &opaque(&key), |file| {
                project.command(&["up", "-d", "-f", file]).output().unwrap()
            });
            let user = format!("{}@my-project.iam.gserviceaccount.com", project.name);
            let shown = RegistryFront::requests_of(&user);
            assert!(!shown.is_empty() && shown.iter().all(|request| request.authorised), "{shown:#?}");
        }
    }
}

/// `up` on a machine that has this metadata server.
fn up_on(machine: &MetadataServer, project: &StandaloneProject, file: &str) -> Output {
    project.command(&["up", "-d", "-f", file]).env("GCE_METADATA_HOST", &machine.host).output().unwrap()
}

#[test]
fn a_push_that_would_begin_with_a_nearly_dead_token_waits_for_the_next() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let machine = MetadataServer::with_tokens_of(&project.name, 4, 60);
        goes_and_comes_back(&project, &Value::Null, |file| up_on(&machine, &project, file));
        let shown = RegistryFront::requests_of(&project.name);
        assert!(!shown.is_empty() && shown.iter().all(|request| request.authorised), "{shown:#?}");
    }
}

/// Twenty lives of a token later, in one process: a changed file is pushed as the first was.
#[tokio::test]
async fn a_process_goes_on_pushing_long_after_its_first_token_has_ended() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let machine = MetadataServer::with_tokens_of(&project.name, 3, 3);
        let file = pushed_with("gcr.io", &project, &json!({}), &[]);
        let attached = project.attach_with(&file, &[("GCE_METADATA_HOST", &machine.host)]);
        let is_pushed = || async { project.condition("pushed", "Pushed")["status"] == "True" };
        eventually("the first push", is_pushed).await;
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;

        let first = project.status("pushed")["push"][0]["digest"].clone();
        let text = std::fs::read_to_string(&file).unwrap().replace("made-for", "made-later-for");
        std::fs::write(&file, text).unwrap();
        eventually("another push", || async {
            let push = project.status("pushed")["push"][0].clone();
            push["digest"].is_string() && push["digest"] != first && is_pushed().await
        })
        .await;
        assert_is_pushed(&project, &attached.told());
        let refused: Vec<_> = RegistryFront::of(&repository_of(&project))
            .requests()
            .into_iter()
            .filter(|seen| seen.user.is_some() && !seen.authorised)
            .collect();
        assert!(refused.is_empty(), "{refused:#?}");
    }
}
