//! Passwords with whatever characters, and of whatever length.

use longshore_tests::{RegistryFront, StandaloneProject};
use serde_json::{Value, json};

use super::{ENGINES, goes_and_comes_back, repository_of};

fn passwords() -> Vec<String> {
    let printable: String = (' '..='~').collect();
    let mean = "+/~=++//~~==a+b/c~d=".to_owned();
    // Every remainder of base64's groups of three, with what the URL-safe alphabet has otherwise.
    let long = format!("{}~~~???", "aB3+/~=".repeat(300))[..2048 - 7].to_owned() + "+/~=>?~";
    vec![printable, mean, long]
}

/// As `docker login` would write it.
fn docker_configuration(username: &str, password: &str) -> Value {
    let configuration = json!({"auths": {"gcr.io": {"username": username, "password": password}}});
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": "registry"}, "stringData": {".dockerconfigjson": configuration.to_string()},
    })
}

fn basic_auth(username: &str, password: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth", "metadata": {"name": "registry"},
        "stringData": {"username": username, "password": password},
    })
}

#[test]
fn any_password_pushes_and_pulls() {
    for engine in ENGINES {
        for (number, password) in passwords().into_iter().enumerate() {
            let project = StandaloneProject::begin(engine);
            let front = RegistryFront::of(&repository_of(&project));
            front.register(&project.name, &password);
            let secret = if number % 2 == 0 { basic_auth } else { docker_configuration };
            goes_and_comes_back(&project, &secret(&project.name, &password), |file| {
                project.command(&["up", "-d", "-f", file]).output().unwrap()
            });
        }
    }
}
