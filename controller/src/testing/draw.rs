//! Specs that are drawn at random, for walks from one to the next.

use serde_json::{Value, json};

/// A spec whose parts are there or not, each in one of several ways. What it was drawn from decides it.
pub struct Draw(u64);

impl Draw {
    /// The same draws for the same seed, which is not 0.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// One of so many (xorshift64).
    pub fn one_of(&mut self, count: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % count
    }

    fn field(&mut self, run: &mut Value, name: &str, ways: &[Value]) {
        let ways_and_absence = u64::try_from(ways.len()).unwrap_or_default() * 2;
        if let Some(value) = usize::try_from(self.one_of(ways_and_absence)).ok().and_then(|way| ways.get(way)) {
            run[name] = value.clone();
        }
    }

    /// A `run` section of a container `my-app`, which may have the ports 4000 and 4001 of the host. It wants a
    /// ConfigMap `settings`.
    pub fn run(&mut self) -> Value {
        let mut run = json!({"containerName": "my-app"});
        self.field(
            &mut run,
            "ports",
            &[json!([{"hostPort": 4000, "containerPort": 80}]), json!([{"hostPort": 4001, "containerPort": 80}])],
        );
        self.field(&mut run, "command", &[json!(["server"]), json!(["server", "$(A)"])]);
        self.field(&mut run, "args", &[json!(["--fast"])]);
        self.field(
            &mut run,
            "env",
            &[
                json!([{"name": "A", "value": "1"}]),
                json!([{"name": "A", "value": "2"}, {"name": "B", "value": "$(A)"}]),
            ],
        );
        self.field(&mut run, "envFrom", &[json!([{"configMapRef": {"name": "settings"}}])]);
        self.field(&mut run, "workingDir", &[json!("/tmp")]);
        self.field(&mut run, "hostname", &[json!("web"), json!("shop")]);
        self.field(&mut run, "hostAliases", &[json!([{"ip": "10.0.0.1", "hostnames": ["db"]}])]);
        self.field(
            &mut run,
            "dnsConfig",
            &[json!({"nameservers": ["10.0.0.53"]}), json!({"searches": ["example.com"]})],
        );
        self.field(&mut run, "labels", &[json!({"team": "shop"}), json!({"team": "web"})]);
        self.field(&mut run, "lifecycle", &[json!({"stopSignal": "SIGQUIT"})]);
        self.field(&mut run, "logs", &[json!({"maxSize": "1Mi"}), json!({"maxSize": "1Mi", "maxFiles": 2})]);
        self.field(
            &mut run,
            "resources",
            &[json!({"limits": {"memory": "64Mi"}}), json!({"limits": {"cpu": "500m"}, "requests": {"cpu": "250m"}})],
        );
        self.field(
            &mut run,
            "securityContext",
            &[json!({"runAsUser": 7}), json!({"capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true})],
        );
        self.field(&mut run, "terminationGracePeriodSeconds", &[json!(5)]);
        let volumes = json!([
            {"name": "work", "emptyDir": {}},
            {"name": "files", "configMap": {"name": "settings"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        ]);
        run["volumes"] = volumes;
        let mounts = [
            json!([{"name": "files", "mountPath": "/etc/app"}]),
            json!([{"name": "work", "mountPath": "/work"}, {"name": "data", "mountPath": "/data"}]),
        ];
        self.field(&mut run, "volumeMounts", &mounts);
        run
    }
}
