use longshore_crds::HostPortRange;
use serde_json::{Value, json};

use super::*;

fn wanted(ports: &Value) -> Result<Vec<String>, String> {
    under(&Policy::default(), ports)
}

fn under(policy: &Policy, ports: &Value) -> Result<Vec<String>, String> {
    let ports: Vec<ContainerPort> = serde_json::from_value(ports.clone()).unwrap();
    let wanted = wanted_ports(&ports, policy).map_err(|block| block.message)?;
    Ok(wanted.iter().map(ToString::to_string).collect())
}

#[test]
fn ports_are_counted_out() {
    for (ports, counted) in [
        (json!([{"hostPort": 8080, "containerPort": 80}]), &["0.0.0.0:8080->80/tcp"][..]),
        (json!([{"containerPort": 80}]), &["0.0.0.0:0->80/tcp"]),
        (json!([{"hostPort": 0, "containerPort": 80, "hostIP": "::1"}]), &["[::1]:0->80/tcp"]),
        (
            json!([{"hostPort": 8000, "containerPort": 9000, "endPort": 9002, "protocol": "UDP"}]),
            &["0.0.0.0:8000->9000/udp", "0.0.0.0:8001->9001/udp", "0.0.0.0:8002->9002/udp"],
        ),
        (json!([{"containerPort": 80, "endPort": 81}]), &["0.0.0.0:0->80/tcp", "0.0.0.0:0->81/tcp"]),
        (json!([{"hostPort": 8080, "containerPort": 80, "hostIP": "::ffff:127.0.0.1"}]), &["127.0.0.1:8080->80/tcp"]),
    ] {
        assert_eq!(wanted(&ports).unwrap(), counted, "{ports}");
    }
}

#[test]
fn a_port_of_the_container_may_be_published_several_times() {
    let ports = json!([
        {"hostPort": 8080, "containerPort": 80},
        {"hostPort": 8080, "containerPort": 80, "hostIP": "::"},
        {"hostPort": 8081, "containerPort": 80},
        {"containerPort": 80},
        {"hostPort": 8080, "containerPort": 80, "protocol": "UDP"},
    ]);
    assert_eq!(wanted(&ports).unwrap().len(), 5);
}

#[test]
fn what_cannot_be_published_is_told_with_field_value_and_remedy() {
    for (ports, told) in [
        (
            json!([{"containerPort": 80, "endPort": 79}]),
            "spec.run.ports[0].endPort: 79 is below containerPort 80; write the last port of the range, or leave it out",
        ),
        (
            json!([{"containerPort": 80, "endPort": 336}]),
            "spec.run.ports[0].endPort: from 80 to 336 are 257 ports; write 256 at most",
        ),
        (
            json!([{"hostPort": 65535, "containerPort": 80, "endPort": 81}]),
            "spec.run.ports[0].hostPort: from 65535 on there are not 2 ports; write 65534 at most",
        ),
        (
            json!([{"hostPort": -1, "containerPort": 80}]),
            "spec.run.ports[0].hostPort: -1 is not a port; write one from 1 to 65535, or leave it out, and the engine chooses",
        ),
        (json!([{"containerPort": 0}]), "spec.run.ports[0].containerPort: 0 is not a port; a port is 1 to 65535"),
        (
            json!([{"hostPort": 8000, "containerPort": 80, "endPort": 90}, {"hostPort": 8005, "containerPort": 1, "hostIP": "127.0.0.1"}]),
            "spec.run.ports[1].hostPort: 8005 is published by spec.run.ports[0] already",
        ),
        (
            json!([{"containerPort": 80, "endPort": 90}, {"containerPort": 85}]),
            "spec.run.ports[1].containerPort: 85 has a port that the engine chooses by spec.run.ports[0] already; leave one of \
             the two out, or write its hostPort",
        ),
        (
            json!([{"containerPort": 1, "endPort": 200}, {"containerPort": 201, "endPort": 257}]),
            "spec.run.ports[1]: with this one there are 257 ports; a container publishes 256 at most",
        ),
    ] {
        assert_eq!(wanted(&ports).unwrap_err(), told);
    }
}

#[test]
fn a_policy_counts_for_each_port_of_a_range() {
    let policy = |from, to| Policy {
        engine: "shared".to_owned(),
        host_ports: Some(vec![HostPortRange { from, to }]),
        ..Policy::default()
    };
    let range = json!([{"hostPort": 8000, "containerPort": 80, "endPort": 82}]);
    assert!(under(&policy(8000, 8002), &range).is_ok());
    let refused = under(&policy(8000, 8001), &range).unwrap_err();
    assert!(
        refused.starts_with("spec.run.ports[0].hostPort: hostPorts of the engine shared allows 8000-8001, not 8002")
    );
    assert!(under(&Policy::default(), &json!([{"hostPort": 80, "containerPort": 80}])).is_err());
}

#[test]
fn a_port_that_the_engine_chooses_must_be_allowed_wherever_it_falls() {
    let chosen = json!([{"containerPort": 80}]);
    let with = |from, to| Policy { host_ports: Some(vec![HostPortRange { from, to }]), ..Policy::default() };
    assert!(under(&with(1, 65535), &chosen).is_ok());
    let refused = under(&with(8000, 9000), &chosen).unwrap_err();
    assert!(refused.contains("an engine may choose any port from 1024 on: write a port in there"), "{refused}");
}
