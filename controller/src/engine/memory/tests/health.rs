//! Health checks: when they are due and what they come to.

use super::*;
use crate::app::{Health, HealthCheck};

fn checked(script: &str, start_period: u64) -> ContainerSpec {
    let check = HealthCheck {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        start_period: Duration::from_secs(start_period),
        retries: 2,
    };
    ContainerSpec { health_check: Some(check), ..spec_with(RestartPolicy::Always) }
}

async fn health(world: &World, id: &ContainerId) -> Option<(Health, u32)> {
    world.detail(id).await.health.map(|report| (report.health, report.failing_streak))
}

#[tokio::test]
async fn a_container_is_healthy_by_its_first_check_and_unhealthy_after_its_retries() {
    let world = World::old_engine();
    let mut events = world.engine.events();
    let id = world.start("app", "server", checked("true", 0)).await;
    assert_eq!(health(&world, &id).await, Some((Health::Starting, 0)));
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(health(&world, &id).await, Some((Health::Healthy, 0)));

    world.engine.set_well("app", false).unwrap();
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(health(&world, &id).await, Some((Health::Healthy, 1)));
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(health(&world, &id).await, Some((Health::Unhealthy, 2)));
    let mut told = Vec::new();
    while told.len() < 4 {
        told.push(events.next().await.unwrap().unwrap().action);
    }
    assert_eq!(told, ["create", "start", "health_status: healthy", "health_status: unhealthy"]);
}

#[tokio::test]
async fn a_failure_in_the_start_period_does_not_count() {
    let world = World::old_engine();
    let id = world.start("app", "server", checked("exit 1", 25)).await;
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(health(&world, &id).await, Some((Health::Starting, 0)));
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(health(&world, &id).await, Some((Health::Unhealthy, 2)));
}

#[tokio::test]
async fn every_start_begins_anew_and_what_has_ended_has_no_health() {
    let world = World::old_engine();
    let id = world.start("app", "server", checked("exit 1", 0)).await;
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(health(&world, &id).await, Some((Health::Unhealthy, 2)));
    world.engine.stop_container(&id, GRACE).await.unwrap();
    assert_eq!(health(&world, &id).await, None);
    world.engine.start_container(&id).await.unwrap();
    assert_eq!(health(&world, &id).await, Some((Health::Starting, 0)));
}

#[tokio::test]
async fn the_images_own_check_counts_where_the_container_has_none() {
    let world = World::old_engine();
    let dockerfile = "FROM scratch\nHEALTHCHECK --interval=5s --retries=1 CMD exit 1\nCMD [\"server\"]\n";
    world.engine.build_image(build_of(&[("Dockerfile", dockerfile)], "checked"), silent()).await.unwrap();
    let image = world.engine.image(&reference("checked")).unwrap().id;
    let request =
        CreateContainer { name: "app".to_owned(), image, labels: BTreeMap::new(), spec: spec(), attachment: None };
    let id = world.engine.create_container(&request).await.unwrap();
    world.engine.start_container(&id).await.unwrap();
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(health(&world, &id).await, Some((Health::Unhealthy, 1)));
}
