//! What is planned in which situation, and that the plan leads where it should.

mod drift;
mod foreign;
mod images;
mod inputs;
mod liveness;
mod names;
mod networks;
mod ports;
mod pulls;
mod pushes;
mod readiness;
mod remote_retention;
mod revisions;
mod rollback_to;
mod running;

use std::time::Duration;

use jiff::Timestamp;
use longshore_crds::{Protocol, RestartPolicy};

use super::*;
use crate::app::Retry;
use crate::app::{
    Action, BuildSpec, ContainerDetail, ContainerId, ContainerSpec, ContainerState, ContextDigest, Destination, Digest,
    EngineImageId, Failure, ImageSource, InputHash, Instance, ManifestDigest, NetworkPlace, OneShot, Owner, Part,
    PublishedPort, Pull, PushRules, Reason, Rollout, RunSpec, WantedPort, labels,
};

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn owner() -> Owner {
    Owner {
        instance: Instance::new("test"),
        uid: "uid-1".to_owned(),
        namespace: "default".to_owned(),
        name: "my-app".to_owned(),
    }
}

fn port(host_port: u16) -> PublishedPort {
    PublishedPort { host_ip: "0.0.0.0".parse().unwrap(), host_port, container_port: 80, protocol: Protocol::Tcp }
}

fn spec(ports: &[u16]) -> ContainerSpec {
    ContainerSpec {
        ports: ports.iter().copied().map(port).map(WantedPort::from).collect(),
        restart_policy: RestartPolicy::Always,
        grace_period: Duration::from_secs(30),
        ..ContainerSpec::default()
    }
}

fn build_spec(content: &str) -> BuildSpec {
    BuildSpec::of(ContextDigest(Digest::of(content)))
}

/// A resource that builds node-app:0.1 and runs it on port 4000.
fn wanted() -> Desired {
    Desired {
        owner: owner(),
        generation: 1,
        engine: "default".to_owned(),
        repository: "node-app".parse().unwrap(),
        image: "node-app:0.1".parse().unwrap(),
        source_trouble: None,
        source: Ok(ImageSource::Build(Box::new(build_spec("one")))),
        tags: vec!["node-app:0.1".parse().unwrap()],
        destinations: Vec::new(),
        run: Some(RunSpec {
            name: "my-app".to_owned(),
            is_stopped: false,
            container: Ok(spec(&[4000])),
            rollout: Rollout::default(),
            one_shot: OneShot::default(),
        }),
        revision_history_limit: 3,
        rollback_to: None,
        progress_deadline: Duration::from_secs(600),
    }
}

/// A resource that pulls hello-world and runs it once.
fn one_shot() -> Desired {
    let mut container = spec(&[]);
    container.restart_policy = RestartPolicy::Never;
    Desired {
        repository: "hello-world".parse().unwrap(),
        image: "hello-world".parse().unwrap(),
        source: Ok(ImageSource::Pull(Pull::default())),
        tags: Vec::new(),
        run: Some(RunSpec {
            name: "my-app".to_owned(),
            is_stopped: false,
            container: Ok(container),
            rollout: Rollout::default(),
            one_shot: OneShot::default(),
        }),
        ..wanted()
    }
}

fn image(name: &str, references: &[ImageReference]) -> Image {
    let id: EngineImageId = Digest::of(name).as_str().parse().unwrap();
    Image {
        config: Some(id.to_string().parse().unwrap()),
        id,
        references: references.to_vec(),
        manifests: BTreeSet::new(),
        target: None,
        labels: BTreeMap::new(),
        size: 1000,
        sent_alone: None,
        created_at: Some(now()),
    }
}

/// The image that [`wanted`] builds, with its private and its public tag.
fn built_image(desired: &Desired) -> Image {
    let private = desired.owner.private_reference(&desired.image_key().unwrap());
    let mut image = image("built", &[private, desired.image.clone()]);
    let hash = desired.input_hash().unwrap();
    image.labels.insert(labels::INPUT_HASH.to_owned(), hash.as_str().to_owned());
    image
}

/// What everything on this engine has around it: the network of the namespace.
fn engine() -> Observed {
    Observed { networks: vec![network("n1")], ..Observed::default() }
}

fn network(id: &str) -> Network {
    Network { id: id.to_owned(), name: owner().network_name(), labels: owner().network_labels(), created_at: now() }
}

fn place() -> NetworkPlace {
    NetworkPlace { network_id: Some("n1".to_owned()), address: Some("172.18.0.2".to_owned()) }
}

/// A container as this resource makes it, that runs.
fn container(desired: &Desired, image: &Image, id: &str) -> Container {
    let run = desired.run.as_ref().unwrap();
    let spec = run.container.as_ref().unwrap();
    let mut labels = desired.owner.labels();
    labels.insert(labels::SPEC_HASH.to_owned(), spec.hash().as_str().to_owned());
    Container {
        id: ContainerId(id.to_owned()),
        name: run.name.clone(),
        image: image.id.clone(),
        labels,
        state: ContainerState::Running,
        ports: spec.ports.iter().filter_map(WantedPort::fixed).collect(),
        health: None,
        networks: BTreeMap::from([(desired.owner.network_name(), place())]),
        created_at: now(),
        detail: Some(ContainerDetail {
            asked_ports: spec.ports.clone(),
            started_at: Some(now() - Duration::from_secs(60)),
            ..ContainerDetail::default()
        }),
    }
}

fn foreign_container(name: &str, ports: &[u16]) -> Container {
    Container {
        name: name.to_owned(),
        labels: BTreeMap::new(),
        ports: ports.iter().copied().map(port).collect(),
        ..container(&wanted(), &image("foreign", &[]), "foreign")
    }
}

fn everything_well(desired: &Desired) -> Observed {
    let image = built_image(desired);
    Observed { containers: vec![container(desired, &image, "c1")], images: vec![image], ..engine() }
}

fn actions(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.action.to_string()).collect()
}

fn short_hash(desired: &Desired) -> String {
    desired.input_hash().unwrap().as_str()[..15].to_owned()
}

#[test]
fn from_nothing_the_image_is_built_tagged_and_run() {
    let desired = wanted();
    let plan = plan(&desired, &engine(), now());
    let build = format!("build image {}", short_hash(&desired));
    let expected = [&build, "tag image node-app:0.1", "create container my-app", "start container my-app"];
    assert_eq!(actions(&plan), expected);
    assert_eq!(plan.steps[0].cause, "no image with these inputs is on the engine");
    assert_eq!(plan.claims, BTreeSet::from([desired.image.clone()]));
}

#[test]
fn nothing_is_done_when_everything_is_well() {
    let desired = wanted();
    let plan = plan(&desired, &everything_well(&desired), now());
    assert_eq!(actions(&plan), Vec::<String>::new());
    assert!(plan.is_fulfilled(&desired));
}

#[test]
fn an_image_of_another_resource_with_the_same_inputs_is_not_built_again() {
    let desired = wanted();
    let other = Owner { uid: "uid-2".to_owned(), ..owner() };
    let mut theirs = built_image(&desired);
    theirs.references = vec![other.private_reference(&desired.image_key().unwrap())];
    let observed = Observed { images: vec![theirs], ..engine() };
    let plan = plan(&desired, &observed, now());
    assert!(matches!(plan.steps[0].action, Action::TagImage { .. }), "{:?}", plan.steps[0]);
    assert!(plan.steps[0].cause.contains("already"), "{}", plan.steps[0].cause);
    assert!(!actions(&plan).iter().any(|action| action.starts_with("build")));
}

#[test]
fn a_private_tag_that_somebody_moved_does_not_count() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.images[0].labels.clear();
    let plan = plan(&desired, &observed, now());
    assert!(matches!(plan.steps[0].action, Action::BuildImage { .. }));
}

#[test]
fn an_image_that_is_on_the_engine_is_not_pulled_and_is_not_claimed() {
    let desired = one_shot();
    let observed = Observed { images: vec![image("hello", std::slice::from_ref(&desired.image))], ..engine() };
    let plan = plan(&desired, &observed, now());
    assert!(matches!(plan.steps[0].action, Action::TagImage { .. }));
    assert_eq!(plan.steps[0].cause, "hello-world:latest is on the engine already, so it is not pulled");
    assert!(plan.claims.is_empty());
}

#[test]
fn a_changed_port_replaces_the_container_and_says_so() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].labels.insert(labels::SPEC_HASH.to_owned(), "v1-older".to_owned());
    observed.containers[0].ports = vec![port(8080)];
    observed.containers[0].detail.as_mut().unwrap().asked_ports = vec![port(8080).into()];
    let plan = plan(&desired, &observed, now());
    assert_eq!(
        actions(&plan),
        [
            "create container my-app.next",
            "stop container my-app",
            "rename container my-app to my-app.previous",
            "rename container my-app.next to my-app",
            "start container my-app",
            "remove container my-app",
        ]
    );
    assert_eq!(plan.steps[0].cause, "port 8080 is published, port 4000 is asked for");
}

#[test]
fn a_container_that_runs_without_its_ports_is_replaced() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].ports.clear();
    let plan = plan(&desired, &observed, now());
    assert_eq!(plan.steps[0].cause, "no port is published, port 4000 is asked for");
    assert!(actions(&plan)[0].starts_with("create container"));
}

#[test]
fn a_container_that_is_gone_comes_back_and_the_cause_says_that_it_was_there() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers.clear();
    observed.memory.container = Some("my-app".to_owned());
    let plan = plan(&desired, &observed, now());
    assert_eq!(actions(&plan), ["create container my-app", "start container my-app"]);
    assert_eq!(plan.steps[0].cause, "the container my-app is gone, though it should run");
}

#[test]
fn a_stopped_container_is_started() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].state = ContainerState::Exited;
    observed.containers[0].ports.clear();
    let plan = plan(&desired, &observed, now());
    assert_eq!(actions(&plan), ["start container my-app"]);
}

#[test]
fn a_container_left_by_a_failed_start_is_never_started() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].state = ContainerState::Created;
    observed.containers[0].detail.as_mut().unwrap().exit_code = 128;
    let plan = plan(&desired, &observed, now());
    assert_eq!(actions(&plan), ["remove container my-app"]);
}

#[test]
fn a_container_that_was_made_and_not_started_is_started() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].state = ContainerState::Created;
    let plan = plan(&desired, &observed, now());
    assert_eq!(actions(&plan), ["start container my-app"]);
}

#[test]
fn the_holder_of_a_port_is_named() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers = vec![foreign_container("web", &[4000])];
    let plan = plan(&desired, &observed, now());
    assert_eq!(plan.steps, Vec::new());
    assert_eq!(plan.blocks[0].reason, Reason::PortConflict);
    assert!(plan.blocks[0].message.starts_with("port 4000 is held by the container web"));
}

#[test]
fn a_tag_that_somebody_else_made_is_not_moved() {
    let desired = wanted();
    let private = desired.owner.private_reference(&desired.image_key().unwrap());
    let mut ours = built_image(&desired);
    ours.references = vec![private];
    let observed = Observed { images: vec![ours, image("foreign", std::slice::from_ref(&desired.image))], ..engine() };
    let plan = plan(&desired, &observed, now());
    assert_eq!(plan.blocks[0].reason, Reason::TagConflict);
    assert!(!actions(&plan).contains(&"tag image node-app:0.1".to_owned()));
    assert!(plan.claims.is_empty());
}

#[test]
fn a_build_that_failed_is_not_tried_again_until_its_inputs_change() {
    let mut desired = wanted();
    let mut observed = engine();
    let hash = InputHash::of(&build_spec("one"));
    let reference = desired.owner.private_reference(&desired.image_key().unwrap());
    let failure = Failure {
        count: 0,
        last: now(),
        part: Part::Image,
        reason: Reason::BuildFailed,
        message: "step 2 failed".to_owned(),
        retry: Retry::Never,
        build_failure: None,
    };
    observed.attempts.failed(&Action::BuildImage { hash, reference, pull: false, anew: false }, failure);
    let later = now() + Duration::from_secs(86400);
    let blocked = plan(&desired, &observed, later);
    assert_eq!((blocked.steps.len(), blocked.blocks[0].reason), (0, Reason::BuildFailed));
    desired.source = Ok(ImageSource::Build(Box::new(build_spec("two"))));
    assert!(matches!(plan(&desired, &observed, later).steps[0].action, Action::BuildImage { .. }));
}

#[test]
fn a_new_container_that_fails_gives_way_to_the_old_one_and_is_not_tried_again() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].state = ContainerState::Created;
    observed.containers[0].detail.as_mut().unwrap().error = "no such file".to_owned();
    let mut old = container(&desired, &image("older", &[]), "c0");
    old.name = "my-app.previous".to_owned();
    old.state = ContainerState::Exited;
    observed.containers.push(old);
    let back = plan(&desired, &observed, now());
    assert_eq!(
        actions(&back),
        ["remove container my-app", "rename container my-app.previous to my-app", "start container my-app",]
    );
    assert_eq!(back.blocks[0].reason, Reason::RolledBack);
    assert!(back.blocks[0].message.contains("no such file"));

    // The old one is back; the status remembers the revision that failed.
    observed.memory.rolled_back = back.rolled_back;
    observed.containers.remove(0);
    observed.containers[0].name = "my-app".to_owned();
    observed.containers[0].state = ContainerState::Running;
    let settled = plan(&desired, &observed, now());
    assert_eq!(actions(&settled), Vec::<String>::new());
    assert_eq!(settled.blocks[0].reason, Reason::RolledBack);
}

#[test]
fn a_one_shot_that_has_exited_with_0_is_done() {
    let desired = one_shot();
    let private = desired.owner.private_reference(&desired.image_key().unwrap());
    let image = image("hello", &[private, desired.image.clone()]);
    let mut done = container(&desired, &image, "c1");
    done.state = ContainerState::Exited;
    let observed = Observed { containers: vec![done], images: vec![image], ..engine() };
    let plan = plan(&desired, &observed, now());
    assert_eq!((plan.steps.len(), plan.run.clone()), (0, RunState::Completed));
    assert!(plan.is_fulfilled(&desired));
}

#[test]
fn a_one_shot_that_failed_is_not_run_again() {
    let desired = one_shot();
    let private = desired.owner.private_reference(&desired.image_key().unwrap());
    let image = image("hello", &[private]);
    let mut failed = container(&desired, &image, "c1");
    failed.state = ContainerState::Exited;
    failed.detail.as_mut().unwrap().exit_code = 3;
    let observed = Observed { containers: vec![failed], images: vec![image], ..engine() };
    let plan = plan(&desired, &observed, now());
    assert_eq!((plan.steps.len(), plan.blocks[0].reason), (0, Reason::RunFailed));
}
