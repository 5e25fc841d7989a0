//! A namespace for one test.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{NamespaceResourceScope, ObjectMeta, PartialObjectMeta};
use kube::{Client, Resource, ResourceExt};
use longshore_crds::{ContainerApp, ContainerAppRevision};
use serde_json::json;

use crate::{administrator, install_crds, unique_name};

/// Runs a test in a namespace of its own, with the CRDs installed, and removes the namespace whatever comes of it.
pub async fn with_temp_namespace<F: Future<Output = ()>>(test: impl FnOnce(Client, String) -> F) {
    let client = administrator().await;
    install_crds(&client).await;
    let name = unique_name("longshore-test");
    let namespace = Namespace {
        metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace can be made");
    let result = AssertUnwindSafe(test(client.clone(), name.clone())).catch_unwind().await;
    remove(&client, &name).await;
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

/// The lab has no controllers that would empty a namespace and let it go.
async fn remove(client: &Client, name: &str) {
    let apps: Api<PartialObjectMeta<ContainerApp>> = Api::namespaced(client.clone(), name);
    let no_finalizers = json!({"metadata": {"finalizers": null}});
    for app in apps.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default() {
        let _ = apps.patch(&app.name_any(), &PatchParams::default(), &Patch::Merge(&no_finalizers)).await;
    }
    empty::<ContainerApp>(client, name).await;
    empty::<ContainerAppRevision>(client, name).await;
    empty::<ConfigMap>(client, name).await;
    empty::<Secret>(client, name).await;
    empty::<ServiceAccount>(client, name).await;
    empty::<RoleBinding>(client, name).await;
    empty::<Role>(client, name).await;
    empty::<Event>(client, name).await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let _ = namespaces.delete(name, &DeleteParams::default()).await;
    if let Ok(mut namespace) = namespaces.get(name).await {
        namespace.spec = None;
        let _ = namespaces.replace_subresource("finalize", name, &PostParams::default(), &namespace).await;
    }
}

async fn empty<K>(client: &Client, namespace: &str)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let objects: Api<PartialObjectMeta<K>> = Api::namespaced(client.clone(), namespace);
    let _ = objects.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
}
