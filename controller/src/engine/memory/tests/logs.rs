use super::*;
use crate::engine::LogOptions;

fn following() -> LogOptions {
    LogOptions { follow: true, ..LogOptions::default() }
}

#[tokio::test]
async fn a_log_holds_what_was_printed_so_far() {
    let world = World::old_engine();
    let id = world.start("app", "echo one; sleep 5; echo two >&2; sleep 5; echo three", spec()).await;
    let all = LogOptions::default();
    assert_eq!(text_of(&world.engine, &id, &all).await, "one\n");
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(text_of(&world.engine, &id, &all).await, "one\n! two\n");
    world.engine.stop_container(&id, GRACE).await.unwrap();
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(text_of(&world.engine, &id, &all).await, "one\n! two\n", "a program that was stopped prints nothing");
}

#[tokio::test]
async fn a_log_can_be_cut_to_its_last_lines_or_to_a_time() {
    let world = World::old_engine();
    let id = world.start("app", "echo one; sleep 5; echo two; echo three", spec()).await;
    let started = world.clock.now();
    world.clock.advance(Duration::from_secs(9));
    let tail = LogOptions { tail: Some(1), ..LogOptions::default() };
    assert_eq!(text_of(&world.engine, &id, &tail).await, "three\n");
    let since = LogOptions { since: Some(started + Duration::from_secs(5)), ..LogOptions::default() };
    assert_eq!(text_of(&world.engine, &id, &since).await, "two\nthree\n");
}

#[tokio::test]
async fn a_follower_reads_on_until_the_container_ends() {
    let world = World::old_engine();
    let id = world.start("app", "echo one; server", spec()).await;
    let mut log = world.engine.logs(&id, &following());
    assert_eq!(log.next().await.unwrap().unwrap().bytes, "one\n");
    let rest = tokio::spawn(log.collect::<Vec<_>>());
    tokio::task::yield_now().await;
    world.engine.print("app", "two").unwrap();
    world.engine.stop_container(&id, GRACE).await.unwrap();
    let rest: Vec<_> = rest.await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].as_ref().unwrap().bytes, "two\n");
}

#[tokio::test]
async fn a_follower_hears_what_the_clock_brings() {
    let world = World::old_engine();
    let id = world.start("app", "sleep 5; echo late", spec()).await;
    let log = tokio::spawn(world.engine.logs(&id, &following()).collect::<Vec<_>>());
    tokio::task::yield_now().await;
    world.clock.advance(Duration::from_secs(5));
    let lines = log.await.unwrap();
    assert_eq!(lines.len(), 1);
}

#[tokio::test]
async fn the_log_of_a_container_that_is_gone_is_not_found() {
    let world = World::old_engine();
    let id = world.create("app", "server", spec()).await;
    world.engine.remove_container(&id).await.unwrap();
    let chunks: Vec<_> = world.engine.logs(&id, &LogOptions::default()).collect().await;
    assert!(matches!(chunks.as_slice(), [Err(EngineError::NotFound(_))]), "{chunks:?}");
}
