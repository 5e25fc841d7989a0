//! What the API server accepts, refuses and shows, by the CRDs alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use kube::api::{Api, DynamicObject, PostParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use longshore_crds::{ContainerApp, ContainerEngine};
use longshore_tests::{administrator, install_crds, kubectl, with_temp_namespace};
use serde_json::{Value, json};

/// What the API server answers to this spec, in its words; nothing when it accepts it.
async fn answer(client: &Client, namespace: &str, spec: &Value) -> Option<String> {
    let object = json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "ContainerApp",
        "metadata": {"name": "app"}, "spec": spec,
    });
    let apps: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<ContainerApp>(&()));
    try_out(&apps, object).await
}

async fn engine_answer(client: &Client, spec: &Value) -> Option<String> {
    let object = json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "ContainerEngine",
        "metadata": {"name": "an-engine-that-is-only-tried-out"}, "spec": spec,
    });
    try_out(&Api::all_with(client.clone(), &ApiResource::erase::<ContainerEngine>(&())), object).await
}

async fn try_out(api: &Api<DynamicObject>, object: Value) -> Option<String> {
    let object = serde_json::from_value(object).unwrap();
    match api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.message),
        Err(error) => panic!("{error}"),
    }
}

async fn accepts(client: &Client, namespace: &str, spec: Value) {
    let answer = answer(client, namespace, &spec).await;
    assert_eq!(answer, None, "{spec}");
}

async fn rejects(client: &Client, namespace: &str, because: &str, spec: Value) {
    let answer = answer(client, namespace, &spec).await;
    let answer = answer.unwrap_or_else(|| panic!("accepted: {spec}"));
    assert!(answer.contains(because), "expected {because:?} in: {answer}");
}

fn built_from(context: &Value) -> Value {
    json!({"image": {"name": "web", "build": {"context": context}}})
}

fn run_with(run: &Value) -> Value {
    json!({"image": {"name": "web"}, "run": run})
}

#[tokio::test]
async fn the_whole_of_the_shortest_resource_is_an_image_name_and_never() {
    with_temp_namespace(|client, namespace| async move {
        let spec = json!({"image": {"name": "hello-world"}, "run": {"restartPolicy": "Never"}});
        accepts(&client, &namespace, spec).await;
        accepts(&client, &namespace, json!({"image": {"name": "hello-world"}})).await;
    })
    .await;
}

#[tokio::test]
async fn a_resource_that_builds_pushes_and_runs_is_accepted() {
    with_temp_namespace(|client, namespace| async move {
        let spec = json!({
            "image": {
                "name": "node-app", "tags": ["0.2", "latest"],
                "build": {"context": {"inline": {"Dockerfile": "FROM node:6"}}, "args": {"VERSION": "0.2"}},
            },
            "push": [{"to": "gcr.io/my-project/node-app", "secretRef": {"name": "gcr"}}],
            "run": {
                "containerName": "my-app-2",
                "ports": [{"hostPort": 8080, "containerPort": 80}],
                "env": [{"name": "A", "value": "b"}, {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            },
        });
        accepts(&client, &namespace, spec).await;
    })
    .await;
}

#[tokio::test]
async fn a_build_context_has_exactly_one_source_and_it_is_not_the_controllers_disk() {
    with_temp_namespace(|client, namespace| async move {
        let one = "a build context needs exactly one source: inline, configMap, git, http, sourceRef or path";
        let two = json!({"inline": {"Dockerfile": "FROM scratch"}, "configMap": {"name": "source"}});
        rejects(&client, &namespace, one, built_from(&two)).await;
        rejects(&client, &namespace, one, built_from(&json!({}))).await;
        let path = "path is read from the machine that runs longshore up; in a cluster use git, http, \
                    sourceRef, inline or configMap";
        rejects(&client, &namespace, path, built_from(&json!({"path": "/etc"}))).await;
    })
    .await;
}

#[tokio::test]
async fn what_has_no_meaning_together_is_refused() {
    with_temp_namespace(|client, namespace| async move {
        rejects(
            &client,
            &namespace,
            "an image that is pulled has one tag; several tags need a build section",
            json!({"image": {"name": "web", "tags": ["1", "2"]}}),
        )
        .await;
        let build = json!({"context": {"inline": {"Dockerfile": "FROM scratch"}}});
        rejects(
            &client,
            &namespace,
            "pullPolicy is for an image that is pulled",
            json!({"image": {"name": "web", "pullPolicy": "Never", "build": build}}),
        )
        .await;
        let two = json!({"context": build["context"], "dockerfile": "a", "dockerfileInline": "FROM scratch"});
        let either = "a build has either dockerfile or dockerfileInline, not both";
        rejects(&client, &namespace, either, json!({"image": {"name": "web", "build": two}})).await;
        let outside = json!({"context": build["context"], "dockerfile": "../Dockerfile"});
        let nowhere = "a dockerfile outside of the context needs a context that is a folder of something larger";
        rejects(&client, &namespace, nowhere, json!({"image": {"name": "web", "build": outside}})).await;
        // A build pulls its base images.
        accepts(&client, &namespace, json!({"image": {"name": "web", "pullSecrets": [{"name": "s"}], "build": build}}))
            .await;
    })
    .await;
}

#[tokio::test]
async fn an_environment_variable_has_one_value() {
    with_temp_namespace(|client, namespace| async move {
        let key = json!({"name": "s", "key": "k"});
        let both = json!({"env": [{"name": "A", "value": "b", "valueFrom": {"secretKeyRef": key}}]});
        let either = "an environment variable has either value or valueFrom, not both";
        rejects(&client, &namespace, either, run_with(&both)).await;
        let two = json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": key, "configMapKeyRef": key}}]});
        let exactly_one = "valueFrom needs exactly one of secretKeyRef and configMapKeyRef";
        rejects(&client, &namespace, exactly_one, run_with(&two)).await;
        rejects(&client, &namespace, exactly_one, run_with(&json!({"env": [{"name": "A", "valueFrom": {}}]}))).await;
    })
    .await;
}

#[tokio::test]
async fn fields_have_their_limits() {
    with_temp_namespace(|client, namespace| async move {
        let port = |port: Value| run_with(&json!({"ports": [{"hostPort": port, "containerPort": 80}]}));
        rejects(&client, &namespace, "spec.run.ports[0].hostPort", port(json!(-1))).await;
        rejects(&client, &namespace, "spec.run.ports[0].hostPort", port(json!(70000))).await;
        rejects(&client, &namespace, "hostPort", port(json!("eighty"))).await;
        rejects(&client, &namespace, "spec.image.name", json!({"image": {"name": ""}})).await;
        rejects(&client, &namespace, "spec.image", json!({})).await;
        rejects(&client, &namespace, "spec.run.restartPolicy", run_with(&json!({"restartPolicy": "Sometimes"}))).await;
        rejects(&client, &namespace, "spec.run.workingDir", run_with(&json!({"workingDir": "app"}))).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_for_a_one_shot_is_refused_for_what_does_not_end() {
    with_temp_namespace(|client, namespace| async move {
        let ends = "with them restartPolicy is OnFailure or Never";
        for fields in [
            json!({"backoffLimit": 3}),
            json!({"activeDeadlineSeconds": 3}),
            json!({"ttlSecondsAfterFinished": 3}),
            json!({"schedule": "@daily"}),
        ] {
            rejects(&client, &namespace, ends, run_with(&fields)).await;
            let mut once = fields.clone();
            once["restartPolicy"] = json!("Never");
            accepts(&client, &namespace, run_with(&once)).await;
        }
        let without = "timeZone and startingDeadlineSeconds are for a schedule";
        let zone = json!({"restartPolicy": "Never", "timeZone": "Europe/Berlin"});
        rejects(&client, &namespace, without, run_with(&zone)).await;
        let negative = json!({"restartPolicy": "Never", "backoffLimit": -1});
        rejects(&client, &namespace, "spec.run.backoffLimit", run_with(&negative)).await;
    })
    .await;
}

#[tokio::test]
async fn probes_and_the_strategy_must_make_sense() {
    with_temp_namespace(|client, namespace| async move {
        let probe =
            |threshold: u32| json!({"exec": {"command": ["test", "-f", "/ready"]}, "failureThreshold": threshold});
        let both = |readiness: Value, liveness: Value| {
            run_with(&json!({"readinessProbe": readiness, "livenessProbe": liveness}))
        };
        accepts(&client, &namespace, both(probe(3), probe(3))).await;
        accepts(&client, &namespace, both(probe(1), probe(5))).await;
        accepts(&client, &namespace, run_with(&json!({"livenessProbe": probe(3), "minReadySeconds": 5}))).await;
        let mut slower = probe(3);
        slower["periodSeconds"] = json!(20);
        let one_check = "may differ in failureThreshold only";
        rejects(&client, &namespace, one_check, both(probe(3), slower)).await;
        let mut later = probe(3);
        later["initialDelaySeconds"] = json!(20);
        rejects(&client, &namespace, one_check, both(later, probe(3))).await;
        rejects(&client, &namespace, "is at least that of readinessProbe", both(probe(3), probe(2))).await;
        let http = json!({"httpGet": {"path": "/", "port": 80}});
        rejects(&client, &namespace, "spec.run.readinessProbe.exec", run_with(&json!({"readinessProbe": http}))).await;

        accepts(&client, &namespace, run_with(&json!({"strategy": "Overlap"}))).await;
        let overlap = json!({"strategy": "Overlap", "ports": [{"hostPort": 8080, "containerPort": 80}]});
        rejects(&client, &namespace, "cannot publish the same hostPort", run_with(&overlap)).await;
        accepts(&client, &namespace, run_with(&json!({"strategy": "Overlap", "ports": [{"containerPort": 80}]}))).await;
        for (read_only, is_accepted) in [(false, false), (true, true)] {
            let overlap = json!({
                "strategy": "Overlap",
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
                "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": read_only}],
            });
            if is_accepted {
                accepts(&client, &namespace, run_with(&overlap)).await;
            } else {
                rejects(&client, &namespace, "cannot write to the same volume", run_with(&overlap)).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_engines_policy_must_make_sense() {
    let client = administrator().await;
    install_crds(&client).await;
    assert_eq!(engine_answer(&client, &json!({"endpoint": "unix:///var/run/docker.sock"})).await, None);
    let refused = [
        (json!({"endpoint": "http://a:1"}), "spec.endpoint"),
        (
            json!({"endpoint": "unix:///run/docker.sock", "tlsSecretRef": {"name": "s"}}),
            "tlsSecretRef is for a tcp:// endpoint",
        ),
        (
            json!({"endpoint": "tcp://a:2376", "hostPorts": [{"from": 9000, "to": 8000}]}),
            "a range of host ports begins at or below its end",
        ),
    ];
    for (spec, because) in refused {
        let answer = engine_answer(&client, &spec).await.unwrap_or_default();
        assert!(answer.contains(because), "{spec}: {answer}");
    }
}

#[tokio::test]
async fn a_new_resource_does_not_read_as_ready() {
    with_temp_namespace(|client, namespace| async move {
        let apps: Api<ContainerApp> = Api::namespaced(client, &namespace);
        let spec = serde_json::from_value(json!({"image": {"name": "web"}, "suspend": true})).unwrap();
        let made = apps.create(&PostParams::default(), &ContainerApp::new("web", spec)).await.unwrap();
        assert_eq!(made.status.map(|status| status.observed_generation), Some(-1));
        assert_eq!(made.spec.engine, "default");
    })
    .await;
}

#[tokio::test]
async fn kubectl_explains_every_field_down_to_the_ports() {
    let client = administrator().await;
    install_crds(&client).await;
    for (field, expected) in [
        ("capp.spec.run.ports", "hostPort"),
        ("capp.spec.image.build.context", "inline"),
        ("capp.status.container", "logTail"),
        ("ceng.spec", "allowedNamespaces"),
    ] {
        // kubectl learns of new kinds from a document that the API server makes in its own time.
        longshore_tests::eventually(field, || async {
            kubectl(&["explain", field], "").is_ok_and(|text| text.contains(expected))
        })
        .await;
    }
}

#[tokio::test]
async fn kubectl_lists_resources_with_their_verdict() {
    with_temp_namespace(|client, namespace| async move {
        let apps: Api<ContainerApp> = Api::namespaced(client, &namespace);
        let spec = serde_json::from_value(json!({"image": {"name": "web"}, "suspend": true})).unwrap();
        let made = apps.create(&PostParams::default(), &ContainerApp::new("web", spec)).await.unwrap();
        let list = kubectl(&["--namespace", &namespace, "get", "capp"], "").unwrap();
        let header = list.lines().next().unwrap_or_default();
        let columns: Vec<&str> = header.split_whitespace().collect();
        assert_eq!(columns, ["NAME", "READY", "STATUS", "IMAGE", "PORTS", "ENGINE", "AGE"]);
        assert!(list.contains(&made.name_any()), "{list}");
    })
    .await;
}

#[tokio::test]
async fn an_image_that_is_pulled_is_named_by_a_tag_or_by_a_digest() {
    with_temp_namespace(|client, namespace| async move {
        let digest = format!("sha256:{}", "0d".repeat(32));
        let image = |fields: Value| {
            let mut image = json!({"name": "web"});
            image.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            json!({"image": image})
        };
        let build = json!({"context": {"inline": {"Dockerfile": "FROM scratch"}}});
        let (always, never) = ("Always", "Never");
        for good in [
            json!({"digest": digest}),
            json!({"digest": digest, "pullPolicy": never, "platform": "linux/arm64/v8"}),
            json!({"tags": ["1"], "pullPolicy": always, "interval": "1m"}),
            json!({"pullPolicy": always}),
        ] {
            accepts(&client, &namespace, image(good)).await;
        }
        for (because, bad) in [
            ("by its digest or by a tag", json!({"digest": digest, "tags": ["1"]})),
            ("digest is for an image that is pulled", json!({"digest": digest, "build": build})),
            ("platform is for an image that is pulled", json!({"platform": "linux/arm64", "build": build})),
            ("with pullPolicy: Always only", json!({"interval": "1m"})),
            ("leave out interval", json!({"digest": digest, "pullPolicy": always, "interval": "1m"})),
            ("spec.image.digest", json!({"digest": "sha512:0d"})),
            ("spec.image.interval", json!({"pullPolicy": always, "interval": "soon"})),
            ("spec.image.platform", json!({"platform": "arm"})),
            ("pullPolicy", json!({"pullPolicy": "Sometimes"})),
        ] {
            rejects(&client, &namespace, because, image(bad)).await;
        }
        let mut pushed = image(json!({"digest": digest}));
        pushed["push"] = json!([{"to": "gcr.io/my-project/web"}]);
        rejects(&client, &namespace, "name the tags of each push", pushed.clone()).await;
        pushed["push"][0]["tags"] = json!(["copy"]);
        accepts(&client, &namespace, pushed).await;
    })
    .await;
}

#[tokio::test]
async fn of_superseded_images_a_number_is_kept_that_can_be() {
    let client = administrator().await;
    install_crds(&client).await;
    with_temp_namespace(async |_, namespace| {
        let keeping = |keep: Value| {
            let push = json!([{"to": "gcr.io/my-project/web", "keep": keep}]);
            json!({"image": {"name": "web", "build": {"context": {"inline": {"Dockerfile": "FROM x"}}}}, "push": push})
        };
        for keep in [json!(0), json!(100)] {
            accepts(&client, &namespace, keeping(keep)).await;
        }
        for keep in [json!(-1), json!(101), json!("two")] {
            rejects(&client, &namespace, "spec.push[0].keep", keeping(keep)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_registry_of_an_engine_is_reached_by_plain_http_or_with_an_authority() {
    let client = administrator().await;
    install_crds(&client).await;
    let engine = |registry: Value| json!({"endpoint": "unix:///run/docker.sock", "registries": [registry]});
    let authority = "-----BEGIN CERTIFICATE-----\nMII…";
    for good in [
        json!({"host": "10.0.0.7:5000", "plainHttp": true}),
        json!({"host": "registry.example.com", "certificateAuthority": authority}),
    ] {
        assert_eq!(engine_answer(&client, &engine(good)).await, None);
    }
    for (because, bad) in [
        ("either by plainHttp", json!({"host": "registry.example.com"})),
        ("either by plainHttp", json!({"host": "a", "plainHttp": true, "certificateAuthority": authority})),
        ("certificateAuthority", json!({"host": "a", "certificateAuthority": "none"})),
        ("host", json!({"host": "https://registry.example.com", "plainHttp": true})),
    ] {
        let answer = engine_answer(&client, &engine(bad.clone())).await;
        let answer = answer.unwrap_or_else(|| panic!("accepted: {bad}"));
        assert!(answer.contains(because), "expected {because:?} in: {answer}");
    }
}

#[tokio::test]
async fn a_run_section_with_everything_is_accepted() {
    with_temp_namespace(|client, namespace| async move {
        let run = json!({
            "envFrom": [{"secretRef": {"name": "s", "optional": true}, "prefix": "DB_"}],
            "hostname": "web",
            "hostAliases": [{"ip": "10.0.0.7", "hostnames": ["db"]}],
            "dnsConfig": {"nameservers": ["10.0.0.53"], "searches": ["example.com"], "options": [{"name": "edns0"}]},
            "labels": {"team": "shop"},
            "lifecycle": {"stopSignal": "SIGRTMIN+3"},
            "logs": {"maxSize": "10Mi", "maxFiles": 3},
            "resources": {"limits": {"memory": "64Mi", "cpu": 2, "nvidia.com/gpu": 1, "longshore.dev/pids": "50"}},
            "securityContext": {"runAsUser": 7, "runAsGroup": 8, "capabilities": {"drop": ["ALL"]}},
            "volumes": [
                {"name": "work", "emptyDir": {}},
                {"name": "map", "configMap": {"name": "m", "items": [{"key": "k", "path": "a/b", "mode": 0o400}]}},
                {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            ],
            "volumeMounts": [{"name": "work", "mountPath": "/work"}, {"name": "data", "mountPath": "/data"}],
            "stopped": true,
        });
        accepts(&client, &namespace, run_with(&run)).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_run_section_cannot_be_is_refused_with_its_reason() {
    with_temp_namespace(|client, namespace| async move {
        let one = |volume: Value| json!({"volumes": [volume]});
        for (because, run) in [
            ("envFrom needs exactly one of secretRef and configMapRef", json!({"envFrom": [{"prefix": "A"}]})),
            (
                "labels that begin with longshore.dev/ are written by Longshore",
                json!({"labels": {"longshore.dev/name": "a"}}),
            ),
            ("name runAsUser too", json!({"securityContext": {"runAsGroup": 7}})),
            (
                "Unsupported value: \"kernel.panic\"",
                json!({"securityContext": {"sysctls": [{"name": "kernel.panic", "value": "1"}]}}),
            ),
            ("name maxSize too", json!({"logs": {"maxFiles": 3}})),
            ("Unsupported value: \"SIGSTOP\"", json!({"lifecycle": {"stopSignal": "SIGSTOP"}})),
            ("limits.memory", json!({"resources": {"limits": {"memory": "64MB"}}})),
            ("limits.cpu", json!({"resources": {"limits": {"cpu": 0.5}}})),
            ("a volume is exactly one of", one(json!({"name": "v"}))),
            ("a volume is exactly one of", one(json!({"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}))),
            ("medium: Memory only", one(json!({"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}))),
        ] {
            rejects(&client, &namespace, because, run_with(&run)).await;
        }
    })
    .await;
}
