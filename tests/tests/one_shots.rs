//! Containers that end: tried again, stopped at their deadline, removed when their time is over, and back when they are due.
//! On both engines.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use longshore_tests::{ENGINES, StandaloneProject, eventually};
use serde_json::{Value, json};

fn name(project: &StandaloneProject) -> String {
    format!("{}-job", project.name)
}

/// A one-shot of busybox that runs a script.
fn running_once(project: &StandaloneProject, script: &str, run: &Value) -> String {
    let mut spec = json!({
        "image": {"name": "busybox"},
        "run": {
            "containerName": name(project), "terminationGracePeriodSeconds": 0, "restartPolicy": "Never",
            "command": ["sh", "-c", script],
        },
    });
    spec["run"].as_object_mut().unwrap().extend(run.as_object().unwrap().clone());
    project.app("job", &spec, &[])
}

fn inspect(project: &StandaloneProject, format: &str) -> String {
    project.engine.docker(&["inspect", "--format", format, &name(project)]).unwrap_or_default().trim().to_owned()
}

fn reason(project: &StandaloneProject) -> Value {
    project.condition("job", "Ready")["reason"].clone()
}

/// Lets `up` look until the run is told with this reason: one that it sees going on is ready, and it does not wait for it.
async fn up_until(project: &StandaloneProject, file: &str, wanted: &str) {
    eventually(&format!("the run is {wanted}"), || async {
        project.up(file);
        reason(project) == wanted
    })
    .await;
}

#[tokio::test]
async fn a_failed_one_shot_is_tried_again_and_fails_for_good() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let file = running_once(&project, "echo no database; exit 3", &json!({"backoffLimit": 1}));
        up_until(&project, &file, "BackoffLimitExceeded").await;
        let message = project.condition("job", "Stalled")["message"].as_str().unwrap().to_owned();
        assert!(message.contains("has failed twice") || message.contains("has failed 2 times"), "{message}");
        assert_eq!(project.status("job")["run"]["failed"], 2);
        assert_eq!(inspect(&project, "{{index .Config.Labels \"longshore.dev/failed-before\"}}"), "1");
        // What has failed for good is not run again.
        let id = inspect(&project, "{{.Id}}");
        assert_eq!(project.up(&file).exit_code, Some(1));
        assert_eq!(inspect(&project, "{{.Id}}"), id);
        // A changed spec is.
        let mended = running_once(&project, "echo mended", &json!({"backoffLimit": 1}));
        up_until(&project, &mended, "Completed").await;
        assert!(project.status("job")["container"]["logTail"].as_str().unwrap().contains("mended"));
    }
}

#[tokio::test]
async fn the_engine_itself_tries_again_as_often_as_it_may() {
    for engine in ENGINES {
        for limit in [0, 2] {
            let project = StandaloneProject::begin(engine);
            let fields = json!({"restartPolicy": "OnFailure", "backoffLimit": limit});
            let file = running_once(&project, "exit 3", &fields);
            up_until(&project, &file, if limit == 0 { "RunFailed" } else { "BackoffLimitExceeded" }).await;
            let said = project.up(&file);
            assert_eq!(said.exit_code, Some(1), "{}", said.all());
            let policy = if limit == 0 { "no 0" } else { "on-failure 2" };
            let format =
                "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}} {{.RestartCount}}";
            assert_eq!(inspect(&project, format), format!("{policy} {limit}"));
        }
    }
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_stopped() {
    for engine in ENGINES {
        for policy in ["Never", "OnFailure"] {
            let project = StandaloneProject::begin(engine);
            let fields = json!({"restartPolicy": policy, "activeDeadlineSeconds": 4});
            let attached = project.attach(&running_once(&project, "sleep 3600", &fields));
            eventually("it is stopped and has failed", || async {
                project.condition("job", "Stalled")["reason"] == "DeadlineExceeded"
            })
            .await;
            assert_eq!(inspect(&project, "{{.State.Status}}"), "exited");
            assert_eq!(project.status("job")["run"]["outcome"], "DeadlineExceeded");
            drop(attached);
        }
    }
}

#[tokio::test]
async fn the_container_of_a_run_that_is_over_is_removed_and_its_result_stays() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let kept = running_once(&project, "echo hello", &json!({"ttlSecondsAfterFinished": 5}));
        up_until(&project, &kept, "Completed").await;
        // Attached, it stays until nothing is left to do.
        project.run(&["up", "-f", &kept]).well();
        assert_eq!(inspect(&project, "{{.Id}}"), "");
        project.up(&kept).well();
        assert_eq!(reason(&project), "Completed");
        assert_eq!(inspect(&project, "{{.Id}}"), "");
        assert_eq!(project.status("job")["container"]["logTail"], "hello\n");
        // Another image is another run, and so is another spec.
        let again = running_once(&project, "echo again", &json!({"ttlSecondsAfterFinished": 5}));
        up_until(&project, &again, "Completed").await;
        assert_eq!(project.status("job")["container"]["logTail"], "again\n");
    }
}

#[tokio::test]
async fn a_schedule_runs_when_it_is_due() {
    let watch = |engine| async move {
        let project = StandaloneProject::begin(engine);
        let fields = json!({"schedule": "* * * * *", "timeZone": "Europe/Berlin"});
        let file = running_once(&project, "date +%s", &fields);
        let said = project.up(&file).well();
        assert!(said.all().contains("nothing starts its runs"), "{}", said.all());
        assert_eq!(reason(&project), "Scheduled");
        assert_eq!(inspect(&project, "{{.Id}}"), "");
        let attached = project.attach(&file);
        let last = || project.status("job")["schedule"]["lastSuccessfulTime"].clone();
        for _ in 0..50 {
            if !last().is_null() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        let status = project.status("job");
        assert!(last().is_string(), "{status}");
        let due = status["schedule"]["lastScheduleTime"].as_str().unwrap();
        assert!(due.ends_with(":00Z"), "{due}");
        let ready = project.condition("job", "Ready");
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("Scheduled")), "{ready}");
        drop(attached);
    };
    futures::future::join_all(ENGINES.map(watch)).await;
}

#[tokio::test]
async fn what_cannot_be_a_schedule_names_its_field() {
    for engine in &ENGINES[..1] {
        let project = StandaloneProject::begin(*engine);
        for (fields, field) in [
            (json!({"schedule": "* * * *"}), "spec.run.schedule"),
            (json!({"schedule": "@daily", "timeZone": "Berlin"}), "spec.run.timeZone"),
            (json!({"schedule": "@daily", "restartPolicy": "Always"}), "schedule are for containers that end"),
            (json!({"activeDeadlineSeconds": 5, "restartPolicy": "Always"}), "are for containers that end"),
        ] {
            let said = project.up(&running_once(&project, "true", &fields));
            assert!(said.exit_code != Some(0) && said.all().contains(field), "{}", said.all());
        }
    }
}
