//! When a container is restarted that is not well, and what is said of one that keeps ending.

use super::*;
use crate::app::{Health, HealthReport, LastEnd, LivenessRestarts};
use longshore_crds::Strategy;

fn desired(liveness_failures: Option<u32>) -> Desired {
    let mut desired = wanted();
    desired.run.as_mut().unwrap().rollout.liveness_failures = liveness_failures;
    desired
}

/// An unhealthy container that was started so many seconds ago and has failed so often in a row.
fn unwell(desired: &Desired, up: i64, failing_streak: u32) -> Observed {
    let mut observed = everything_well(desired);
    let detail = observed.containers[0].detail.as_mut().unwrap();
    detail.started_at = Some(started(up));
    let last = "exit code 1".to_owned();
    let interval = Duration::from_secs(5);
    detail.health = Some(HealthReport { health: Health::Unhealthy, failing_streak, interval, last });
    observed
}

fn started(up: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - up).unwrap()
}

fn restarted(count: u32, of_run: Timestamp) -> LivenessRestarts {
    LivenessRestarts { id: ContainerId("c1".to_owned()), count, of_run }
}

const RESTART: [&str; 2] = ["stop container my-app", "start container my-app"];

#[test]
fn without_a_liveness_probe_nobody_restarts_what_is_unhealthy() {
    let desired = desired(None);
    assert_eq!(plan(&desired, &unwell(&desired, 600, 99), now()).steps, Vec::new());
}

#[test]
fn an_unhealthy_container_is_restarted_once_it_has_failed_as_often_as_its_liveness_probe_says() {
    let desired = desired(Some(5));
    let not_yet = plan(&desired, &unwell(&desired, 30, 4), now());
    assert_eq!((not_yet.steps.len(), not_yet.next_look()), (0, Some(Duration::from_secs(5))));

    let restart = plan(&desired, &unwell(&desired, 30, 5), now());
    assert_eq!(actions(&restart), RESTART);
    assert_eq!(restart.steps[0].cause, "its health check has failed 5 times in a row, last with exit code 1");
    assert_eq!(restart.blocks[0].reason, Reason::Unhealthy);
    assert_eq!(restart.liveness, Some(restarted(1, started(30))));
}

#[test]
fn a_restart_that_has_begun_is_carried_on_and_counted_once() {
    let desired = desired(Some(1));
    let mut observed = unwell(&desired, 30, 5);
    observed.memory.liveness = Some(restarted(3, started(30)));
    let going_on = plan(&desired, &observed, now());
    assert_eq!(
        (actions(&going_on), going_on.liveness),
        (RESTART.map(str::to_owned).to_vec(), Some(restarted(3, started(30))))
    );
}

#[test]
fn a_container_that_was_restarted_before_is_given_more_time_with_every_restart() {
    let desired = desired(Some(1));
    for (count, backoff) in [(1, 10), (2, 20), (3, 40), (6, 300), (60, 300)] {
        let mut early = unwell(&desired, backoff - 1, 5);
        early.memory.liveness = Some(restarted(count, started(3600)));
        let waiting = plan(&desired, &early, now());
        assert_eq!((waiting.steps.len(), waiting.next_look()), (0, Some(Duration::from_secs(1))), "{count}");
        assert_eq!(waiting.blocks[0].reason, Reason::CrashLoopBackOff);

        let mut due = unwell(&desired, backoff, 5);
        due.memory.liveness = Some(restarted(count, started(3600)));
        assert_eq!(actions(&plan(&desired, &due, now())), RESTART, "{count}");
    }
}

#[test]
fn restarts_are_forgiven_once_it_has_been_well_for_ten_minutes() {
    let desired = desired(Some(1));
    for (up, told) in [(599, None), (600, Some(restarted(0, started(3600))))] {
        let mut observed = unwell(&desired, up, 0);
        observed.containers[0].detail.as_mut().unwrap().health.as_mut().unwrap().health = Health::Healthy;
        observed.memory.liveness = Some(restarted(4, started(3600)));
        let well = plan(&desired, &observed, now());
        assert!(well.is_fulfilled(&desired));
        assert_eq!(well.liveness, told);
    }
}

/// The container after the engine has restarted it.
fn restarting(desired: &Desired, state: ContainerState, up: i64) -> Observed {
    let mut observed = everything_well(desired);
    observed.containers[0].state = state;
    let detail = observed.containers[0].detail.as_mut().unwrap();
    detail.started_at = Some(started(up));
    detail.restarts = 4;
    if state != ContainerState::Running {
        (detail.exit_code, detail.oom_killed) = (137, true);
        observed.containers[0].ports.clear();
    }
    observed
}

#[test]
fn what_keeps_ending_is_not_ready_until_it_has_stayed_up_and_its_last_end_is_told() {
    let desired = wanted();
    let ended = plan(&desired, &restarting(&desired, ContainerState::Restarting, 1), now());
    let expected = "my-app keeps ending, last for want of memory (OOMKilled, exit code 137): see longshore logs my-app";
    assert_eq!((ended.blocks[0].reason, ended.blocks[0].message.as_str()), (Reason::CrashLoopBackOff, expected));

    // It runs again, and the engine has forgotten how it ended. The sentence is the same, so nothing is written.
    let mut runs = restarting(&desired, ContainerState::Running, 1);
    runs.memory.last_end = Some(LastEnd { id: ContainerId("c1".to_owned()), exit_code: 137, oom_killed: true });
    assert_eq!(plan(&desired, &runs, now()).blocks, ended.blocks);

    let steady = plan(&desired, &restarting(&desired, ContainerState::Running, 10), now());
    assert!(steady.is_fulfilled(&desired));
}

/// A container of the new image beside the old one, whose strategy is to overlap.
fn overlapping() -> (Desired, Container, Container) {
    let mut desired = wanted();
    let run = desired.run.as_mut().unwrap();
    run.container = Ok(spec(&[]));
    run.rollout.strategy = Strategy::Overlap;
    let old = container(&desired, &image("older", &[]), "c0");
    let mut new = container(&desired, &built_image(&desired), "c1");
    new.name = "my-app.next".to_owned();
    (desired, old, new)
}

fn beside(desired: &Desired, containers: Vec<Container>) -> Observed {
    Observed { containers, images: vec![built_image(desired), image("older", &[])], ..engine() }
}

#[test]
fn with_overlap_the_old_one_goes_on_until_the_new_one_is_ready() {
    let (desired, old, mut new) = overlapping();
    let change = plan(&desired, &beside(&desired, vec![old.clone()]), now());
    let expected = [
        "create container my-app.next",
        "start container my-app.next",
        "stop container my-app",
        "remove container my-app",
        "rename container my-app.next to my-app",
    ];
    assert_eq!(actions(&change), expected);

    new.state = ContainerState::Created;
    let made = plan(&desired, &beside(&desired, vec![old.clone(), new.clone()]), now());
    assert_eq!(actions(&made), ["start container my-app.next"]);

    new.state = ContainerState::Running;
    new.detail.as_mut().unwrap().started_at = Some(now());
    let waiting = plan(&desired, &beside(&desired, vec![old.clone(), new.clone()]), now());
    assert_eq!((waiting.steps.len(), waiting.next_look()), (0, Some(Duration::from_secs(1))));

    new.detail.as_mut().unwrap().started_at = Some(now() - Duration::from_secs(1));
    let ready = plan(&desired, &beside(&desired, vec![old.clone(), new.clone()]), now());
    assert_eq!(
        actions(&ready),
        ["stop container my-app", "remove container my-app", "rename container my-app.next to my-app"]
    );
    let gap = ready.steps.iter().find_map(|step| match step.action {
        Action::RemoveContainer { gap, .. } => gap,
        _ => None,
    });
    assert_eq!(gap, Some(Duration::ZERO));
}

#[test]
fn with_overlap_a_new_one_that_fails_goes_and_the_old_one_never_stopped() {
    let (desired, old, mut new) = overlapping();
    new.detail.as_mut().unwrap().health = unwell(&desired, 9, 3).containers[0].detail.as_ref().unwrap().health.clone();
    let back = plan(&desired, &beside(&desired, vec![old, new]), now());
    assert_eq!(actions(&back), ["stop container my-app.next", "remove container my-app.next"]);
    assert_eq!(back.blocks[0].reason, Reason::RolledBack);
}
