//! How pushes are made and kept, through the commands that a person types: side by side, a tag that somebody has moved,
//! tags that are never overwritten. On both engines, each behaviour with names of its own.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::registry_front::{Fault, Kind};
use longshore_tests::{ENGINES, LabEngine, RegistryFront, StandaloneProject, digest_in_registry, move_tag};
use serde_json::{Value, json};

/// The path of a repository of this project.
fn path(project: &StandaloneProject, name: &str) -> String {
    format!("longshore-policy/{}/{name}", project.name)
}

fn to(project: &StandaloneProject, name: &str, rest: &Value) -> Value {
    let mut push = json!({"to": format!("gcr.io/{}", path(project, name))});
    for (key, value) in rest.as_object().unwrap() {
        push[key] = value.clone();
    }
    push
}

/// An app with a layer of three megabytes that compress badly; its file.
fn app(project: &StandaloneProject, content: &str, push: &[Value]) -> String {
    // The builder's cache would give the layer of another run, which the registry has.
    let random = format!("RUN : {content} {}; head -c 3000000 /dev/urandom >/blob", project.name);
    let dockerfile = format!("FROM busybox\n{random}\n");
    let build = json!({"context": {"inline": {"Dockerfile": dockerfile}}});
    project.app("pushed", &json!({"image": {"name": project.name, "build": build}, "push": push}), &[])
}

fn bytes_sent(front: &RegistryFront) -> u64 {
    let requests = front.requests();
    requests.iter().filter(|request| request.kind == Kind::Uploads).map(|request| request.received).sum()
}

#[test]
fn each_destination_is_sent_every_layer_once_and_an_unchanged_one_nothing() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let push =
            [to(&project, "one", &json!({"tags": ["1", "2", "3"]})), to(&project, "two", &json!({"tags": ["1"]}))];
        let file = app(&project, "a", &push);
        let said = project.up(&file).well();
        let status = project.status("pushed");
        let fronts = ["one", "two"].map(|name| RegistryFront::of(&path(&project, name)));
        for entry in status["push"].as_array().unwrap() {
            let reference = entry["reference"].as_str().unwrap().strip_prefix("gcr.io/").unwrap();
            let (repository, tag) = reference.rsplit_once(':').unwrap();
            assert_eq!(entry["digest"].as_str(), digest_in_registry(repository, tag).as_deref(), "{status}");
            assert!(entry["size"].as_u64().unwrap() > 3_000_000 && entry["pushedAt"].is_string(), "{status}");
        }
        let size = status["push"][0]["size"].as_u64().unwrap();
        let sent = fronts.each_ref().map(bytes_sent);
        assert!(sent.iter().max().is_some_and(|sent| *sent > 3_000_000), "{sent:?}");
        assert!(sent.iter().all(|sent| *sent < size + size / 4), "{sent:?}\n{}", said.all());

        let before = fronts.each_ref().map(|front| front.requests().len());
        project.up(&file).well();
        assert_eq!(fronts.each_ref().map(bytes_sent), sent);
        let asked: Vec<usize> =
            fronts.iter().zip(before).map(|(front, before)| front.requests().len() - before).collect();
        assert!(asked[0] <= 3 && asked[1] <= 1, "one request a tag: {asked:?}");
    }
}

#[test]
fn a_destination_that_fails_holds_no_other_up() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let push = [to(&project, "bad", &json!({})), to(&project, "good", &json!({}))];
        let front = RegistryFront::of(&path(&project, "bad"));
        front.play(Fault::answer(503, "UNAVAILABLE", "away for a while").on(Kind::Manifests).with_method("PUT"));
        let file = app(&project, "a", &push);
        let said = project.run(&["up", "-d", "--timeout", "30s", "-f", &file]);
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        assert!(digest_in_registry(&path(&project, "good"), "latest").is_some(), "{}", said.all());
        let status = project.status("pushed");
        assert_eq!(status["push"].as_array().unwrap().len(), 1, "{status}");
        let sent = bytes_sent(&front);
        front.end_faults();
        project.up(&file).well();
        assert!(digest_in_registry(&path(&project, "bad"), "latest").is_some());
        assert_eq!(bytes_sent(&front), sent, "the layers had arrived");
    }
}

#[test]
fn a_tag_that_somebody_moves_is_put_back_at_the_interval() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let repository = path(&project, "app");
        project.up(&app(&project, "a", &[to(&project, "app", &json!({"tags": ["old"]}))])).well();
        let file = app(&project, "b", &[to(&project, "app", &json!({"tags": ["new"], "interval": "1s"}))]);
        project.up(&file).well();
        let ours = digest_in_registry(&repository, "new");
        let attached = project.attach(&file);
        move_tag(&repository, "new", "old");
        assert_ne!(digest_in_registry(&repository, "new"), ours);
        for _ in 0..300 {
            if digest_in_registry(&repository, "new") == ours {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        assert_eq!(digest_in_registry(&repository, "new"), ours, "{}", attached.told());
        assert!(attached.has_told("somebody has moved the tag"), "{}", attached.told());
    }
}

#[test]
fn a_tag_that_somebody_moves_is_told_where_that_is_asked_for() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let repository = path(&project, "app");
        project.up(&app(&project, "a", &[to(&project, "app", &json!({"tags": ["old"]}))])).well();
        let file = app(&project, "b", &[to(&project, "app", &json!({"tags": ["new"], "drift": "Report"}))]);
        project.up(&file).well();
        let (ours, old) =
            (digest_in_registry(&repository, "new").unwrap(), digest_in_registry(&repository, "old").unwrap());
        move_tag(&repository, "new", "old");
        for _ in 0..2 {
            let said = project.run(&["up", "-d", "--timeout", "10s", "-f", &file]);
            assert_eq!(said.exit_code, Some(1), "{}", said.all());
            let pushed = project.condition("pushed", "Pushed");
            assert_eq!((&pushed["status"], &pushed["reason"]), (&json!("False"), &json!("TagMoved")), "{pushed}");
            let entry = project.status("pushed")["push"][0].clone();
            assert_eq!((entry["digest"].as_str(), entry["driftedTo"].as_str()), (Some(&*ours), Some(&*old)), "{entry}");
        }
        assert_eq!(digest_in_registry(&repository, "new"), Some(old), "it is left as it is");
        project.up(&app(&project, "b", &[to(&project, "app", &json!({"tags": ["new"]}))])).well();
        assert_eq!(digest_in_registry(&repository, "new"), Some(ours));
    }
}

#[test]
fn a_tag_that_somebody_has_taken_away_is_told_as_missing() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let front = RegistryFront::of(&path(&project, "app"));
        let file = app(&project, "a", &[to(&project, "app", &json!({"drift": "Report"}))]);
        project.up(&file).well();
        let held = project.status("pushed")["push"][0]["digest"].clone();
        front.play(Fault::answer(404, "MANIFEST_UNKNOWN", "manifest unknown").on(Kind::Manifests));
        for _ in 0..2 {
            assert_eq!(project.run(&["up", "-d", "--timeout", "10s", "-f", &file]).exit_code, Some(1));
            let entry = project.status("pushed")["push"][0].clone();
            assert_eq!((&entry["digest"], &entry["missing"]), (&held, &json!(true)), "{entry}");
            assert_eq!(entry.get("driftedTo"), None);
        }
        front.end_faults();
        project.up(&file).well();
        assert_eq!(project.status("pushed")["push"][0].get("missing"), None);
    }
}

/// With how it was built beside it, an image is an index, which only containerd's store holds.
#[test]
fn an_index_that_is_pushed_has_the_size_of_all_that_it_leads_to() {
    let project = StandaloneProject::logged_in(LabEngine::Engine29);
    let front = RegistryFront::of(&path(&project, "app"));
    let dockerfile = format!("FROM busybox\nLABEL made-for={}\n", project.name);
    let build = json!({"context": {"inline": {"Dockerfile": dockerfile}}, "attestations": {"provenance": "Max"}});
    let push = to(&project, "app", &json!({}));
    let file = project.app("pushed", &json!({"image": {"name": project.name, "build": build}, "push": [push]}), &[]);
    project.up(&file).well();
    let size = project.status("pushed")["push"][0]["size"].clone();
    assert!(size.as_u64().is_some_and(|size| size > 1000), "{}", project.status("pushed"));

    let before = front.requests().len();
    project.up(&file).well();
    assert_eq!(front.requests().len(), before + 1, "{:#?}", front.requests().split_off(before));
    assert_eq!(project.status("pushed")["push"][0]["size"], size);
}

#[test]
fn a_tag_that_is_never_overwritten_stays_what_it_is() {
    for engine in ENGINES {
        let project = StandaloneProject::logged_in(engine);
        let repository = path(&project, "app");
        let push = |tag: &str| [to(&project, "app", &json!({"tags": [tag], "immutableTags": true}))];
        project.up(&app(&project, "a", &push("1"))).well();
        let first = digest_in_registry(&repository, "1");
        let front = RegistryFront::of(&repository);
        let sent = bytes_sent(&front);
        let said = project.run(&["up", "-d", "--timeout", "30s", "-f", &app(&project, "b", &push("1"))]);
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        let stalled = project.condition("pushed", "Stalled");
        assert_eq!(stalled["reason"], "TagImmutable", "{stalled}");
        assert!(stalled["message"].as_str().unwrap().contains(first.as_deref().unwrap()), "{stalled}");
        assert_eq!((digest_in_registry(&repository, "1"), bytes_sent(&front)), (first, sent));
        project.up(&app(&project, "b", &push("2"))).well();
        assert!(digest_in_registry(&repository, "2").is_some());
    }
}
