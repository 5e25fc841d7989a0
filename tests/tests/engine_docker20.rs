//! What an engine must do, done by Docker Engine 20 with each of its builders.

use longshore::app::{BuilderKind, ImageStore};
use longshore::engine::Engine;
use longshore_tests::engine_contract::Fixture;
use longshore_tests::lab;

const ENGINE: &str = "LONGSHORE_LAB_ENGINE20";

mod with_buildkit {
    use super::*;

    fn fixture() -> Fixture {
        lab::fixture(ENGINE, BuilderKind::BuildKit)
    }

    longshore_tests::engine_contract!(fixture);
    longshore_tests::engine_contract!(buildkit fixture);
    longshore_tests::engine_contract!(inside fixture);
}

mod with_the_classic_builder {
    use super::*;

    fn fixture() -> Fixture {
        lab::fixture(ENGINE, BuilderKind::Classic)
    }

    longshore_tests::engine_contract!(fixture);
    longshore_tests::engine_contract!(classic fixture);
}

#[tokio::test]
async fn it_says_what_it_is() {
    let info = lab::engine(ENGINE).info().await.expect("an answer");
    assert!(info.version.starts_with("20."), "{}", info.version);
    assert!(!info.id.is_empty());
    assert_eq!(info.image_store, ImageStore::GraphDriver);
    assert_eq!(info.builder, BuilderKind::BuildKit);
}
