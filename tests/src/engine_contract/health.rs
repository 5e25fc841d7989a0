//! What an engine does with health checks.

use std::time::Duration;

use futures::TryStreamExt;
use longshore::app::{Container, ContainerSpec, ContainerState, Health, HealthCheck};
use longshore_crds::RestartPolicy;

use super::scene::{Fixture, play, script, server};

const PATIENCE: Duration = Duration::from_secs(60);

/// A success makes it healthy, and a start begins anew.
pub async fn a_health_check_finds_a_container_well(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", checked("exit 0")).await;
        assert_eq!(health(&scene.inspect(&id).await), Some(Health::Starting));
        let well = scene.until(&id, |container| health(container) == Some(Health::Healthy)).await;
        let report = well.detail.expect("a detail").health.expect("a report");
        assert_eq!((report.failing_streak, report.interval), (0, Duration::from_secs(1)));

        assert_eq!(scene.engine().stop_container(&id, Duration::ZERO).await, Ok(()));
        assert_eq!(health(&scene.inspect(&id).await), None);
        assert_eq!(scene.engine().start_container(&id).await, Ok(()));
        assert_eq!(health(&scene.inspect(&id).await), Some(Health::Starting));
    })
    .await;
}

/// Not the first failure makes it unhealthy but so many in a row, and it is said how the last one was.
pub async fn a_health_check_that_fails_too_often_finds_it_unwell(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", checked("exit 3")).await;
        let unwell = scene.until(&id, |container| health(container) == Some(Health::Unhealthy)).await;
        let report = unwell.detail.expect("a detail").health.expect("a report");
        assert!(report.failing_streak >= 2, "{report:?}");
        assert!(report.last.starts_with("exit code 3"), "{report:?}");
    })
    .await;
}

/// Where the container says nothing, the image's `HEALTHCHECK` is what is run.
pub async fn the_health_check_of_the_image_counts_where_the_container_has_none(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile("HEALTHCHECK --interval=1s --retries=1 CMD exit 4");
        scene.build("checked", &[("Dockerfile", &dockerfile)]).await;
        let image = scene.image(&scene.reference("checked")).await.expect("the image").id;
        let id = scene.try_create("app", image, server()).await.expect("a container");
        assert_eq!(scene.engine().start_container(&id).await, Ok(()));
        scene.until(&id, |container| health(container) == Some(Health::Unhealthy)).await;
    })
    .await;
}

/// Nothing is known of what nobody looks at.
pub async fn a_container_without_a_health_check_has_no_health(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.run("app", server()).await;
        assert_eq!(scene.inspect(&id).await.detail.expect("a detail").health, None);
    })
    .await;
}

/// Nobody has to ask again and again.
pub async fn a_change_of_health_is_told(fixture: Fixture) {
    play(fixture, async |scene| {
        scene.base_image().await;
        let mut events = scene.engine().events();
        let happening = async {
            loop {
                let id = scene.run("app", checked("exit 0")).await;
                scene.until(&id, |container| health(container) == Some(Health::Healthy)).await;
                // Whether the stream was being listened to already, nobody says: so it happens again.
                assert_eq!(scene.engine().stop_container(&id, Duration::ZERO).await, Ok(()));
                assert_eq!(scene.engine().remove_container(&id).await, Ok(()));
            }
        };
        let listening = async {
            while let Some(event) = events.try_next().await.expect("an event") {
                if event.owner_uid == Some(scene.name("owner")) && event.action == "health_status: healthy" {
                    return;
                }
            }
            panic!("the stream ended");
        };
        let heard = async {
            tokio::select! {
                () = listening => {}
                () = happening => {}
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("it is told that the container is healthy");
    })
    .await;
}

/// The engine counts its restarts since somebody has started the container.
pub async fn what_keeps_ending_is_restarted_and_a_start_counts_anew(fixture: Fixture) {
    play(fixture, async |scene| {
        let restarts = |container: &Container| container.detail.as_ref().expect("a detail").restarts;
        let spec = ContainerSpec { restart_policy: RestartPolicy::Always, ..script("exit 3") };
        let id = scene.run("app", spec).await;
        let restarting = scene
            .until(&id, |container| restarts(container) > 1 && container.state == ContainerState::Restarting)
            .await;
        let detail = restarting.detail.expect("a detail");
        assert_eq!((detail.exit_code, detail.oom_killed), (3, false));
        assert!(detail.finished_at.is_some());

        assert_eq!(scene.engine().stop_container(&id, Duration::ZERO).await, Ok(()));
        let before = restarts(&scene.inspect(&id).await);
        assert_eq!(scene.engine().start_container(&id).await, Ok(()));
        assert!(restarts(&scene.inspect(&id).await) < before);
    })
    .await;
}

/// What may be restarted so often ends then, and somebody's start counts anew. With 0 it is not restarted at all.
pub async fn what_keeps_ending_is_restarted_as_often_as_it_may(fixture: Fixture) {
    play(fixture, async |scene| {
        let ended = |container: &Container| container.state == ContainerState::Exited;
        for (name, retries) in [("none", 0), ("two", 2)] {
            let spec =
                ContainerSpec { restart_policy: RestartPolicy::OnFailure, retries: Some(retries), ..script("exit 3") };
            let id = scene.run(name, spec).await;
            for _ in 0..2 {
                let detail = scene.until(&id, ended).await.detail.expect("a detail");
                assert_eq!((detail.exit_code, detail.restarts), (3, i64::from(retries)));
                assert_eq!(scene.engine().start_container(&id).await, Ok(()));
            }
        }
    })
    .await;
}

/// A container that is looked at every second, by a shell's script, and is unhealthy by its second failure.
fn checked(script: &str) -> ContainerSpec {
    let check = HealthCheck {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(10),
        start_period: Duration::ZERO,
        retries: 2,
    };
    ContainerSpec { health_check: Some(check), ..server() }
}

fn health(container: &Container) -> Option<Health> {
    Some(container.detail.as_ref()?.health.as_ref()?.health)
}
