use super::*;
use crate::app::RegistryErrorKind;
use crate::app::{Credentials, EngineImageId};
use crate::engine::LayerState;
use crate::registry::Registry;

fn image() -> MemoryImage {
    MemoryImage::new("app")
}

#[tokio::test]
async fn an_id_is_the_config_digest_or_the_targets_as_the_store_has_it() {
    let old = world(ImageStore::GraphDriver);
    old.engine.load(&reference("app"), &image());
    let [listed] = old.engine.list_images().await.unwrap().try_into().unwrap();
    assert_eq!(listed.id, EngineImageId(image().config().0));
    assert_eq!((listed.config, listed.target), (Some(image().config()), None));

    let new = world(ImageStore::Containerd);
    new.engine.load(&reference("app"), &image());
    let [listed] = new.engine.list_images().await.unwrap().try_into().unwrap();
    let target = listed.target.unwrap();
    assert_eq!(listed.id, EngineImageId(target.0.clone()));
    assert_eq!(listed.config, None);
}

#[tokio::test]
async fn a_tag_moves_and_the_image_that_it_leaves_is_listed_only_while_a_container_uses_it() {
    for kind in BOTH {
        let world = world(kind);
        let old = world.engine.load(&reference("app"), &image());
        let new = world.engine.load(&reference("app"), &MemoryImage::new("newer"));
        assert_ne!(old, new);
        assert_eq!(world.engine.list_images().await.unwrap().len(), 1);
        assert_eq!(world.engine.images().len(), 2);

        let request = CreateContainer {
            name: "app".to_owned(),
            image: old.clone(),
            labels: BTreeMap::new(),
            spec: spec(),
            attachment: None,
        };
        world.engine.create_container(&request).await.unwrap();
        let listed = world.engine.list_images().await.unwrap();
        let used = listed.iter().find(|image| image.id == old).unwrap();
        assert_eq!(used.references, []);
    }
}

#[tokio::test]
async fn the_last_reference_of_an_image_that_a_container_uses_is_not_removed() {
    let world = World::old_engine();
    let id = world.create("app", "server", spec()).await;
    let image = world.inspect(&id).await.image;
    world.engine.tag_image(&image, &reference("app:1")).await.unwrap();
    world.engine.remove_image(&reference("app:1")).await.unwrap();
    assert!(is_conflict(&world.engine.remove_image(&reference("image-of-app")).await));

    world.engine.remove_container(&id).await.unwrap();
    world.engine.remove_image(&reference("image-of-app")).await.unwrap();
    assert_eq!(world.engine.images(), []);
    world.engine.remove_image(&reference("image-of-app")).await.unwrap();
}

#[tokio::test]
async fn only_an_image_that_is_there_is_tagged() {
    let world = World::old_engine();
    let id = EngineImageId(image().config().0);
    let result = world.engine.tag_image(&id, &reference("app")).await;
    assert!(matches!(result, Err(EngineError::NotFound(_))), "{result:?}");
}

#[tokio::test]
async fn what_is_pulled_is_what_the_registry_holds() {
    for kind in BOTH {
        let world = world(kind);
        let single = world.registry.put(&reference("single"), &image());
        let index = world.registry.put_index(&reference("index"), &MemoryImage::new("other"));
        for (name, remote) in [("single", single), ("index", index)] {
            world.engine.pull_image(&reference(name), None, None, silent()).await.unwrap();
            let pulled = world.engine.image(&reference(name)).unwrap();
            assert!(pulled.is(&remote), "{kind:?} {name}: {pulled:?}");
        }
    }
}

#[tokio::test]
async fn what_is_pushed_is_what_the_registry_then_holds() {
    for kind in BOTH {
        let world = world(kind);
        let app = reference("gcr.io/project/app:1");
        world.engine.load(&app, &image());
        world.engine.push_image(&app, None, silent()).await.unwrap();
        let remote = world.registry.look_up(&app, None).await.unwrap().unwrap();
        let pushed = world.engine.image(&app).unwrap();
        assert!(pushed.is(&remote), "{kind:?}: {pushed:?}");
        let known = (app.repository().clone(), remote.manifest);
        assert!(pushed.manifests.contains(&known), "{kind:?}");
    }
}

#[tokio::test]
async fn an_index_is_pushed_on_as_the_store_keeps_it() {
    let copy = reference("gcr.io/project/node:6");
    for (kind, is_index) in [(ImageStore::GraphDriver, false), (ImageStore::Containerd, true)] {
        let world = world(kind);
        let node = reference("node:6");
        let index = world.registry.put_index(&node, &image());
        world.engine.pull_image(&node, None, None, silent()).await.unwrap();
        let id = world.engine.image(&node).unwrap().id;
        world.engine.tag_image(&id, &copy).await.unwrap();
        world.engine.push_image(&copy, None, silent()).await.unwrap();
        let pushed = world.registry.tagged(&copy).unwrap();
        assert_eq!(pushed.manifest == index.manifest, is_index, "{kind:?}");
        assert!(world.engine.image(&copy).unwrap().is(&pushed), "{kind:?}");
    }
}

#[tokio::test]
async fn a_registry_that_refuses_or_is_away_or_holds_nothing_is_told_apart() {
    let world = World::old_engine();
    let app = reference("gcr.io/project/app:1");
    let missing = world.engine.pull_image(&app, None, None, silent()).await;
    assert_eq!(missing.unwrap_err().registry_kind(), Some(RegistryErrorKind::ManifestUnknown));
    world.registry.require("gcr.io", "_json_key", "secret");
    let denied = world.engine.pull_image(&app, None, None, silent()).await;
    assert_eq!(denied.unwrap_err().registry_kind(), Some(RegistryErrorKind::AuthenticationRequired));
    world.registry.set_available("gcr.io", false);
    let away = world.engine.pull_image(&app, None, None, silent()).await;
    assert_eq!(away.unwrap_err().registry_kind(), Some(RegistryErrorKind::Unavailable));
    let nothing = world.engine.push_image(&app, None, silent()).await;
    assert!(matches!(nothing, Err(EngineError::NotFound(_))), "{nothing:?}");
}

#[tokio::test]
async fn a_push_with_the_hosts_credentials_is_taken() {
    let world = World::old_engine();
    let app = reference("gcr.io/project/app:1");
    world.engine.load(&app, &image());
    world.registry.require("gcr.io", "_json_key", "secret");
    let credentials = Credentials {
        host: "gcr.io".to_owned(),
        username: "_json_key".to_owned(),
        password: "secret".to_owned().into(),
    };
    world.engine.push_image(&app, None, silent()).await.unwrap_err();
    assert_eq!(world.registry.tagged(&app), None);
    world.engine.push_image(&app, Some(&credentials), silent()).await.unwrap();
    assert!(world.registry.tagged(&app).is_some());
}

#[tokio::test]
async fn layers_that_are_there_already_are_told_so() {
    let world = World::old_engine();
    let app = reference("gcr.io/project/app:1");
    world.engine.load(&app, &image());
    let states = async || {
        let (sink, told) = recorder();
        world.engine.push_image(&app, None, sink).await.unwrap();
        let told = told.lock().unwrap().clone();
        let layers = told.into_iter().filter_map(|progress| match progress {
            Progress::Layer { state, .. } => Some(state),
            _ => None,
        });
        layers.collect::<Vec<LayerState>>()
    };
    assert_eq!(states().await.last(), Some(&LayerState::Done));
    assert_eq!(states().await, [LayerState::Exists]);
}

#[tokio::test]
async fn what_someone_untags_by_force_stays_for_the_container_that_uses_it() {
    let world = World::old_engine();
    let id = world.create("app", "server", spec()).await;
    world.engine.untag_by_hand(&reference("image-of-app"));
    assert_eq!(world.engine.image(&reference("image-of-app")), None);
    assert_eq!(world.engine.list_images().await.unwrap().len(), 1);
    world.engine.start_container(&id).await.unwrap();
}
