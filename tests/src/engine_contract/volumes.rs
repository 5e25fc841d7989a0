//! What an engine does with volumes that stay.

use std::collections::BTreeMap;

use longshore::app::{ContainerSpec, Mount, MountSource};
use longshore::engine::EngineError;

use super::scene::{Fixture, Scene, play, server};

/// Who comes second finds what is there.
pub async fn a_volume_is_made_once_and_keeps_its_labels(fixture: Fixture) {
    play(fixture, async |scene| {
        for owner in ["first", "second"] {
            let labels = BTreeMap::from([("owner".to_owned(), owner.to_owned())]);
            assert_eq!(scene.engine().create_volume(&scene.name("data"), &labels).await, Ok(()));
            let made = labels_of(&scene).await.expect("the volume is listed");
            assert_eq!(made.get("owner").map(String::as_str), Some("first"));
        }
        assert_eq!(scene.engine().remove_volume(&scene.name("data")).await, Ok(()));
        assert_eq!(labels_of(&scene).await, None);
    })
    .await;
}

/// What a container may still need stays, whether it runs or not.
pub async fn a_volume_that_a_container_has_is_not_removed(fixture: Fixture) {
    play(fixture, async |scene| {
        let volume = scene.name("data");
        assert_eq!(scene.engine().create_volume(&volume, &BTreeMap::new()).await, Ok(()));
        let source = MountSource::Claim(volume.clone());
        let mounts = vec![Mount { path: "/data".to_owned(), is_read_only: false, source }];
        let id = scene.create("app", ContainerSpec { mounts, ..server() }).await;
        let removed = scene.engine().remove_volume(&volume).await;
        assert!(matches!(removed, Err(EngineError::Conflict(_))), "{removed:?}");
        assert_eq!(scene.engine().remove_container(&id).await, Ok(()));
        assert!(labels_of(&scene).await.is_some(), "it does not go with the container");
        assert_eq!(scene.engine().remove_volume(&volume).await, Ok(()));
    })
    .await;
}

/// Removing is done when the volume is gone, whoever removed it.
pub async fn removing_a_volume_that_is_gone_is_well(fixture: Fixture) {
    play(fixture, async |scene| {
        assert_eq!(scene.engine().remove_volume(&scene.name("data")).await, Ok(()));
    })
    .await;
}

async fn labels_of(scene: &Scene) -> Option<BTreeMap<String, String>> {
    let volumes = scene.engine().list_volumes().await.expect("the volumes");
    volumes.into_iter().find(|volume| volume.name == scene.name("data")).map(|volume| volume.labels)
}
