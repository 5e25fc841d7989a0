//! Builds from repositories on real servers, in a cluster: a branch that moves builds anew, one that stays builds
//! nothing, and while the server is away what was built goes on.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::{GitServer, LabEngine, Place, eventually, kubectl, unique_name};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_over_https_is_followed_on_engine_20() {
    a_branch_over_https_is_followed(LabEngine::Engine20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_over_https_is_followed_on_engine_29() {
    a_branch_over_https_is_followed(LabEngine::Engine29).await;
}

async fn a_branch_over_https_is_followed(engine: LabEngine) {
    Place::with(engine, async |place| {
        let mut server = GitServer::start();
        server.want_credentials("reader", "p+a/s~s=");
        let repository = server.repository(&unique_name("app"));
        let first = repository.commit(&[("app/Dockerfile", DOCKERFILE), ("app/page", "first"), ("other", "1")]);
        place.apply_secret("git", &[("username", "reader"), ("password", "p+a/s~s="), ("ca.crt", server.authority())]);
        place.apply("web", web(&json!({"url": server.url(&repository), "ref": {"branch": "main"}})));
        place.ready("web").await;

        // What the branch has is what runs, and the status says which commit it is.
        assert_eq!(page(place), "first");
        assert_eq!(revision(place), format!("main@sha1:{first}"));
        let label = "{{index .Config.Labels \"org.opencontainers.image.revision\"}}";
        assert_eq!(engine.docker(&["inspect", "--format", label, &place.container("web")]).unwrap().trim(), first);

        // Unchanged, it is asked and nothing is built.
        let (requests, container) = (server.requests().len(), container_id(place));
        eventually("the server is asked again", || async { server.requests().len() > requests + 1 }).await;
        assert_eq!((container_id(place), records(place)), (container.clone(), 1));

        // A commit that changes nothing in the context builds nothing.
        let beside = repository.commit(&[("other", "2")]);
        eventually("the commit is seen", || async { revision(place) == format!("main@sha1:{beside}") }).await;
        assert_eq!((container_id(place), records(place)), (container, 1));

        // One that changes it builds anew, and the Event says why.
        let second = repository.commit(&[("app/page", "second")]);
        eventually("the second commit runs", || async { page(place) == "second" }).await;
        place.ready("web").await;
        assert_eq!(revision(place), format!("main@sha1:{second}"));
        let built = events(place, "Built");
        let commits = format!("commit {} → {}", &first[..12], &second[..12]);
        assert!(built.contains(&commits) && built.contains("context: page changed"), "{built}");

        // While the server is away, what was built goes on, and the condition says so.
        server.become_unreachable();
        eventually("the source is not known", || async {
            place.condition("web", "SourceReady").is_some_and(|ready| ready["status"] == "Unknown")
        })
        .await;
        let source = place.condition("web", "SourceReady").unwrap();
        assert_eq!(source["reason"], "SourceUnavailable", "{source}");
        assert!(place.is("web", "Ready") && page(place) == "second");

        // And when it is back, so is everything.
        repository.commit(&[("app/page", "third")]);
        server.become_reachable();
        eventually("the third commit runs", || async { page(place) == "third" }).await;
        place.ready("web").await;
        assert!(place.is("web", "SourceReady"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_over_ssh_is_built_with_the_key_of_a_secret() {
    Place::with(LabEngine::Engine29, async |place| {
        let server = GitServer::start();
        let ssh = server.over_ssh();
        let repository = server.repository(&unique_name("app"));
        let commit = repository.commit(&[("app/Dockerfile", DOCKERFILE), ("app/page", "by ssh")]);
        repository.annotated_tag("v1.2.0", &commit);
        let git = json!({"url": server.ssh_url(&ssh, &repository), "ref": {"semver": ">=1.0, <2"}});
        place.apply_secret("git", &[("identity", &ssh.private_key())]);
        place.apply("web", web(&git));
        let message = place.not_ready_for("web", "SourceUntrusted").await;
        assert!(message.contains("known_hosts"), "{message}");

        place.apply_secret("git", &[("identity", &ssh.private_key()), ("known_hosts", &ssh.known_hosts())]);
        eventually("the tag runs", || async { place.is("web", "Ready") && page(place) == "by ssh" }).await;
        assert_eq!(revision(place), format!("v1.2.0@sha1:{commit}"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_refuses_says_what_is_missing_and_disturbs_nobody() {
    Place::with(LabEngine::Engine29, async |place| {
        let server = GitServer::start();
        server.want_credentials("reader", "right");
        let repository = server.repository(&unique_name("app"));
        repository.commit(&[("app/Dockerfile", DOCKERFILE), ("app/page", "behind a password")]);
        let git = json!({"url": server.url(&repository), "ref": {"branch": "main"}});
        place.apply_secret("git", &[("username", "reader"), ("password", "wrong"), ("ca.crt", server.authority())]);
        place.apply("web", web(&git));
        let message = place.not_ready_for("web", "SourceDenied").await;
        assert!(!message.contains("wrong"), "{message}");
        assert!(place.is("web", "Reconciling") && !place.is("web", "Stalled"));

        // It can be deleted while it waits.
        kubectl(&["--namespace", &place.namespace, "delete", "capp", "web", "--timeout=30s"], "").unwrap();

        place.apply_secret("git", &[("username", "reader"), ("password", "right"), ("ca.crt", server.authority())]);
        let mut elsewhere = git.clone();
        elsewhere["ref"] = json!({"branch": "no-such-branch"});
        place.apply("web", web(&elsewhere));
        let message = place.not_ready_for("web", "SourceNotFound").await;
        assert!(message.contains("no-such-branch"), "{message}");
        place.apply("web", web(&git));
        place.ready("web").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_flux_offers_is_built() {
    Place::with(LabEngine::Engine20, async |place| {
        let crd = flux_crd();
        kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &crd).unwrap();
        kubectl(&["wait", "--for=condition=Established", "crd/gitrepositories.source.toolkit.fluxcd.io"], "").unwrap();
        let files = Files::serve(&archive(&[("app/Dockerfile", DOCKERFILE), ("app/page", "by Flux")])).await;
        let context = json!({"sourceRef": {"kind": "GitRepository", "name": "source", "path": "app"}});
        place.apply("web", web_of(&context));
        place.not_ready_for("web", "SourceNotFound").await;

        offer(place, &files, "main@sha1:1111111111111111111111111111111111111111");
        eventually("what Flux offers runs", || async { place.is("web", "Ready") && page(place) == "by Flux" }).await;
        assert_eq!(revision(place), "main@sha1:1111111111111111111111111111111111111111");
    })
    .await;
}

const DOCKERFILE: &str = "FROM busybox\nCOPY page /page\nCMD [\"sleep\", \"3600\"]\n";

/// An app that is built from the folder `app` of a repository, which is asked every second.
fn web(git: &Value) -> Value {
    let mut git = git.clone();
    git["path"] = json!("app");
    git["interval"] = json!("1s");
    git["secretRef"] = json!({"name": "git"});
    web_of(&json!({"git": git}))
}

fn web_of(context: &Value) -> Value {
    json!({
        "image": {"name": unique_name("web"), "build": {"context": context}},
        "run": {"terminationGracePeriodSeconds": 0},
    })
}

/// What the running container has in its image.
fn page(place: &Place) -> String {
    place.engine.docker(&["exec", &place.container("web"), "cat", "/page"]).unwrap_or_default()
}

fn container_id(place: &Place) -> String {
    place.engine.docker(&["inspect", "--format", "{{.Id}}", &place.container("web")]).unwrap()
}

fn revision(place: &Place) -> String {
    place.status("web")["image"]["source"]["revision"].as_str().unwrap_or_default().to_owned()
}

fn records(place: &Place) -> usize {
    let names = kubectl(&["--namespace", &place.namespace, "get", "cappr", "-o", "name"], "").unwrap();
    names.lines().count()
}

fn events(place: &Place, reason: &str) -> String {
    let field = format!("involvedObject.name=web,reason={reason}");
    let path = "jsonpath={.items[*].message}";
    kubectl(&["--namespace", &place.namespace, "get", "events", "--field-selector", &field, "-o", path], "").unwrap()
}

/// A `GitRepository` as Flux leaves it when it has an artifact.
fn offer(place: &Place, files: &Files, revision: &str) {
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "source", "namespace": place.namespace},
        "status": {"artifact": {"url": files.url(), "digest": files.digest(), "revision": revision}},
    });
    kubectl(&["apply", "-f", "-"], &source.to_string()).unwrap();
}

/// As much of Flux as lies in the API server: its kind, without its rules.
fn flux_crd() -> String {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gitrepositories.source.toolkit.fluxcd.io"},
        "spec": {
            "group": "source.toolkit.fluxcd.io",
            "names": {"kind": "GitRepository", "plural": "gitrepositories", "singular": "gitrepository"},
            "scope": "Namespaced",
            "versions": [version],
        },
    })
    .to_string()
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A web server with one file, as Flux has one for its artifacts. It ends with the test.
struct Files {
    port: u16,
    digest: String,
    server: tokio::task::JoinHandle<()>,
}

impl Files {
    async fn serve(content: &[u8]) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let digest = longshore::app::Digest::of(content).to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
        let answer = [head.as_bytes(), content].concat();
        let server = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let _ = connection.write_all(&answer).await;
                let _ = connection.shutdown().await;
            }
        });
        Self { port, digest, server }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/artifact.tar", self.port)
    }

    fn digest(&self) -> &str {
        &self.digest
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.server.abort();
    }
}
