//! Images that are pulled: a tag that is followed, a digest that is pinned, a policy, a platform. On both engines, from a
//! repository of each test's own in the lab's open registry.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use longshore::app::Digest;
use longshore_tests::{ENGINES, LabEngine, StandaloneProject, eventually, lab_variable, remove_from_hub, unique_name};
use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A repository in the open registry, filled by one engine, which keeps nothing of it.
struct Upstream {
    engine: LabEngine,
    path: String,
}

impl Upstream {
    fn on(engine: LabEngine) -> Self {
        Self { engine, path: unique_name("upstream") }
    }

    fn name(&self) -> String {
        format!("{}/{}", lab_variable("LONGSHORE_LAB_HUB"), self.path)
    }

    /// Lets a tag be an image with this page; the digest that it has then.
    fn holds(&self, tag: &str, page: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let dockerfile = format!("FROM busybox\nRUN echo {page} > /page\nLABEL upstream={}\n", self.path);
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        // By a repository of its own, so that what the engine holds of this one stays.
        let made = format!("{}-made/{tag}", self.name());
        self.engine.build(&["--tag", &made, folder.path().to_str().unwrap()]).unwrap();
        self.engine.docker(&["push", &made]).unwrap();
        self.engine.docker(&["rmi", &made]).unwrap();
        let from = format!("{}-made/{tag}", self.path);
        self.copy(&from, "latest", tag)
    }

    /// Takes an image over from another repository; its digest.
    fn copy(&self, from: &str, from_tag: &str, tag: &str) -> String {
        let manifest = asked(&format!("{from}/manifests/{from_tag}"));
        let parsed: Value = serde_json::from_str(&manifest).unwrap();
        let parts = parsed["layers"].as_array().unwrap().iter().chain([&parsed["config"]]);
        for digest in parts.map(|part| part["digest"].as_str().unwrap()) {
            let mount = format!("{}/blobs/uploads/?mount={digest}&from={from}", self.path);
            curl(&["--request", "POST", &address(&mount)], "");
        }
        self.put(tag, parsed["mediaType"].as_str().unwrap_or(OCI_MANIFEST), &manifest)
    }

    /// Puts a manifest or an index under a tag; its digest.
    fn put(&self, tag: &str, media_type: &str, manifest: &str) -> String {
        let kind = format!("Content-Type: {media_type}");
        let place = address(&format!("{}/manifests/{tag}", self.path));
        curl(&["--request", "PUT", "--header", &kind, "--data-binary", "@-", &place], manifest);
        Digest::of(manifest).to_string()
    }

    /// Lets a tag be an index of what two tags hold, of which the second is for `linux/arm64` from now on.
    fn holds_both(&self, tag: &str, amd64: &str, arm64: &str) -> String {
        let (manifest, amd64) = (asked(&format!("{}/manifests/{arm64}", self.path)), self.descriptor(amd64, "amd64"));
        let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
        let config = asked(&format!("{}/blobs/{}", self.path, manifest["config"]["digest"].as_str().unwrap()));
        let mut config: Value = serde_json::from_str(&config).unwrap();
        config["architecture"] = json!("arm64");
        let config = config.to_string();
        let digest = Digest::of(&config).to_string();
        let headers = curl(&["--include", "--request", "POST", &address(&format!("{}/blobs/uploads/", self.path))], "");
        let location = headers.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().trim().to_owned();
        let place = format!("{location}&digest={digest}");
        let octets = "Content-Type: application/octet-stream";
        curl(&["--request", "PUT", "--header", octets, "--data-binary", "@-", &place], &config);
        manifest["config"]["digest"] = json!(digest);
        manifest["config"]["size"] = json!(config.len());
        let media_type = manifest["mediaType"].as_str().unwrap_or(OCI_MANIFEST).to_owned();
        self.put(arm64, &media_type, &manifest.to_string());
        let index = json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": [amd64, self.descriptor(arm64, "arm64")],
        });
        self.put(tag, INDEX, &index.to_string())
    }

    fn descriptor(&self, tag: &str, architecture: &str) -> Value {
        let manifest = asked(&format!("{}/manifests/{tag}", self.path));
        let parsed: Value = serde_json::from_str(&manifest).unwrap();
        json!({
            "mediaType": parsed["mediaType"].as_str().unwrap_or(OCI_MANIFEST),
            "digest": Digest::of(&manifest).to_string(),
            "size": manifest.len(),
            "platform": {"os": "linux", "architecture": architecture},
        })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        remove_from_hub(&self.path);
        remove_from_hub(&format!("{}-made", self.path));
        let name = self.name();
        let format = "{{.Repository}}:{{.Tag}}@{{.Digest}}";
        let listed = self.engine.docker(&["images", "--digests", "--format", format, &name]).unwrap_or_default();
        for image in listed.lines() {
            let (tagged, digest) = image.split_once('@').unwrap_or((image, ""));
            let _ = self.engine.docker(&["rmi", tagged]);
            let _ = self.engine.docker(&["rmi", &format!("{name}@{digest}")]);
        }
    }
}

fn address(path: &str) -> String {
    format!("http://{}/v2/{path}", lab_variable("LONGSHORE_LAB_HUB"))
}

fn asked(path: &str) -> String {
    let accept = format!("Accept: {MANIFEST}, {OCI_MANIFEST}, {INDEX}");
    curl(&["--header", &accept, &address(path)], "")
}

fn curl(arguments: &[&str], input: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]).args(arguments);
    let mut child = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "curl {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// An app of this image, whose container sleeps; its file.
fn app(project: &StandaloneProject, name: &str, image: &Value) -> String {
    let run = json!({
        "containerName": container(project, name), "command": ["sleep", "3600"], "terminationGracePeriodSeconds": 0,
    });
    project.app(name, &json!({"image": image, "run": run}), &[])
}

fn container(project: &StandaloneProject, name: &str) -> String {
    format!("{}-{name}", project.name)
}

/// What a container has on its page.
fn page(project: &StandaloneProject, name: &str) -> String {
    let read = project.engine.docker(&["exec", &container(project, name), "cat", "/page"]);
    read.unwrap_or_default().trim().to_owned()
}

fn together(project: &StandaloneProject, files: &[String]) -> String {
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    project.file("all.yaml", &texts.join("\n---\n"))
}

#[tokio::test]
async fn a_tag_that_moves_replaces_what_follows_it_and_nothing_else() {
    for engine in ENGINES {
        let upstream = Upstream::on(engine);
        let one = upstream.holds("1", "one");
        let project = StandaloneProject::begin(engine);
        let follows = json!({"name": upstream.name(), "tags": ["1"], "pullPolicy": "Always", "interval": "1s"});
        let files = [
            app(&project, "pinned", &json!({"name": upstream.name(), "digest": one})),
            app(&project, "follows", &follows),
            app(&project, "stays", &json!({"name": upstream.name(), "tags": ["1"]})),
        ];
        let all = together(&project, &files);
        project.up(&all).well();
        let pages = || ["pinned", "follows", "stays"].map(|name| page(&project, name));
        assert_eq!(pages(), ["one", "one", "one"]);
        assert_eq!(project.status("pinned")["image"]["manifestDigest"], json!(one));

        let attached = project.attach(&all);
        let two = upstream.holds("1", "two");
        eventually("what follows has the new image", || async { page(&project, "follows") == "two" }).await;
        let moved = format!("moved {} → {}", &one[7..19], &two[7..19]);
        assert!(attached.has_told(&moved), "{moved}\n{}", attached.told());
        eventually("the status tells of it", || async {
            project.status("follows")["image"]["manifestDigest"] == json!(two)
        })
        .await;
        // Longer than the interval.
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(attached);
        assert_eq!(pages(), ["one", "two", "one"]);
        assert_eq!(project.condition("follows", "Ready")["status"], "True");
    }
}

#[test]
fn a_tag_that_is_gone_at_its_registry_leaves_what_runs_ready_and_is_told() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let upstream = Upstream::on(engine);
        let one = upstream.holds("1", "one");
        let file = app(&project, "follows", &json!({"name": upstream.name(), "tags": ["1"], "pullPolicy": "Always"}));
        project.up(&file).well();
        curl(&["--request", "DELETE", &address(&format!("{}/manifests/{one}", upstream.path))], "");
        project.up(&file).well();
        assert_eq!(page(&project, "follows"), "one");
        assert_eq!(project.condition("follows", "Ready")["status"], "True");
        let built = project.condition("follows", "Built");
        assert_eq!((&built["status"], &built["reason"]), (&json!("Unknown"), &json!("ManifestUnknown")), "{built}");
    }
}

#[test]
fn an_image_that_may_not_be_pulled_is_waited_for() {
    for engine in ENGINES {
        let upstream = Upstream::on(engine);
        let one = upstream.holds("1", "one");
        let project = StandaloneProject::begin(engine);
        for image in [
            json!({"name": upstream.name(), "tags": ["1"], "pullPolicy": "Never"}),
            json!({"name": upstream.name(), "digest": one, "pullPolicy": "Never"}),
        ] {
            let said = project.run(&["up", "-d", "--timeout", "3s", "-f", &app(&project, "never", &image)]);
            assert_eq!(said.exit_code, Some(1), "{}", said.all());
            assert_eq!(project.condition("never", "Ready")["reason"], "ImageNotFound", "{}", said.all());
        }
        engine.docker(&["pull", &format!("{}:1", upstream.name())]).unwrap();
        let image = json!({"name": upstream.name(), "digest": one, "pullPolicy": "Never"});
        project.up(&app(&project, "never", &image)).well();
        assert_eq!(page(&project, "never"), "one");
    }
}

#[test]
fn an_image_is_pulled_for_the_platform_that_is_asked_for() {
    for engine in ENGINES {
        let upstream = Upstream::on(engine);
        upstream.holds("amd", "amd");
        upstream.holds("arm", "arm");
        upstream.holds_both("1", "amd", "arm");
        let project = StandaloneProject::begin(engine);
        let image = |platform: &str| json!({"name": upstream.name(), "tags": ["1"], "platform": platform});
        project.up(&app(&project, "own", &json!({"name": upstream.name(), "tags": ["1"]}))).well();
        assert_eq!(page(&project, "own"), "amd");
        project.up(&app(&project, "other", &image("linux/arm64"))).well();
        assert_eq!((page(&project, "own"), page(&project, "other")), ("amd".to_owned(), "arm".to_owned()));
        project.up(&app(&project, "other", &image("linux/amd64"))).well();
        assert_eq!(page(&project, "other"), "amd");
        let missing = app(&project, "missing", &image("linux/s390x"));
        let said = project.run(&["up", "-d", "--timeout", "10s", "-f", &missing]);
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        let ready = project.condition("missing", "Ready");
        assert_eq!(ready["reason"], "PlatformNotFound", "{}", said.all());
        assert!(ready["message"].as_str().unwrap().contains("linux/s390x"), "{ready}");
    }
}

#[test]
fn what_is_pinned_is_copied_to_another_repository_under_the_tags_that_are_named() {
    for engine in ENGINES {
        let (upstream, copies) = (Upstream::on(engine), Upstream::on(engine));
        let one = upstream.holds("1", "one");
        let project = StandaloneProject::begin(engine);
        let image = json!({"name": upstream.name(), "digest": one});
        let spec = json!({"image": image, "push": [{"to": copies.name(), "tags": ["copy"]}]});
        let said = project.up(&project.app("copied", &spec, &[])).well();
        let status = project.status("copied");
        let held = Digest::of(asked(&format!("{}/manifests/copy", copies.path))).to_string();
        assert_eq!(status["push"][0]["digest"], json!(held), "{}", said.all());
    }
}

/// An engine sends the platform that it holds, and that is what the copy is: what runs here.
#[test]
fn an_index_of_several_platforms_is_copied_as_the_platform_that_runs() {
    for engine in ENGINES {
        let (upstream, copies) = (Upstream::on(engine), Upstream::on(engine));
        let amd = upstream.holds("amd", "amd");
        upstream.holds("arm", "arm");
        let index = upstream.holds_both("1", "amd", "arm");
        let project = StandaloneProject::begin(engine);
        for image in
            [json!({"name": upstream.name(), "digest": index}), json!({"name": upstream.name(), "tags": ["1"]})]
        {
            let spec = json!({"image": image, "push": [{"to": copies.name(), "tags": ["copy"]}]});
            let file = project.app("copied", &spec, &[]);
            let said = project.up(&file).well();
            let status = project.status("copied");
            let copy = asked(&format!("{}/manifests/copy", copies.path));
            let held = Digest::of(&copy).to_string();
            assert_eq!(status["push"][0]["digest"], json!(held), "{}", said.all());
            let config = |manifest: &str| serde_json::from_str::<Value>(manifest).unwrap()["config"]["digest"].clone();
            assert_eq!(config(&copy), config(&asked(&format!("{}/manifests/{amd}", upstream.path))));
            assert!(!project.up(&file).well().all().contains("push image"));
        }
    }
}

#[test]
fn nothing_of_what_was_pulled_by_its_digest_stays_after_the_end() {
    for engine in ENGINES {
        let upstream = Upstream::on(engine);
        let one = upstream.holds("1", "one");
        let project = StandaloneProject::begin(engine);
        project.up(&app(&project, "pinned", &json!({"name": upstream.name(), "digest": one}))).well();
        let kept = || engine.docker(&["images", "--quiet", "--filter", &format!("label=upstream={}", upstream.path)]);
        assert_ne!(kept().unwrap().trim(), "");
        project.longshore(&["down", "--all", "--images"]).unwrap();
        assert_eq!(kept().unwrap().trim(), "");
    }
}
