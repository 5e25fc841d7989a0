//! A build's secret is in nothing that the engine keeps of the image: in no layer, not in its history, in no label.

use std::collections::BTreeMap;
use std::sync::Arc;

use longshore::engine::{BuildRequest, Engine};
use longshore_tests::engine_contract::context_of;
use longshore_tests::{LabEngine, lab, unique_name};

const DOCKERFILE: &str = "FROM busybox:latest\n\
                          ARG BUILT=now\n\
                          LABEL built=$BUILT\n\
                          RUN --mount=type=secret,id=token cat /run/secrets/token > /tmp/seen && wc -c < /tmp/seen > /length && rm /tmp/seen\n\
                          CMD [\"cat\", \"/length\"]\n";

#[tokio::test]
async fn on_docker_20() {
    a_secret_is_in_nothing_that_is_kept(LabEngine::Engine20, "LONGSHORE_LAB_ENGINE20").await;
}

#[tokio::test]
async fn on_docker_29() {
    a_secret_is_in_nothing_that_is_kept(LabEngine::Engine29, "LONGSHORE_LAB_ENGINE29").await;
}

async fn a_secret_is_in_nothing_that_is_kept(engine: LabEngine, variable: &str) {
    let image = unique_name("secret");
    let (canary, control) = (unique_name("canary"), unique_name("control"));
    let request = BuildRequest {
        secrets: BTreeMap::from([("token".to_owned(), canary.clone().into_bytes().into())]),
        // What is in no secret is found, or the search would prove nothing.
        args: BTreeMap::from([("BUILT".to_owned(), control.clone())]),
        ..BuildRequest::new(context_of(&[("Dockerfile", DOCKERFILE)]), image.parse().expect("a reference"), &*image)
    };
    let built = lab::engine(variable).build_image(request, Arc::new(|_| {})).await;
    built.unwrap_or_else(|error| panic!("{error}"));
    let length = engine.docker(&["run", "--rm", "--network", "none", &image]).expect("the step has read the secret");
    assert_eq!(length.trim(), canary.len().to_string());

    let everything = engine.everything_of(&image);
    engine.docker(&["rmi", &image]).expect("the image is removed");
    assert!(!everything.contains(&canary), "the image has the secret");
    assert!(everything.contains(&control));
}
