use serde_json::{Value, json};

use super::*;
use crate::app::Reason;

fn referred() -> Referred {
    let values = |pairs: &[(&str, &[u8])]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect::<BTreeMap<_, _>>()
    };
    Referred {
        objects: BTreeMap::from([
            (
                (ObjectKind::Secret, "db".to_owned()),
                values(&[("user", b"anna"), ("password", b"$(user)"), ("raw", &[0xff])]),
            ),
            (
                (ObjectKind::ConfigMap, "settings".to_owned()),
                values(&[("LEVEL", b"info"), ("MODE", b"slow"), ("picture.png", &[0xff, 0xd8])]),
            ),
        ]),
    }
}

/// The environment of a `run` section with these fields.
fn of(run: Value) -> Result<Environment, Block> {
    let run: longshore_crds::Run = serde_json::from_value(run).unwrap();
    environment(&run.env_from, &run.env, &referred(), "shop")
}

fn values(run: Value) -> Vec<String> {
    of(run).unwrap().values.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn a_value_may_refer_to_those_before_it() {
    let run = json!({
        "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "APP_"}],
        "env": [
            {"name": "LATE", "value": "$(URL) is not known yet"},
            {"name": "USER_NAME", "valueFrom": {"secretKeyRef": {"name": "db", "key": "user"}}},
            {"name": "URL", "value": "pg://$(USER_NAME)@db/$(APP_LEVEL)?price=5$$"},
        ],
    });
    assert_eq!(
        values(run),
        [
            "APP_LEVEL=info",
            "APP_MODE=slow",
            "LATE=$(URL) is not known yet",
            "URL=pg://anna@db/info?price=5$",
            "USER_NAME=anna",
        ]
    );
}

#[test]
fn the_value_of_a_key_is_taken_as_it_is() {
    let run = json!({"env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]});
    assert_eq!(values(run), ["P=$(user)"]);
}

#[test]
fn env_counts_before_env_from_and_the_last_before_the_first() {
    let run = json!({
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "env": [{"name": "MODE", "value": "fast"}, {"name": "LEVEL", "value": "a"}, {"name": "LEVEL", "value": "b"}],
    });
    let environment = of(run).unwrap();
    assert_eq!(environment.value("MODE"), Some("fast"));
    assert_eq!(environment.value("LEVEL"), Some("b"));
    assert_eq!(environment.origins, BTreeMap::new());
}

#[test]
fn a_variable_knows_the_key_that_it_comes_from() {
    let environment = of(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]})).unwrap();
    assert_eq!(environment.origins["MODE"].to_string(), "the key MODE of the ConfigMap settings");
}

#[test]
fn what_is_optional_may_be_absent() {
    let run = json!({
        "envFrom": [{"secretRef": {"name": "absent", "optional": true}}],
        "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k", "optional": true}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "absent", "optional": true}}},
        ],
    });
    assert_eq!(values(run), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_named_and_waited_for() {
    let refused = |run: Value| {
        let block = of(run).unwrap_err();
        assert!(!block.is_terminal);
        (block.reason, block.message)
    };
    let (reason, message) = refused(json!({"envFrom": [{"secretRef": {"name": "absent"}}]}));
    assert_eq!(reason, Reason::SecretNotFound);
    assert_eq!(
        message,
        "the Secret absent does not exist in the namespace shop: create it, and it is read within seconds"
    );
    let (reason, message) = refused(
        json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "absent"}}}]}),
    );
    assert_eq!(reason, Reason::ConfigMapNotFound);
    assert_eq!(message, "the ConfigMap settings has no key absent, which the variable A needs");
    let (_, message) = refused(json!({"envFrom": [{"secretRef": {"name": "db"}, "prefix": "DB_"}]}));
    assert_eq!(message, "the key raw of the Secret db is not text, so it cannot be the value of the variable DB_raw");
}

#[test]
fn no_value_is_printed() {
    let printed = format!("{:?}", referred());
    assert!(printed.contains("password") && !printed.contains("anna") && !printed.contains("97"), "{printed}");
}
