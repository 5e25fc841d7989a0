//! The Helm chart and the kustomize base: what they render, and that a real API server takes it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

use clap::Parser;
use longshore::cli::ControllerCommand;
use longshore_tests::{from_repository, helm, kubectl, with_temp_namespace};
use serde_json::Value;

const CHART: &str = "charts/longshore";
const KUBERNETES: &str = "1.36.3";

/// What the chart renders with one of its example values.
fn rendered(values: &str, namespace: &str, more: &[&str]) -> Result<String, String> {
    let values = format!("{CHART}/ci/{values}");
    let mut arguments =
        vec!["template", "longshore", CHART, "--kube-version", KUBERNETES, "--namespace", namespace, "-f", &values];
    arguments.extend(more);
    helm(&arguments)
}

fn documents(yaml: &str) -> Vec<Value> {
    let documents: Vec<Option<Value>> = serde_saphyr::from_multiple(yaml).expect("it is YAML");
    documents.into_iter().flatten().filter(|document| !document.is_null()).collect()
}

fn the<'a>(kind: &str, documents: &'a [Value]) -> &'a Value {
    documents.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("there is no {kind}"))
}

fn pod_of(documents: &[Value]) -> &Value {
    &the("Deployment", documents)["spec"]["template"]["spec"]
}

/// What of the node's files is mounted.
fn host_paths(pod: &Value) -> Vec<&str> {
    let volumes = pod["volumes"].as_array().unwrap();
    volumes.iter().filter_map(|volume| volume["hostPath"]["path"].as_str()).collect()
}

fn every_example() -> Vec<String> {
    let folder = from_repository(CHART).join("ci");
    let files = fs::read_dir(folder).expect("the chart has examples");
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn helm_finds_nothing_to_complain_about() {
    for values in every_example() {
        let values = format!("{CHART}/ci/{values}");
        helm(&["lint", "--strict", "--kube-version", KUBERNETES, CHART, "-f", &values])
            .unwrap_or_else(|complaint| panic!("{values}: {complaint}"));
    }
}

#[tokio::test]
async fn the_api_server_takes_everything_that_the_chart_renders() {
    with_temp_namespace(|_, namespace| async move {
        for values in every_example() {
            let watched = format!("watchNamespace={namespace}");
            let more: &[&str] = if values.starts_with("one-namespace") { &["--set", &watched] } else { &[] };
            let manifests = rendered(&values, &namespace, more).unwrap();
            kubectl(
                &["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"],
                &manifests,
            )
            .unwrap_or_else(|complaint| panic!("{values}: {complaint}"));
        }
    })
    .await;
}

#[tokio::test]
async fn the_api_server_takes_everything_that_the_overlays_render() {
    with_temp_namespace(|_, namespace| async move {
        for overlay in ["base", "overlays/local-socket", "overlays/remote-engine"] {
            let manifests = kubectl(&["kustomize", &format!("deploy/{overlay}")], "").unwrap();
            // The namespace itself is only tried out and is not there for what goes into it.
            let manifests = manifests.replace("namespace: longshore-system", &format!("namespace: {namespace}"));
            kubectl(
                &["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"],
                &manifests,
            )
            .unwrap_or_else(|complaint| panic!("{overlay}: {complaint}"));
        }
    })
    .await;
}

#[test]
fn the_crds_come_with_the_chart() {
    let with_crds = rendered("remote-engine-values.yaml", "longshore-system", &["--include-crds"]).unwrap();
    let names: Vec<Value> = documents(&with_crds)
        .into_iter()
        .filter(|document| document["kind"] == "CustomResourceDefinition")
        .map(|document| document["metadata"]["name"].clone())
        .collect();
    assert!(names.contains(&Value::from("containerapps.longshore.dev")), "{names:?}");
    assert!(names.contains(&Value::from("containerapprevisions.longshore.dev")), "{names:?}");
    assert!(names.contains(&Value::from("containerengines.longshore.dev")), "{names:?}");
}

#[derive(Debug, Parser)]
enum Command {
    Controller(ControllerCommand),
}

#[test]
fn the_controller_understands_the_flags_that_it_is_given() {
    let chart = documents(&rendered("one-namespace-values.yaml", "longshore-system", &[]).unwrap());
    let base = documents(&kubectl(&["kustomize", "deploy/base"], "").unwrap());
    for documents in [&chart, &base] {
        let arguments = pod_of(documents)["containers"][0]["args"].as_array().unwrap();
        let arguments = arguments.iter().map(|argument| argument.as_str().unwrap());
        let Command::Controller(command) = Command::try_parse_from(["longshore"].into_iter().chain(arguments)).unwrap();
        let options = command.options;
        assert_eq!(options.release, "longshore");
        assert!(options.metrics_address.ip().is_loopback());
        assert_eq!(options.namespace.as_deref(), if documents == &chart { Some("shop") } else { None });
    }
}

#[test]
fn the_base_and_the_chart_give_the_same_rights_and_the_same_pod() {
    let values = ["--set", "engine.create=false"];
    let chart = documents(&rendered("remote-engine-values.yaml", "longshore-system", &values).unwrap());
    let base = documents(&kubectl(&["kustomize", "deploy/base"], "").unwrap());
    assert_eq!(the("ClusterRole", &chart)["rules"], the("ClusterRole", &base)["rules"]);
    assert_eq!(the("ClusterRoleBinding", &chart)["subjects"], the("ClusterRoleBinding", &base)["subjects"]);
    assert_eq!(pod_of(&chart), pod_of(&base));
    assert_eq!(the("Deployment", &chart)["spec"]["strategy"], the("Deployment", &base)["spec"]["strategy"]);
}

#[test]
fn nothing_may_list_secrets_or_write_more_than_statuses_finalizers_and_records() {
    let chart = documents(&rendered("remote-engine-values.yaml", "longshore-system", &[]).unwrap());
    for rule in the("ClusterRole", &chart)["rules"].as_array().unwrap() {
        let (resources, verbs) = (rule["resources"].to_string(), rule["verbs"].to_string());
        if resources.contains("secrets") || resources.contains("configmaps") {
            assert_eq!(verbs, r#"["get"]"#);
        }
        assert!(!verbs.contains('*') && !resources.contains('*'), "{rule}");
        // The records of revisions are the controller's own.
        if resources == r#"["containerapprevisions"]"# {
            assert_eq!(verbs, r#"["get","list","create","update","delete"]"#);
            continue;
        }
        for verb in ["update", "delete", "deletecollection", "escalate", "impersonate"] {
            assert!(!verbs.contains(verb), "{rule}");
        }
    }
}

#[test]
fn the_pod_has_no_privileges() {
    for values in every_example() {
        let documents = documents(&rendered(&values, "longshore-system", &[]).unwrap());
        let pod = pod_of(&documents);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(container["readOnlyRootFilesystem"], true);
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["capabilities"]["drop"][0], "ALL");
        assert_eq!(the("Deployment", &documents)["spec"]["strategy"]["type"], "Recreate");
    }
}

#[test]
fn a_socket_is_mounted_only_where_that_was_asked() {
    let socket = documents(&rendered("local-socket-values.yaml", "longshore-system", &[]).unwrap());
    let pod = pod_of(&socket);
    assert_eq!(host_paths(pod), ["/var/run/docker.sock"]);
    assert_eq!(pod["containers"][0]["volumeMounts"][0]["mountPath"], "/var/run/docker.sock");
    assert_eq!(pod["securityContext"]["supplementalGroups"][0], 999);
    let remote = documents(&rendered("remote-engine-values.yaml", "longshore-system", &[]).unwrap());
    assert_eq!(host_paths(pod_of(&remote)), [""; 0]);
    let engine = &the("ContainerEngine", &remote)["spec"];
    assert_eq!(engine["tlsSecretRef"]["name"], "docker-client");
    assert_eq!(engine["allowedNamespaces"][0], "shop");
}

#[test]
fn values_that_cannot_work_are_refused_with_what_would() {
    let no_endpoint = helm(&["template", "longshore", CHART, "--kube-version", KUBERNETES]).unwrap_err();
    assert!(no_endpoint.contains("engine.endpoint is needed: unix:///var/run/docker.sock with"), "{no_endpoint}");
    let no_socket = rendered("remote-engine-values.yaml", "x", &["--set", "engine.mountSocket=true"]).unwrap_err();
    assert!(no_socket.contains("engine.mountSocket is for a unix:// endpoint"), "{no_socket}");
    let misspelled = rendered("remote-engine-values.yaml", "x", &["--set", "engine.endpiont=a"]).unwrap_err();
    assert!(misspelled.contains("endpiont"), "{misspelled}");
}

#[test]
fn in_one_namespace_there_are_no_rights_elsewhere() {
    let chart = documents(&rendered("one-namespace-values.yaml", "longshore-system", &[]).unwrap());
    let everywhere = the("ClusterRole", &chart)["rules"].to_string();
    assert!(!everywhere.contains("secrets") && !everywhere.contains("containerapps"), "{everywhere}");
    let role = chart.iter().find(|document| document["kind"] == "Role" && document["metadata"]["namespace"] == "shop");
    assert!(role.is_some_and(|role| role["rules"].to_string().contains("containerapps/status")));
}
