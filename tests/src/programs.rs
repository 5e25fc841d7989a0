//! The programs that the lab brings.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// A variable that `tests/lab/lab env` prints.
pub fn lab_variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start the lab with `tests/lab/lab up`, then `eval \"$(tests/lab/lab env)\"`")
    })
}

/// A path in the repository.
pub fn from_repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// What `kubectl` says, standard input given; its standard error when it fails.
pub fn kubectl(arguments: &[&str], input: &str) -> Result<String, String> {
    run(&lab_variable("LONGSHORE_LAB_KUBECTL"), arguments, input)
}

/// What `helm` says; its standard error when it fails.
pub fn helm(arguments: &[&str]) -> Result<String, String> {
    run(&lab_variable("LONGSHORE_LAB_HELM"), arguments, "")
}

/// Changes what the API server has stored of an object, past its validation: what an older or a loosened schema has let
/// in. The API server stores custom resources as JSON.
pub fn corrupt(stored_at: &str, change: impl FnOnce(&mut Value)) {
    let key = BASE64_STANDARD.encode(stored_at);
    let answer = etcd("range", &json!({"key": key}));
    let value = answer["kvs"][0]["value"].as_str().unwrap_or_else(|| panic!("etcd holds no {stored_at}"));
    let mut object: Value = serde_json::from_slice(&BASE64_STANDARD.decode(value).expect("etcd answers in base64"))
        .expect("custom resources are stored as JSON");
    change(&mut object);
    etcd("put", &json!({"key": key, "value": BASE64_STANDARD.encode(object.to_string())}));
}

/// What the lab's etcd answers.
fn etcd(call: &str, body: &Value) -> Value {
    let address = format!("http://127.0.0.1:22379/v3/kv/{call}");
    let arguments = ["--silent", "--fail", "--noproxy", "*", "--data-binary", "@-", &address];
    let answer = run("curl", &arguments, &body.to_string()).expect("the lab's etcd answers");
    serde_json::from_str(&answer).expect("etcd answers in JSON")
}

pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(from_repository(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    let mut stdin = child.stdin.take().expect("it was asked for");
    let input = input.to_owned();
    // Beside the reading of what it says: neither side waits for the other for ever.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it was started");
    // A program that has read enough closes its input.
    let _ = writer.join().expect("the writer does not panic");
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&stderr).into_owned())
    }
}
