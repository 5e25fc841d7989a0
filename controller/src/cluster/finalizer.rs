//! Our finalizer, put on and taken off by JSON patches that hold only for the version that was read.

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::errors::{is_gone, resource_error, words};
use crate::reconcile::{FINALIZER, ResourceError};

/// Puts the finalizer on.
pub(super) async fn hold(api: &Api<DynamicObject>, metadata: &ObjectMeta) -> Result<(), ResourceError> {
    match holding(metadata) {
        Some(patch) => send(api, metadata, "add the finalizer to", patch).await,
        None => Ok(()),
    }
}

/// Takes the finalizer off. An object that is gone is well.
pub(super) async fn release(api: &Api<DynamicObject>, metadata: &ObjectMeta) -> Result<(), ResourceError> {
    match releasing(metadata) {
        Some(patch) => send(api, metadata, "remove the finalizer from", patch).await,
        None => Ok(()),
    }
}

/// The patch that puts the finalizer on; `None` when it is there.
fn holding(metadata: &ObjectMeta) -> Option<Vec<Value>> {
    let change = match &metadata.finalizers {
        Some(finalizers) if finalizers.iter().any(|finalizer| finalizer == FINALIZER) => return None,
        Some(_) => json!({"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}),
        None => json!({"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}),
    };
    Some(guarded(metadata, change))
}

/// The patch that takes the finalizer off; `None` when it is not there.
fn releasing(metadata: &ObjectMeta) -> Option<Vec<Value>> {
    let index = metadata.finalizers.iter().flatten().position(|finalizer| finalizer == FINALIZER)?;
    let change = json!({"op": "remove", "path": format!("/metadata/finalizers/{index}")});
    Some(guarded(metadata, change))
}

/// The index of a finalizer, and that there is none yet, hold for one version of one object.
fn guarded(metadata: &ObjectMeta, change: Value) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": metadata.uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": metadata.resource_version}),
        change,
    ]
}

async fn send(
    api: &Api<DynamicObject>,
    metadata: &ObjectMeta,
    what: &str,
    patch: Vec<Value>,
) -> Result<(), ResourceError> {
    let name = metadata.name.as_deref().unwrap_or_default();
    let patch = serde_json::from_value(Value::Array(patch))
        .map_err(|error| ResourceError::Unavailable(format!("cannot {what} {name}: {error}")))?;
    match api.patch_metadata(name, &PatchParams::default(), &Patch::Json::<()>(patch)).await {
        Ok(_) => Ok(()),
        Err(error) if is_gone(&error) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 422 => {
            why_unprocessable(api, metadata, &format!("cannot {what} {name}: {}", status.message)).await
        }
        Err(error) => Err(resource_error(&format!("{what} {name}"), &error)),
    }
}

/// The API server answers 422 both when a test does not hold and when it finds the whole object invalid. Only the first
/// gets better by another look.
async fn why_unprocessable(
    api: &Api<DynamicObject>,
    metadata: &ObjectMeta,
    message: &str,
) -> Result<(), ResourceError> {
    let name = metadata.name.as_deref().unwrap_or_default();
    match api.get_metadata_opt(name).await {
        Ok(Some(now)) if now.metadata.resource_version == metadata.resource_version => {
            Err(ResourceError::Unavailable(message.to_owned()))
        }
        Ok(_) => Err(ResourceError::Conflict),
        Err(error) => Err(ResourceError::Unavailable(format!("{message}, and then {}", words(&error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(finalizers: Option<&[&str]>) -> ObjectMeta {
        ObjectMeta {
            name: Some("web".to_owned()),
            uid: Some("1-2".to_owned()),
            resource_version: Some("7".to_owned()),
            finalizers: finalizers.map(|all| all.iter().map(|&each| each.to_owned()).collect()),
            ..ObjectMeta::default()
        }
    }

    fn change(patch: Option<Vec<Value>>) -> Option<Value> {
        patch.and_then(|patch| patch.into_iter().last())
    }

    #[test]
    fn the_first_finalizer_makes_the_list() {
        assert_eq!(
            change(holding(&metadata(None))),
            Some(json!({"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}))
        );
    }

    #[test]
    fn others_finalizers_stay() {
        assert_eq!(
            change(holding(&metadata(Some(&["other"])))),
            Some(json!({"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}))
        );
        assert_eq!(
            change(releasing(&metadata(Some(&["other", FINALIZER, "third"])))),
            Some(json!({"op": "remove", "path": "/metadata/finalizers/1"}))
        );
    }

    #[test]
    fn what_is_so_already_is_not_patched() {
        assert_eq!(holding(&metadata(Some(&[FINALIZER]))), None);
        assert_eq!(releasing(&metadata(Some(&["other"]))), None);
        assert_eq!(releasing(&metadata(None)), None);
    }

    #[test]
    fn a_patch_holds_only_for_the_version_that_was_read() {
        let patch = releasing(&metadata(Some(&[FINALIZER]))).unwrap();
        assert_eq!(patch[0], json!({"op": "test", "path": "/metadata/uid", "value": "1-2"}));
        assert_eq!(patch[1], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}));
    }
}
