//! Google's registry with a service account's key, and with the identity of a machine whose tokens soon end.

use std::process::Output;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use longshore_tests::registry_front::credentials::service_account_key;
use longshore_tests::{MetadataServer, RegistryFront, StandaloneProject};
use serde_json::{Value, json};

use super::{ENGINES, goes_and_comes_back};

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
