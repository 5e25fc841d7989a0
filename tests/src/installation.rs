//! The rights that the Helm chart gives, given to a `ServiceAccount` of one test.

use kube::Client;

use crate::{client_with_token, from_repository, helm, kubectl};

/// Where the chart lets the controller look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// At every namespace.
    EveryNamespace,
    /// At the installation's own.
    OneNamespace,
}

/// The chart's `ServiceAccount` with its roles, without the controller. The namespace goes with the test; what is outside
/// of it goes with this.
pub struct Installation {
    manifests: String,
    release: String,
    namespace: String,
}

impl Installation {
    /// Applies the chart's roles under this release name.
    pub fn of(release: &str, namespace: &str, rights: Rights) -> Self {
        let chart = from_repository("charts/longshore");
        let watched = format!("watchNamespace={}", if rights == Rights::OneNamespace { namespace } else { "" });
        let mut arguments = vec![
            "template",
            release,
            chart.to_str().expect("the repository's path is text"),
            "--namespace",
            namespace,
            "--kube-version",
            "1.36.3",
            "--set",
            "engine.endpoint=tcp://docker.example.com:2376",
            "--set",
            &watched,
            "--show-only",
            "templates/serviceaccount.yaml",
            "--show-only",
            "templates/clusterrole.yaml",
        ];
        if rights == Rights::OneNamespace {
            arguments.extend(["--show-only", "templates/role.yaml"]);
        }
        let manifests = helm(&arguments).expect("the chart is rendered");
        kubectl(&["apply", "-f", "-"], &manifests).expect("the chart's roles are accepted");
        Self { manifests, release: release.to_owned(), namespace: namespace.to_owned() }
    }

    /// A client with the rights of the chart's `ServiceAccount`.
    pub async fn client(&self) -> Client {
        let account = format!("{}-longshore", self.release);
        let token = kubectl(&["--namespace", &self.namespace, "create", "token", &account], "");
        client_with_token(token.expect("the ServiceAccount has tokens").trim()).await
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = kubectl(&["delete", "--ignore-not-found", "--wait=false", "-f", "-"], &self.manifests);
    }
}
