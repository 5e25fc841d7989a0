//! What somebody has done to a container behind our back.

use super::*;
use crate::app::{Adjustable, Bounds, Bytes, EngineRestart, MilliCpu};

fn bounded() -> Desired {
    let mut desired = wanted();
    if let Some(Ok(spec)) = desired.run.as_mut().map(|run| run.container.as_mut()) {
        spec.bounds = Bounds { memory: Some(Bytes(64 << 20)), pids: Some(50), ..Bounds::default() };
    }
    desired
}

fn edited(desired: &Desired, edit: impl FnOnce(&mut Adjustable)) -> Observed {
    let mut observed = everything_well(desired);
    let spec = desired.run.as_ref().unwrap().container.as_ref().unwrap();
    let mut adjustable = Adjustable::of(spec);
    edit(&mut adjustable);
    observed.containers[0].detail.as_mut().unwrap().adjustable = Some(adjustable);
    observed
}

#[test]
fn what_is_as_it_was_made_is_left_alone() {
    let desired = bounded();
    assert_eq!(plan(&desired, &edited(&desired, |_| {}), now()).steps, []);
}

#[test]
fn an_edited_restart_policy_is_set_back_in_whatever_state_the_container_is() {
    let desired = bounded();
    let mut observed = edited(&desired, |is| is.restart = EngineRestart::No);
    for state in [ContainerState::Running, ContainerState::Exited, ContainerState::Paused, ContainerState::Restarting] {
        observed.containers[0].state = state;
        let plan = plan(&desired, &observed, now());
        assert_eq!(actions(&plan), ["adjust container my-app"], "{state}");
        assert_eq!(plan.steps[0].cause, "somebody has edited it: restart policy no \u{2192} always");
    }
}

#[test]
fn a_bound_that_was_moved_or_lifted_is_set_back_while_the_container_goes_on() {
    let desired = bounded();
    let observed = edited(&desired, |is| {
        is.memory = Some(Bytes(32 << 20));
        is.pids = None;
    });
    let plan = plan(&desired, &observed, now());
    assert_eq!(actions(&plan), ["adjust container my-app"]);
    let cause = "somebody has edited it: memory limit 32Mi \u{2192} 64Mi, process limit none \u{2192} 50";
    assert_eq!(plan.steps[0].cause, cause);
}

#[test]
fn a_bound_that_no_engine_lifts_again_takes_another_container() {
    let desired = bounded();
    let plan = plan(&desired, &edited(&desired, |is| is.cpu = Some(MilliCpu(500))), now());
    assert_eq!(actions(&plan)[0], "create container my-app.next");
    assert_eq!(plan.steps[0].cause, "somebody has edited it: processor limit 500m \u{2192} none");
}

#[test]
fn an_adjustment_that_the_engine_refuses_is_told_and_not_tried_without_end() {
    let desired = bounded();
    let mut observed = edited(&desired, |is| is.memory = Some(Bytes(128 << 20)));
    let action = plan(&desired, &observed, now()).steps[0].action.clone();
    let failure = Failure {
        count: 0,
        last: now(),
        part: Part::Container,
        reason: Reason::EngineError,
        message: "cannot adjust container my-app: too little".to_owned(),
        retry: Retry::SOON,
        build_failure: None,
    };
    observed.attempts.failed(&action, failure);
    let plan = plan(&desired, &observed, now());
    assert_eq!((actions(&plan), plan.blocks[0].reason), (Vec::new(), Reason::EngineError));
}

#[test]
fn a_paused_container_goes_on() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].state = ContainerState::Paused;
    let plan = plan(&desired, &observed, now());
    assert_eq!(actions(&plan), ["unpause container my-app"]);
    assert_eq!(plan.steps[0].cause, "somebody has paused it");
}

#[test]
fn whoever_had_the_right_name_was_renamed() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].name = "mine".to_owned();
    let cause = |observed: &Observed| plan(&desired, observed, now()).steps[0].cause.clone();
    assert_eq!(cause(&observed), "its name is mine, my-app is asked for");
    observed.memory.container = Some("my-app".to_owned());
    assert_eq!(cause(&observed), "somebody has renamed it to mine, my-app is asked for");
}

#[test]
fn what_the_engine_does_not_start_again_was_stopped_by_somebody() {
    let desired = wanted();
    let mut observed = edited(&desired, |_| {});
    observed.containers[0].state = ContainerState::Exited;
    observed.containers[0].detail.as_mut().unwrap().exit_code = 137;
    let cause = |observed: &Observed| plan(&desired, observed, now()).steps[0].cause.clone();
    assert_eq!(cause(&observed), "somebody has stopped or killed it (exit code 137), though it should run");
    // The engine could not start it again: nobody has stopped it.
    observed.containers[0].detail.as_mut().unwrap().error = "no such device".to_owned();
    assert_eq!(cause(&observed), "it has ended with exit code 137, though it should run");
    // It was us.
    observed.stops.insert(ContainerId("c1".to_owned()), Duration::from_secs(1));
    assert_eq!(cause(&observed), "it was stopped to be started again");
}
