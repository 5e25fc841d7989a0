//! What a container is called, how it finds others, how it is stopped, and how much of its log is kept.

use serde_json::json;

use crate::{App, on_both_engines};

on_both_engines! {
    a_hostname_is_the_containers_own
    host_aliases_are_found_without_a_name_server
    a_dns_config_is_the_containers_resolv_conf
    a_stop_signal_is_the_one_that_the_program_gets
    labels_are_on_the_container_and_ours_cannot_be_written
    the_log_is_bounded
    what_has_changed_is_named
    a_wrong_address_is_refused_by_its_field
}

fn a_hostname_is_the_containers_own(app: &App) {
    app.up(&json!({"hostname": "web"}), &[]);
    assert_eq!(app.inside("hostname; cat /etc/hostname"), "web\nweb");
}

fn host_aliases_are_found_without_a_name_server(app: &App) {
    let run = json!({"hostAliases": [
        {"ip": "10.7.7.7", "hostnames": ["db", "db.example.com"]},
        {"ip": "fd00::7", "hostnames": ["six"]},
    ]});
    app.up(&run, &[]);
    let hosts = app.inside("cat /etc/hosts");
    for line in ["10.7.7.7\tdb", "10.7.7.7\tdb.example.com", "fd00::7\tsix"] {
        assert!(hosts.lines().any(|found| found == line), "{hosts}");
    }
}

fn a_dns_config_is_the_containers_resolv_conf(app: &App) {
    let run = json!({"dnsConfig": {
        "nameservers": ["10.7.7.53", "10.7.7.54"],
        "searches": ["shop.example.com", "example.com"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }});
    app.up(&run, &[]);
    let written = app.inside("grep -v '^#' /etc/resolv.conf");
    // The engine's own name server answers in a network of containers, and asks those that are named.
    for line in ["nameserver 127.0.0.11", "search shop.example.com example.com"] {
        assert!(written.lines().any(|found| found == line), "{written}");
    }
    assert_eq!(app.inspected("{{json .HostConfig.Dns}}"), "[\"10.7.7.53\",\"10.7.7.54\"]");
    assert!(written.contains("options ndots:2 edns0"), "{written}");
}

fn a_stop_signal_is_the_one_that_the_program_gets(app: &App) {
    let run = |image_signal: bool| {
        let lifecycle = if image_signal { json!({}) } else { json!({"stopSignal": "SIGUSR1"}) };
        json!({
            "lifecycle": lifecycle,
            "restartPolicy": "Always",
            "command": ["sh", "-c", "trap 'echo got USR1; exit 0' USR1; trap 'echo got TERM; exit 0' TERM; sleep 3600 & wait"],
        })
    };
    app.up(&run(false), &[]);
    let engine = app.project.engine;
    engine.docker(&["stop", &app.name]).unwrap();
    assert_eq!(engine.docker(&["logs", &app.name]).unwrap().trim_end(), "got USR1");
    let plan = app.plan(&run(true), &[]);
    assert!(plan.contains("because stop signal SIGUSR1 \u{2192} none"), "{plan}");
}

fn labels_are_on_the_container_and_ours_cannot_be_written(app: &App) {
    app.up(&json!({"labels": {"traefik.enable": "true", "com.example.team": "shop"}}), &[]);
    assert_eq!(app.inspected("{{index .Config.Labels \"com.example.team\"}}"), "shop");
    let owner = app.inspected("{{index .Config.Labels \"longshore.dev/name\"}}");
    assert_eq!(owner, app.name);
    let refused = app.refusal_of(&json!({"labels": {"longshore.dev/name": "other"}}));
    assert!(refused.contains("spec.run.labels"), "{refused}");
    assert!(refused.contains("labels that begin with longshore.dev/ are written by Longshore"), "{refused}");
}

fn the_log_is_bounded(app: &App) {
    let run = json!({
        "logs": {"maxSize": "20Ki", "maxFiles": 2},
        "command": ["sh", "-c", "for i in $$(seq 2000); do echo \"line $$i of a log that is long\"; done; trap 'exit 0' TERM; sleep 3600 & wait"],
    });
    app.up(&run, &[]);
    app.until("it has printed its last line", |app| {
        app.project.engine.docker(&["logs", "--tail", "1", &app.name]).is_ok_and(|log| log.contains("line 2000 of"))
    });
    let kept = app.project.engine.docker(&["logs", &app.name]).unwrap();
    // Two files of 20Ki, with a time and some JSON around each line.
    assert!(kept.len() < 40 * 1024 && !kept.contains("line 1 of"), "{} bytes are kept", kept.len());
    assert!(kept.contains("line 1999 of"), "{kept}");
}

fn what_has_changed_is_named(app: &App) {
    app.up(&json!({"hostname": "web", "terminationGracePeriodSeconds": 5}), &[]);
    let plan = app.plan(&json!({"hostname": "shop", "terminationGracePeriodSeconds": 5}), &[]);
    assert!(plan.contains("because hostname web \u{2192} shop"), "{plan}");
    let plan = app.plan(&json!({"hostname": "web", "workingDir": "/tmp", "terminationGracePeriodSeconds": 7}), &[]);
    let changes = "because grace period 5s \u{2192} 7s, working directory none \u{2192} /tmp";
    assert!(plan.contains(changes), "{plan}");
}

fn a_wrong_address_is_refused_by_its_field(app: &App) {
    let refused = app.refusal_of(&json!({"hostAliases": [{"ip": "host-gateway", "hostnames": ["host"]}]}));
    let sentence = "spec.run.hostAliases[0].ip: \"host-gateway\" is not an IP address, such as 10.0.0.7 or fd00::7";
    assert!(refused.contains(sentence), "{refused}");
    let refused = app.refusal_of(&json!({"dnsConfig": {"nameservers": ["dns.example.com"]}}));
    assert!(refused.contains("spec.run.dnsConfig.nameservers[0]"), "{refused}");
    // The engine would make another host of it.
    let refused = app.refusal_of(&json!({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db:10.0.0.2"]}]}));
    assert!(refused.contains("is not a host's name"), "{refused}");
}
