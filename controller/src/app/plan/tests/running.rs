//! What is set beyond image and ports: what tells one container from the next, volumes that stay, and stopping.

use super::*;
use crate::app::{Bounds, Bytes, KeyOrigin, Mount, MountSource, MountedFile, ObjectKind, Volume};

fn with(change: impl Fn(&mut ContainerSpec)) -> Desired {
    let mut desired = wanted();
    if let Some(Ok(spec)) = desired.run.as_mut().map(|run| run.container.as_mut()) {
        change(spec);
    }
    desired
}

/// The container of one resource, as it was made for another spec of it, tells what it was made for.
fn made_for(desired: &Desired) -> Observed {
    let mut observed = everything_well(desired);
    let told = desired.run.as_ref().unwrap().container.as_ref().unwrap().told().to_label();
    observed.containers[0].labels.insert(labels::SETTINGS.to_owned(), told);
    observed
}

fn cause(before: &Desired, now_wanted: &Desired) -> String {
    let plan = plan(now_wanted, &made_for(before), now());
    assert!(actions(&plan)[0].starts_with("create container"), "{:?}", actions(&plan));
    plan.steps[0].cause.clone()
}

#[test]
fn another_setting_is_told_with_both_values() {
    let limited = |mebibytes: u64| {
        with(|spec| spec.bounds = Bounds { memory: Some(Bytes(mebibytes << 20)), ..Bounds::default() })
    };
    assert_eq!(cause(&limited(64), &limited(128)), "memory limit 64Mi \u{2192} 128Mi");
    assert_eq!(cause(&wanted(), &limited(64)), "memory limit none \u{2192} 64Mi");
}

#[test]
fn a_container_that_an_earlier_version_made_is_told_in_general_words() {
    let desired = with(|spec| spec.naming.hostname = Some("web".to_owned()));
    let plan = plan(&desired, &everything_well(&wanted()), now());
    assert_eq!(plan.steps[0].cause, "the run section has changed");
}

fn mounted(content: &str) -> Desired {
    let file = MountedFile {
        path: "password".to_owned(),
        mode: 0o400,
        content: content.as_bytes().to_vec(),
        origin: KeyOrigin { kind: ObjectKind::Secret, name: "db".to_owned(), key: "password".to_owned() },
    };
    let source = MountSource::Files(vec![file]);
    with(|spec| {
        spec.mounts = vec![Mount { path: "/run/db".to_owned(), is_read_only: true, source: source.clone() }];
    })
}

#[test]
fn another_content_of_a_file_is_told_by_its_key_and_nothing_of_it_is_kept() {
    assert_eq!(
        cause(&mounted("first-canary"), &mounted("second-canary")),
        "the key password of the Secret db at /run/db/password has changed"
    );
    let label = made_for(&mounted("first-canary")).containers[0].labels[labels::SETTINGS].clone();
    assert!(!label.contains("canary"), "{label}");
    let printed = format!("{:?}", mounted("first-canary").run);
    assert!(!printed.contains("canary") && printed.contains("password (400)"), "{printed}");
}

#[test]
fn the_key_of_a_variable_is_told_before_the_variables_that_are_made_of_it() {
    let valued = |value: &str| {
        with(|spec| {
            let origin = KeyOrigin { kind: ObjectKind::Secret, name: "npm".to_owned(), key: "token".to_owned() };
            spec.env.insert("A_HEADER".to_owned(), format!("Bearer {value}"));
            spec.env.insert("TOKEN".to_owned(), value.to_owned());
            spec.env_origins.insert("TOKEN".to_owned(), origin);
        })
    };
    let mut observed = made_for(&valued("one"));
    let env = valued("one").run.unwrap().container.unwrap().env;
    observed.containers[0].detail.as_mut().unwrap().env = env;
    let plan = plan(&valued("two"), &observed, now());
    assert_eq!(plan.steps[0].cause, "the key token of the Secret npm has changed");
}

fn claiming() -> Desired {
    let source = MountSource::Claim(owner().volume_name("data"));
    with(|spec| spec.mounts = vec![Mount { path: "/data".to_owned(), is_read_only: false, source: source.clone() }])
}

fn engine_with_volume(labels: BTreeMap<String, String>) -> Observed {
    let mut observed = everything_well(&claiming());
    observed.containers.clear();
    observed.volumes = vec![Volume { name: "my-app.data".to_owned(), labels }];
    observed
}

#[test]
fn a_volume_that_stays_is_made_before_the_container_and_once() {
    let mut observed = everything_well(&claiming());
    observed.containers.clear();
    let made = actions(&plan(&claiming(), &observed, now()));
    assert_eq!(made, ["create volume my-app.data", "create container my-app", "start container my-app"]);
    let made = actions(&plan(&claiming(), &engine_with_volume(owner().labels()), now()));
    assert_eq!(made, ["create container my-app", "start container my-app"]);
    // The resource was deleted and made anew.
    let earlier = Owner { uid: "uid-0".to_owned(), ..owner() };
    let made = actions(&plan(&claiming(), &engine_with_volume(earlier.labels()), now()));
    assert_eq!(made, ["create container my-app", "start container my-app"]);
}

#[test]
fn a_volume_of_anybody_else_is_never_taken() {
    let others = [
        BTreeMap::new(),
        Owner { instance: Instance::new("other"), ..owner() }.labels(),
        Owner { namespace: "shop".to_owned(), ..owner() }.labels(),
        Owner { name: "web".to_owned(), ..owner() }.labels(),
    ];
    for labels in others {
        let plan = plan(&claiming(), &engine_with_volume(labels), now());
        assert_eq!(plan.steps, Vec::new());
        assert_eq!(plan.blocks[0].reason, Reason::VolumeConflict);
        assert!(plan.blocks[0].message.contains("docker volume rm my-app.data"), "{}", plan.blocks[0].message);
    }
}

#[test]
fn what_held_folders_is_removed_once_the_container_that_has_them_has_started() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].state = ContainerState::Created;
    let mut holder =
        Container { name: "somehow".to_owned(), id: ContainerId("h1".to_owned()), ..observed.containers[0].clone() };
    holder.labels.remove(labels::SPEC_HASH);
    holder.labels.insert(labels::FOLDERS_OF.to_owned(), "my-app".to_owned());
    observed.containers.push(holder);
    assert_eq!(actions(&plan(&desired, &observed, now())), ["start container my-app"]);
    observed.containers[0].state = ContainerState::Running;
    assert_eq!(actions(&plan(&desired, &observed, now())), ["remove container somehow"]);
    // Where the container was never made, it has nothing to lose.
    observed.containers.remove(0);
    let without = actions(&plan(&desired, &observed, now()));
    assert_eq!(without, ["remove container somehow", "create container my-app", "start container my-app"]);
}

fn stopped() -> Desired {
    let mut desired = wanted();
    desired.run.as_mut().unwrap().is_stopped = true;
    desired
}

#[test]
fn a_container_that_is_to_be_stopped_is_kept() {
    let desired = stopped();
    let mut observed = everything_well(&desired);
    let stopping = plan(&desired, &observed, now());
    assert_eq!(actions(&stopping), ["stop container my-app"]);
    assert!(!stopping.is_fulfilled(&desired));

    observed.containers[0].state = ContainerState::Exited;
    // Whatever it was made for.
    observed.containers[0].labels.insert(labels::SPEC_HASH.to_owned(), "v1-older".to_owned());
    let kept = plan(&desired, &observed, now());
    assert_eq!(actions(&kept), Vec::<String>::new());
    assert!(kept.is_fulfilled(&desired));
    assert_eq!(kept.container.unwrap().name, "my-app");
}

#[test]
fn a_container_that_is_stopped_and_was_never_made_stays_unmade() {
    let mut observed = everything_well(&stopped());
    observed.containers.clear();
    let plan = plan(&stopped(), &observed, now());
    assert_eq!(actions(&plan), Vec::<String>::new());
    assert!(plan.is_fulfilled(&stopped()));
}

#[test]
fn an_interrupted_one_shot_runs_again() {
    let mut desired = one_shot();
    desired.run.as_mut().unwrap().is_stopped = true;
    let image = image("hello", &[desired.image.clone(), owner().private_reference(&desired.image_key().unwrap())]);
    let mut observed =
        Observed { containers: vec![container(&desired, &image, "c1")], images: vec![image], ..engine() };
    observed.containers[0].state = ContainerState::Exited;
    observed.containers[0].detail.as_mut().unwrap().exit_code = 137;
    desired.run.as_mut().unwrap().is_stopped = false;
    assert_eq!(plan(&desired, &observed, now()).blocks[0].reason, Reason::RunFailed);

    let status = json_status("Stopped");
    observed.memory = Memory::of(&status);
    let again = plan(&desired, &observed, now());
    assert_eq!(actions(&again), ["start container my-app"]);
    assert_eq!(again.steps[0].cause, "run.stopped is true no longer");
    observed.containers[0].detail.as_mut().unwrap().exit_code = 0;
    assert_eq!(plan(&desired, &observed, now()).run, RunState::Completed);
}

/// The status of a resource whose Ready has this reason.
fn json_status(reason: &str) -> longshore_crds::ContainerAppStatus {
    let condition = serde_json::json!({
        "type": "Ready", "status": "True", "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    serde_json::from_value(serde_json::json!({"conditions": [condition], "observedGeneration": 1})).unwrap()
}

#[test]
fn volumes_go_after_their_container_and_only_those_of_the_resource() {
    let mut observed = engine_with_volume(owner().labels());
    observed.containers = everything_well(&claiming()).containers;
    observed.networks.clear();
    let foreign =
        Volume { name: "other.data".to_owned(), labels: Owner { name: "other".to_owned(), ..owner() }.labels() };
    observed.volumes.push(foreign);
    let steps = |observed: &Observed| -> Vec<String> {
        let steps = plan_removal(&owner(), observed, Removal::Containers, Duration::from_secs(1));
        steps.iter().map(|step| step.action.to_string()).collect()
    };
    assert_eq!(steps(&observed), ["stop container my-app", "remove container my-app", "remove volume my-app.data"]);
    // They are looked for only when they are to go.
    observed.volumes.clear();
    assert_eq!(steps(&observed), ["stop container my-app", "remove container my-app"]);
}
