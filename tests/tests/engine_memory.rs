//! What an engine must do, done by the engine in memory: what tests find out on it holds on the real ones.

use std::sync::Arc;

use longshore::app::{Credentials, ImageReference, ImageStore};
use longshore::testing::{MemoryEngine, MemoryImage, MemoryRegistry, TestClock};
use longshore_tests::engine_contract::Fixture;

const DEAD_REGISTRY: &str = "dead.example";

mod with_a_graph_drivers_store {
    use super::*;

    fn fixture() -> Fixture {
        super::fixture(ImageStore::GraphDriver)
    }

    longshore_tests::engine_contract!(fixture);
}

mod with_containerds_store {
    use super::*;

    fn fixture() -> Fixture {
        super::fixture(ImageStore::Containerd)
    }

    longshore_tests::engine_contract!(fixture);
}

/// An engine of this kind, and the registries that the lab has.
fn fixture(kind: ImageStore) -> Fixture {
    let registry = MemoryRegistry::default();
    let base: ImageReference = "busybox".parse().expect("a reference");
    let other = MemoryImage::new("busybox").for_platform("linux/arm64");
    registry.put_platforms(&base, &MemoryImage::new("busybox"), &[other]);
    registry.require("gcr.io", "_json_key", "secret");
    registry.set_available(DEAD_REGISTRY, false);
    let clock = TestClock::default();
    Fixture {
        engine: Arc::new(MemoryEngine::new(kind, &clock, &registry)),
        base_image: base.to_string(),
        repository: "gcr.io/longshore-contract".to_owned(),
        credentials: Credentials {
            host: "gcr.io".to_owned(),
            username: "_json_key".to_owned(),
            password: "secret".to_owned().into(),
        },
        open_registry: "open.example".to_owned(),
        dead_registry: DEAD_REGISTRY.to_owned(),
        pass_time: Box::new(move |duration| clock.advance(duration)),
    }
}
