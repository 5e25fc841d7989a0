//! What BuildKit does with what it asks for while it builds: files, secrets, signatures.
//!
//! The engine in memory runs no programs and asks nothing, so it cannot play these honestly; the classic builder
//! refuses them, [`what_the_classic_builder_cannot_do_is_refused`].

use std::collections::BTreeMap;
use std::sync::Mutex;

use longshore::app::{BuilderKind, CacheExport, ImageStore};
use longshore::engine::{Attestations, BuildReport, BuildRequest, EngineError, Progress, Provenance, Sbom, SshKey};
use longshore_crds::{BuildNetwork, CacheMode};

use super::scene::{Fixture, Scene, context_of, ignored, kept, play, script};

/// A key that was made for these tests and opens nothing.
const KEY: &[u8] = include_bytes!("test_key_ed25519");
const COMMENT: &str = "longshore-contract";

/// Of a thousand files one is changed, without a change of its length: that one is sent.
pub async fn only_the_file_that_has_changed_is_sent(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile("COPY . /app");
        let own = scene.name("content");
        let names: Vec<String> = (0..999).map(|number| format!("folder-{}/file-{number}", number % 10)).collect();
        let built = async |tag: &str, content: &str| {
            let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), own.as_str())).collect();
            files.extend([("Dockerfile", dockerfile.as_str()), ("changing", content)]);
            scene.build(tag, &files).await
        };
        let first = built("first", "Hello World").await;
        let all = dockerfile.len() + names.len() * own.len() + "Hello World".len();
        assert_eq!(first.bytes_sent, all as u64);
        assert_eq!(built("again", "Hello World").await.bytes_sent, 0);
        let edited = built("edited", "Hello Cloud").await;
        assert_eq!(edited.bytes_sent, "Hello Cloud".len() as u64);
        assert_eq!((edited.steps, edited.cached_steps), (2, 1), "the edit is seen");
    })
    .await;
}

/// What the Dockerfile does not use is not sent.
pub async fn only_the_files_that_are_used_are_sent(fixture: Fixture) {
    play(fixture, async |scene| {
        let own = scene.name("content");
        let dockerfile = scene.dockerfile("COPY src/*.js /app/");
        let files =
            [("Dockerfile", dockerfile.as_str()), ("src/app.js", own.as_str()), ("large", &"x".repeat(1 << 20))];
        let report = scene.build("used", &files).await;
        assert!(report.bytes_sent <= (own.len() + dockerfile.len()) as u64, "{report:?}");
    })
    .await;
}

/// A step reads the secret. Neither the image nor anything that is told has it.
pub async fn a_secret_is_shown_to_a_step_and_stays_nowhere(fixture: Fixture) {
    play(fixture, async |scene| {
        let canary = scene.name("canary-of-a-secret");
        let shown = "RUN --mount=type=secret,id=token echo \"$(wc -c < /run/secrets/token) bytes\" && \
                     test \"$(cat /run/secrets/token)\" = \"$(cat /tell/prefix)-secret\"";
        let dockerfile =
            scene.dockerfile(&format!("COPY prefix /tell/prefix\n{shown}\nRUN test ! -e /run/secrets/token"));
        let prefix = canary.strip_suffix("-secret").expect("the canary's beginning");
        let request = || BuildRequest {
            secrets: BTreeMap::from([("token".to_owned(), canary.clone().into_bytes().into())]),
            ..scene.build_request("secret", &[("Dockerfile", &dockerfile), ("prefix", prefix)])
        };
        let (sink, told) = kept();
        let debug = format!("{:?}", request());
        let report = scene.try_build(request, sink).await.expect("a build");
        let told = format!("{:?}", told.lock().expect("the progress"));
        assert!(told.contains(&format!("{} bytes", canary.len())), "{told}");
        for text in [debug, format!("{report:?}"), told] {
            assert!(!text.contains(&canary), "{text}");
        }
        let search = format!("find / -xdev -type f -exec grep -l '{canary}' {{}} + | grep -q . && exit 9; exit 0");
        assert_eq!(exit_code(&scene, "secret", &search).await, 0);

        let failing =
            scene.dockerfile("RUN --mount=type=secret,id=token,required=true cat /run/secrets/token | wc -c; exit 9");
        let request = || BuildRequest {
            secrets: BTreeMap::from([("token".to_owned(), canary.clone().into_bytes().into())]),
            ..scene.build_request("failing", &[("Dockerfile", &failing)])
        };
        let error = scene.try_build(request, ignored()).await.expect_err("a step that fails");
        assert!(!format!("{error:?} {error}").contains(&canary), "{error:?}");
    })
    .await;
}

/// A secret that the build was not given is missing for those alone who cannot do without it.
pub async fn a_secret_that_was_not_given_is_missing(fixture: Fixture) {
    play(fixture, async |scene| {
        let optional = scene.dockerfile("RUN --mount=type=secret,id=nothing test ! -e /run/secrets/nothing");
        scene.build("optional", &[("Dockerfile", &optional)]).await;
        let required = scene.dockerfile("RUN --mount=type=secret,id=nothing,required=true true");
        let request = || BuildRequest {
            secrets: BTreeMap::from([("other".to_owned(), b"other".to_vec().into())]),
            ..scene.build_request("required", &[("Dockerfile", &required)])
        };
        let built = scene.try_build(request, ignored()).await;
        let Err(EngineError::BuildFailed(failed)) = built else {
            panic!("the Dockerfile asks for what it is not given: {built:?}");
        };
        assert!(failed.message.contains("nothing"), "{}", failed.message);
    })
    .await;
}

/// A step talks to an agent that lists the key and signs, and gives the key to nobody.
pub async fn an_ssh_key_signs_for_a_step(fixture: Fixture) {
    play(fixture, async |scene| {
        let key = SshKey::from_openssh(KEY).expect("a key");
        let files =
            [("Dockerfile", "FROM node:6\nCOPY ask.js /ask.js\nRUN --mount=type=ssh node /ask.js\n"), ("ask.js", ASK)];
        let (sink, told) = kept();
        let request = || BuildRequest {
            ssh: BTreeMap::from([("default".to_owned(), vec![key.clone()])]),
            no_cache: true,
            ..scene.build_request("ssh", &files)
        };
        scene.try_build(request, sink).await.expect("a build");
        let lines = lines(&told);
        assert!(lines.contains(&format!("1 key, {COMMENT}")), "{lines:?}");
        assert!(lines.contains(&"answer 14 to a signature, 5 to a removal".to_owned()), "{lines:?}");
    })
    .await;
}

/// Asks the agent for its keys, for a signature, and to remove all keys.
const ASK: &str = r#"
const net = require("net");
const message = (...parts) => {
    const body = Buffer.concat(parts);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length, 0);
    return Buffer.concat([length, body]);
};
const agent = net.connect(process.env.SSH_AUTH_SOCK);
let heard = Buffer.alloc(0);
const answers = [];
agent.on("data", (bytes) => {
    heard = Buffer.concat([heard, bytes]);
    while (heard.length >= 4 && heard.length >= 4 + heard.readUInt32BE(0)) {
        const length = heard.readUInt32BE(0);
        answers.push(heard.slice(4, 4 + length));
        heard = heard.slice(4 + length);
        next();
    }
});
function next() {
    const list = answers[0];
    if (answers.length === 1) {
        const key = list.slice(9, 9 + list.readUInt32BE(5));
        const comment = list.slice(9 + key.length + 4);
        console.log(list.readUInt32BE(1) + " key, " + comment);
        agent.write(message(Buffer.from([13]), message(key), message(Buffer.from("to sign")), Buffer.alloc(4)));
    } else if (answers.length === 2) {
        agent.write(message(Buffer.from([19])));
    } else {
        console.log("answer " + answers[1][0] + " to a signature, " + answers[2][0] + " to a removal");
        process.exit(0);
    }
}
agent.write(message(Buffer.from([11])));
"#;

/// A step without a network has the loopback alone.
pub async fn a_step_may_be_without_a_network(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile("RUN grep -c : /proc/net/dev && test \"$(grep -c : /proc/net/dev)\" = 1");
        let request = || BuildRequest {
            network: BuildNetwork::None,
            no_cache: true,
            ..scene.build_request("offline", &[("Dockerfile", &dockerfile)])
        };
        scene.try_build(request, ignored()).await.expect("a build");
    })
    .await;
}

/// Steps find hosts by names of their own.
pub async fn a_step_knows_the_extra_hosts(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile(
            "RUN grep -q '^10\\.1\\.2\\.3.*registry\\.example' /etc/hosts && grep -q '^fd00::7.*six\\.example' /etc/hosts",
        );
        let request = || BuildRequest {
            extra_hosts: vec![
                ("registry.example".to_owned(), "10.1.2.3".parse().expect("an address")),
                ("six.example".to_owned(), "fd00::7".parse().expect("an address")),
            ],
            no_cache: true,
            ..scene.build_request("hosts", &[("Dockerfile", &dockerfile)])
        };
        scene.try_build(request, ignored()).await.expect("a build");
    })
    .await;
}

/// Where the engine's own front end is too old for here-documents, the error says what to write.
pub async fn a_here_document_is_built_or_its_error_says_how(fixture: Fixture) {
    play(fixture, async |scene| {
        let dockerfile = scene.dockerfile("RUN <<EOF\ntrue\nEOF");
        let request = || scene.build_request("heredoc", &[("Dockerfile", &dockerfile)]);
        match scene.try_build(request, ignored()).await {
            Ok(_) => assert_eq!(store(&scene).await, ImageStore::Containerd, "Docker Engine 29"),
            Err(error) => {
                assert_eq!(store(&scene).await, ImageStore::GraphDriver, "Docker Engine 20.10: {error}");
                assert!(error.to_string().contains("# syntax=docker/dockerfile:1"), "{error}");
            }
        }
    })
    .await;
}

/// A front end has the whole build in its hands, so only the official one is let in.
pub async fn a_front_end_is_let_in_by_name(fixture: Fixture) {
    play(fixture, async |scene| {
        let evil = format!("# syntax=evil.example/dockerfile\n{}", scene.dockerfile(""));
        let built = scene.engine().build_image(scene.build_request("evil", &[("Dockerfile", &evil)]), ignored()).await;
        let Err(EngineError::Unsupported(message)) = built else {
            panic!("the front end is refused: {built:?}");
        };
        assert!(message.contains("evil.example/dockerfile") && message.contains("docker/dockerfile"), "{message}");
    })
    .await;
}

/// Several platforms make one image where the store can hold that, and are refused where it cannot.
pub async fn several_platforms_are_built_or_refused(fixture: Fixture) {
    play(fixture, async |scene| {
        let files = [("Dockerfile", "FROM scratch\nCOPY own /own\n"), ("own", "own")];
        let request = || BuildRequest {
            platforms: ["linux/amd64", "linux/arm64"].map(str::to_owned).to_vec(),
            ..scene.build_request("platforms", &files)
        };
        held_by_containerd_alone(&scene, "platforms", request).await;
    })
    .await;
}

/// Attestations and annotations lie beside an image, where the store can hold that.
pub async fn attestations_and_annotations_are_made_or_refused(fixture: Fixture) {
    play(fixture, async |scene| {
        let files = [("Dockerfile", "FROM scratch\nCOPY own /own\n"), ("own", "own")];
        let provenance = || BuildRequest {
            attestations: Attestations { sbom: None, provenance: Provenance::Max },
            ..scene.build_request("provenance", &files)
        };
        held_by_containerd_alone(&scene, "provenance", provenance).await;
        let annotated = || BuildRequest {
            annotations: BTreeMap::from([("dev.longshore.contract".to_owned(), "yes".to_owned())]),
            ..scene.build_request("annotated", &files)
        };
        held_by_containerd_alone(&scene, "annotated", annotated).await;
    })
    .await;
}

/// A cache that was sent to a registry serves a build that knows nothing else.
pub async fn a_cache_goes_to_a_registry_and_comes_from_it(fixture: Fixture) {
    play(fixture, async |scene| {
        let cache = scene.remote_reference("cache");
        let dockerfile = scene.dockerfile(&format!("RUN echo {}", scene.name("step")));
        let request = || BuildRequest {
            cache_to: vec![CacheExport::Registry { reference: cache.clone(), mode: CacheMode::Max }],
            cache_from: vec![cache.clone()],
            credentials: vec![scene.fixture.credentials.clone()],
            ..scene.build_request("cached", &[("Dockerfile", &dockerfile)])
        };
        held_by_containerd_alone(&scene, "cached", request).await;
        let inline = || BuildRequest {
            cache_to: vec![CacheExport::Inline],
            ..scene.build_request("inline", &[("Dockerfile", &dockerfile)])
        };
        scene.try_build(inline, ignored()).await.expect("a build");
    })
    .await;
}

/// What the builder has to say against a Dockerfile is told, and what its base images were.
pub async fn warnings_and_base_images_are_told(fixture: Fixture) {
    play(fixture, async |scene| {
        scene.base_image().await;
        let dockerfile = scene.dockerfile("MAINTAINER nobody\nRUN true");
        let report = scene.build("warned", &[("Dockerfile", &dockerfile)]).await;
        if store(&scene).await == ImageStore::Containerd {
            assert!(report.warnings.iter().any(|warning| warning.contains("Maintainer")), "{report:?}");
            let base = report.base_images.first().expect("a base image");
            assert_eq!(base.reference, scene.fixture.base_image);
            assert!(base.digest.starts_with("sha256:"), "{base:?}");
        } else {
            // BuildKit 0.8 checks nothing.
            assert_eq!(report.warnings, Vec::<String>::new());
        }
    })
    .await;
}

/// The time that is given is the image's, and its files' that come from the context.
pub async fn a_given_time_is_that_of_the_image(fixture: Fixture) {
    play(fixture, async |scene| {
        let files = [("Dockerfile", scene.dockerfile("COPY own /own")), ("own", scene.name("own"))];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let request =
            || BuildRequest { source_date_epoch: Some(1_000_000_000), ..scene.build_request("epoch", &files) };
        let built = scene.try_build(request, ignored()).await;
        if store(&scene).await == ImageStore::GraphDriver {
            // BuildKit 0.8 gives the image the time of the build, whatever it is told.
            assert!(matches!(built, Err(EngineError::Unsupported(_))), "{built:?}");
            return;
        }
        built.expect("a build");
        let image = scene.image(&scene.reference("epoch")).await.expect("the image");
        let created_at = image.created_at.expect("a time");
        assert_eq!(created_at.as_second(), 1_000_000_000);
        assert_eq!(exit_code(&scene, "epoch", "test \"$(stat -c %Y /own)\" = 1000000000").await, 0);
    })
    .await;
}

/// Whatever the classic builder cannot do is refused before anything is built.
pub async fn what_the_classic_builder_cannot_do_is_refused(fixture: Fixture) {
    play(fixture, async |scene| {
        assert_eq!(scene.engine().info().await.expect("an answer").builder, BuilderKind::Classic);
        let dockerfile = scene.dockerfile("");
        let plain = || scene.build_request("refused", &[("Dockerfile", &dockerfile)]);
        let key = SshKey::from_openssh(KEY).expect("a key");
        let reference = scene.remote_reference("cache");
        let front_end = context_of(&[("Dockerfile", &format!("# syntax=docker/dockerfile:1\n{dockerfile}"))]);
        for (what, request) in [
            ("secrets", BuildRequest { secrets: BTreeMap::from([("a".to_owned(), vec![1].into())]), ..plain() }),
            ("ssh", BuildRequest { ssh: BTreeMap::from([("default".to_owned(), vec![key])]), ..plain() }),
            ("cacheFrom", BuildRequest { cache_from: vec![reference], ..plain() }),
            ("cacheTo", BuildRequest { cache_to: vec![CacheExport::Inline], ..plain() }),
            ("platforms", BuildRequest { platforms: vec!["linux/amd64".into(), "linux/arm64".into()], ..plain() }),
            (
                "attestations",
                BuildRequest {
                    attestations: Attestations { sbom: Some(Sbom::default()), ..Attestations::default() },
                    ..plain()
                },
            ),
            ("annotations", BuildRequest { annotations: BTreeMap::from([("a".into(), "b".into())]), ..plain() }),
            ("sourceDateEpoch", BuildRequest { source_date_epoch: Some(0), ..plain() }),
            ("# syntax=", BuildRequest { context: front_end, ..plain() }),
        ] {
            let built = scene.engine().build_image(request, ignored()).await;
            let Err(EngineError::Unsupported(message)) = built else {
                panic!("{what} is refused: {built:?}");
            };
            assert!(message.contains(what) && message.contains("BuildKit"), "{message}");
        }
    })
    .await;
}

/// Builds where containerd keeps the images; elsewhere it is refused before it begins.
async fn held_by_containerd_alone(scene: &Scene, tag: &str, request: impl Fn() -> BuildRequest) {
    let built: Result<BuildReport, EngineError> = scene.try_build(request, ignored()).await;
    match store(scene).await {
        ImageStore::Containerd => {
            built.unwrap_or_else(|error| panic!("{tag}: {error}"));
            assert!(scene.image(&scene.reference(tag)).await.is_some());
        }
        ImageStore::GraphDriver => {
            let Err(EngineError::Unsupported(message)) = built else {
                panic!("{tag} is refused: {built:?}");
            };
            assert!(message.contains("containerd"), "{message}");
        }
    }
}

async fn store(scene: &Scene) -> ImageStore {
    scene.engine().info().await.expect("an answer").image_store
}

/// The exit code of a script in a container of an image that was built.
async fn exit_code(scene: &Scene, tag: &str, text: &str) -> i64 {
    let image = scene.image(&scene.reference(tag)).await.expect("the image");
    let id = scene.try_create(tag, image.id, script(text)).await.expect("a container");
    scene.engine().start_container(&id).await.expect("a start");
    let ended = scene.until(&id, |container| container.state == longshore::app::ContainerState::Exited).await;
    ended.detail.expect("a detail").exit_code
}

fn lines(told: &Mutex<Vec<Progress>>) -> Vec<String> {
    let told = told.lock().expect("the progress");
    let lines = told.iter().filter_map(|progress| match progress {
        Progress::BuildLog { line } => Some(line.clone()),
        _ => None,
    });
    lines.collect()
}
