//! As whom a container runs, and what it gives up.

use serde_json::json;

use crate::{App, on_both_engines};

on_both_engines! {
    user_and_groups_are_those_of_the_program
    a_user_alone_is_in_no_other_group
    the_root_is_read_only
    dropped_capabilities_are_gone
    privileges_cannot_be_gained
    sysctls_are_the_containers_own
    what_gives_more_rights_is_not_known
}

fn user_and_groups_are_those_of_the_program(app: &App) {
    let context = json!({"runAsUser": 1234, "runAsGroup": 2345, "supplementalGroups": [3456, 4567]});
    app.up(&json!({"securityContext": context}), &[]);
    assert_eq!(app.inside("id -u; id -g; id -G"), "1234\n2345\n2345 3456 4567");
}

fn a_user_alone_is_in_no_other_group(app: &App) {
    app.up(&json!({"securityContext": {"runAsUser": 1}}), &[]);
    // The image has no such user, whose group would count.
    assert_eq!(app.inside("id -u; id -g"), "1\n0");
    let plan = app.plan(&json!({"securityContext": {"runAsUser": 2}}), &[]);
    assert!(plan.contains("because user 1 \u{2192} 2"), "{plan}");
    let refused = app.refusal_of(&json!({"securityContext": {"runAsGroup": 7}}));
    assert!(refused.contains("runAsGroup is the group of runAsUser: name runAsUser too"), "{refused}");
}

fn the_root_is_read_only(app: &App) {
    app.up(&json!({"securityContext": {"readOnlyRootFilesystem": true}}), &[]);
    assert_eq!(app.inside("touch /file 2>&1; echo $?"), "touch: /file: Read-only file system\n1");
}

fn dropped_capabilities_are_gone(app: &App) {
    let effective = |app: &App| {
        let mask = app.inside("sed -n 's/^CapEff:\\s*//p' /proc/1/status");
        u64::from_str_radix(&mask, 16).unwrap()
    };
    let (chown, net_raw) = (1 << 0, 1 << 13);
    app.up(&json!({"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}), &[]);
    assert_eq!(effective(app) & (chown | net_raw), chown);
    app.up(&json!({"securityContext": {"capabilities": {"drop": ["ALL"]}}}), &[]);
    assert_eq!(effective(app), 0);
}

fn privileges_cannot_be_gained(app: &App) {
    app.up(&json!({"securityContext": {"allowPrivilegeEscalation": false}}), &[]);
    assert_eq!(app.inside("sed -n 's/^NoNewPrivs:\\s*//p' /proc/1/status"), "1");
    app.up(&json!({"securityContext": {"allowPrivilegeEscalation": true}}), &[]);
    assert_eq!(app.inside("sed -n 's/^NoNewPrivs:\\s*//p' /proc/1/status"), "0");
}

fn sysctls_are_the_containers_own(app: &App) {
    let sysctls = json!([
        {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"},
        {"name": "net.ipv4.ip_local_port_range", "value": "40000 41000"},
    ]);
    app.up(&json!({"securityContext": {"sysctls": sysctls}}), &[]);
    let seen = app.inside("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ip_local_port_range");
    assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), ["0", "40000", "41000"]);
    let refused = app.refusal_of(&json!({"securityContext": {"sysctls": [{"name": "kernel.panic", "value": "1"}]}}));
    assert!(refused.contains("kernel.panic"), "{refused}");
}

/// No resource reaches the host: what would is no field at all.
fn what_gives_more_rights_is_not_known(app: &App) {
    for (field, run) in [
        ("privileged", json!({"securityContext": {"privileged": true}})),
        ("add", json!({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}})),
        ("seccompProfile", json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}})),
        ("appArmorProfile", json!({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}})),
        ("hostNetwork", json!({"hostNetwork": true})),
        ("hostPID", json!({"hostPID": true})),
        ("hostIPC", json!({"hostIPC": true})),
        ("shareProcessNamespace", json!({"shareProcessNamespace": true})),
        ("devices", json!({"devices": ["/dev/mem"]})),
    ] {
        let refused = app.refusal_of(&run);
        assert!(refused.contains(&format!("{field}: ")), "{refused}");
    }
}
