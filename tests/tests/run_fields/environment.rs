//! `env`, `envFrom`, and `$(NAME)` in them and in commands.

use serde_json::json;

use crate::{App, config_map, on_both_engines, secret};

on_both_engines! {
    variables_are_those_of_env_and_of_whole_objects
    a_command_is_expanded
    another_value_of_a_key_replaces_the_container_and_the_cause_names_the_key
    what_is_optional_may_be_absent_and_come_later
}

fn variables_are_those_of_env_and_of_whole_objects(app: &App) {
    let run = json!({
        "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "db"}, "prefix": "DB_"}],
        "env": [
            {"name": "MODE", "value": "fast"},
            {"name": "URL", "value": "pg://$(DB_user):$(DB_password)@db/$(LEVEL)"},
            {"name": "PRICE", "value": "5$$ $(UNKNOWN) $HOME"},
        ],
    });
    let others = [
        config_map("settings", &[("LEVEL", "info"), ("MODE", "slow")]),
        secret("db", &[("user", "anna"), ("password", "p w")]),
    ];
    app.up(&run, &others);
    let seen = app.inside("env | grep -E '^(LEVEL|MODE|URL|PRICE|DB_.*)=' | sort");
    let expected =
        "DB_password=p w\nDB_user=anna\nLEVEL=info\nMODE=fast\nPRICE=5$ $(UNKNOWN) $HOME\nURL=pg://anna:p w@db/info";
    assert_eq!(seen, expected);
    assert!(app.plan(&run, &others).contains("nothing to do"));
}

fn a_command_is_expanded(app: &App) {
    let run = json!({
        "env": [{"name": "TIME", "value": "3600"}, {"name": "WORDS", "value": "two words"}],
        "command": ["sh", "-c", "echo \"$0 $1\"; trap 'exit 0' TERM; sleep $(TIME) & wait"],
        "args": ["$(WORDS)", "$$(WORDS)$(NOT)"],
    });
    app.up(&run, &[]);
    let printed = app.project.engine.docker(&["logs", &app.name]).unwrap();
    assert_eq!(printed.trim_end(), "two words $(WORDS)$(NOT)");
}

fn another_value_of_a_key_replaces_the_container_and_the_cause_names_the_key(app: &App) {
    let run = json!({
        "env": [
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "npm", "key": "token"}}},
            {"name": "HEADER", "value": "Bearer $(TOKEN)"},
        ],
    });
    app.up(&run, &[secret("npm", &[("token", "first-canary")])]);
    let later = [secret("npm", &[("token", "second-canary")])];
    let plan = app.plan(&run, &later);
    assert!(plan.contains("because the key token of the Secret npm has changed"), "{plan}");
    let told = app.up(&run, &later);
    assert_eq!(app.inside("echo $HEADER"), "Bearer second-canary");
    let status = app.project.status(&app.name).to_string();
    for text in [plan, told, status] {
        assert!(!text.contains("-canary"), "{text}");
    }
}

fn what_is_optional_may_be_absent_and_come_later(app: &App) {
    let run = json!({
        "envFrom": [{"secretRef": {"name": "extra", "optional": true}}],
        "env": [{"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "k", "optional": true}}}],
    });
    app.up(&run, &[]);
    assert_eq!(app.inside("echo \"[$KEY$A]\""), "[]");
    app.up(&run, &[config_map("later", &[("k", "here")]), secret("extra", &[("A", "too")])]);
    assert_eq!(app.inside("echo \"[$KEY$A]\""), "[heretoo]");
}
