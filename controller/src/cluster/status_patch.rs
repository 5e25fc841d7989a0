//! How a status is written: by server-side apply on the status subresource.

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, ObjectMeta};
use serde::Serialize;
use serde_json::{Value, json};

/// Who owns the fields that we write.
pub(super) const FIELD_MANAGER: &str = "longshore";

/// Replaces the status of the object that this metadata was read from.
///
/// The patch carries the UID and the resourceVersion of that metadata, so the API server answers 409 when the object has
/// changed since, and when another one has taken its name. The object is not read back: one whose spec cannot be
/// understood has a status too.
pub(super) async fn apply_status(
    api: &Api<DynamicObject>,
    resource: &ApiResource,
    metadata: &ObjectMeta,
    status: &(impl Serialize + Sync),
) -> Result<(), kube::Error> {
    let name = metadata.name.as_deref().unwrap_or_default();
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "status": status,
    });
    let applied = api.patch_status(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&patch)).await;
    match applied {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 500 || answer.code == 422 => {
            replace_status(api, metadata, &patch["status"]).await
        }
        Err(error) => Err(error),
    }
}

/// The same for an object that contradicts its schema, an old one under a stricter schema: server-side apply has to
/// understand the whole object and answers 500 ("failed to create typed live object", seen with Kubernetes 1.36).
///
/// The first two operations change nothing when the object is still the same one, and are a conflict when it is not.
async fn replace_status(api: &Api<DynamicObject>, metadata: &ObjectMeta, status: &Value) -> Result<(), kube::Error> {
    let patch = json!([
        {"op": "replace", "path": "/metadata/uid", "value": metadata.uid},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata.resource_version},
        {"op": "add", "path": "/status", "value": status},
    ]);
    let patch = Patch::Json::<()>(serde_json::from_value(patch).map_err(kube::Error::SerdeError)?);
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch_status(metadata.name.as_deref().unwrap_or_default(), &parameters, &patch).await?;
    Ok(())
}
