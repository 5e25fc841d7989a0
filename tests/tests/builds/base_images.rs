//! A base image that moves at its registry: what is built on it is built anew, or not, as it is asked.

use std::time::Duration;

use longshore_tests::{LabEngine, StandaloneProject, eventually, lab_variable, remove_from_hub, unique_name};
use serde_json::json;

use super::{app_of, build, image_of, in_image, inline};

on_both_engines! {
    a_base_image_that_moves_builds_anew_and_the_cause_says_so;
    a_base_image_is_asked_for_at_each_build_or_only_when_it_is_missing;
}

async fn a_base_image_that_moves_builds_anew_and_the_cause_says_so(engine: LabEngine) {
    let base = Base::holding(engine, "one");
    let project = StandaloneProject::begin(engine);
    let mut following = inline(&format!("FROM {}\nRUN cp /page /copy\n", base.0));
    following["baseImageInterval"] = json!("1s");
    let mut staying = following.clone();
    staying["rebuildOnBaseImageChange"] = json!(false);
    let container = |name: &str| format!("{}-{name}", project.name);
    let apps = [("following", &following), ("staying", &staying)].map(|(name, build)| {
        let run = json!({
            "containerName": container(name), "command": ["sleep", "3600"], "terminationGracePeriodSeconds": 0,
        });
        let image = json!({"name": image_of(&project, name), "build": build});
        project.app(name, &json!({"image": image, "run": run}), &[])
    });
    let both = apps.map(|file| std::fs::read_to_string(file).unwrap()).join("\n---\n");
    let both = project.file("both.yaml", &both);

    // Two in a row build once.
    project.up(&both).well();
    let revisions = |name: &str| project.longshore(&["history", name]).unwrap().lines().count() - 1;
    project.up(&both).well();
    assert_eq!((revisions("following"), revisions("staying")), (1, 1));
    let page =
        |name: &str| engine.docker(&["exec", &container(name), "cat", "/copy"]).unwrap_or_default().trim().to_owned();
    assert_eq!((page("following"), page("staying")), ("one".to_owned(), "one".to_owned()));

    let attached = project.attach(&both);
    base.holds("two");
    eventually("what follows is built anew", || async { page("following") == "two" }).await;
    let told = attached.told();
    let cause = told.lines().find(|line| line.contains("base image") && line.contains("moved")).unwrap_or_default();
    assert!(cause.contains(&base.0) && cause.contains('→'), "{told}");
    // Longer than the interval.
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(attached);
    assert_eq!((page("staying"), revisions("staying")), ("one".to_owned(), 1));
    assert_eq!(revisions("following"), 2, "one move, one build");
    let history = project.longshore(&["history", "following"]).unwrap();
    assert!(history.contains("base image"), "{history}");

    project.up(&both).well();
    assert_eq!((revisions("following"), revisions("staying")), (2, 1));
}

async fn a_base_image_is_asked_for_at_each_build_or_only_when_it_is_missing(engine: LabEngine) {
    let base = Base::holding(engine, "one");
    engine.docker(&["pull", &base.0]).unwrap();
    base.holds("two");
    let project = StandaloneProject::begin(engine);
    let mut wanted = inline(&format!("FROM {}\nRUN cp /page /copy\n", base.0));
    wanted["rebuildOnBaseImageChange"] = json!(false);
    let image = build(&project, "base", &wanted);
    assert_eq!(in_image(&project, &image, &["cat", "/copy"]), "one", "the engine holds one");
    wanted["basePullPolicy"] = json!("Always");
    wanted["rebuildToken"] = json!("again");
    project.up(&app_of(&project, "base", &wanted, &[])).well();
    assert_eq!(in_image(&project, &image, &["cat", "/copy"]), "two", "the registry holds two");
}

/// A base image in the lab's open registry.
struct Base(String, LabEngine);

impl Base {
    fn holding(engine: LabEngine, page: &str) -> Self {
        let base = Self(format!("{}/{}:1", lab_variable("LONGSHORE_LAB_HUB"), unique_name("base")), engine);
        base.holds(page);
        base
    }

    /// Overwrites it at the registry; the engine does not keep it.
    fn holds(&self, page: &str) {
        let folder = tempfile::tempdir().unwrap();
        let dockerfile = format!("FROM busybox\nRUN echo {page} > /page\nLABEL base={}\n", self.0);
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        let made = format!("{}-made", self.0);
        // By another name, so that what the engine holds under this one stays.
        self.1.build(&["--tag", &made, folder.path().to_str().unwrap()]).unwrap();
        let before = self.1.docker(&["image", "inspect", "--format", "{{.Id}}", &self.0]).ok();
        self.1.docker(&["tag", &made, &self.0]).unwrap();
        self.1.docker(&["push", &self.0]).unwrap();
        self.1.docker(&["rmi", &made]).unwrap();
        match before {
            Some(id) => self.1.docker(&["tag", id.trim(), &self.0]).unwrap(),
            None => self.1.docker(&["rmi", &self.0]).unwrap(),
        };
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let repository = self.0.trim_end_matches(":1");
        let _ = self.1.docker(&["rmi", &self.0]);
        // What it held before has no tag, but the digest by which it was pushed.
        let format = "{{.Repository}}@{{.Digest}}";
        let left = self.1.docker(&["images", "--digests", "--format", format, repository]).unwrap_or_default();
        for image in left.lines() {
            let _ = self.1.docker(&["rmi", image]);
        }
        if let Some((_, path)) = repository.split_once('/') {
            remove_from_hub(path);
        }
    }
}
