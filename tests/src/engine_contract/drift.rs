//! What an engine changes of a container that is made.

use longshore::app::{Adjustable, Bounds, Bytes, ContainerSpec, ContainerState, EngineRestart, MilliCpu};
use longshore::engine::EngineError;
use longshore_crds::RestartPolicy;

use super::scene::{Fixture, play, server};

/// A container with every bound that can be changed.
fn bounded() -> ContainerSpec {
    ContainerSpec {
        restart_policy: RestartPolicy::Always,
        bounds: Bounds {
            memory: Some(Bytes(64 << 20)),
            cpu: Some(MilliCpu(500)),
            pids: Some(50),
            reserved_memory: Some(Bytes(32 << 20)),
            reserved_cpu: Some(MilliCpu(250)),
            ..Bounds::default()
        },
        ..server()
    }
}

/// What the engine tells of a container is what it was made with, bounded or not.
pub async fn what_can_be_changed_is_told_as_it_was_made(fixture: Fixture) {
    play(fixture, async |scene| {
        let on_failure = ContainerSpec { restart_policy: RestartPolicy::OnFailure, ..server() };
        for (name, spec) in [("bounded", bounded()), ("free", server()), ("on-failure", on_failure)] {
            let id = scene.run(name, spec.clone()).await;
            let told = scene.inspect(&id).await.detail.expect("a detail").adjustable;
            assert_eq!(told, Some(Adjustable::of(&spec)), "{name}");
        }
    })
    .await;
}

/// The program goes on.
pub async fn a_container_is_changed_while_it_runs(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", bounded()).await;
        let before = scene.inspect(&id).await.detail.expect("a detail");
        let changed = Adjustable {
            restart: EngineRestart::OnFailure { most: 3 },
            memory: Some(Bytes(128 << 20)),
            memory_and_swap: Some(Bytes(128 << 20)),
            reserved_memory: Some(Bytes(48 << 20)),
            cpu: Some(MilliCpu(250)),
            cpu_shares: Some(512),
            pids: None,
        };
        assert_eq!(scene.engine().adjust_container(&id, &changed).await, Ok(()));
        let after = scene.inspect(&id).await;
        assert_eq!(after.state, ContainerState::Running);
        let after = after.detail.expect("a detail");
        assert_eq!((after.adjustable, after.started_at), (Some(changed), before.started_at));
        let made = before.adjustable.expect("it is told");
        assert_eq!(scene.engine().adjust_container(&id, &made).await, Ok(()));
        assert_eq!(scene.inspect(&id).await.detail.expect("a detail").adjustable, Some(made));
    })
    .await;
}

/// The engine does not say that it has left out what was asked; the call does.
pub async fn a_bound_that_cannot_be_lifted_is_told(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", bounded()).await;
        let free = Adjustable::of(&server());
        let Err(EngineError::Other(message)) = scene.engine().adjust_container(&id, &free).await else {
            panic!("an engine lifts no bound of memory");
        };
        assert!(message.contains("memory limit 64Mi \u{2192} none"), "{message}");
        let told = scene.inspect(&id).await.detail.expect("a detail").adjustable.expect("it is told");
        assert!(!told.can_become(&free));
        assert_eq!((told.restart, told.pids, told.memory), (EngineRestart::No, None, Some(Bytes(64 << 20))));
    })
    .await;
}

/// What is already so is no error.
pub async fn unpausing_what_is_not_paused_is_well(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", server()).await;
        assert_eq!(scene.engine().unpause_container(&id).await, Ok(()));
        assert_eq!(scene.inspect(&id).await.state, ContainerState::Running);
    })
    .await;
}
