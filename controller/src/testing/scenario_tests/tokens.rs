//! Tokens that a registry calls expired though whoever gave them said otherwise.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use super::registries::{live_for, pushes};
use super::*;
use crate::app::Credentials;
use crate::reconcile::EventKind;

const USER: &str = "oauth2accesstoken";

/// Gives `token-0` for `gcr.io` until that is refused, then `token-1`, and so on.
#[derive(Default)]
struct Tokens(AtomicUsize);

impl Tokens {
    fn current(&self) -> String {
        format!("token-{}", self.0.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl AmbientCredentials for Tokens {
    async fn for_host(&self, host: &str) -> Result<Option<Credentials>, String> {
        let (username, password) = (USER.to_owned(), self.current().into());
        Ok((host == "gcr.io").then(|| Credentials { host: host.to_owned(), username, password }))
    }

    async fn forget(&self, refused: &Credentials) -> bool {
        let came_from_here = refused.password.expose_secret() == self.current();
        self.0.fetch_add(usize::from(came_from_here), Ordering::SeqCst);
        came_from_here
    }
}

/// An app that is pushed with whatever token there is.
fn pushed(content: &str) -> ContainerApp {
    let mut app = node_app(content);
    app.spec.push[0].secret_ref = None;
    app
}

#[tokio::test]
async fn a_token_that_the_registry_calls_dead_is_replaced_once_and_nobody_is_told_of_a_failure() {
    for store in BOTH_STORES {
        let (world, tokens) = (World::new(store), Arc::new(Tokens::default()));
        let process = world.process_with(&CrashPlan::none(), Arc::clone(&tokens) as _);
        for round in 0..5 {
            world.registry.require("gcr.io", USER, &format!("token-{round}"));
            world.resources.apply(&pushed(&format!("hello {round}")));
            settle(&process, &world.key, &world.clock).await;
            world.assert_is_as_asked(&format!("round {round}"));
        }
        assert_eq!(tokens.current(), "token-4");
        assert!(pushes(&world) <= 9, "{} pushes", pushes(&world));
        let events = world.resources.events(&world.key);
        assert!(events.iter().all(|event| event.kind == EventKind::Normal), "{events:?}");
    }
}

#[tokio::test]
async fn new_tokens_that_are_refused_as_well_are_not_shown_without_end() {
    let (world, tokens) = (World::new(ImageStore::GraphDriver), Arc::new(Tokens::default()));
    world.registry.require("gcr.io", USER, "none of these");
    world.resources.apply(&pushed("hello"));
    let process = world.process_with(&CrashPlan::none(), tokens);
    live_for(&world, &process, 3600).await;
    assert_eq!(world.ready().1, "TokenExpired");
    assert!(pushes(&world) <= 25, "{} pushes in an hour", pushes(&world));
}

#[tokio::test]
async fn a_token_in_a_secret_is_not_replaced_by_another_one() {
    let (world, tokens) = (World::new(ImageStore::GraphDriver), Arc::new(Tokens::default()));
    world.registry.require("gcr.io", USER, "token-0");
    let configuration = json!({"auths": {"gcr.io": {"username": USER, "password": "dead"}}});
    let secret = SecretData {
        kind: "kubernetes.io/dockerconfigjson".to_owned(),
        data: [(".dockerconfigjson".to_owned(), configuration.to_string().into_bytes())].into(),
    };
    world.resources.put_secret("default", "gcr", secret);
    world.resources.apply(&node_app("hello"));
    let process = world.process_with(&CrashPlan::none(), Arc::clone(&tokens) as _);
    live_for(&world, &process, 60).await;
    assert_eq!((world.ready().1.as_str(), tokens.current().as_str()), ("TokenExpired", "token-0"));
}
