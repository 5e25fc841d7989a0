//! When a container is ready, what becomes of the one before it, and the way back.

use super::*;
use crate::app::{Health, HealthReport, ImageTarget, Revision, RolledBack};

fn report(health: Health, failing_streak: u32) -> HealthReport {
    let last = if failing_streak > 0 { "exit code 1: refused".to_owned() } else { String::new() };
    HealthReport { health, failing_streak, interval: Duration::from_secs(10), last }
}

/// A container of the wanted image with this health, started so many seconds ago.
fn checked(desired: &Desired, health: Option<HealthReport>, up: u64) -> Container {
    let mut container = container(desired, &built_image(desired), "c1");
    let detail = container.detail.as_mut().unwrap();
    detail.health = health;
    detail.started_at = Some(now() - Duration::from_secs(up));
    container
}

/// The container before it, which has stepped aside.
fn previous(desired: &Desired) -> Container {
    let mut old = container(desired, &image("older", &[]), "c0");
    old.name = "my-app.previous".to_owned();
    old.state = ContainerState::Exited;
    old.ports.clear();
    old.detail.as_mut().unwrap().finished_at = Some(now() - Duration::from_secs(6));
    old
}

fn observed(desired: &Desired, containers: Vec<Container>) -> Observed {
    Observed { containers, images: vec![built_image(desired), image("older", &[])], ..engine() }
}

fn block(plan: &Plan) -> (Reason, &str) {
    (plan.blocks[0].reason, plan.blocks[0].message.as_str())
}

#[test]
fn a_container_that_is_not_healthy_yet_is_not_ready_and_that_is_said() {
    let desired = wanted();
    let plan =
        plan(&desired, &observed(&desired, vec![checked(&desired, Some(report(Health::Starting, 0)), 3)]), now());
    assert_eq!((plan.steps.len(), plan.run.clone()), (0, RunState::NotYet));
    let expected = "my-app has started and is not healthy yet: its health is checked every 10s";
    assert_eq!(block(&plan), (Reason::BecomingReady, expected));
    assert!(!plan.is_fulfilled(&desired));
}

#[test]
fn the_container_before_it_is_stopped_when_an_engine_has_started_it_again() {
    let mut desired = wanted();
    let starting = checked(&desired, Some(report(Health::Starting, 0)), 3);
    let old = Container { state: ContainerState::Running, ..previous(&desired) };
    let mut observed = observed(&desired, vec![starting, old]);
    let planned = plan(&desired, &observed, now());
    assert_eq!(container_actions(&planned), ["stop container my-app.previous"]);
    assert_eq!(planned.steps[0].cause, "it was started again beside its successor");
    assert_eq!(block(&planned).0, Reason::BecomingReady);

    // With Overlap both are to run until then.
    let run = desired.run.as_mut().unwrap();
    run.rollout.strategy = longshore_crds::Strategy::Overlap;
    for (container, name) in observed.containers.iter_mut().zip(["my-app.next", "my-app"]) {
        name.clone_into(&mut container.name);
    }
    assert!(container_actions(&plan(&desired, &observed, now())).is_empty());
}

#[test]
fn a_healthy_container_is_ready() {
    let desired = wanted();
    let healthy = checked(&desired, Some(report(Health::Healthy, 0)), 3);
    assert!(plan(&desired, &observed(&desired, vec![healthy]), now()).is_fulfilled(&desired));
}

#[test]
fn an_unhealthy_container_with_nothing_to_go_back_to_stays_and_is_not_ready() {
    let desired = wanted();
    let unwell = checked(&desired, Some(report(Health::Unhealthy, 3)), 60);
    let plan = plan(&desired, &observed(&desired, vec![unwell]), now());
    assert_eq!(plan.steps.len(), 0);
    let expected =
        "my-app is not healthy: its health check has failed 3 times in a row, last with exit code 1: refused";
    assert_eq!(block(&plan), (Reason::Unhealthy, expected));
}

#[test]
fn min_ready_seconds_count_from_the_start_with_and_without_a_health_check() {
    let mut desired = wanted();
    desired.run.as_mut().unwrap().rollout.min_ready = Some(Duration::from_secs(30));
    for health in [None, Some(report(Health::Healthy, 0))] {
        let early = plan(&desired, &observed(&desired, vec![checked(&desired, health.clone(), 20)]), now());
        assert_eq!(
            block(&early),
            (Reason::BecomingReady, "my-app has started, and is ready once it has been up for 30s")
        );
        assert_eq!(early.next_look(), Some(Duration::from_secs(10)));
        let late = plan(&desired, &observed(&desired, vec![checked(&desired, health, 30)]), now());
        assert!(late.is_fulfilled(&desired));
    }
}

#[test]
fn the_old_container_is_kept_until_the_new_one_is_healthy() {
    let desired = wanted();
    let starting = checked(&desired, Some(report(Health::Starting, 1)), 5);
    let waiting = plan(&desired, &observed(&desired, vec![starting, previous(&desired)]), now());
    assert_eq!(waiting.steps, Vec::new());
    assert!(block(&waiting).1.ends_with("; the container before it is kept until then"), "{}", block(&waiting).1);

    let healthy = checked(&desired, Some(report(Health::Healthy, 0)), 5);
    let mut observed = observed(&desired, vec![healthy, previous(&desired)]);
    let done = plan(&desired, &observed, now());
    assert_eq!(actions(&done), ["remove container my-app.previous"]);
    // Ended six seconds ago, and the new one started five seconds ago.
    assert_eq!(gap(&done), Some(Duration::from_secs(1)));
    assert!(done.steps[0].cause.starts_with("it runs the image "), "{}", done.steps[0].cause);
    observed.stops.insert(ContainerId("c0".to_owned()), Duration::from_millis(300));
    assert_eq!(gap(&plan(&desired, &observed, now())), Some(Duration::from_millis(1300)));
}

/// The gap that the first step tells.
fn gap(plan: &Plan) -> Option<Duration> {
    match plan.steps[0].action {
        Action::RemoveContainer { gap, .. } => gap,
        _ => None,
    }
}

#[test]
fn without_a_health_check_the_old_container_is_kept_for_a_moment() {
    let desired = wanted();
    let fresh = plan(&desired, &observed(&desired, vec![checked(&desired, None, 0), previous(&desired)]), now());
    assert_eq!((fresh.steps.len(), fresh.next_look()), (0, Some(Duration::from_secs(1))));
    assert_eq!(block(&fresh).0, Reason::Starting);
    let settled = plan(&desired, &observed(&desired, vec![checked(&desired, None, 1), previous(&desired)]), now());
    assert_eq!(actions(&settled), ["remove container my-app.previous"]);
}

#[test]
fn an_unhealthy_new_container_gives_way_to_the_old_one_and_why_is_remembered() {
    let desired = wanted();
    let unwell = checked(&desired, Some(report(Health::Unhealthy, 3)), 40);
    let mut observed = observed(&desired, vec![unwell, previous(&desired)]);
    let back = plan(&desired, &observed, now());
    let expected = [
        "stop container my-app",
        "remove container my-app",
        "rename container my-app.previous to my-app",
        "start container my-app",
    ];
    assert_eq!(actions(&back), expected);
    let (reason, message) = block(&back);
    assert_eq!(reason, Reason::RolledBack);
    assert!(
        message.contains("(its health check has failed 3 times in a row, last with exit code 1: refused)"),
        "{message}"
    );

    // It has been stopped meanwhile. That it ended is not why.
    observed.memory.rolled_back = back.rolled_back.clone();
    observed.containers[0].state = ContainerState::Exited;
    observed.containers[0].ports.clear();
    observed.containers[0].detail.as_mut().unwrap().exit_code = 137;
    assert_eq!(block(&plan(&desired, &observed, now())), block(&back));

    // The engine has started it once more meanwhile. That helps it no more.
    observed.containers[0].state = ContainerState::Running;
    observed.containers[0].ports = vec![port(4000)];
    assert_eq!(container_actions(&plan(&desired, &observed, now())), expected);

    // The old one runs again, six seconds after its end.
    observed.containers.remove(0);
    let old = &mut observed.containers[0];
    old.name = "my-app".to_owned();
    old.state = ContainerState::Running;
    old.detail.as_mut().unwrap().started_at = Some(now());
    let settled = plan(&desired, &observed, now());
    assert_eq!(settled.steps, Vec::new());
    assert!(block(&settled).1.contains("so the one before it runs again, after 6.0 s"), "{}", block(&settled).1);
}

#[test]
fn a_new_container_that_does_not_become_healthy_in_time_gives_way_too() {
    let desired = wanted();
    let starting = checked(&desired, Some(report(Health::Starting, 0)), 600);
    let back = plan(&desired, &observed(&desired, vec![starting.clone(), previous(&desired)]), now());
    assert_eq!(block(&back).0, Reason::RolledBack);
    // One that replaces nothing goes on trying.
    assert_eq!(plan(&desired, &observed(&desired, vec![starting]), now()).steps, Vec::new());
}

/// What is known once revision 1, of the older image, was ready.
fn with_the_older_image_recorded(desired: &Desired, containers: Vec<Container>) -> Observed {
    let older = image("older", &[]);
    let revision = crate::app::RevisionRecord {
        owner_uid: desired.owner.uid.clone(),
        spec: longshore_crds::ContainerAppRevisionSpec {
            app: "my-app".to_owned(),
            revision: 1,
            image: desired.image.to_string(),
            input_hash: None,
            source: None,
            inputs: None,
        },
        status: longshore_crds::ContainerAppRevisionStatus {
            outcome: longshore_crds::RevisionOutcome::Succeeded,
            started_at: None,
            finished_at: None,
            image: Some(longshore_crds::RevisionImage {
                id: older.id.to_string(),
                config_digest: None,
                manifest_digest: None,
                size: None,
            }),
            build: None,
            log: String::new(),
        },
    };
    let mut observed = observed(desired, containers);
    observed.revisions = Some(vec![std::sync::Arc::new(revision)]);
    observed.memory.current_revision = Some(1);
    observed
}

/// The steps that concern the container.
fn container_actions(plan: &Plan) -> Vec<String> {
    actions(plan).into_iter().filter(|action| action.contains("container")).collect()
}

#[test]
fn where_the_old_container_is_gone_its_image_is_run_instead() {
    let desired = wanted();
    let unwell = checked(&desired, Some(report(Health::Unhealthy, 3)), 40);
    let mut observed = with_the_older_image_recorded(&desired, vec![unwell]);
    let back = plan(&desired, &observed, now());
    let expected =
        ["stop container my-app", "remove container my-app", "create container my-app", "start container my-app"];
    assert_eq!(container_actions(&back), expected);
    let made_of = back.steps.iter().find_map(|step| match &step.action {
        Action::CreateContainer { image, .. } => Some(image.clone()),
        _ => None,
    });
    assert_eq!(made_of, Some(ImageTarget::Present(image("older", &[]).id)));
    assert_eq!(back.current_revision, None, "what was ready last stays remembered");

    // A process died between the two; the next one starts what was made.
    observed.memory.rolled_back = back.rolled_back;
    let mut made = container(&desired, &image("older", &[]), "c2");
    made.state = ContainerState::Created;
    made.ports.clear();
    observed.containers = vec![made];
    assert_eq!(container_actions(&plan(&desired, &observed, now())), ["start container my-app"]);

    observed.containers[0].state = ContainerState::Running;
    let settled = plan(&desired, &observed, now());
    assert_eq!((container_actions(&settled), block(&settled).0), (Vec::new(), Reason::RolledBack));
    assert_eq!(settled.current_revision, Some(1));

    // And it is made anew when somebody removes it.
    observed.containers.clear();
    assert_eq!(
        container_actions(&plan(&desired, &observed, now())),
        ["create container my-app", "start container my-app"]
    );
}

#[test]
fn a_way_back_that_is_barred_is_not_tried_without_end() {
    let desired = wanted();
    let mut observed = observed(&desired, vec![Container { name: "my-app".to_owned(), ..previous(&desired) }]);
    let revision = Revision::new(&spec(&[4000]).hash(), &built_image(&desired).id);
    observed.memory.rolled_back = Some(RolledBack { revision, cause: String::new() });
    let start = plan(&desired, &observed, now()).steps.remove(0).action;
    let failure = Failure {
        count: 0,
        last: now(),
        part: Part::Container,
        reason: Reason::PortConflict,
        message: "port 4000 is taken".to_owned(),
        retry: Retry::SOON,
        build_failure: None,
    };
    observed.attempts.failed(&start, failure);
    let barred = plan(&desired, &observed, now());
    assert_eq!((barred.steps.len(), block(&barred).0), (0, Reason::PortConflict));
    let later = plan(&desired, &observed, now() + Duration::from_secs(5));
    assert_eq!(actions(&later), ["start container my-app"]);
}
