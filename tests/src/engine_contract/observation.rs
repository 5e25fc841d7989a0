//! How an engine lets one watch it: logs and events.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use longshore::app::{ContainerId, ContainerState};
use longshore::engine::{EngineError, EventSubject, LogOptions};

use super::scene::{Fixture, Scene, play, script, server};

const PATIENCE: Duration = Duration::from_secs(60);

/// Standard output and standard error are told apart.
pub async fn logs_carry_both_streams(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = ended(&scene, "echo out; echo err >&2").await;
        let (out, err) = printed(&scene, &id, &LogOptions::default()).await;
        assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
    })
    .await;
}

/// The tail counts lines, the newest of them.
pub async fn the_tail_of_a_log_is_its_last_lines(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = ended(&scene, "echo one; echo two; echo three").await;
        let options = LogOptions { tail: Some(2), ..LogOptions::default() };
        let (out, _) = printed(&scene, &id, &options).await;
        assert_eq!(out, "two\nthree\n");
    })
    .await;
}

/// Whoever follows a log hears all of it, and then that it is over.
pub async fn a_followed_log_ends_with_the_container(fixture: Fixture) {
    play(fixture, async |scene| {
        let id = scene.create("app", script("echo one; echo two; exit 0")).await;
        assert_eq!(scene.engine().start_container(&id).await, Ok(()));
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let followed = tokio::time::timeout(PATIENCE, printed(&scene, &id, &options)).await;
        let (out, _) = followed.expect("the log ends");
        assert_eq!(out, "one\ntwo\n");
    })
    .await;
}

/// What is not there has printed nothing, and that is said.
pub async fn the_log_of_a_container_that_is_gone_is_not_found(fixture: Fixture) {
    play(fixture, async |scene| {
        let nobody = ContainerId("f".repeat(64));
        let first = scene.engine().logs(&nobody, &LogOptions::default()).next().await;
        assert!(matches!(first, Some(Err(EngineError::NotFound(_)))), "{first:?}");
    })
    .await;
}

/// An event says which container it is about, and whose that is by the label that says so.
pub async fn events_name_the_owner(fixture: Fixture) {
    play(fixture, async |scene| {
        // Before anything happens, so that nothing is missed.
        scene.base_image().await;
        let mut events = scene.engine().events();
        let made = RefCell::new(BTreeSet::new());
        let happening = async {
            loop {
                let id = scene.run("app", server()).await;
                made.borrow_mut().insert(id.clone());
                let stopped = scene.engine().stop_container(&id, Duration::ZERO).await;
                assert_eq!(stopped, Ok(()));
                assert_eq!(scene.engine().remove_container(&id).await, Ok(()));
                // Whether the stream was being listened to already, nobody says: so it happens again.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let (mut actions, mut told) = (Vec::new(), Vec::new());
        let listening = async {
            while let Some(event) = events.try_next().await.expect("an event") {
                if event.owner_uid == Some(scene.name("owner")) {
                    told.push(event.subject);
                    actions.push(event.action);
                    if ["start", "die", "destroy"].iter().all(|word| actions.contains(&(*word).to_owned())) {
                        return;
                    }
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
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        heard.expect("a start, an end and a removal are told");
        let made = made.into_inner();
        let is_of_one_that_was_made = |subject: &EventSubject| {
            let EventSubject::Container(id) = subject else { return false };
            // The first event may come before the engine's answer to the call that made it.
            made.contains(id) || told.last() == Some(subject)
        };
        assert!(told.iter().all(is_of_one_that_was_made), "{told:?} are told of {made:?}");
    })
    .await;
}

/// A container whose script has ended.
async fn ended(scene: &Scene, text: &str) -> ContainerId {
    let id = scene.run("app", script(text)).await;
    scene.until(&id, |container| container.state == ContainerState::Exited).await;
    id
}

/// What a container printed to its standard output and its standard error.
async fn printed(scene: &Scene, id: &ContainerId, options: &LogOptions) -> (String, String) {
    let chunks: Vec<_> = scene.engine().logs(id, options).try_collect().await.expect("the log");
    let text = |is_stderr: bool| {
        let pieces = chunks.iter().filter(|chunk| chunk.is_stderr == is_stderr);
        let bytes: Vec<u8> = pieces.flat_map(|chunk| chunk.bytes.to_vec()).collect();
        String::from_utf8(bytes).expect("text")
    };
    (text(false), text(true))
}
