//! The CRDs as the API server is given them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::{ContainerApp, ContainerAppRevision, ContainerEngine};

/// Every CRD of the API, made from the types.
///
/// Three things cannot be said in the types and are added here. A resource without a status reads as ready to
/// kstatus, so `status` defaults to one that has observed nothing. `context.path` is refused in a cluster, where it
/// would name the controller's own files, while the same types accept it in standalone mode. And the status of a
/// revision is no subresource, so that a record is written as a whole: what came out is never apart from what went in.
///
/// # Panics
/// When the types no longer have a field that is named here; the test of the committed YAML would show it.
pub fn custom_resource_definitions() -> Vec<CustomResourceDefinition> {
    let [app, revision, engine] = [ContainerApp::crd(), ContainerAppRevision::crd(), ContainerEngine::crd()];
    vec![complete(app), without_subresources(revision), complete(engine)]
}

/// The YAML of one CRD, as it is committed beside this crate's sources.
///
/// # Panics
/// When the definition cannot be written as YAML, which would be a defect of the serializer.
pub fn manifest_of(definition: &CustomResourceDefinition) -> String {
    serde_saphyr::to_string(definition).expect("a CRD is plain data")
}

fn complete(definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let mut value = serde_json::to_value(definition).expect("a CRD is plain data");
    for version in value["spec"]["versions"].as_array_mut().expect("a CRD has versions") {
        let schema = &mut version["schema"]["openAPIV3Schema"]["properties"];
        schema["status"]["default"] = json!({"observedGeneration": -1});
        if let Some(context) = schema.pointer_mut("/spec/properties/image/properties/build/properties/context") {
            refuse_path(context);
        }
    }
    serde_json::from_value(value).expect("what was a CRD still is one")
}

fn without_subresources(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        version.subresources = None;
    }
    definition
}

fn refuse_path(context: &mut Value) {
    let rules = context["x-kubernetes-validations"].as_array_mut().expect("a context has rules");
    rules.push(json!({
        "rule": "!has(self.path)",
        "message": "path is read from the machine that runs longshore up; in a cluster use git, http, sourceRef, inline or configMap",
    }));
}
