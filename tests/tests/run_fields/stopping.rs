//! `stopped`, and how a container is given time to end.

use serde_json::json;

use crate::{App, on_both_engines};

on_both_engines! {
    a_stopped_container_is_kept_and_runs_again_when_it_may
    the_grace_period_is_the_programs
}

fn a_stopped_container_is_kept_and_runs_again_when_it_may(app: &App) {
    app.up(&json!({}), &[]);
    app.inside("echo kept > /file");
    let id = app.inspected("{{.Id}}");
    let plan = app.plan(&json!({"stopped": true}), &[]);
    assert!(plan.contains(&format!("stop container {}, because run.stopped is true", app.name)), "{plan}");
    let told = app.up(&json!({"stopped": true}), &[]);
    assert!(told.contains("is stopped, as run.stopped asks"), "{told}");
    assert_eq!(app.inspected("{{.State.Status}} {{.Id}}"), format!("exited {id}"));
    let ready = app.project.condition(&app.name, "Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("Stopped")));
    assert_eq!(app.project.condition(&app.name, "Running")["status"], "False");

    // What has changed meanwhile waits, and what somebody starts is stopped again.
    assert!(app.plan(&json!({"stopped": true, "hostname": "other"}), &[]).contains("nothing to do"));
    app.project.engine.docker(&["start", &app.name]).unwrap();
    app.up(&json!({"stopped": true}), &[]);
    assert_eq!(app.inspected("{{.State.Status}}"), "exited");

    let told = app.up(&json!({}), &[]);
    assert!(told.contains("because run.stopped is true no longer"), "{told}");
    assert_eq!(app.inspected("{{.State.Status}} {{.Id}}"), format!("running {id}"));
    assert_eq!(app.inside("cat /file"), "kept");
}

fn the_grace_period_is_the_programs(app: &App) {
    let run = json!({
        "terminationGracePeriodSeconds": 1,
        "command": ["sh", "-c", "trap '' TERM; while true; do sleep 1; done"],
    });
    app.up(&run, &[]);
    assert_eq!(app.inspected("{{.Config.StopTimeout}}"), "1");
    // Somebody else's `docker stop` waits as long.
    app.project.engine.docker(&["stop", &app.name]).unwrap();
    assert_eq!(app.inspected("{{.State.ExitCode}}"), "137");
}
