//! Options of a build, each looked at from inside of what it builds or of what builds it.

use std::time::{Duration, Instant};

use longshore_tests::{LabEngine, StandaloneProject, eventually, lab_variable, unique_name};
use serde_json::json;

use super::{a_step_runs, app_of, build, forget_step, in_image, inline};

on_both_engines! {
    labels_are_the_images;
    a_build_may_be_without_a_network;
    steps_find_hosts_by_other_names;
    another_token_builds_again_and_anew;
    without_the_cache_every_step_of_an_edited_build_is_done;
    a_cache_in_an_image_serves_who_has_none;
    a_build_that_takes_too_long_is_ended;
}

async fn labels_are_the_images(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let mut wanted = inline("FROM busybox\nLABEL org.opencontainers.image.source=by-the-dockerfile\n");
    wanted["labels"] = json!({"example.com/team": project.name});
    let image = build(&project, "labelled", &wanted);
    let label = |name: &str| {
        let format = format!("{{{{index .Config.Labels \"{name}\"}}}}");
        engine.docker(&["image", "inspect", "--format", &format, &image]).unwrap().trim().to_owned()
    };
    assert_eq!(label("example.com/team"), project.name);
    assert_eq!(label("org.opencontainers.image.source"), "by-the-dockerfile");
    assert!(label("org.opencontainers.image.created").starts_with("20"));
    assert!(label("longshore.dev/input-hash").starts_with('v'));
}

async fn a_build_may_be_without_a_network(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let count = format!("FROM busybox\nRUN : {} && grep -c : /proc/net/dev > /interfaces\n", project.name);
    let image = build(&project, "online", &inline(&count));
    assert_ne!(in_image(&project, &image, &["cat", "/interfaces"]), "1");
    let mut wanted = inline(&count.replace(&project.name, &format!("{} offline", project.name)));
    wanted["network"] = json!("None");
    let image = build(&project, "offline", &wanted);
    assert_eq!(in_image(&project, &image, &["cat", "/interfaces"]), "1");
}

async fn steps_find_hosts_by_other_names(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let mut wanted = inline(&format!("FROM busybox\nRUN : {} && cp /etc/hosts /found\n", project.name));
    wanted["hostAliases"] = json!([
        {"ip": "10.1.2.3", "hostnames": ["registry.example", "packages.example"]},
        {"ip": "fd00::7", "hostnames": ["six.example"]},
    ]);
    let image = build(&project, "hosts", &wanted);
    let found = in_image(&project, &image, &["cat", "/found"]);
    for (address, name) in
        [("10.1.2.3", "registry.example"), ("10.1.2.3", "packages.example"), ("fd00::7", "six.example")]
    {
        let is_there = found.lines().any(|line| line.starts_with(address) && line.contains(name));
        assert!(is_there, "{address} {name} in\n{found}");
    }
}

async fn another_token_builds_again_and_anew(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let mut wanted = inline(&format!("FROM busybox\nRUN echo {}\nRUN true\n", project.name));
    build(&project, "token", &wanted);
    let file = project.folder().join("token.yaml");
    let plan = project.longshore(&["plan", "--exit-code", "-f", file.to_str().unwrap()]).unwrap();
    assert!(plan.contains("nothing to do"), "{plan}");

    wanted["rebuildToken"] = json!("again");
    let said = project.up(&app_of(&project, "token", &wanted, &[])).well();
    assert!(said.progress.contains("rebuildToken"), "{}", said.all());
    assert!(steps_done(&project, "token") >= 2, "both steps are done anew");
    let history = project.longshore(&["history", "token"]).unwrap();
    assert_eq!(history.lines().count(), 3, "{history}");
}

async fn without_the_cache_every_step_of_an_edited_build_is_done(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let dockerfile = |last: &str| inline(&format!("FROM busybox\nRUN echo {}\nRUN echo {last}\n", project.name));
    build(&project, "cached", &dockerfile("first"));
    build(&project, "cached", &dockerfile("second"));
    assert_eq!(steps_done(&project, "cached"), 1, "only what was edited is done");
    let mut wanted = dockerfile("third");
    wanted["noCache"] = json!(true);
    build(&project, "cached", &wanted);
    assert!(steps_done(&project, "cached") >= 2, "both steps are done anew");
}

/// How many steps of the last build did not come from the cache.
fn steps_done(project: &StandaloneProject, app: &str) -> i64 {
    let build = project.status(app)["build"].clone();
    build["steps"].as_i64().unwrap() - build["cachedSteps"].as_i64().unwrap()
}

async fn a_cache_in_an_image_serves_who_has_none(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    // What the step writes tells whether it was done again.
    let step = format!("echo {} && cat /proc/sys/kernel/random/uuid > /own", project.name);
    let mut wanted = inline(&format!("FROM busybox\nRUN {step}\n"));
    wanted["cacheTo"] = json!({"type": "Inline"});
    let image = build(&project, "inline", &wanted);
    let made = in_image(&project, &image, &["cat", "/own"]);
    let pushed = format!("{}/{image}:latest", lab_variable("LONGSHORE_LAB_HUB"));
    engine.docker(&["tag", &image, &pushed]).unwrap();
    engine.docker(&["push", &pushed]).unwrap();
    engine.docker(&["rmi", &pushed]).unwrap();
    drop(project);
    forget_step(engine, &step);

    let later = StandaloneProject::begin(engine);
    let mut wanted = inline(&format!("FROM busybox\nRUN {step}\n"));
    wanted["cacheFrom"] = json!([pushed]);
    let image = build(&later, "inline", &wanted);
    assert_eq!(in_image(&later, &image, &["cat", "/own"]), made);
}

async fn a_build_that_takes_too_long_is_ended(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let word = unique_name("too-long");
    let mut wanted = inline(&format!("FROM busybox\nRUN sleep 3600 && echo {word}\n"));
    wanted["timeout"] = json!("1s");
    let begun = Instant::now();
    let said = project.run(&["up", "-d", "--timeout", "10s", "-f", &app_of(&project, "slow", &wanted, &[])]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    let ready = project.condition("slow", "Ready");
    assert_eq!(ready["reason"], "BuildTimedOut", "{}", said.all());
    let sentence = ready["message"].as_str().unwrap();
    assert!(sentence.contains("after 1 second,") && sentence.contains("spec.image.build.timeout"), "{sentence}");
    assert!(begun.elapsed() < Duration::from_secs(60));
    eventually("nothing of the build is left", async || !a_step_runs(&word)).await;
}
