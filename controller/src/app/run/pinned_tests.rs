//! Hashes that are on containers which run somewhere: a new version must find them again, or it replaces them all.

use serde_json::{Value, json};

use crate::app::{Bounds, ContainerSpec, Naming, OneShot, Security};

fn spec(run: &Value) -> ContainerSpec {
    let run: longshore_crds::Run = serde_json::from_value(run.clone()).unwrap();
    ContainerSpec {
        restart_policy: run.restart_policy,
        grace_period: std::time::Duration::from_secs(30),
        stop_signal: run.lifecycle.as_ref().and_then(|lifecycle| lifecycle.stop_signal),
        labels: run.labels.clone(),
        naming: Naming::of(&run).unwrap(),
        security: Security::of(&run).unwrap(),
        bounds: Bounds::of(&run).unwrap(),
        ..ContainerSpec::default()
    }
}

/// Everything that is hashed as a setting.
fn everything() -> Value {
    json!({
        "hostname": "web",
        "hostAliases": [{"ip": "10.0.0.7", "hostnames": ["db", "cache"]}],
        "dnsConfig": {"nameservers": ["10.0.0.53"], "searches": ["a.example"], "options": [{"name": "ndots", "value": "2"}]},
        "labels": {"team": "shop"},
        "lifecycle": {"stopSignal": "SIGQUIT"},
        "logs": {"maxSize": "10Mi", "maxFiles": 3},
        "securityContext": {
            "runAsUser": 7, "runAsGroup": 8, "supplementalGroups": [10, 9],
            "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["NET_RAW", "ALL"]},
            "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}],
        },
        "resources": {
            "limits": {"memory": "64Mi", "cpu": "0.5", "nvidia.com/gpu": 1, "longshore.dev/pids": 50},
            "requests": {"memory": "32Mi", "cpu": "250m"},
        },
    })
}

#[test]
fn the_hash_of_a_spec_without_settings_is_that_of_the_first_versions() {
    assert_eq!(spec(&json!({})).hash().as_str(), "v1-6341bc95ca889bf4c2646ea88d0c5a94955854604ef295a7283823dabf26a74f");
}

#[test]
fn the_hash_of_every_setting_stays() {
    assert_eq!(
        spec(&everything()).hash().as_str(),
        "v1-655df53c029013c642fd1c29c3a7dc763fbe7c3eec48a75a091b238f852f75d5"
    );
}

#[test]
fn of_a_one_shot_only_the_tries_of_the_engine_are_in_the_hash() {
    let with = |fields: &Value| {
        let run: longshore_crds::Run = serde_json::from_value(fields.clone()).unwrap();
        let retries = OneShot::of(&run).unwrap().tries_by_the_engine(run.restart_policy);
        ContainerSpec { retries, ..spec(fields) }.hash()
    };
    let all = |policy: &str| {
        json!({
            "restartPolicy": policy, "activeDeadlineSeconds": 7, "ttlSecondsAfterFinished": 8, "schedule": "@daily",
            "timeZone": "Europe/Berlin", "startingDeadlineSeconds": 9,
        })
    };
    for policy in ["Never", "OnFailure"] {
        assert_eq!(with(&all(policy)), spec(&json!({"restartPolicy": policy})).hash());
        let mut limited = all(policy);
        limited["backoffLimit"] = json!(6);
        assert_eq!(with(&limited) == with(&all(policy)), policy == "Never");
    }
}

#[test]
fn each_setting_makes_another_hash() {
    let nothing = spec(&json!({})).hash();
    for (field, value) in everything().as_object().unwrap() {
        assert_ne!(spec(&json!({field: value})).hash(), nothing, "{field}");
    }
}

#[test]
fn what_means_the_same_has_the_same_hash() {
    let written = |memory: &str, drop: &[&str], groups: &[i64]| {
        spec(&json!({
            "resources": {"limits": {"memory": memory}},
            "securityContext": {"capabilities": {"drop": drop}, "supplementalGroups": groups},
        }))
        .hash()
    };
    assert_eq!(written("64Mi", &["ALL", "CHOWN"], &[1, 2]), written("67108864", &["CHOWN", "ALL"], &[2, 1]));
    // What is the engine's own way is no setting.
    let plain = json!({"securityContext": {"readOnlyRootFilesystem": false, "allowPrivilegeEscalation": true}});
    assert_eq!(spec(&plain).hash(), spec(&json!({})).hash());
}
