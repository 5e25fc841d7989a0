//! The life of builds in a cluster: they wait for their turn, they say how far they are, and they end with what they
//! are for.

use std::time::{Duration, Instant};

use longshore_tests::{LabEngine, Place, StandaloneProject, eventually, kubectl, unique_name};
use serde_json::{Value, json};

use super::{a_step_runs, image_of, inline};

on_both_engines! {
    builds_take_turns_without_a_cluster;
    builds_take_turns_and_say_where_they_are;
    an_edit_cancels_the_build_that_it_makes_useless;
    a_deletion_in_the_middle_of_a_build_ends;
    a_controller_that_dies_in_the_middle_of_a_build_leaves_one_good_build;
}

/// A build that is not cached, with a step that takes as long.
fn slow(word: &str, seconds: usize) -> Value {
    inline(&format!("FROM busybox\nRUN sleep {seconds} && echo {word} > /word\n"))
}

async fn builds_take_turns_without_a_cluster(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let one_at_a_time = json!({
        "apiVersion": "longshore.dev/v1alpha1",
        "kind": "ContainerEngine",
        "metadata": {"name": "default"},
        "spec": {"endpoint": engine.endpoint(), "maxConcurrentBuilds": 1},
    });
    let names = ["first", "second", "third"];
    let mut arguments = vec!["up".to_owned(), "-d".to_owned(), "-f".to_owned()];
    arguments.push(project.file("engine.yaml", &one_at_a_time.to_string()));
    for name in names {
        let word = format!("{}-{name}", project.name);
        let image = json!({"name": image_of(&project, name), "build": slow(&word, 1)});
        arguments.extend(["-f".to_owned(), project.app(name, &json!({"image": image}), &[])]);
    }
    let begun = Instant::now();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    project.run(&arguments).well();
    assert!(begun.elapsed() >= Duration::from_secs(3), "three seconds of steps, one after another");
    for name in names {
        assert_eq!(project.condition(name, "Ready")["status"], "True");
    }
}

async fn builds_take_turns_and_say_where_they_are(engine: LabEngine) {
    Place::with(engine, async |place| {
        place.set_engine(&json!({"endpoint": engine.endpoint(), "maxConcurrentBuilds": 1}));
        let names = ["first", "second", "third"];
        for name in names {
            place.apply(name, of(place, name, &slow(&format!("{}-{name}", place.namespace), 2)));
        }
        let sentences = || {
            let path = "jsonpath={range .items[*]}{.status.conditions[?(@.type==\"Ready\")].message}{\"\\n\"}{end}";
            kubectl(&["--namespace", &place.namespace, "get", "capp", "-o", path], "").unwrap()
        };
        eventually("one builds and says which step, another says that it waits", || async {
            let now = sentences();
            now.contains("step 2 of 2: RUN sleep 2")
                && (now.contains("it waits for its turn") || now.contains("it is the next when"))
        })
        .await;
        for name in names {
            place.ready(name).await;
        }
    })
    .await;
}

async fn an_edit_cancels_the_build_that_it_makes_useless(engine: LabEngine) {
    Place::with(engine, async |place| {
        let (old, new) = (unique_name("old-build"), unique_name("new-build"));
        place.apply("web", of(place, "web", &slow(&old, 3600)));
        eventually("the old build runs", async || a_step_runs(&old)).await;
        place.apply("web", of(place, "web", &slow(&new, 0)));
        place.ready("web").await;
        eventually("nothing of the old build is left", async || !a_step_runs(&old)).await;
        assert_eq!(word_in(place), new);
        let records = kubectl(&["--namespace", &place.namespace, "get", "cappr", "-o", "yaml"], "").unwrap();
        assert!(!records.contains(&old), "a build that was cancelled is no revision: {records}");
    })
    .await;
}

async fn a_deletion_in_the_middle_of_a_build_ends(engine: LabEngine) {
    Place::with(engine, async |place| {
        let word = unique_name("deleted-build");
        place.apply("web", of(place, "web", &slow(&word, 3600)));
        eventually("the build runs", async || a_step_runs(&word)).await;
        let begun = Instant::now();
        kubectl(&["--namespace", &place.namespace, "delete", "capp", "web", "--timeout=60s"], "").unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
        eventually("nothing of the build is left", async || !a_step_runs(&word)).await;
        assert!(!engine.images().iter().any(|image| image.contains(&place.namespace)));
    })
    .await;
}

async fn a_controller_that_dies_in_the_middle_of_a_build_leaves_one_good_build(engine: LabEngine) {
    Place::with(engine, async |place| {
        let word = unique_name("interrupted-build");
        place.apply("web", of(place, "web", &slow(&word, 3)));
        eventually("the build runs", async || a_step_runs(&word)).await;
        place.controller_dies_and_starts_again();
        place.ready("web").await;
        assert_eq!(word_in(place), word);
        eventually("no step is left", async || !a_step_runs(&word)).await;
        let records = kubectl(&["--namespace", &place.namespace, "get", "cappr", "-o", "name"], "").unwrap();
        assert_eq!(records.lines().count(), 1, "{records}");
        let ours = |image: &&String| image.contains(&place.namespace);
        let images = engine.images();
        assert_eq!(images.iter().filter(ours).count(), 1, "one image by its public name: {images:?}");
    })
    .await;
}

/// An image of the place's own, built so.
fn of(place: &Place, name: &str, build: &Value) -> Value {
    json!({"image": {"name": format!("{}-{name}", place.namespace), "build": build}})
}

fn word_in(place: &Place) -> String {
    let image = format!("{}-web", place.namespace);
    place.engine.docker(&["run", "--rm", "--network", "none", &image, "cat", "/word"]).unwrap().trim().to_owned()
}
