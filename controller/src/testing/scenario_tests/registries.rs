//! What a registry has against a push or a pull: under which reason, how often it is tried, and how it comes right.

use super::*;

/// A world whose `gcr.io` wants this password, and an app that is pushed there with the other one.
fn with_password(password: &str) -> World {
    let world = World::new(ImageStore::GraphDriver);
    world.registry.require("gcr.io", "_json_key", password);
    world.resources.apply(&node_app("hello"));
    world
}

pub(super) fn pushes(world: &World) -> usize {
    world.engine.mutations().iter().filter(|call| call.starts_with("push image")).count()
}

/// Lets a process live for so long, and look whenever it wants to.
pub(super) async fn live_for(world: &World, process: &Reconciler, seconds: u64) {
    let end = world.clock.now() + Duration::from_secs(seconds);
    while world.clock.now() < end {
        let LookAgain(wait) = process.reconcile(&world.key).await.unwrap();
        if process.running_tasks() > 0 {
            while process.running_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        } else {
            let left = Duration::try_from(end.duration_since(world.clock.now())).unwrap_or_default();
            world.clock.advance(wait.max(Duration::from_millis(1)).min(left));
        }
    }
}

fn is_stalled(world: &World) -> bool {
    world.status().conditions.iter().any(|condition| condition.type_ == "Stalled" && condition.status == "True")
}

#[tokio::test]
async fn credentials_that_are_not_taken_stall_at_once_and_never_spin() {
    let world = with_password("another one");
    let process = world.process(&CrashPlan::none());
    live_for(&world, &process, 5).await;
    assert_eq!(world.ready().1, "AuthenticationRequired");
    assert!(is_stalled(&world));
    live_for(&world, &process, 3600).await;
    let (pushes, requests) = (pushes(&world), world.registry.requests("gcr.io"));
    assert!((2..=13).contains(&pushes), "{pushes} pushes in an hour");
    // A look before it, the push itself, and the question why.
    assert!(requests <= 3 * 13, "{requests} requests in an hour");
    assert!(is_stalled(&world));
}

#[tokio::test]
async fn other_credentials_are_tried_at_once_and_without_an_edit() {
    let world = with_password("another one");
    let process = world.process(&CrashPlan::none());
    live_for(&world, &process, 30).await;
    assert!(is_stalled(&world));
    let configuration = json!({"auths": {"gcr.io": {"username": "_json_key", "password": "another one"}}});
    let secret = SecretData {
        kind: "kubernetes.io/dockerconfigjson".to_owned(),
        data: [(".dockerconfigjson".to_owned(), configuration.to_string().into_bytes())].into(),
    };
    world.resources.put_secret("default", "gcr", secret);
    live_for(&world, &process, 15).await;
    world.assert_is_as_asked("with other credentials");
    assert!(!is_stalled(&world));
}

#[tokio::test]
async fn each_answer_has_its_reason_and_what_passes_comes_right_by_itself() {
    for (words, reason, stalls) in [
        ("no basic auth credentials", "AuthenticationRequired", true),
        ("denied: requested access to the resource is denied", "PermissionDenied", true),
        ("name unknown: Repository \"gcr.io\" not found", "RepositoryNotFound", true),
        ("denied: Container Registry is deprecated and shutting down", "RegistryRetired", true),
        ("x509: certificate signed by unknown authority", "CertificateUnknown", true),
        ("unauthorized: invalid_token", "TokenExpired", false),
        ("toomanyrequests: Quota exceeded", "RateLimited", false),
        ("received unexpected HTTP status: 503 Service Unavailable", "RegistryUnavailable", false),
        ("digest invalid", "DigestMismatch", false),
    ] {
        let world = with_password("a+b/c");
        world.registry.refuse("gcr.io", Some((words, None)));
        let process = world.process(&CrashPlan::none());
        live_for(&world, &process, 60).await;
        let (status, found, message) = world.ready();
        assert_eq!((&*status, &*found), ("False", reason), "{words}: {message}");
        assert_eq!(is_stalled(&world), stalls, "{words}: {message}");
        assert!(message.contains("gcr.io/my-project/node-app:0.1") && message.contains(words), "{message}");
        world.registry.refuse("gcr.io", None);
        live_for(&world, &process, 340).await;
        world.assert_is_as_asked(words);
    }
}

#[tokio::test]
async fn a_registry_that_asks_to_wait_when_it_is_looked_at_is_not_pushed_to_before() {
    for words in ["toomanyrequests: slow down", "received unexpected HTTP status: 503 Service Unavailable"] {
        let world = with_password("a+b/c");
        world.registry.refuse("gcr.io", Some((words, Some(Duration::from_secs(900)))));
        let process = world.process(&CrashPlan::none());
        live_for(&world, &process, 890).await;
        assert_eq!(pushes(&world), 0, "{words}");
        assert_eq!(world.registry.requests("gcr.io"), 1, "{words}");
        assert!(world.ready().2.contains("after 900 seconds"), "{}", world.ready().2);
        world.registry.refuse("gcr.io", None);
        live_for(&world, &process, 300).await;
        world.assert_is_as_asked(words);
    }
}

#[tokio::test]
async fn a_registry_that_asks_to_wait_is_left_alone_for_so_long_though_the_engine_does_not_tell() {
    let words = "toomanyrequests: slow down";
    let world = with_password("a+b/c");
    let process = world.process(&CrashPlan::none());
    live_for(&world, &process, 30).await;
    // It was looked at a moment before, so that the engine is the first to be told.
    world.resources.apply(&node_app("hello again"));
    world.registry.refuse("gcr.io", Some((words, Some(Duration::from_secs(900)))));
    let (before, requests) = (pushes(&world), world.registry.requests("gcr.io"));
    live_for(&world, &process, 890).await;
    assert_eq!(pushes(&world), before + 1);
    let requests = world.registry.requests("gcr.io") - requests;
    assert!(requests <= 4, "{requests} requests");
    assert!(world.ready().2.contains("after 900 seconds"), "{}", world.ready().2);
    world.registry.refuse("gcr.io", None);
    live_for(&world, &process, 600).await;
    world.assert_is_as_asked(words);
}

#[tokio::test]
async fn an_image_that_the_registry_does_not_have_stalls_and_is_pulled_once_it_is_there() {
    let world = World::new(ImageStore::Containerd);
    let app = json!({
        "apiVersion": "longshore.dev/v1alpha1",
        "kind": "ContainerApp",
        "metadata": {"name": "my-app", "namespace": "default"},
        "spec": {"image": {"name": "web"}},
    });
    world.resources.apply(&serde_json::from_value(app).unwrap());
    let process = world.process(&CrashPlan::none());
    live_for(&world, &process, 5).await;
    assert_eq!(world.ready().1, "ManifestUnknown");
    assert!(is_stalled(&world));
    world.registry.put(&reference("web"), &MemoryImage::new("web"));
    live_for(&world, &process, 340).await;
    assert_eq!(world.ready().0, "True");
}

#[tokio::test]
async fn a_base_image_that_may_not_be_seen_is_told_as_such_and_not_as_a_broken_build() {
    let world = with_password("a+b/c");
    world.registry.refuse("docker.io", Some(("toomanyrequests: You have reached your pull rate limit", None)));
    let process = world.process(&CrashPlan::none());
    live_for(&world, &process, 5).await;
    let (_, reason, message) = world.ready();
    assert_eq!(reason, "RateLimited", "{message}");
    assert!(message.contains("the base image node:6"), "{message}");
    world.registry.refuse("docker.io", None);
    live_for(&world, &process, 120).await;
    world.assert_is_as_asked("the limit is over");
}

#[tokio::test]
async fn what_may_be_pushed_and_not_be_seen_is_not_pushed_again_and_again() {
    let world = with_password("a+b/c");
    world.registry.set_only_takes("gcr.io", true);
    let process = world.process(&CrashPlan::none());
    live_for(&world, &process, 3600).await;
    let (_, reason, message) = world.ready();
    assert_eq!(reason, "PermissionDenied");
    assert!(message.contains("after the push it could not be read back"), "{message}");
    let pushes = pushes(&world);
    assert!((2..=13).contains(&pushes), "{pushes} pushes in an hour");
    world.registry.set_only_takes("gcr.io", false);
    live_for(&world, &process, 340).await;
    world.assert_is_as_asked("it may be seen");
}
