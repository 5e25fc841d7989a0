//! Apps of one namespace find one another by name, on both engines, by `longshore up`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use longshore_tests::{LabEngine, StandaloneProject, answer_on_port, unique_name};
use serde_json::{Value, json};

/// A web server that answers with its name.
fn web(name: &str, port: Option<u16>) -> Value {
    let serve = format!("mkdir /w; echo I am {name} > /w/index.html; exec httpd -f -p 80 -h /w");
    let ports = port.map(|port| json!({"containerPort": 80, "hostPort": port})).into_iter().collect::<Vec<_>>();
    let run = json!({
        "containerName": unique_name(name), "command": ["sh", "-c", serve], "ports": ports,
        "terminationGracePeriodSeconds": 0,
    });
    json!({"image": {"name": "busybox"}, "run": run})
}

fn app(name: &str, namespace: &str, spec: &Value) -> String {
    let metadata = json!({"name": name, "namespace": namespace});
    json!({"apiVersion": "longshore.dev/v1alpha1", "kind": "ContainerApp", "metadata": metadata, "spec": spec})
        .to_string()
}

fn container_of(spec: &Value) -> String {
    spec["run"]["containerName"].as_str().unwrap().to_owned()
}

/// What a program in a container gets of an app.
fn asked(engine: LabEngine, container: &str, of: &str) -> Result<String, String> {
    let url = format!("http://{of}/");
    let answer = engine.docker(&["exec", container, "timeout", "5", "wget", "-q", "-O", "-", &url])?;
    Ok(answer.trim_end().to_owned())
}

fn networks(project: &StandaloneProject) -> Vec<String> {
    let ours = format!("label=longshore.dev/instance={}", project.name);
    let listed = project.engine.docker(&["network", "ls", "--filter", &ours, "--format", "{{.Name}}"]).unwrap();
    let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("it never comes to it that {what}");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("0.0.0.0", 0)).unwrap().local_addr().unwrap().port()
}

fn apps_of_a_namespace_find_one_another_and_no_others(engine: LabEngine) {
    let (project, stranger) = (StandaloneProject::begin(engine), StandaloneProject::begin(engine));
    let [one, two, far] = ["one", "two", "far"].map(|name| web(name, None));
    let file =
        [app("one", "default", &one), app("two", "default", &two), app("far", "elsewhere", &far)].join("\n---\n");
    project.up(&project.file("apps.yaml", &file)).well();
    let foreign = web("foreign", None);
    stranger.up(&stranger.app("foreign", &foreign, &[])).well();

    assert_eq!(asked(engine, &container_of(&one), "two").unwrap(), "I am two");
    assert_eq!(asked(engine, &container_of(&two), "one").unwrap(), "I am one");
    for (asker, name) in [(&one, "far"), (&far, "one"), (&foreign, "one"), (&one, "foreign")] {
        assert!(asked(engine, &container_of(asker), name).is_err(), "{name} is found from another network");
    }
    let [default, elsewhere] =
        ["default", "elsewhere"].map(|namespace| format!("longshore.{}.{namespace}", project.name));
    assert_eq!(networks(&project), [default.clone(), elsewhere.clone()]);
    let address = format!("{{{{(index .NetworkSettings.Networks \"{default}\").IPAddress}}}}");
    let address = engine.docker(&["inspect", "--format", &address, &container_of(&one)]).unwrap();
    assert_eq!(project.status("one")["container"]["ip"], address.trim_end());

    // It goes with the last container, and nobody else's does.
    let apps = project.folder().join("apps.yaml");
    let apps = apps.to_str().unwrap();
    project.run(&["down", "-f", apps, "one"]).well();
    assert_eq!(networks(&project), [default, elsewhere.clone()]);
    project.run(&["down", "-f", apps, "two"]).well();
    assert_eq!(networks(&project), [elsewhere]);
    project.run(&["down", "-f", apps]).well();
    assert_eq!(networks(&project), [""; 0]);
    assert_eq!(networks(&stranger).len(), 1);
}

fn a_disconnected_container_is_reconnected_with_its_ports(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let port = free_port();
    let spec = web("web", Some(port));
    let file = project.app("web", &spec, &[]);
    let attached = project.attach(&file);
    until("it answers", || answer_on_port(port).is_some());
    until("it is ready", || project.condition("web", "Ready")["status"] == "True");
    let (name, network) = (container_of(&spec), format!("longshore.{}.default", project.name));
    let id = engine.docker(&["inspect", "--format", "{{.Id}}", &name]).unwrap();
    engine.docker(&["network", "disconnect", &network, &name]).unwrap();
    let told = format!("{name} to network {network}, because it is not connected to the network {network}");
    until("the cause is told", || attached.has_told(&told));
    until("it answers again", || answer_on_port(port).as_deref() == Some("I am web"));
    assert_eq!(engine.docker(&["inspect", "--format", "{{.Id}}", &name]).unwrap(), id, "it was not replaced");
    assert_eq!(asked(engine, &name, "web").unwrap(), "I am web");
    drop(attached);

    // Nor does a network that is gone keep a stopped container from its start.
    engine.docker(&["stop", "-t", "0", &name]).unwrap();
    engine.docker(&["network", "rm", &network]).unwrap();
    let told = project.up(&file).well().all();
    assert!(told.contains(&network), "{told}");
    assert_eq!(engine.docker(&["inspect", "--format", "{{.Id}}", &name]).unwrap(), id, "it was not replaced");
    until("it answers again", || answer_on_port(port).as_deref() == Some("I am web"));
}

fn a_foreign_network_of_our_name_is_left_untouched(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let network = format!("longshore.{}.default", project.name);
    let id = engine.docker(&["network", "create", &network]).unwrap();
    let file = project.app("web", &web("web", None), &[]);
    let said = project.run(&["up", "-d", "-f", &file, "--timeout", "3s"]);
    let there = engine.docker(&["network", "inspect", "--format", "{{.Id}}", &network]);
    let ready = project.condition("web", "Ready");
    let _ = project.run(&["down", "-f", &file]);
    let after_down = engine.docker(&["network", "rm", &network]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    assert_eq!(ready["reason"], "NetworkConflict", "{ready}");
    assert!(said.all().contains(&format!("docker network rm {network}")), "{}", said.all());
    assert_eq!(there.unwrap(), id);
    assert!(after_down.is_ok(), "{after_down:?}");
}

/// Makes of each behaviour a test for each engine.
macro_rules! on_both_engines {
    ($($behaviour:ident)*) => {
        mod on_engine_20 {
            $(#[test] fn $behaviour() { super::$behaviour(longshore_tests::LabEngine::Engine20); })*
        }
        mod on_engine_29 {
            $(#[test] fn $behaviour() { super::$behaviour(longshore_tests::LabEngine::Engine29); })*
        }
    };
}

on_both_engines! {
    apps_of_a_namespace_find_one_another_and_no_others
    a_disconnected_container_is_reconnected_with_its_ports
    a_foreign_network_of_our_name_is_left_untouched
}
