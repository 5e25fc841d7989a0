//! What `run` shares with core/v1 and batch/v1 has its names and its shapes there: each field is understood by their own
//! types, and written by them as we write it.

use k8s_openapi::api::batch::v1::{CronJobSpec, JobSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec};
use longshore_crds::{Run, custom_resource_definitions};
use serde_json::{Map, Value, json};

/// Fields that core/v1 does not have, or has in a Pod's metadata or in the kubelet's configuration; some are known from
/// apps/v1's Deployment.
const OUR_OWN: [&str; 7] =
    ["containerName", "labels", "logs", "minReadySeconds", "stopped", "strategy", "volumeReclaimPolicy"];

/// Fields that core/v1 has for a Pod and not for each of its containers.
const OF_A_POD: [&str; 6] =
    ["dnsConfig", "hostAliases", "hostname", "restartPolicy", "terminationGracePeriodSeconds", "volumes"];

/// Fields that batch/v1 has for a Job.
const OF_A_JOB: [&str; 3] = ["activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"];

/// Fields that batch/v1 has for a `CronJob`.
const OF_A_CRON_JOB: [&str; 3] = ["schedule", "startingDeadlineSeconds", "timeZone"];

/// Fields of `securityContext` that core/v1 has for a Pod.
const SECURITY_OF_A_POD: [&str; 2] = ["supplementalGroups", "sysctls"];

fn everything() -> Value {
    json!({
        "containerName": "my-app",
        "labels": {"team": "shop"},
        "logs": {"maxSize": "10Mi", "maxFiles": 3},
        "stopped": true,
        "command": ["serve"],
        "args": ["--port", "80"],
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": true}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
        ],
        "envFrom": [
            {"prefix": "P_", "secretRef": {"name": "s", "optional": true}},
            {"configMapRef": {"name": "m", "optional": false}},
        ],
        "workingDir": "/app",
        "ports": [
            {"hostPort": 8080, "containerPort": 80, "protocol": "UDP", "hostIP": "127.0.0.1"},
            {"hostPort": 0, "containerPort": 81, "protocol": "TCP", "hostIP": "::"},
        ],
        "hostname": "web",
        "hostAliases": [{"ip": "10.0.0.7", "hostnames": ["db"]}],
        "dnsConfig": {
            "nameservers": ["10.0.0.53"], "searches": ["example.com"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
        },
        "volumes": [
            {"name": "work", "emptyDir": {}},
            {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "map", "configMap": {"name": "m", "items": [{"key": "k", "path": "p", "mode": 256}], "defaultMode": 292, "optional": true}},
            {"name": "secret", "secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}], "defaultMode": 256, "optional": false}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data", "readOnly": true}},
        ],
        "volumeMounts": [{"name": "work", "mountPath": "/work", "readOnly": true}],
        "resources": {
            "limits": {"memory": "64Mi", "cpu": "500m", "nvidia.com/gpu": "1", "longshore.dev/pids": "50"},
            "requests": {"memory": "32Mi", "cpu": "250m"},
        },
        "securityContext": {
            "runAsUser": 7, "runAsGroup": 8, "supplementalGroups": [9],
            "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}],
        },
        "lifecycle": {"stopSignal": "SIGQUIT"},
        "readinessProbe": probe(2),
        "livenessProbe": probe(3),
        "volumeReclaimPolicy": "Delete",
        "minReadySeconds": 4,
        "strategy": "Recreate",
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 5,
        "backoffLimit": 6,
        "activeDeadlineSeconds": 7,
        "ttlSecondsAfterFinished": 8,
        "schedule": "30 2 * * *",
        "timeZone": "Europe/Berlin",
        "startingDeadlineSeconds": 9,
    })
}

fn probe(failure_threshold: i32) -> Value {
    json!({
        "exec": {"command": ["true"]},
        "initialDelaySeconds": 5,
        "periodSeconds": 10,
        "timeoutSeconds": 1,
        "failureThreshold": failure_threshold,
    })
}

/// Those fields of an object whose names are, or are not, among these.
fn part(object: &Value, names: &[&str], are_wanted: bool) -> Map<String, Value> {
    let fields = object.as_object().expect("an object").clone();
    fields.into_iter().filter(|(name, _)| names.contains(&name.as_str()) == are_wanted).collect()
}

#[test]
fn what_we_read_is_what_we_write() {
    let read: Run = serde_json::from_value(everything()).expect("a run section");
    assert_eq!(serde_json::to_value(read).expect("plain data"), everything());
}

#[test]
fn core_v1_reads_and_writes_the_same() {
    let written = everything();
    let security = &written["securityContext"];
    let mut pod = part(&written, &OF_A_POD, true);
    pod.insert("securityContext".to_owned(), Value::Object(part(security, &SECURITY_OF_A_POD, true)));
    pod.insert("containers".to_owned(), json!([]));
    let mut container = part(&written, &[OUR_OWN.as_slice(), &OF_A_POD, &OF_A_JOB, &OF_A_CRON_JOB].concat(), false);
    container.insert("securityContext".to_owned(), Value::Object(part(security, &SECURITY_OF_A_POD, false)));
    container.insert("name".to_owned(), json!("app"));

    let read: PodSpec = serde_json::from_value(Value::Object(pod.clone())).expect("a Pod's spec");
    assert_eq!(serde_json::to_value(read).expect("plain data"), Value::Object(pod));
    let read: Container = serde_json::from_value(Value::Object(container.clone())).expect("a container");
    assert_eq!(serde_json::to_value(read).expect("plain data"), Value::Object(container));
}

#[test]
fn batch_v1_reads_and_writes_the_same() {
    let mut job = part(&everything(), &OF_A_JOB, true);
    job.insert("template".to_owned(), json!({}));
    let read: JobSpec = serde_json::from_value(Value::Object(job.clone())).expect("a Job's spec");
    assert_eq!(serde_json::to_value(read).expect("plain data"), Value::Object(job));
    let mut cron_job = part(&everything(), &OF_A_CRON_JOB, true);
    cron_job.insert("jobTemplate".to_owned(), json!({}));
    let read: CronJobSpec = serde_json::from_value(Value::Object(cron_job.clone())).expect("a CronJob's spec");
    assert_eq!(serde_json::to_value(read).expect("plain data"), Value::Object(cron_job));
}

#[test]
fn no_field_is_left_out_of_this() {
    let definitions = custom_resource_definitions();
    let app = definitions.iter().find(|definition| definition.spec.names.kind == "ContainerApp").expect("the CRD");
    let schema = serde_json::to_value(&app.spec.versions[0].schema).expect("plain data");
    let run = "/openAPIV3Schema/properties/spec/properties/run/properties";
    let everything = everything();
    for section in ["", "/securityContext", "/resources", "/dnsConfig", "/lifecycle", "/logs", "/readinessProbe"] {
        let properties = section.strip_prefix('/').map_or_else(String::new, |name| format!("/{name}/properties"));
        let fields = schema.pointer(&format!("{run}{properties}")).and_then(Value::as_object).expect("fields");
        let given = everything.pointer(section).and_then(Value::as_object).expect("an object");
        for field in fields.keys() {
            assert!(given.contains_key(field), "run{section}: {field} is not held against core/v1");
        }
    }
}
