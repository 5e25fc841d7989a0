//! The examples are what newcomers try first: they must be good as they stand.

use std::path::{Path, PathBuf};

use longshore::reconcile::AppKey;
use longshore::standalone::{DEFAULT_NAMESPACE, Manifests};
use longshore_crds::{ContainerApp, ContainerAppSpec};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn load(example: &str) -> Manifests {
    match Manifests::load(&[examples().join(example)]) {
        Ok(manifests) => manifests,
        Err(problems) => panic!("{problems}"),
    }
}

fn app(manifests: &Manifests, name: &str) -> ContainerApp {
    let key = AppKey { namespace: DEFAULT_NAMESPACE.to_owned(), name: name.to_owned() };
    manifests.apps[&key].app.clone()
}

#[test]
fn every_example_is_read_without_an_error_or_a_warning() {
    let folders = std::fs::read_dir(examples()).unwrap();
    for folder in folders.map(|entry| entry.unwrap().file_name()) {
        let manifests = load(folder.to_str().unwrap());
        assert!(!manifests.apps.is_empty(), "{}", folder.display());
        assert_eq!(manifests.warnings, Vec::<String>::new(), "{}", folder.display());
    }
}

#[test]
fn the_second_application_differs_from_the_first_only_in_what_add_brings() {
    let manifests = load("node-app");
    let files = |name| app(&manifests, name).spec.image.build.unwrap().context.inline.unwrap();
    let (mut first, mut second) = (files("my-app"), files("my-app-2"));
    assert_ne!(first.remove("app.js"), second.remove("app.js"));
    assert_eq!(first, second);
}

#[test]
fn the_pushed_application_is_the_second_one_with_a_destination() {
    let (plain, mut pushed) = (app(&load("node-app"), "my-app-2"), app(&load("node-app-push"), "my-app-2"));
    assert_eq!(pushed.spec.push.len(), 1);
    pushed.spec = ContainerAppSpec { push: Vec::new(), ..pushed.spec };
    assert_eq!(pushed, plain);
}

#[test]
fn the_example_with_a_folder_has_the_same_files_as_the_one_without() {
    let inline = app(&load("node-app"), "my-app").spec.image.build.unwrap().context.inline.unwrap();
    for (name, content) in inline {
        let file = examples().join("node-app-path").join(&name);
        assert_eq!(std::fs::read_to_string(file).unwrap(), content, "{name}");
    }
}
