//! What of a folder is the build's, and how much of it is sent.

use longshore_tests::{LabEngine, StandaloneProject};
use serde_json::json;

use super::{app_of, build, image_of, in_image};

on_both_engines! {
    what_is_ignored_is_no_part_of_the_context;
    a_dockerfile_may_lie_outside_of_the_context;
    the_folder_may_be_a_link;
    of_ten_thousand_files_the_one_that_has_changed_is_sent;
}

async fn what_is_ignored_is_no_part_of_the_context(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    project.file("app/Dockerfile", "FROM busybox\nCOPY . /app\n");
    project.file("app/.dockerignore", "*.log\n!keep.log\nsecret\ncache/*\n!cache/seed\n");
    for path in ["page", "other.log", "keep.log", "secret/key", "cache/old", "cache/seed", "deep/other.log"] {
        project.file(&format!("app/{path}"), &project.name);
    }
    let image = build(&project, "ignored", &json!({"context": {"path": "./app"}}));
    let found = in_image(&project, &image, &["sh", "-c", "cd /app && find . -type f | sort"]);
    let expected =
        ["./.dockerignore", "./Dockerfile", "./cache/seed", "./deep/other.log", "./keep.log", "./page"].join("\n");
    assert_eq!(found, expected);

    // An edit of what is ignored builds nothing.
    project.file("app/secret/key", "another");
    let file = project.folder().join("ignored.yaml");
    let plan = project.longshore(&["plan", "--exit-code", "-f", file.to_str().unwrap()]).unwrap();
    assert!(plan.contains("nothing to do"), "{plan}");
}

async fn a_dockerfile_may_lie_outside_of_the_context(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    project.file("docker/Dockerfile", "FROM busybox\nCOPY . /app\n");
    project.file("app/page", &project.name);
    let image =
        build(&project, "outside", &json!({"context": {"path": "./app"}, "dockerfile": "../docker/Dockerfile"}));
    assert_eq!(in_image(&project, &image, &["ls", "/app"]), "page");
}

async fn the_folder_may_be_a_link(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    project.file("app/Dockerfile", "FROM busybox\nCOPY page /page\n");
    project.file("app/page", &project.name);
    std::os::unix::fs::symlink("app", project.folder().join("link")).unwrap();
    let image = build(&project, "link", &json!({"context": {"path": "./link"}}));
    assert_eq!(in_image(&project, &image, &["cat", "/page"]), project.name);
}

async fn of_ten_thousand_files_the_one_that_has_changed_is_sent(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    project.file("app/Dockerfile", "FROM busybox\nCOPY . /app\n");
    for number in 0..10_000 {
        project.file(&format!("app/{}/{number}", number % 100), &format!("{} {number}", project.name));
    }
    let wanted = json!({"context": {"path": "./app"}});
    let sent = || project.status("large")["build"]["bytesSent"].as_u64().unwrap_or(0);
    let image = image_of(&project, "large");
    let said = project.up(&app_of(&project, "large", &wanted, &[])).well();
    assert!(sent() > 10_000 * project.name.len() as u64, "{} bytes were sent\n{}", sent(), said.all());

    let edited = "an edit that is longer than what was there";
    project.file("app/42/4242", edited);
    let said = project.up(&app_of(&project, "large", &wanted, &[])).well();
    assert!((edited.len() as u64..1000).contains(&sent()), "{} bytes were sent for one file\n{}", sent(), said.all());
    assert_eq!(in_image(&project, &image, &["cat", "/app/42/4242"]), edited);
    let changed = project.longshore(&["history", "large"]).unwrap();
    assert!(changed.lines().nth(2).is_some_and(|row| row.contains("42")), "{changed}");
}
