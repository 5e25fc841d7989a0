//! What a container may use of its host, seen where its kernel keeps it.

use serde_json::json;

use crate::{App, on_both_engines};

on_both_engines! {
    limits_are_those_of_the_kernel
    requests_are_those_of_the_kernel
    a_program_that_wants_more_memory_is_killed
    another_limit_replaces_the_container_and_the_same_in_other_words_does_not
    what_cannot_be_is_refused_with_its_field
    gpus_are_refused_where_the_engine_has_none
}

/// A value of the container's control group, of version 1 or 2.
fn of_its_group(app: &App, version_1: &str, version_2: &str) -> String {
    app.inside(&format!("cat /sys/fs/cgroup/{version_2} 2>/dev/null || cat /sys/fs/cgroup/{version_1}"))
}

fn limits_are_those_of_the_kernel(app: &App) {
    let limits = json!({"memory": "64Mi", "cpu": "500m", "longshore.dev/pids": 50});
    app.up(&json!({"resources": {"limits": limits}}), &[]);
    let format = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}";
    assert_eq!(app.inspected(format), "67108864 67108864 500000000 50");
    assert_eq!(of_its_group(app, "memory/memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(of_its_group(app, "pids/pids.max", "pids.max"), "50");
    let quota = of_its_group(app, "cpu/cpu.cfs_quota_us", "cpu.max");
    assert!(["50000", "50000 100000"].contains(&&*quota), "{quota}");
}

fn requests_are_those_of_the_kernel(app: &App) {
    app.up(&json!({"resources": {"requests": {"memory": "32Mi", "cpu": 2}}}), &[]);
    assert_eq!(app.inspected("{{.HostConfig.MemoryReservation}} {{.HostConfig.CpuShares}}"), "33554432 2048");
    assert_eq!(of_its_group(app, "memory/memory.soft_limit_in_bytes", "memory.low"), "33554432");
}

fn a_program_that_wants_more_memory_is_killed(app: &App) {
    let run = json!({
        "restartPolicy": "Never",
        "resources": {"limits": {"memory": "8Mi"}},
        "command": ["sh", "-c", "exec tail /dev/zero"],
    });
    // Whether it was still running when `up` looked does not matter.
    app.project.up(&app.file(&run, &[]));
    app.until_it_has_ended();
    assert_eq!(app.inspected("{{.State.OOMKilled}} {{.State.ExitCode}}"), "true 137");
}

fn another_limit_replaces_the_container_and_the_same_in_other_words_does_not(app: &App) {
    let run = |memory: &str| json!({"resources": {"limits": {"memory": memory}}});
    app.up(&run("64Mi"), &[]);
    assert!(app.plan(&run("0.0625Gi"), &[]).contains("nothing to do"));
    let plan = app.plan(&run("128Mi"), &[]);
    assert!(plan.contains("because memory limit 64Mi \u{2192} 128Mi"), "{plan}");
    app.up(&run("128Mi"), &[]);
    assert_eq!(app.inspected("{{.HostConfig.Memory}}"), "134217728");
}

fn what_cannot_be_is_refused_with_its_field(app: &App) {
    for (run, sentence) in [
        (
            json!({"limits": {"memory": "1Mi"}}),
            "spec.run.resources.limits.memory: 1Mi is too little; it is 6Mi at least",
        ),
        (json!({"limits": {"memory": "64MB"}}), "a quantity is written 2, \"0.5\", 500m, 64Mi or 1G"),
        (json!({"limits": {"cpu": 0.5}}), "put it in quotes: \"0.5\""),
        (json!({"limits": {"cpu": "1m"}}), "spec.run.resources.limits.cpu: 1m is too little; it is 10m at least"),
        (
            json!({"limits": {"memory": "64Mi"}, "requests": {"memory": "65Mi"}}),
            "spec.run.resources.requests.memory: 65Mi is more than the limit, 64Mi",
        ),
        (
            json!({"limits": {"nvidia.com/gpu": "0.5"}}),
            "spec.run.resources.limits.nvidia.com/gpu: 0.5 is not a whole number",
        ),
        (json!({"limits": {"ephemeral-storage": "1Gi"}}), "ephemeral-storage"),
    ] {
        let refused = app.refusal_of(&json!({"resources": run}));
        assert!(refused.contains(sentence), "{refused}");
    }
}

fn gpus_are_refused_where_the_engine_has_none(app: &App) {
    let run = json!({"resources": {"limits": {"nvidia.com/gpu": 1}}});
    let said = app.project.run(&["up", "-d", "--timeout", "20s", "-f", &app.file(&run, &[])]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    assert!(said.all().contains("the engine has no GPUs of NVIDIA for containers"), "{}", said.all());
}
