//! The one way in which a status is written: server-side apply on the status subresource.

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, ObjectMeta};
use serde::Serialize;
use serde_json::json;

/// Who owns the fields of a status.
const FIELD_MANAGER: &str = "longshore";

/// Replaces the status of the object that this metadata was read from.
///
/// The patch carries the UID and the resourceVersion of that metadata, so the API server answers 409 when the object has
/// changed since, and 409 as well when another one has taken its name. The object is not read back: one whose spec
/// cannot be understood has a status too.
pub(super) async fn apply_status(
    api: &Api<DynamicObject>,
    resource: &ApiResource,
    metadata: &ObjectMeta,
    status: &(impl Serialize + Sync),
) -> Result<(), kube::Error> {
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
    let name = metadata.name.as_deref().unwrap_or_default();
    api.patch_status(
        name,
        &PatchParams::apply(FIELD_MANAGER).force(),
        &Patch::Apply(&patch),
    )
    .await?;
    Ok(())
}
