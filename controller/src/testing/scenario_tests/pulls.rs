//! Images that are pulled: by a tag that moves, by a digest, and for a platform.

use super::*;
use crate::app::RemoteImage;
use crate::engine::Engine as _;

const NAME: &str = "gcr.io/my-project/server";

impl World {
    /// A world with a registry that is open to all and has an index of two platforms under `server:0.2`.
    fn with_server(store: ImageStore) -> (Self, RemoteImage) {
        let world = Self::new(store);
        let held = world.publish("one");
        (world, held)
    }

    /// Lets `server:0.2` be another image.
    fn publish(&self, content: &str) -> RemoteImage {
        let image = MemoryImage::new(content);
        let arm = MemoryImage::new(&format!("{content} on arm")).for_platform("linux/arm64");
        self.registry.put_platforms(&reference("open.example/server:0.2"), &image, &[arm])
    }

    fn apply(&self, image: &serde_json::Value) {
        let app = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": "my-app", "namespace": "default"},
            "spec": {"image": image, "run": {"containerName": "my-app"}},
        });
        self.resources.apply(&serde_json::from_value(app).unwrap());
    }

    /// Whether the one container runs what the registry holds.
    fn runs(&self, held: &RemoteImage) -> bool {
        let containers = self.engine.containers();
        let [container] = containers.as_slice() else { panic!("{containers:?}") };
        let images = self.engine.images();
        let image = images.iter().find(|image| image.id == container.image).unwrap();
        container.state == ContainerState::Running && image.has_digest(&held.manifest)
    }

    fn built(&self) -> (String, String) {
        let conditions = self.status().conditions;
        let built = conditions.into_iter().find(|condition| condition.type_ == "Built");
        built.map(|built| (built.status, built.reason)).unwrap_or_default()
    }
}

fn followed() -> serde_json::Value {
    json!({"name": "open.example/server", "tags": ["0.2"], "pullPolicy": "Always", "interval": "1m"})
}

/// A process that asks a registry every minute is never at rest for longer.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_tag_that_is_followed_replaces_the_container_when_it_moves() {
    for store in BOTH_STORES {
        let (world, one) = World::with_server(store);
        world.apply(&followed());
        let process = world.process(&CrashPlan::none());
        settle_until(&process, &world.key, &world.clock, BETWEEN_LOOKS).await;
        assert!(world.runs(&one));
        let requests = world.registry.requests("open.example");
        let two = world.publish("two");
        world.clock.advance(Duration::from_secs(30));
        settle_until(&process, &world.key, &world.clock, Duration::from_secs(30)).await;
        assert_eq!(world.registry.requests("open.example"), requests, "what is known is young enough");
        world.clock.advance(Duration::from_secs(31));
        settle_until(&process, &world.key, &world.clock, BETWEEN_LOOKS).await;
        assert!(world.runs(&two));
        assert_eq!(world.ready().0, "True");
        // The one before it is kept for a way back.
        assert!(world.engine.images().iter().any(|image| image.has_digest(&one.manifest)));
    }
}

#[tokio::test]
async fn as_many_superseded_images_are_kept_as_are_asked_for() {
    for store in BOTH_STORES {
        let (world, _) = World::with_server(store);
        world.apply(&followed());
        let process = world.process(&CrashPlan::none());
        for number in 0..8 {
            world.publish(&number.to_string());
            world.clock.advance(Duration::from_secs(61));
            settle_until(&process, &world.key, &world.clock, BETWEEN_LOOKS).await;
        }
        assert_eq!(world.engine.images().len(), 4, "one that runs and three");
        world.resources.delete(&world.key);
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.engine.images(), []);
    }
}

#[tokio::test]
async fn a_registry_that_is_away_changes_nothing_for_what_runs_and_is_told() {
    for store in BOTH_STORES {
        let (world, one) = World::with_server(store);
        world.apply(&followed());
        world.live_until(&CrashPlan::none(), BETWEEN_LOOKS).await;
        world.registry.set_available("open.example", false);
        world.clock.advance(Duration::from_secs(61));
        world.live_until(&CrashPlan::none(), BETWEEN_LOOKS).await;
        assert!(world.runs(&one));
        assert_eq!(world.ready().0, "True");
        assert_eq!(world.built(), ("Unknown".to_owned(), "RegistryUnavailable".to_owned()));
        world.registry.set_available("open.example", true);
        let two = world.publish("two");
        world.clock.advance(Duration::from_secs(61));
        world.live_until(&CrashPlan::none(), BETWEEN_LOOKS).await;
        assert!(world.runs(&two));
    }
}

#[tokio::test]
async fn a_tag_is_not_followed_unless_that_is_asked_for() {
    for store in BOTH_STORES {
        let (world, one) = World::with_server(store);
        world.apply(&json!({"name": "open.example/server", "tags": ["0.2"]}));
        world.live(&CrashPlan::none()).await;
        world.publish("two");
        world.clock.advance(Duration::from_secs(3600));
        world.live(&CrashPlan::none()).await;
        assert!(world.runs(&one));
    }
}

#[tokio::test]
async fn what_is_pinned_runs_whatever_becomes_of_the_tag_and_nothing_is_left_of_it() {
    for store in BOTH_STORES {
        let (world, one) = World::with_server(store);
        world.publish("two");
        world.apply(&json!({"name": "open.example/server", "digest": one.manifest.to_string()}));
        world.live(&CrashPlan::none()).await;
        assert!(world.runs(&one), "{:?}", world.ready());
        assert_eq!(world.engine.image(&reference("open.example/server:0.2")), None, "no tag was made");
        world.resources.delete(&world.key);
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.engine.images(), []);
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_move() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let (world, _) = World::with_server(store);
            world.apply(&followed());
            world.live_until(&CrashPlan::none(), BETWEEN_LOOKS).await;
            world.publish("two");
            world.clock.advance(Duration::from_secs(61));
            world.live_until(plan, BETWEEN_LOOKS).await;
            world
        };
        dies_at_every_effect_until(BETWEEN_LOOKS, scenario, |world, case| {
            let two = world.registry.tagged(&reference("open.example/server:0.2")).unwrap();
            assert!(world.runs(&two), "{case}");
            assert_eq!(world.ready().0, "True", "{case}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_image_is_pulled_for_the_platform_that_is_asked_for_though_it_is_there_for_another() {
    for store in BOTH_STORES {
        let (world, held) = World::with_server(store);
        let server = reference("open.example/server:0.2");
        world.engine.pull_image(&server, None, None, Arc::new(|_| {})).await.unwrap();
        world.apply(&json!({"name": "open.example/server", "tags": ["0.2"], "platform": "linux/arm64"}));
        world.live(&CrashPlan::none()).await;
        assert!(world.runs(&held), "{:?}", world.ready());
        let image = world.engine.containers()[0].image.clone();
        assert_eq!(world.engine.has_platform(&image, "linux/arm64").await, Ok(true));
    }
}

#[tokio::test]
async fn a_platform_that_the_registry_does_not_have_is_the_reason_why_nothing_runs() {
    for store in BOTH_STORES {
        let (world, _) = World::with_server(store);
        world.apply(&json!({"name": "open.example/server", "tags": ["0.2"], "platform": "linux/s390x"}));
        world.live_until(&CrashPlan::none(), Duration::from_secs(10)).await;
        let (_, reason, message) = world.ready();
        assert_eq!(reason, "PlatformNotFound");
        assert!(message.contains("linux/s390x"), "{message}");
    }
}

#[tokio::test]
async fn what_is_pinned_can_be_copied_to_another_registry() {
    let (one, arm) = (MemoryImage::new("one"), MemoryImage::new("one").for_platform("linux/arm64"));
    for (store, others) in BOTH_STORES.into_iter().flat_map(|store| [(store, None), (store, Some(&arm))]) {
        let world = World::new(store);
        let from = reference("open.example/server:0.2");
        let held = match others {
            None => world.registry.put(&from, &one),
            Some(other) => world.registry.put_platforms(&from, &one, std::slice::from_ref(other)),
        };
        let app = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerApp",
            "metadata": {"name": "my-app", "namespace": "default"},
            "spec": {
                "image": {"name": "open.example/server", "digest": held.manifest.to_string()},
                "push": [{"to": NAME, "tags": ["copy"], "secretRef": {"name": "gcr"}}],
            },
        });
        world.resources.apply(&serde_json::from_value(app).unwrap());
        world.live(&CrashPlan::none()).await;
        assert_eq!(world.ready().0, "True", "{:?}", world.ready());
        let copy = world.registry.tagged(&reference(&format!("{NAME}:copy"))).unwrap();
        assert_eq!(copy.config, Some(one.config()));
    }
}
