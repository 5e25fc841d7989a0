//! Which images matter.

use serde_json::{Value, json};

use super::*;
use crate::app::Instance;

fn owner() -> Owner {
    Owner {
        instance: Instance::new("shop"),
        uid: "1f0c".to_owned(),
        namespace: "default".to_owned(),
        name: "web".to_owned(),
    }
}

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

fn app(image: &Value, push: &Value, local_references: &[&str]) -> ContainerApp {
    serde_json::from_value(json!({
        "apiVersion": "longshore.dev/v1alpha1",
        "kind": "ContainerApp",
        "metadata": {"name": "web"},
        "spec": {"image": image, "push": push},
        "status": {"localReferences": local_references},
    }))
    .unwrap()
}

fn built() -> Value {
    json!({"name": "node-app", "tags": ["0.1", "0.2"], "build": {"context": {"inline": {"Dockerfile": "FROM node"}}}})
}

fn references_of(scope: &ImageScope) -> Vec<String> {
    let ImageScope::Of { references, .. } = scope else { panic!("everything matters") };
    references.iter().map(ToString::to_string).collect()
}

#[test]
fn of_an_image_that_is_built_every_name_matters_and_what_its_owner_keeps() {
    let app = app(&built(), &json!([{"to": "gcr.io/my-project/node-app"}]), &["old-name:0.1"]);
    let ImageScope::Of { references, private_tags } = ImageScope::of_app(&app, &owner()) else {
        panic!("everything matters")
    };
    let names = [
        "node-app:0.1",
        "node-app:0.2",
        "old-name:0.1",
        "gcr.io/my-project/node-app:0.1",
        "gcr.io/my-project/node-app:0.2",
    ];
    assert_eq!(references, names.map(reference).into());
    assert_eq!(private_tags, BTreeSet::from([PrivateTags::OfOwner(owner())]));
}

#[test]
fn of_an_image_that_is_or_was_pulled_everything_matters() {
    let pulled = format!("node@sha256:{}", "0".repeat(64));
    for app in [app(&built(), &json!([]), &[&pulled]), app(&json!({"name": "node"}), &json!([]), &[])] {
        assert_eq!(ImageScope::of_app(&app, &owner()), ImageScope::All);
    }
}

#[test]
fn private_tags_are_told_from_others_by_their_owner_or_their_key() {
    let key = ImageKey::pulled(&reference("node:6"), None);
    let mine = owner().private_reference(&key);
    let others = Owner { uid: "2b7e".to_owned(), ..owner() }.private_reference(&key);
    let of_owner = PrivateTags::OfOwner(owner());
    assert!(of_owner.contain(&mine) && !of_owner.contain(&others));
    assert_eq!(of_owner.pattern(), "longshore.local/shop/1f0c:*");
    let of_key = PrivateTags::OfKey(key.clone());
    assert!(of_key.contain(&mine) && of_key.contain(&others) && !of_key.contain(&reference("node:6")));
    assert_eq!(of_key.pattern(), format!("longshore.local/*/*:{}", key.as_tag()));
}

#[test]
fn what_is_missing_is_what_was_not_known_before() {
    let one = ImageScope::of_references([reference("node:6")]);
    let both = ImageScope::of_references([reference("node:6"), reference("node:8")]);
    assert_eq!(references_of(&both.without(&one)), ["node:8"]);
    assert_eq!(one.without(&both), ImageScope::default());
    assert_eq!(both.without(&ImageScope::All).parts(), Some(0));
    assert_eq!(ImageScope::All.without(&both), ImageScope::All);
    assert_eq!(one.clone().with(&both), both);
    assert_eq!(one.with(&ImageScope::All), ImageScope::All);
}
