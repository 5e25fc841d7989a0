//! What a person reads when a file is wrong, word for word, and what is made of files that are right.

use std::path::PathBuf;

use super::sources::Source;
use super::*;

/// A spec in which only the lines that are given are of interest.
const HEAD: &str = "apiVersion: longshore.dev/v1alpha1\nkind: ContainerApp\nmetadata: {name: my-app}\n";

fn load(text: &str) -> Result<Manifests, BadFiles> {
    let source = Source { name: "app.yaml".to_owned(), folder: PathBuf::from("."), text: text.to_owned() };
    Manifests::from_sources(&[source])
}

fn loaded(text: &str) -> Manifests {
    match load(text) {
        Ok(manifests) => manifests,
        Err(error) => panic!("{error}"),
    }
}

/// Holds what a person reads against what they should read, and that it has no word of the language we are written in.
fn says(text: &str, expected: &str) {
    let Err(error) = load(text) else { panic!("this was accepted:\n{text}") };
    let message = error.to_string();
    for word in ["Option", "Vec<", "String", "struct", "enum", "i32", "u16", "variant", "Some(", "None"] {
        assert!(!message.contains(word), "{word} in: {message}");
    }
    assert_eq!(message, expected);
}

/// The same for the spec of an app.
fn spec_says(spec: &str, expected: &str) {
    says(&format!("{HEAD}spec:\n{spec}"), expected);
}

#[test]
fn broken_yaml_is_told_with_its_place() {
    says(
        "apiVersion: longshore.dev/v1alpha1\nkind: [ContainerApp\n",
        "app.yaml:2:7: this is not YAML that can be read: unclosed bracket '['",
    );
    says(
        "a: 1\na: 2\n",
        "app.yaml:2:1: this is not YAML that can be read: duplicate mapping key `a` is not allowed here",
    );
}

#[test]
fn a_missing_kind_is_told() {
    says(
        "apiVersion: longshore.dev/v1alpha1\n",
        "app.yaml:1:1: kind: is missing and must be given, such as ContainerApp",
    );
    says(
        "kind: ContainerApp\n",
        "app.yaml:1:1: apiVersion: is missing and must be given, such as longshore.dev/v1alpha1",
    );
}

#[test]
fn a_misspelt_kind_is_told_with_the_kind_that_was_meant() {
    says(
        "apiVersion: longshore.dev/v1alpha1\nkind: ContainerAp\nmetadata: {name: a}\n",
        "app.yaml:2:7: kind: \"ContainerAp\" is not a kind of longshore.dev; did you mean ContainerApp?",
    );
    says(
        "apiVersion: longshore.dev/v1alpha1\nkind: Deployment\nmetadata: {name: a}\n",
        "app.yaml:2:7: kind: \"Deployment\" is not a kind of longshore.dev; its kinds are ContainerApp and ContainerEngine",
    );
}

#[test]
fn another_version_is_told_with_the_version_that_there_is() {
    says(
        "apiVersion: longshore.dev/v1\nkind: ContainerApp\nmetadata: {name: a}\n",
        "app.yaml:1:13: apiVersion: \"longshore.dev/v1\" does not have the kind ContainerApp; write longshore.dev/v1alpha1",
    );
}

#[test]
fn a_missing_spec_or_name_is_told() {
    says(
        HEAD,
        "app.yaml:1:1: spec: is missing and must be given; it holds: What a `ContainerApp` asks for: an image that is built or pulled, where it is pushed, and how it runs",
    );
    says(
        "apiVersion: longshore.dev/v1alpha1\nkind: ContainerApp\nmetadata: {}\nspec: {image: {name: a}}\n",
        "app.yaml:3:11: metadata.name: is missing and must be given; it holds: The name of the object, unique in its namespace",
    );
    spec_says(
        "  run: {}\n",
        "app.yaml:5:3: spec.image: is missing and must be given; it holds: The image: how it is called, and how it is built where it is not pulled",
    );
}

#[test]
fn a_name_that_no_object_may_have_is_told() {
    says(
        "apiVersion: longshore.dev/v1alpha1\nkind: ContainerApp\nmetadata: {name: My_App}\nspec: {image: {name: a}}\n",
        "app.yaml:3:18: metadata.name: \"My_App\" is not allowed; a name has lower-case letters, digits, - and ., and begins and ends with a letter or a digit",
    );
    let long = "a".repeat(64);
    says(
        &format!(
            "apiVersion: longshore.dev/v1alpha1\nkind: ContainerApp\nmetadata: {{name: {long}}}\nspec: {{image: {{name: a}}}}\n"
        ),
        "app.yaml:3:18: metadata.name: the name of a ContainerApp has at most 63 characters",
    );
}

#[test]
fn an_unknown_field_is_told_with_the_one_that_was_meant() {
    spec_says(
        "  image: {name: a}\n  run:\n    port: []\n",
        "app.yaml:7:5: spec.run.port: there is no such field; did you mean ports?",
    );
    spec_says(
        "  image: {name: a}\n  replicas: 3\n",
        "app.yaml:6:3: spec.replicas: there is no such field; allowed are deletionPolicy, engine, image, progressDeadlineSeconds, push, revisionHistoryLimit, rollbackTo, run and suspend",
    );
}

#[test]
fn a_tag_that_yaml_takes_for_a_number_is_told_as_it_stands_there() {
    spec_says(
        "  image:\n    name: a\n    tags: [0.10]\n",
        "app.yaml:7:12: spec.image.tags[0]: 0.10 is a number where a text is wanted; put it in quotes: \"0.10\"",
    );
}

#[test]
fn a_value_of_another_kind_is_told() {
    spec_says(
        "  image: {name: a}\n  run:\n    ports:\n    - hostPort: \"8080\"\n      containerPort: 80\n",
        "app.yaml:8:17: spec.run.ports[0].hostPort: \"8080\" is a text where a whole number is wanted; write it without quotes",
    );
    spec_says(
        "  image: {name: a, tags: latest}\n",
        "app.yaml:5:26: spec.image.tags: \"latest\" is a text where a list is wanted; begin each of its elements with a -",
    );
    spec_says("  image: a\n", "app.yaml:5:10: spec.image: \"a\" is a text where a group of fields is wanted");
    spec_says("  image:\n", "app.yaml:5:8: spec.image: has no value, a group of fields is wanted");
    spec_says(
        "  image: {name: a}\n  revisionHistoryLimit: 1.5\n",
        "app.yaml:6:25: spec.revisionHistoryLimit: 1.5 is a number where a whole number is wanted",
    );
}

#[test]
fn a_value_out_of_range_is_told_with_the_range() {
    spec_says(
        "  image: {name: a}\n  run:\n    ports:\n    - {hostPort: 70000, containerPort: 80}\n",
        "app.yaml:8:18: spec.run.ports[0].hostPort: 70000 is out of range; allowed are 0 to 65535",
    );
}

#[test]
fn a_word_that_is_not_allowed_is_told_with_those_that_are() {
    spec_says(
        "  image: {name: a}\n  run: {restartPolicy: Sometimes}\n",
        "app.yaml:6:24: spec.run.restartPolicy: \"Sometimes\" is not allowed; allowed are Always, OnFailure and Never",
    );
}

#[test]
fn a_text_of_the_wrong_form_or_length_is_told() {
    spec_says(
        "  image: {name: a, tags: [\"0.2 beta\"]}\n",
        "app.yaml:5:27: spec.image.tags[0]: \"0.2 beta\" is not allowed; a tag has letters, digits, _, . and -, and begins with none of . and -",
    );
    spec_says(
        "  image: {name: a}\n  run: {workingDir: app}\n",
        "app.yaml:6:21: spec.run.workingDir: \"app\" is not allowed; a path in the container begins with /",
    );
    spec_says("  image: {name: \"\"}\n", "app.yaml:5:17: spec.image.name: has 0 characters; at least 1 must be given");
}

#[test]
fn what_is_given_twice_in_a_list_is_told() {
    spec_says(
        "  image: {name: a}\n  push:\n  - to: gcr.io/p/a\n  - to: gcr.io/p/a\n",
        "app.yaml:8:5: spec.push[1]: to \"gcr.io/p/a\" is given by spec.push[0] already; remove one of the two",
    );
    spec_says(
        "  image: {name: a}\n  run:\n    ports:\n    - {hostPort: 8080, containerPort: 80}\n    - {hostPort: 8080, containerPort: 80, protocol: TCP}\n",
        "app.yaml:9:7: spec.run.ports[1]: containerPort 80, protocol \"TCP\", hostPort 8080 and hostIP \"0.0.0.0\" is given by spec.run.ports[0] already; remove one of the two",
    );
}

#[test]
fn a_rule_between_fields_is_told_at_its_field() {
    spec_says(
        "  image:\n    name: a\n    build:\n      context: {inline: {Dockerfile: FROM a}, path: .}\n",
        "app.yaml:8:7: spec.image.build.context: a build context needs exactly one source: inline, configMap, git, http, sourceRef or path",
    );
    spec_says(
        "  image: {name: a, tags: [\"1\", \"2\"]}\n",
        "app.yaml:5:3: spec.image: an image that is pulled has one tag; several tags need a build section",
    );
    spec_says(
        "  image: {name: a}\n  run:\n    env:\n    - name: A\n      value: b\n      valueFrom: {secretKeyRef: {name: s, key: k}}\n",
        "app.yaml:8:7: spec.run.env[0]: an environment variable has either value or valueFrom, not both",
    );
}

#[test]
fn an_image_name_that_no_registry_takes_is_told() {
    spec_says(
        "  image:\n    name: Node-App\n",
        "app.yaml:6:11: spec.image.name: \"Node-App\" has capital letters; the name of a repository is lower-case",
    );
    spec_says(
        "  image: {name: a}\n  push:\n  - to: gcr.io/p/a:0.2\n",
        "app.yaml:7:9: spec.push[0].to: \"gcr.io/p/a:0.2\" has a tag; write only the repository here and the tag under tags",
    );
    spec_says(
        "  image: {name: a}\n  run:\n    ports:\n    - {hostPort: 8080, containerPort: 80, hostIP: localhost}\n",
        "app.yaml:8:51: spec.run.ports[0].hostIP: \"localhost\" is not an IP address, such as 127.0.0.1 or ::1",
    );
}

#[test]
fn an_object_that_stands_in_the_files_twice_is_told_with_both_places() {
    says(
        &format!("{HEAD}spec: {{image: {{name: a}}}}\n---\n{HEAD}spec: {{image: {{name: b}}}}\n"),
        "app.yaml:8:18: metadata.name: the ContainerApp default/my-app stands in app.yaml:3:18 already; remove one of the two or give it another name",
    );
}

#[test]
fn an_engine_with_an_endpoint_that_is_none_is_told() {
    says(
        "apiVersion: longshore.dev/v1alpha1\nkind: ContainerEngine\nmetadata: {name: default}\nspec: {endpoint: /var/run/docker.sock}\n",
        "app.yaml:4:18: spec.endpoint: \"/var/run/docker.sock\" is not allowed; an endpoint is written unix:///var/run/docker.sock or tcp://host:2376",
    );
}

#[test]
fn a_secret_is_never_quoted() {
    says(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: \"hunter two\"}\nstringData: {pin: 4711}\n",
        "app.yaml:5:19: stringData.pin: this is a number where a text is wanted; put it in quotes",
    );
    says(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  password: hunter-two\n",
        "app.yaml:5:13: data.password: the value is not base64; encode it, or write it plainly under stringData",
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    spec_says(
        "  image: {nam: a}\n  run: {restartPolicy: always}\n",
        "app.yaml:5:11: spec.image.nam: there is no such field; did you mean name?\napp.yaml:5:10: spec.image.name: is missing and must be given; it holds: The repository, without a tag: `node-app`, `gcr.io/my-project/node-app`\napp.yaml:6:24: spec.run.restartPolicy: \"always\" is not allowed; allowed are Always, OnFailure and Never",
    );
}

#[test]
fn a_file_that_unfolds_without_end_is_refused() {
    let first = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned();
    let level = |level: i32| {
        let below = format!("*a{}", level - 1);
        format!("a{level}: &a{level} [{}]", [below.as_str(); 10].join(", "))
    };
    let lines: Vec<String> = [first].into_iter().chain((1..8).map(level)).collect();
    let text = lines.join("\n");
    let Err(error) = load(&text) else { panic!("this was accepted") };
    assert!(error.to_string().ends_with("write it out with fewer aliases"), "{error}");
}

#[test]
fn a_file_that_is_too_deep_is_refused() {
    let Err(error) = load(&format!("a: {}{}", "[".repeat(200), "]".repeat(200))) else { panic!("this was accepted") };
    assert!(error.to_string().starts_with("app.yaml:1:"), "{error}");
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}

#[test]
fn an_app_gets_the_defaults_that_an_api_server_gives_it() {
    let manifests = loaded(&format!("{HEAD}spec: {{image: {{name: hello-world}}, run: {{}}}}\n"));
    let app = &manifests.apps.values().next().unwrap().app;
    assert_eq!(app.metadata.namespace.as_deref(), Some("default"));
    assert_eq!(app.spec.engine, "default");
    assert_eq!(app.spec.revision_history_limit, 3);
    assert_eq!(app.spec.run.as_ref().unwrap().termination_grace_period_seconds, 30);
}

#[test]
fn a_key_without_a_value_takes_its_default() {
    let manifests = loaded(&format!("{HEAD}spec:\n  engine:\n  image: {{name: a}}\n  run:\n"));
    let app = &manifests.apps.values().next().unwrap().app;
    assert_eq!(app.spec.engine, "default");
    assert!(app.spec.run.is_none());
}

#[test]
fn secrets_and_config_maps_are_read_as_an_api_server_reads_them() {
    let manifests = loaded(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\ntype: kubernetes.io/dockerconfigjson\n\
         data: {a: b25l, b: dHdv}\nstringData: {b: three}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {text: hello}\nbinaryData: {bytes: AAE=}\n",
    );
    let secret = &manifests.secrets[&("shop".to_owned(), "s".to_owned())];
    assert_eq!(secret.kind, "kubernetes.io/dockerconfigjson");
    assert_eq!(secret.data["a"], b"one");
    assert_eq!(secret.data["b"], b"three");
    let config_map = &manifests.config_maps[&("default".to_owned(), "c".to_owned())];
    assert_eq!(config_map.data["text"], b"hello");
    assert_eq!(config_map.data["bytes"], [0, 1]);
}

#[test]
fn objects_of_others_are_named_and_left_out() {
    let manifests = loaded("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n");
    assert_eq!(
        manifests.warnings,
        ["app.yaml:1:1: Deployment web is left out: standalone mode reads ContainerApp, ContainerEngine, Secret and \
          ConfigMap"]
    );
}

#[test]
fn what_a_cluster_has_exported_is_read_without_what_is_only_true_there() {
    let manifests = loaded(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: longshore.dev/v1alpha1\n  kind: ContainerApp\n  \
         metadata: {name: a, uid: 1-2-3, generation: 7, finalizers: [longshore.dev/finalizer]}\n  \
         spec: {image: {name: a}}\n  status: {observedGeneration: 7}\n",
    );
    let app = &manifests.apps.values().next().unwrap().app;
    assert_eq!((&app.metadata.uid, &app.metadata.generation, &app.metadata.finalizers), (&None, &None, &None));
    assert!(app.status.is_none());
}

#[test]
fn a_folder_is_read_in_the_order_of_its_files_and_not_deeper() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let app = |name: &str| {
        format!(
            "apiVersion: longshore.dev/v1alpha1\nkind: ContainerApp\nmetadata: {{name: {name}}}\nspec: {{image: {{name: a}}}}\n"
        )
    };
    write("b.yml", &app("b"));
    write("a.yaml", &app("a"));
    write("notes.txt", "not: [yaml");
    std::fs::create_dir(folder.path().join("inside")).unwrap();
    write("inside/c.yaml", &app("c"));

    let manifests = Manifests::load(&[folder.path().to_owned()]).unwrap_or_else(|error| panic!("{error}"));

    let names: Vec<&str> = manifests.apps.keys().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(manifests.apps.values().all(|loaded| loaded.folder == folder.path()));
}

#[test]
fn files_that_are_not_there_are_told_together() {
    let Err(error) = Manifests::load(&["no-such.yaml".into(), "no-such-either.yaml".into()]) else {
        panic!("these do not exist")
    };
    assert_eq!(
        error.to_string(),
        "no-such.yaml: there is no such file or folder\nno-such-either.yaml: there is no such file or folder"
    );
}
