//! Every answer of a registry that keeps an image from being pushed or pulled, played by the front before the lab's
//! gcr.io while `longshore up` works, on both engines: each has its reason, and what passes comes right by itself.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::{Duration, Instant};

use futures::future::join_all;
use longshore_tests::registry_front::{Fault, Kind, SeenRequest};
use longshore_tests::{
    ENGINES, LabEngine, RegistryFront, StandaloneProject, digest_in_registry, eventually, lab_variable,
    registry_secret, unique_name,
};
use serde_json::{Value, json};

/// So long is waited for what has to be told; nothing is judged by it.
const TIMEOUT: &str = "20s";

/// A project, and the front of a repository that is its own.
struct Scene {
    project: StandaloneProject,
    front: RegistryFront,
    repository: String,
}

impl Scene {
    fn begin(engine: LabEngine) -> Self {
        let project = StandaloneProject::begin(engine);
        let repository = format!("{}/node-app", unique_name("faults"));
        Self { front: RegistryFront::of(&repository), repository, project }
    }

    fn secret(password: &str) -> Value {
        serde_json::from_str(&registry_secret("gcr", password)).unwrap()
    }

    fn right_secret() -> Value {
        Self::secret(&lab_variable("LONGSHORE_LAB_GCR_PASSWORD"))
    }

    /// The file of an app that is pushed to the repository at this host.
    fn pushed(&self, host: &str, secret: &[Value]) -> String {
        let mut push = json!({"to": format!("{host}/{}", self.repository)});
        if !secret.is_empty() {
            push["secretRef"] = json!({"name": "gcr"});
        }
        let dockerfile = format!("FROM busybox\nLABEL made-for={}\n", self.project.name);
        let build = json!({"context": {"inline": {"Dockerfile": dockerfile}}});
        let image = json!({"name": self.project.name, "build": build});
        self.project.app("web", &json!({"image": image, "push": [push]}), secret)
    }

    /// The file of an app that is pulled from the repository.
    fn pulled(&self, secret: &[Value]) -> String {
        let mut image = json!({"name": format!("gcr.io/{}", self.repository)});
        if !secret.is_empty() {
            image["pullSecrets"] = json!([{"name": "gcr"}]);
        }
        self.project.app("web", &json!({"image": image}), secret)
    }

    /// What `up -d` leads to within a while: the reason, whether it is stalled, and the sentence.
    fn up(&self, file: &str) -> (String, bool, String) {
        let said = self.project.run(&["up", "-d", "--timeout", TIMEOUT, "-f", file]);
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        let ready = self.project.condition("web", "Ready");
        let message = ready["message"].as_str().unwrap_or_default().to_owned();
        assert!(said.result.contains(&message), "{}", said.all());
        (ready["reason"].as_str().unwrap_or_default().to_owned(), self.is_stalled(), message)
    }

    fn is_stalled(&self) -> bool {
        self.project.condition("web", "Stalled")["status"] == "True"
    }

    fn reason(&self) -> String {
        self.project.condition("web", "Ready")["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Fails unless this is what comes of it, and `up` ends before its time: who waits for a person says so at once.
    fn stalls(&self, file: &str, reason: &str, told: &[&str]) {
        let begun = Instant::now();
        let (found, is_stalled, message) = self.up(file);
        assert_eq!(found, reason, "{message}");
        assert!(is_stalled, "{message}");
        assert!(begun.elapsed() < Duration::from_secs(20), "it waits for nobody: {message}");
        for words in told {
            assert!(message.contains(words), "{words} is missing: {message}");
        }
    }

    /// Plays a fault that passes while `up` is attached: its reason is told, nothing is stalled, and once the fault is
    /// over it comes right without an edit.
    async fn passes(&self, file: &str, fault: Fault, reason: &str) {
        self.front.play(fault);
        let attached = self.project.attach(file);
        // An engine tries some things several times itself before it says that they have failed.
        let told = async {
            while self.reason() != reason {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(240), told).await;
        assert_eq!(self.reason(), reason, "{}", attached.told());
        assert!(!self.is_stalled(), "{}", attached.told());
        self.front.end_faults();
        let is_ready = || async { self.project.condition("web", "Ready")["status"] == "True" };
        eventually(&format!("it comes right after {reason}"), is_ready).await;
        drop(attached);
    }

    /// Puts the stand-in busybox into the repository, as somebody else has.
    fn filled(self) -> Self {
        let file = self.pushed("gcr.io", &[Self::right_secret()]);
        self.project.up(&file).well();
        self.project.run(&["down", "--all", "--images"]).well();
        self
    }
}

const WRONG_DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn foreign_manifest() -> String {
    let media_type = "application/vnd.docker.container.image.v1+json";
    let config = json!({"mediaType": media_type, "size": 2, "digest": WRONG_DIGEST});
    json!({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": []}).to_string()
}

fn denied(message: &str) -> Fault {
    Fault::answer(403, "DENIED", message)
}

const NO_REPOSITORY: &str =
    "gcr.io repo does not exist. Creating on push requires the artifactregistry.repositories.createOnPush permission";
const RETIRED: &str = "Container Registry is deprecated and shutting down, please use the auto migration tool to migrate \
    to Artifact Registry (gcloud artifacts docker upgrade migrate --projects='my-project')";

#[test]
fn a_push_without_credentials_or_with_wrong_ones_wants_authentication() {
    for engine in ENGINES {
        let scene = Scene::begin(engine);
        scene.stalls(
            &scene.pushed("gcr.io", &[]),
            "AuthenticationRequired",
            &["name a Secret that has some for gcr.io"],
        );
        let wrong = [Scene::secret("wrong")];
        let told = ["gcr.io does not take the credentials that it was shown"];
        scene.stalls(&scene.pushed("gcr.io", &wrong), "AuthenticationRequired", &told);
        scene.project.up(&scene.pushed("gcr.io", &[Scene::right_secret()])).well();
    }
}

#[test]
fn a_push_of_who_may_not_names_the_role() {
    for engine in ENGINES {
        let scene = Scene::begin(engine);
        let file = scene.pushed("gcr.io", &[Scene::right_secret()]);
        scene.front.play(denied("Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource"));
        scene.stalls(&file, "PermissionDenied", &["roles/artifactregistry.writer on the repository gcr.io in us"]);
        scene.front.end_faults();
        // Few words, and in the end only: what came before was let in.
        scene.front.play(denied("").on(Kind::Manifests).with_method("PUT"));
        scene.stalls(&file, "PermissionDenied", &["roles/artifactregistry.writer"]);
        scene.front.end_faults();
        scene.project.up(&file).well();
    }
}

#[test]
fn a_push_into_a_repository_that_is_not_there_tells_the_command_that_makes_it() {
    for engine in ENGINES {
        let scene = Scene::begin(engine);
        let file = scene.pushed("gcr.io", &[Scene::right_secret()]);
        let project = scene.repository.split('/').next().unwrap();
        let command = format!(
            "gcloud artifacts repositories create gcr.io --repository-format=docker --location=us --project={project}"
        );
        let told = [command.as_str(), "roles/artifactregistry.createOnPushWriter"];
        scene.front.play(denied(NO_REPOSITORY));
        scene.stalls(&file, "RepositoryNotFound", &told);
        scene.front.end_faults();
        scene.front.play(Fault::answer(404, "NAME_UNKNOWN", "Repository \"gcr.io\" not found"));
        scene.stalls(&file, "RepositoryNotFound", &told);
        scene.front.end_faults();
        scene.project.up(&file).well();
    }
}

#[test]
fn a_push_to_a_project_that_was_not_migrated_is_told_how() {
    for engine in ENGINES {
        let scene = Scene::begin(engine);
        let file = scene.pushed("gcr.io", &[Scene::right_secret()]);
        // As Google answers: at its token server, with a text that is no JSON.
        let answer = Fault::content("text/plain", RETIRED);
        let answer = answer.on(Kind::Token).with_status(412);
        scene.front.play(answer);
        scene.stalls(&file, "RegistryRetired", &["gcloud artifacts docker upgrade migrate --projects="]);
        scene.front.end_faults();
        scene.project.up(&file).well();
    }
}

#[test]
fn a_registry_with_an_unknown_certificate_is_named_with_the_place_for_the_right_one() {
    for engine in ENGINES {
        let scene = Scene::begin(engine);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth", "metadata": {"name": "gcr"},
            "stringData": {
                "username": lab_variable("LONGSHORE_LAB_GCR_USER"),
                "password": lab_variable("LONGSHORE_LAB_GCR_PASSWORD"),
            },
        });
        let told = ["/etc/docker/certs.d/eu.gcr.io/ca.crt"];
        scene.stalls(&scene.pushed("eu.gcr.io", &[secret]), "CertificateUnknown", &told);
    }
}

#[test]
fn a_pull_of_what_is_not_there_is_told_as_that() {
    for engine in ENGINES {
        let scene = Scene::begin(engine);
        let file = scene.pulled(&[Scene::right_secret()]);
        scene.stalls(&file, "ManifestUnknown", &[&scene.repository]);
        scene.front.play(Fault::answer(404, "NAME_UNKNOWN", "Repository \"gcr.io\" not found"));
        scene.stalls(&file, "RepositoryNotFound", &["gcloud artifacts repositories create gcr.io"]);
        scene.front.end_faults();
        scene.stalls(&scene.pulled(&[]), "AuthenticationRequired", &["spec.image.pullSecrets"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_comes_right_when_what_passes_has_passed() {
    let unavailable = || Fault::answer(503, "UNAVAILABLE", "the service is unavailable");
    let expired = Fault::answer(401, "UNAUTHORIZED", "The access token has expired")
        .with_header("WWW-Authenticate", "Bearer realm=\"https://gcr.io/v2/token\",error=\"invalid_token\"");
    side_by_side(
        [
            (unavailable(), "RegistryUnavailable"),
            (unavailable().on(Kind::Token), "RegistryUnavailable"),
            (Fault::answer(429, "TOOMANYREQUESTS", "Quota exceeded").with_header("Retry-After", "3"), "RateLimited"),
            (expired, "TokenExpired"),
            (Fault::named_digest(WRONG_DIGEST).on(Kind::Manifests).with_method("GET"), "DigestMismatch"),
        ],
        async |engine, fault, reason| {
            let scene = Scene::begin(engine);
            scene.passes(&scene.pushed("gcr.io", &[Scene::right_secret()]), fault, reason).await;
            assert!(digest_in_registry(&scene.repository, "latest").is_some(), "{reason}");
        },
    )
    .await;
}

/// A layer of two megabytes is cut every time, and what is smaller arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_cut_in_the_middle_of_a_layer_goes_on_with_what_has_not_arrived() {
    let cut = || Fault::cut(500_000).on(Kind::Uploads);
    side_by_side([(cut(), "RegistryUnavailable")], async |engine, fault, reason| {
        let scene = Scene::begin(engine);
        let large: Vec<String> = (0..250_000).map(|_| format!("{:08x}", rand::random::<u32>())).collect();
        let large = large.concat();
        scene.project.file("context/large", &large);
        let dockerfile = format!("FROM busybox\nRUN echo {} >/small\nCOPY large /\n", scene.project.name);
        scene.project.file("context/Dockerfile", &dockerfile);
        let push = json!([{"to": format!("gcr.io/{}", scene.repository), "secretRef": {"name": "gcr"}}]);
        let image = json!({"name": scene.project.name, "build": {"context": {"path": "context"}}});
        let file = scene.project.app("web", &json!({"image": image, "push": push}), &[Scene::right_secret()]);
        scene.passes(&file, fault, reason).await;

        let uploads: Vec<SeenRequest> =
            scene.front.requests().into_iter().filter(|request| request.kind == Kind::Uploads).collect();
        let cuts = uploads.iter().filter(|request| request.received == 500_000).count();
        assert!(cuts > 0, "{uploads:#?}");
        // The layer of busybox, the small one, the large one and the configuration: none arrives twice. An engine that
        // has lost one of them may let go of the others before the registry has answered.
        let arrived: Vec<_> =
            uploads.iter().filter(|request| request.method == "PUT" && request.status == 201).collect();
        assert!(arrived.len() <= 4, "{uploads:#?}");
        // An engine sends it with the request that ends the upload, or with one before that (20.10).
        let is_large = |request: &&SeenRequest| request.received > 1_000_000 && matches!(request.status, 201 | 202);
        assert_eq!(uploads.iter().filter(is_large).count(), 1, "{uploads:#?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_comes_right_when_what_passes_has_passed() {
    side_by_side(
        [
            (Fault::answer(500, "UNKNOWN", "an error of its own"), "RegistryUnavailable"),
            (Fault::answer(429, "TOOMANYREQUESTS", "slow down").with_header("Retry-After", "3"), "RateLimited"),
            (Fault::content("application/octet-stream", "{}").on(Kind::Blobs), "DigestMismatch"),
        ],
        async |engine, fault, reason| {
            let scene = Scene::begin(engine).filled();
            if reason == "DigestMismatch" {
                // An image whose parts no engine has, so that it is sent for them.
                scene.front.play(Fault::content(MANIFEST_TYPE, &foreign_manifest()).on(Kind::Manifests));
            }
            scene.passes(&scene.pulled(&[Scene::right_secret()]), fault, reason).await;
        },
    )
    .await;
}

/// Plays each case on both engines, all of them at once: what takes time is that the engines wait.
async fn side_by_side<const COUNT: usize>(
    cases: [(Fault, &'static str); COUNT],
    play: impl AsyncFn(LabEngine, Fault, &'static str),
) {
    let play = &play;
    let all = cases.into_iter().flat_map(|(fault, reason)| ENGINES.map(|engine| (engine, fault.clone(), reason)));
    join_all(all.map(|(engine, fault, reason)| async move { play(engine, fault, reason).await })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_asks_to_wait_is_not_asked_before() {
    for engine in ENGINES {
        let scene = Scene::begin(engine);
        let limited = Fault::answer(429, "TOOMANYREQUESTS", "Quota exceeded").with_header("Retry-After", "3600");
        scene.front.play(limited);
        let attached = scene.project.attach(&scene.pushed("gcr.io", &[Scene::right_secret()]));
        eventually("the limit is told", || async { scene.reason() == "RateLimited" }).await;
        let message = scene.project.condition("web", "Ready")["message"].to_string();
        assert!(message.contains("after 3600 seconds, as it wishes"), "{message}");
        let asked = scene.front.requests().len();
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(scene.front.requests().len(), asked, "{}", attached.told());
        drop(attached);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_not_shown_again_and_again() {
    for engine in ENGINES {
        let scene = Scene::begin(engine);
        let attached = scene.project.attach(&scene.pushed("gcr.io", &[Scene::secret("wrong")]));
        eventually("it is stalled", || async { scene.is_stalled() }).await;
        let asked = scene.front.requests().len();
        assert!(asked < 40, "{asked} requests for one push that is refused: {:?}", scene.front.requests());
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert_eq!(scene.front.requests().len(), asked, "{}", attached.told());
        drop(attached);
    }
}

#[test]
fn a_base_image_that_may_not_be_seen_is_no_broken_build() {
    for engine in ENGINES {
        let scene = Scene::begin(engine).filled();
        let dockerfile = format!("FROM gcr.io/{}\nLABEL made-for={}\n", scene.repository, scene.project.name);
        let build = json!({"context": {"inline": {"Dockerfile": dockerfile}}});
        let app = |secrets: &[Value]| {
            let mut image = json!({"name": scene.project.name, "build": build});
            if !secrets.is_empty() {
                image["pullSecrets"] = json!([{"name": "gcr"}]);
            }
            scene.project.app("web", &json!({"image": image}), secrets)
        };
        let base = format!("the base image gcr.io/{}", scene.repository);
        scene.stalls(&app(&[]), "AuthenticationRequired", &[&base, "spec.image.pullSecrets"]);
        let right = app(&[Scene::right_secret()]);
        scene.front.play(denied("Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource"));
        scene.stalls(&right, "PermissionDenied", &[&base, "roles/artifactregistry.reader"]);
        scene.front.end_faults();
        scene.project.up(&right).well();
    }
}
