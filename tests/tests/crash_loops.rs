//! Containers that keep ending, and those that run and are not well: on both engines.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use longshore_tests::{ENGINES, StandaloneProject, eventually};
use serde_json::{Value, json};

fn name(project: &StandaloneProject) -> String {
    format!("{}-web", project.name)
}

/// An app of busybox whose container runs a script.
fn running(project: &StandaloneProject, script: &str, run: &Value) -> String {
    let mut spec = json!({
        "image": {"name": "busybox"},
        "run": {
            "containerName": name(project), "terminationGracePeriodSeconds": 0, "command": ["sh", "-c", script],
        },
    });
    spec["run"].as_object_mut().unwrap().extend(run.as_object().unwrap().clone());
    project.app("web", &spec, &[])
}

fn inspect(project: &StandaloneProject, format: &str) -> String {
    project.engine.docker(&["inspect", "--format", format, &name(project)]).unwrap_or_default().trim().to_owned()
}

#[tokio::test]
async fn a_crash_loop_tells_how_it_ends_and_an_edit_helps() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let file = running(&project, "echo no database; exit 3", &json!({}));
        let attached = project.attach(&file);
        let container = || project.status("web")["container"].clone();
        eventually("the crash loop is told", || async {
            let ready = project.condition("web", "Ready");
            ready["reason"] == "CrashLoopBackOff" && container()["exitCode"] == 3
        })
        .await;
        let ready = project.condition("web", "Ready");
        assert_eq!(ready["status"], "False");
        let message = ready["message"].as_str().unwrap();
        assert!(message.contains("keeps ending") && message.contains("longshore logs web"), "{message}");
        assert!(container()["logTail"].as_str().unwrap().contains("no database"), "{}", container());
        assert!(container()["restarts"].as_i64().unwrap() > 0, "{}", container());
        drop(attached);
        project.up(&running(&project, "sleep 3600", &json!({}))).well();
    }
}

#[tokio::test]
async fn a_crash_loop_is_stalled_after_the_progress_deadline() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let spec = json!({
            "image": {"name": "busybox"}, "progressDeadlineSeconds": 3,
            "run": {"containerName": name(&project), "command": ["sh", "-c", "exit 3"]},
        });
        let said = project.up(&project.app("web", &spec, &[]));
        assert_eq!(said.exit_code, Some(1), "{}", said.all());
        assert!(said.all().contains("keeps ending, last with exit code 3"), "{}", said.all());
        assert_eq!(project.condition("web", "Stalled")["reason"], "CrashLoopBackOff");
    }
}

#[tokio::test]
async fn a_container_that_fails_its_liveness_probe_is_restarted() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let probe = json!({
            "exec": {"command": ["test", "-f", "/tmp/well"]}, "periodSeconds": 1, "failureThreshold": 2, "timeoutSeconds": 5,
        });
        let file = running(&project, "touch /tmp/well; sleep 3600", &json!({"livenessProbe": probe}));
        project.up(&file).well();
        let started = inspect(&project, "{{.State.StartedAt}}");
        let id = inspect(&project, "{{.Id}}");
        let attached = project.attach(&file);
        engine.docker(&["exec", &name(&project), "rm", "/tmp/well"]).unwrap();
        eventually("it was started anew", || async { inspect(&project, "{{.State.StartedAt}}") != started }).await;
        eventually("it is well again", || async { project.condition("web", "Ready")["status"] == "True" }).await;
        assert_eq!(inspect(&project, "{{.Id}} {{.State.Health.Status}}"), format!("{id} healthy"));
        assert_eq!(project.status("web")["container"]["livenessRestarts"], 1);
        let told = attached.told();
        assert!(told.contains("because its health check has failed 2 times in a row, last with exit code 1"), "{told}");
    }
}

#[tokio::test]
async fn without_a_liveness_probe_an_unhealthy_container_is_told_and_left_alone() {
    for engine in ENGINES {
        let project = StandaloneProject::begin(engine);
        let probe = json!({
            "exec": {"command": ["test", "-f", "/tmp/well"]}, "periodSeconds": 1, "failureThreshold": 2, "timeoutSeconds": 5,
        });
        let file = running(&project, "touch /tmp/well; sleep 3600", &json!({"readinessProbe": probe}));
        project.up(&file).well();
        let started = inspect(&project, "{{.State.StartedAt}}");
        let attached = project.attach(&file);
        engine.docker(&["exec", &name(&project), "rm", "/tmp/well"]).unwrap();
        eventually("it is told", || async { project.condition("web", "Ready")["reason"] == "Unhealthy" }).await;
        engine.docker(&["exec", &name(&project), "touch", "/tmp/well"]).unwrap();
        eventually("it is ready again", || async { project.condition("web", "Ready")["status"] == "True" }).await;
        assert_eq!(inspect(&project, "{{.State.StartedAt}}"), started);
        drop(attached);
    }
}
