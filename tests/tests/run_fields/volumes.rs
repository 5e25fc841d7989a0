//! What is mounted into a container.

use serde_json::{Value, json};

use crate::{App, config_map, on_both_engines, secret};

on_both_engines! {
    an_empty_folder_is_everybodys_and_goes_with_the_container
    a_folder_in_memory_is_as_large_as_it_may_be
    keys_are_files_that_are_there_before_the_program
    items_have_their_paths_and_modes
    another_value_of_a_key_replaces_the_container_and_the_cause_names_the_key
    a_missing_object_is_waited_for_unless_it_is_optional
    a_volume_stays_when_the_container_and_the_resource_go
    somebody_elses_volume_is_left_alone
    volumes_of_the_image_are_as_without_mounts
    nothing_is_left_of_folders_when_the_app_is_gone
    what_cannot_be_mounted_is_refused_with_its_field
}

fn run(volumes: Value, mounts: Value) -> Value {
    Value::Object([("volumes".to_owned(), volumes), ("volumeMounts".to_owned(), mounts)].into_iter().collect())
}

fn an_empty_folder_is_everybodys_and_goes_with_the_container(app: &App) {
    let mut wanted =
        run(json!([{"name": "work", "emptyDir": {}}]), json!([{"name": "work", "mountPath": "/var/cache/work"}]));
    wanted["securityContext"] = json!({"runAsUser": 1234, "readOnlyRootFilesystem": true});
    app.up(&wanted, &[]);
    assert_eq!(app.inside("ls -A /var/cache/work; stat -c %a /var/cache/work"), "777");
    assert_eq!(app.inside("echo kept > /var/cache/work/file; cat /var/cache/work/file"), "kept");
    app.project.engine.docker(&["restart", "--time", "0", &app.name]).unwrap();
    assert_eq!(app.inside("cat /var/cache/work/file"), "kept");
    wanted["hostname"] = json!("other");
    app.up(&wanted, &[]);
    assert_eq!(app.inside("ls -A /var/cache/work"), "");
}

fn a_folder_in_memory_is_as_large_as_it_may_be(app: &App) {
    let volumes = json!([{"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]);
    app.up(&run(volumes, json!([{"name": "fast", "mountPath": "/fast"}])), &[]);
    assert_eq!(app.inside("stat -f -c %T /fast; stat -c %a /fast"), "tmpfs\n777");
    let written = app.inside("dd if=/dev/zero of=/fast/file bs=1024 count=2048 2>/dev/null; stat -c %s /fast/file");
    assert_eq!(written, "1048576");
}

fn keys_are_files_that_are_there_before_the_program(app: &App) {
    let mut wanted = run(
        json!([{"name": "settings", "configMap": {"name": "settings"}}, {"name": "db", "secret": {"secretName": "db"}}]),
        json!([{"name": "settings", "mountPath": "/etc/app"}, {"name": "db", "mountPath": "/run/secrets/db/"}]),
    );
    wanted["securityContext"] = json!({"readOnlyRootFilesystem": true});
    wanted["command"] =
        json!(["sh", "-c", "cat /etc/app/app.conf /run/secrets/db/password; trap 'exit 0' TERM; sleep 3600 & wait"]);
    let others = [
        config_map("settings", &[("app.conf", "level = info\n"), ("empty", "")]),
        secret("db", &[("password", "canary-1\n")]),
    ];
    app.up(&wanted, &others);
    assert_eq!(app.project.engine.docker(&["logs", &app.name]).unwrap().trim_end(), "level = info\ncanary-1");
    assert_eq!(
        app.inside("ls -A /etc/app; stat -c '%a %u %g' /etc/app/app.conf /etc/app"),
        "app.conf\nempty\n644 0 0\n755 0 0"
    );
    let written = app.inside("echo more >> /etc/app/app.conf; touch /run/secrets/db/file; true");
    assert_eq!(written, "");
    assert_eq!(app.inside("cat /etc/app/app.conf; ls -A /run/secrets/db"), "level = info\npassword");
    assert!(app.plan(&wanted, &others).contains("nothing to do"));
    // What the engine keeps of the container and its image says nothing of the Secret.
    let inspected = app.project.engine.docker(&["inspect", &app.name, "busybox"]).unwrap();
    assert!(!inspected.contains("canary-1"), "{inspected}");
}

fn items_have_their_paths_and_modes(app: &App) {
    let items =
        json!([{"key": "key", "path": "tls/private/key.pem", "mode": 0o400}, {"key": "cert", "path": "tls/cert.pem"}]);
    let volumes = json!([{"name": "tls", "secret": {"secretName": "tls", "items": items, "defaultMode": 0o444}}]);
    let others = [secret("tls", &[("key", "K"), ("cert", "C"), ("other", "O")])];
    app.up(&run(volumes, json!([{"name": "tls", "mountPath": "/pki"}])), &others);
    assert_eq!(app.inside("cd /pki; find . -type f | sort"), "./tls/cert.pem\n./tls/private/key.pem");
    assert_eq!(
        app.inside("cd /pki/tls; stat -c %a cert.pem private/key.pem; cat cert.pem private/key.pem"),
        "444\n400\nCK"
    );
}

fn another_value_of_a_key_replaces_the_container_and_the_cause_names_the_key(app: &App) {
    let wanted =
        run(json!([{"name": "db", "secret": {"secretName": "db"}}]), json!([{"name": "db", "mountPath": "/run/db"}]));
    app.up(&wanted, &[secret("db", &[("password", "first-canary"), ("user", "anna")])]);
    let later = [secret("db", &[("password", "second-canary"), ("user", "anna")])];
    let plan = app.plan(&wanted, &later);
    assert!(plan.contains("because the key password of the Secret db at /run/db/password has changed"), "{plan}");
    let told = app.up(&wanted, &later);
    assert_eq!(app.inside("cat /run/db/password"), "second-canary");
    let status = app.project.status(&app.name).to_string();
    for text in [plan, told, status] {
        assert!(!text.contains("-canary"), "{text}");
    }
    let fewer = [secret("db", &[("password", "second-canary")])];
    let plan = app.plan(&wanted, &fewer);
    assert!(plan.contains("because the key user of the Secret db at /run/db/user is gone"), "{plan}");
}

fn a_missing_object_is_waited_for_unless_it_is_optional(app: &App) {
    let volumes = |optional: bool| json!([{"name": "m", "configMap": {"name": "later", "optional": optional}}]);
    let mounts = json!([{"name": "m", "mountPath": "/m"}]);
    let said =
        app.project.run(&["up", "-d", "--timeout", "2s", "-f", &app.file(&run(volumes(false), mounts.clone()), &[])]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    assert!(said.all().contains("the ConfigMap later does not exist in the namespace default"), "{}", said.all());
    app.up(&run(volumes(true), mounts.clone()), &[]);
    assert_eq!(app.inside("ls -A /m"), "");
    app.up(&run(volumes(true), mounts), &[config_map("later", &[("here", "now")])]);
    assert_eq!(app.inside("cat /m/here"), "now");
}

fn a_volume_stays_when_the_container_and_the_resource_go(app: &App) {
    let mut wanted = run(
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]),
        json!([{"name": "data", "mountPath": "/data"}, {"name": "data", "mountPath": "/seen", "readOnly": true}]),
    );
    let volume = format!("{}.data", app.name);
    let plan = app.plan(&wanted, &[]);
    let step = format!("create volume {volume}, because the volume {volume} is not on the engine yet");
    assert!(plan.contains(&step), "{plan}");
    app.up(&wanted, &[]);
    assert_eq!(
        app.inside("echo kept > /data/file; cat /seen/file; touch /seen/file 2>&1 | grep -c Read-only"),
        "kept\n1"
    );
    let engine = app.project.engine;
    let label = engine.docker(&["volume", "inspect", "--format", "{{index .Labels \"longshore.dev/name\"}}", &volume]);
    assert_eq!(label.unwrap().trim_end(), app.name);

    wanted["hostname"] = json!("other");
    app.up(&wanted, &[]);
    assert_eq!(app.inside("cat /data/file"), "kept");
    app.project.longshore(&["down", &app.name]).unwrap();
    app.up(&wanted, &[]);
    assert_eq!(app.inside("cat /data/file"), "kept");
    assert!(app.plan(&wanted, &[]).contains("nothing to do"));

    // Only when that is asked.
    let foreign = format!("{volume}-of-somebody-else");
    engine.docker(&["volume", "create", &foreign]).unwrap();
    app.project.longshore(&["down", "--volumes", &app.name]).unwrap();
    assert!(!volumes(app).contains(&volume));
    engine.docker(&["volume", "rm", &foreign]).unwrap();
}

fn somebody_elses_volume_is_left_alone(app: &App) {
    let engine = app.project.engine;
    let volume = format!("{}.data", app.name);
    engine.docker(&["volume", "create", &volume]).unwrap();
    let wanted = run(
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]),
        json!([{"name": "data", "mountPath": "/data"}]),
    );
    let said = app.project.run(&["up", "-d", "--timeout", "2s", "-f", &app.file(&wanted, &[])]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    let sentence = format!("the volume {volume} was made by somebody who is not Longshore: choose another claimName");
    assert!(said.all().contains(&sentence), "{}", said.all());
    assert!(!engine.containers().contains(&app.name));
    engine.docker(&["volume", "rm", &volume]).unwrap();
}

/// Folders are taken over from a container of the same image, but not what the image itself has as volumes.
fn volumes_of_the_image_are_as_without_mounts(app: &App) {
    let build = json!({"context": {"inline": {
        "Dockerfile": "FROM busybox\nRUN mkdir /state && echo old > /state/file && chown 7:7 /state\nVOLUME /state\n",
    }}});
    let mut wanted = run(
        json!([{"name": "settings", "configMap": {"name": "settings"}}, {"name": "work", "emptyDir": {}}]),
        json!([{"name": "settings", "mountPath": "/etc/app"}, {"name": "work", "mountPath": "/work"}]),
    );
    wanted["command"] = json!(["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]);
    let spec = json!({"image": {"name": app.name, "build": build}, "run": wanted});
    let file = app.project.app(&app.name, &spec, &[config_map("settings", &[("k", "v")])]);
    let before = volumes(app);
    app.project.up(&file).well();
    assert_eq!(
        app.inside("cat /state/file /etc/app/k; stat -c %u /state; touch /state/new /work/new; ls /state"),
        "old\nv7\nfile\nnew"
    );
    let points = app.inspected("{{range .Mounts}}{{.Name}} {{end}}");
    let mut mounted: Vec<&str> = points.split_whitespace().collect();
    assert_eq!(mounted.len(), 3, "{points}");
    // Nothing else was left by the way.
    let mut new: Vec<String> = volumes(app).into_iter().filter(|volume| !before.contains(volume)).collect();
    new.retain(|volume| mounted.contains(&volume.as_str()));
    mounted.sort_unstable();
    new.sort_unstable();
    assert_eq!(new, mounted);
}

fn volumes(app: &App) -> Vec<String> {
    let listed = app.project.engine.docker(&["volume", "ls", "--quiet"]).unwrap();
    listed.lines().map(str::to_owned).collect()
}

fn nothing_is_left_of_folders_when_the_app_is_gone(app: &App) {
    let wanted = run(
        json!([{"name": "db", "secret": {"secretName": "db"}}, {"name": "work", "emptyDir": {}}]),
        json!([{"name": "db", "mountPath": "/run/db"}, {"name": "work", "mountPath": "/work"}]),
    );
    app.up(&wanted, &[secret("db", &[("password", "secret")])]);
    // The containers that held the folders for a moment are gone.
    assert_eq!(app.project.containers_with_ids().lines().count(), 1);
    let points = app.inspected("{{range .Mounts}}{{.Name}} {{end}}");
    app.project.longshore(&["down", &app.name]).unwrap();
    let left = volumes(app);
    for volume in points.split_whitespace() {
        assert!(!left.iter().any(|other| other == volume), "{volume} is left");
    }
    assert_eq!(points.split_whitespace().count(), 2);
}

fn what_cannot_be_mounted_is_refused_with_its_field(app: &App) {
    let one = |volume: Value| run(json!([volume]), json!([{"name": "v", "mountPath": "/v"}]));
    for (wanted, sentence) in [
        (one(json!({"name": "v", "hostPath": {"path": "/"}})), "spec.run.volumes[0].hostPath: there is no such field"),
        (one(json!({"name": "v"})), "a volume is exactly one of emptyDir, configMap, secret and persistentVolumeClaim"),
        (
            one(json!({"name": "v", "emptyDir": {"sizeLimit": "1Gi"}})),
            "sizeLimit is kept by the engine with medium: Memory only",
        ),
        (
            one(
                json!({"name": "v", "secret": {"secretName": "s", "items": [{"key": "k", "path": "../../etc/passwd"}]}}),
            ),
            "spec.run.volumes[0].secret.items[0].path: \"../../etc/passwd\" is not a path in the volume",
        ),
        (
            run(json!([{"name": "v", "emptyDir": {}}]), json!([{"name": "w", "mountPath": "/v"}])),
            "spec.run.volumeMounts[0].name: w is none of spec.run.volumes",
        ),
        (
            run(json!([{"name": "v", "emptyDir": {}}]), json!([{"name": "v", "mountPath": "/v/../.."}])),
            "spec.run.volumeMounts[0].mountPath: \"/v/../..\" is not an absolute path below /",
        ),
        (
            run(
                json!([{"name": "v", "emptyDir": {}}]),
                json!([{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]),
            ),
            "spec.run.volumeMounts[1].name: v is mounted by spec.run.volumeMounts[0]; an emptyDir has one place",
        ),
    ] {
        let refused = app.refusal_of(&wanted);
        assert!(refused.contains(sentence), "{refused}");
    }
}
