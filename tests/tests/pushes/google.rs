//! Google's registry with a service account's key, and with the identity of a machine whose tokens soon end.

use std::process::Output;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use longshore_tests::registry_front::Fault;
use longshore_tests::registry_front::credentials::service_account_key;
use longshore_tests::{
    Attached, LabEngine, MetadataServer, RegistryFront, StandaloneProject, digest_in_registry, eventually,
};
use serde_json::{Value, json};

use super::{ENGINES, digest_that_runs, goes_and_comes_back, repository_of};

fn opaque(key: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "gcr"},
        "stringData": {"key.json": key},
    })
}

#[test]
fn the_key_of_a_service_account_pushes_and_pulls() {
    for engine in ENGINES {
        for encoded in [false, true] {
            let project = StandaloneProject::begin(engine);
            let key = service_account_key(&project.name);
            let key = if encoded { BASE64_STANDARD.encode(key) } else { key };
            goes_and_comes_back(&project, &opaque(&key), |file| {
                project.command(&["up", "-d", "-f", file]).output().unwrap()
            });
            let user = format!("{}@my-project.iam.gserviceaccount.com", project.name);
            let shown = RegistryFront::requests_of(&user);
            assert!(!shown.is_empty() && shown.iter().all(|request| request.authorised), "{shown:#?}");
        }
    }
}

/// `up` on a machine that has this metadata server.
fn up_on(machine: &MetadataServer, project: &StandaloneProject, file: &str) -> Output {
    project.command(&["up", "-d", "-f", file]).env("GCE_METADATA_HOST", &machine.host).output().unwrap()
}

#[test]
fn a_push_that_would_begin_with_a_nearly_dead_token_waits_for_the_next() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let machine = MetadataServer::with_tokens_of(&project.name, 4, 60);
        goes_and_comes_back(&project, &Value::Null, |file| up_on(&machine, &project, file));
        let shown = RegistryFront::requests_of(&project.name);
        assert!(!shown.is_empty() && shown.iter().all(|request| request.authorised), "{shown:#?}");
    }
}

/// An attached `up` that builds a folder, pushes it and runs it, with the tokens of a machine that last a minute.
struct Living {
    // It ends first: what is taken down while it runs it would bring up again.
    attached: Attached,
    project: StandaloneProject,
    machine: MetadataServer,
    front: RegistryFront,
}

impl Living {
    fn begin(engine: LabEngine, interval: &str, (first, lasts): (u32, u32)) -> Self {
        let project = StandaloneProject::begin(engine);
        write_dockerfile(&project, 0);
        let push = json!({"to": format!("gcr.io/{}", repository_of(&project)), "interval": interval});
        let image = json!({"name": project.name, "build": {"context": {"path": "app"}}});
        let run =
            json!({"containerName": project.name, "command": ["sleep", "6000"], "terminationGracePeriodSeconds": 1});
        let file = project.app("pushed", &json!({"image": image, "push": [push], "run": run}), &[]);
        let machine = MetadataServer::with_tokens_of(&project.name, first, lasts);
        let front = RegistryFront::of(&repository_of(&project));
        let also = RegistryFront::of(&repository_of(&project));
        machine.at_each_new_token(move || also.end_faults());
        let attached = project.attach_where(&file, &[("GCE_METADATA_HOST", &machine.host)]);
        Self { attached, project, machine, front }
    }

    /// Twenty minutes go by in which the process has slept, and by its own clock but a moment: the registry takes no token
    /// that was given before, and the metadata server has another one.
    fn let_twenty_minutes_pass(&self) {
        let dead = Fault::answer(401, "UNAUTHORIZED", "not authenticated: No valid credential was supplied.");
        self.front.play(dead.with_header("WWW-Authenticate", "Bearer realm=\"https://gcr.io/v2/token\""));
        self.machine.let_pass(Duration::from_mins(20));
    }

    fn is_ready(&self) -> bool {
        self.project.condition("pushed", "Ready")["status"] == "True"
    }

    /// The image of this round is there, runs, and the registry holds it.
    async fn pushes(&self, before: Option<&String>) -> String {
        let pushed = || async {
            let digest = self.project.status("pushed")["push"][0]["digest"].as_str().map(str::to_owned);
            digest.is_some() && digest.as_ref() != before && self.is_ready()
        };
        eventually(&format!("it is pushed:\n{}", self.attached.told()), pushed).await;
        let digest = digest_that_runs(&self.project);
        assert_eq!(digest_in_registry(&repository_of(&self.project), "latest").as_ref(), Some(&digest));
        digest
    }

    /// Nobody was told of a failure, and no token was shown again and again.
    fn went_smoothly(&self, passages: usize) {
        let told = self.attached.told();
        assert!(!told.contains("TokenExpired") && !told.contains("cannot push"), "{told}");
        let refused = self.front.requests().iter().filter(|request| request.status == 401).count();
        let strangers = self.front.requests().iter().filter(|request| request.secret.is_none()).count();
        let of_dead_tokens = refused - strangers;
        assert!((passages..=8 * passages).contains(&of_dead_tokens), "{:#?}", self.front.requests());
    }
}

fn write_dockerfile(project: &StandaloneProject, round: usize) {
    project.file("app/Dockerfile", &format!("FROM busybox\nLABEL made-for={} round={round}\n", project.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_lives_on_pushes_with_a_new_token_every_twenty_minutes() {
    for engine in ENGINES {
        let living = Living::begin(engine, "5m", (4, 60));
        let mut digest = living.pushes(None).await;
        for round in 1..=4 {
            let made = living.machine.made();
            living.let_twenty_minutes_pass();
            write_dockerfile(&living.project, round);
            digest = living.pushes(Some(&digest)).await;
            assert_eq!(living.machine.made(), made + 1, "one token for one passage");
        }
        living.went_smoothly(4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_lives_on_looks_at_the_registry_with_a_new_token_every_twenty_minutes() {
    for engine in ENGINES {
        let living = Living::begin(engine, "1s", (4, 60));
        let digest = living.pushes(None).await;
        for _ in 0..3 {
            let (made, seen) = (living.machine.made(), living.front.requests().len());
            living.let_twenty_minutes_pass();
            let looked = || async {
                let requests = living.front.requests().split_off(seen);
                living.machine.made() > made && requests.last().is_some_and(|request| request.status == 200)
            };
            eventually("it looks again", looked).await;
            assert!(living.is_ready(), "{}", living.attached.told());
        }
        assert_eq!(living.project.condition("pushed", "Pushed")["status"], "True");
        assert_eq!(living.pushes(None).await, digest);
        living.went_smoothly(3);
    }
}

/// Too short for some pushes to end with the token that they have begun with.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_lives_on_pushes_with_tokens_of_three_seconds() {
    for engine in ENGINES {
        let living = Living::begin(engine, "1s", (1, 3));
        let mut digest = living.pushes(None).await;
        for round in 1..=4 {
            write_dockerfile(&living.project, round);
            digest = living.pushes(Some(&digest)).await;
        }
        assert!(living.machine.made() > 4);
    }
}
