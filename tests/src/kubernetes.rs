//! The lab's API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{AuthInfo, KubeConfigOptions};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config, ResourceExt};

use crate::lab_variable;

/// Who may do everything, to prepare a cluster with and to look at what was done. What is tested runs as someone else.
pub async fn administrator() -> Client {
    Client::try_from(config().await).expect("the lab's kubeconfig is good")
}

/// Whoever a token belongs to.
pub async fn client_with_token(token: &str) -> Client {
    let mut config = config().await;
    config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
    Client::try_from(config).expect("the lab's kubeconfig is good")
}

async fn config() -> Config {
    // A second test of the same process finds the provider installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    lab_variable("KUBECONFIG");
    Config::from_kubeconfig(&KubeConfigOptions::default()).await.expect("KUBECONFIG names a kubeconfig")
}

/// Applies the CRDs and waits until the API server serves them. They stay: other tests use them too.
pub async fn install_crds(client: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in longshore_crds::custom_resource_definitions() {
        let name = definition.name_any();
        let parameters = PatchParams::apply("longshore-tests").force();
        definitions.patch(&name, &parameters, &Patch::Apply(&definition)).await.expect("the CRD is accepted");
        await_condition(definitions.clone(), &name, conditions::is_crd_established()).await.expect("the CRD is served");
    }
}
