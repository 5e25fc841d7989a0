//! Superseded tags are deleted at a real registry, and no other ones: through the commands that a person types, and in a
//! cluster. On both engines, each behaviour with names of its own.
//!
//! The lab's registry is distribution 2, which deletes whole manifests only.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::registry_front::{Fault, Kind};
use longshore_tests::{
    ENGINES, Place, RegistryFront, StandaloneProject, digest_in_registry, eventually, kubectl, lab_variable, move_tag,
};
use serde_json::{Value, json};

fn repository(name: &str) -> String {
    format!("longshore-retention/{name}")
}

/// An image of a content of its own that is pushed under these tags.
fn spec(name: &str, content: &str, tags: &[&str], keep: Option<u8>) -> Value {
    let dockerfile = format!("FROM busybox\nLABEL content=\"{name} {content}\"\n");
    let build = json!({"context": {"inline": {"Dockerfile": dockerfile}}});
    let mut push = json!({"to": format!("gcr.io/{}", repository(name)), "tags": tags, "interval": "1s"});
    if let Some(keep) = keep {
        push["keep"] = json!(keep);
    }
    json!({"image": {"name": name, "build": build}, "push": [push]})
}

/// The file of a project's app.
fn app(project: &StandaloneProject, content: &str, tags: &[&str], keep: Option<u8>) -> String {
    project.app("pushed", &spec(&project.name, content, tags, keep), &[])
}

/// Brings up one version after the other, each under a tag of its own.
fn deploy(project: &StandaloneProject, versions: &[&str], keep: Option<u8>) -> String {
    let mut told = String::new();
    for version in versions {
        told.push_str(&project.up(&app(project, version, &[version], keep)).well().all());
    }
    told
}

/// Which of these tags the registry holds.
fn held<'a>(name: &str, tags: &[&'a str]) -> Vec<&'a str> {
    tags.iter().copied().filter(|tag| digest_in_registry(&repository(name), tag).is_some()).collect()
}

/// The tags of the record in the status.
fn recorded(status: &Value) -> Vec<String> {
    let references = status["remoteReferences"].as_array().cloned().unwrap_or_default();
    let tag = |entry: &Value| entry["reference"].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    let mut tags: Vec<String> = references.iter().map(tag).collect();
    tags.sort();
    tags
}

#[test]
fn as_many_superseded_images_as_asked_for_stay_at_the_registry() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let told = deploy(&project, &["1", "2", "3", "4"], Some(1));
        assert_eq!(held(&project.name, &["1", "2", "3", "4"]), ["3", "4"], "{told}");
        assert!(told.contains("delete") && told.contains(":1"), "{told}");
        let status = project.status("pushed");
        assert_eq!(recorded(&status), ["3", "4"], "{status}");
        let digest = digest_in_registry(&repository(&project.name), "4");
        assert_eq!(status["push"][0]["digest"].as_str(), digest.as_deref(), "{status}");
        assert_eq!(project.condition("pushed", "Ready")["status"], "True", "{status}");

        // The same again asks for nothing more, and pushes what was deleted without trouble when it is wanted again.
        let front = RegistryFront::of(&repository(&project.name));
        let before = front.requests().len();
        deploy(&project, &["4"], Some(1));
        let asked = front.requests().split_off(before);
        assert!(asked.len() <= 2 && asked.iter().all(|request| request.method != "DELETE"), "{asked:#?}");
        deploy(&project, &["1"], Some(1));
        assert_eq!(held(&project.name, &["1", "2", "3", "4"]), ["1", "4"]);
    }
}

#[test]
fn what_was_pushed_before_a_down_is_still_known_after_it() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        deploy(&project, &["1"], Some(0));
        project.run(&["down", "-f", &app(&project, "1", &["1"], Some(0))]).well();
        deploy(&project, &["2"], Some(0));
        assert_eq!(held(&project.name, &["1", "2"]), ["2"]);
    }
}

#[test]
fn a_plan_shows_what_would_be_deleted_and_why_and_deletes_nothing() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        deploy(&project, &["1", "2"], Some(1));
        let file = app(&project, "2", &["2"], Some(0));
        let planned = project.run(&["plan", "--exit-code", "-f", &file]);
        let name = format!("gcr.io/{}", repository(&project.name));
        let sentence =
            format!("delete tag {name}:1, because it is superseded, and 0 superseded images are kept in {name}");
        assert!(planned.result.contains(&sentence), "{}", planned.all());
        assert_eq!((planned.exit_code, held(&project.name, &["1", "2"])), (Some(3), vec!["1", "2"]));
        project.up(&file).well();
        assert_eq!(held(&project.name, &["1", "2"]), ["2"]);
        assert_eq!(project.run(&["plan", "--exit-code", "-f", &file]).exit_code, Some(0));
    }
}

#[test]
fn what_was_not_pushed_by_the_app_or_was_moved_is_left_alone() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let repository = repository(&project.name);
        deploy(&project, &["1", "2"], Some(1));
        // Somebody promotes one image by a tag of their own, and moves a tag of ours.
        move_tag(&repository, "stable", "1");
        let promoted = digest_in_registry(&repository, "stable");
        let told = deploy(&project, &["3"], Some(1));
        assert_eq!(held(&project.name, &["1", "2", "3", "stable"]), ["1", "2", "3", "stable"], "{told}");
        assert_eq!(digest_in_registry(&repository, "stable"), promoted, "{told}");
        assert!(told.contains("the tag stable needs that of"), "{told}");
        move_tag(&repository, "2", "stable");
        deploy(&project, &["4"], Some(0));
        assert_eq!(held(&project.name, &["1", "2", "3", "4", "stable"]), ["1", "2", "4", "stable"]);
        assert_eq!(recorded(&project.status("pushed")), ["4"]);
    }
}

#[test]
fn a_tag_that_moves_along_stays_and_all_tags_of_its_old_image_go_together() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        for version in ["1", "2"] {
            let slim = format!("{version}-slim");
            project.up(&app(&project, version, &["latest", version, &slim], Some(0))).well();
        }
        let tags = ["latest", "1", "1-slim", "2", "2-slim"];
        assert_eq!(held(&project.name, &tags), ["latest", "2", "2-slim"]);
    }
}

#[test]
fn what_another_app_of_the_files_names_stays() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        deploy(&project, &["1"], Some(0));
        let image = json!({"name": format!("gcr.io/{}", repository(&project.name)), "tags": ["1"]});
        let other = project.app("other", &json!({"image": image}), &[]);
        let up = |file: &str| project.run(&["up", "-d", "-f", file, "-f", &other]).well();
        up(&app(&project, "2", &["2"], Some(0)));
        assert_eq!(held(&project.name, &["1", "2"]), ["1", "2"]);
        // It is remembered though it is not in the files any more.
        let told = deploy(&project, &["3"], Some(0));
        assert_eq!(held(&project.name, &["1", "2", "3"]), ["1", "3"], "{told}");
        project.run(&["down", "-f", &other]).well();
        deploy(&project, &["3"], Some(0));
        assert_eq!(held(&project.name, &["1", "3"]), ["3"]);
    }
}

#[test]
fn a_registry_that_deletes_nothing_is_told_in_one_sentence_and_changes_nothing_else() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let front = RegistryFront::of(&repository(&project.name));
        front.play(Fault::answer(405, "UNSUPPORTED", "The operation is unsupported.").with_method("DELETE"));
        deploy(&project, &["1", "2"], Some(0));
        let told = deploy(&project, &["3"], Some(0));
        assert_eq!(told.matches("let the registry delete").count(), 1, "{told}");
        assert_eq!(held(&project.name, &["1", "2", "3"]), ["1", "2", "3"]);
        let attached = project.attach(&app(&project, "3", &["3"], Some(0)));
        let deletions = || front.requests().iter().filter(|request| request.method == "DELETE").count();
        let before = deletions();
        for _ in 0..50 {
            if attached.has_told("let the registry delete") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let tried = deletions() - before;
        assert!((1..=2).contains(&tried), "{tried}");
        // At an interval of a second it looks several times meanwhile.
        std::thread::sleep(std::time::Duration::from_secs(5));
        assert_eq!(deletions() - before, tried, "{}", attached.told());
        assert_eq!(project.condition("pushed", "Ready")["status"], "True");
        drop(attached);
        front.end_faults();
        deploy(&project, &["3"], Some(0));
        assert_eq!(held(&project.name, &["1", "2", "3"]), ["3"]);
    }
}

#[test]
fn who_may_not_delete_is_told_which_role_is_missing() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let front = RegistryFront::of(&repository(&project.name));
        let denied = "Permission \"artifactregistry.tags.delete\" denied on resource \"gcr.io\" (or it may not exist)";
        front.play(Fault::answer(403, "DENIED", denied).with_method("DELETE").on(Kind::Manifests));
        let told = deploy(&project, &["1", "2"], Some(0));
        assert!(told.contains("roles/artifactregistry.repoAdmin"), "{told}");
        assert_eq!(held(&project.name, &["1", "2"]), ["1", "2"]);
        assert_eq!(project.condition("pushed", "Ready")["status"], "True", "{told}");
    }
}

#[tokio::test]
async fn in_a_cluster_what_another_resource_names_stays_and_the_rest_is_deleted() {
    for engine in ENGINES {
        Place::with(engine, async |place| {
            let secret = longshore_tests::registry_secret("gcr", &lab_variable("LONGSHORE_LAB_GCR_PASSWORD"));
            kubectl(&["--namespace", &place.namespace, "apply", "-f", "-"], &secret).unwrap();
            let name = place.namespace.as_str();
            let deploy = async |version: &str| {
                let mut spec = spec(name, version, &[version], Some(0));
                spec["push"][0]["secretRef"] = json!({"name": "gcr"});
                place.apply("pushed", spec);
                eventually(&format!("{version} is pushed"), async || {
                    let status = place.status("pushed");
                    let reference = format!("gcr.io/{}:{version}", repository(name));
                    status["push"][0]["reference"] == json!(reference) && place.is("pushed", "Ready")
                })
                .await;
            };
            deploy("1").await;
            let pulled = json!({
                "name": format!("gcr.io/{}", repository(name)), "tags": ["1"], "pullSecrets": [{"name": "gcr"}],
            });
            place.apply("other", json!({"image": pulled}));
            place.ready("other").await;
            deploy("2").await;
            deploy("3").await;
            eventually("2 is deleted", async || held(name, &["2"]).is_empty()).await;
            assert_eq!(held(name, &["1", "3"]), ["1", "3"]);
            place.controller_dies_and_starts_again();
            kubectl(&["--namespace", name, "delete", "capp", "other", "--timeout=60s"], "").unwrap();
            eventually("1 is deleted", async || held(name, &["1"]).is_empty()).await;
            assert_eq!(held(name, &["3"]), ["3"]);
            eventually("the record is of what is there", async || recorded(&place.status("pushed")) == ["3"]).await;
            let events = kubectl(&["--namespace", name, "get", "events", "-o", "json"], "").unwrap();
            assert!(events.contains("TagDeleted"), "{events}");
        })
        .await;
    }
}
