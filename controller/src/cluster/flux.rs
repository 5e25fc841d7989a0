//! The sources of Flux, whose artifacts builds may use: <https://fluxcd.io/flux/components/source/>.

use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use longshore_crds::SourceKind;
use serde_json::Value;

use super::errors::resource_error;
use crate::reconcile::{Artifact, ArtifactState, ResourceError};

const GROUP: &str = "source.toolkit.fluxcd.io";
/// Served since Flux 2.0 for git, and since 2.5 and 2.6 for buckets and registries.
const VERSION: &str = "v1";

/// What a source offers.
pub(super) async fn artifact(
    client: &Client,
    kind: SourceKind,
    namespace: &str,
    name: &str,
) -> Result<ArtifactState, ResourceError> {
    let (kind, plural) = match kind {
        SourceKind::GitRepository => ("GitRepository", "gitrepositories"),
        SourceKind::OciRepository => ("OCIRepository", "ocirepositories"),
        SourceKind::Bucket => ("Bucket", "buckets"),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, kind), plural);
    let sources: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let found = sources.get_opt(name).await;
    let found = found.map_err(|error| resource_error(&format!("read the {kind} {namespace}/{name}"), &error))?;
    Ok(found.map_or(ArtifactState::Absent, |source| offered(&source.data)))
}

fn offered(source: &Value) -> ArtifactState {
    let text = |pointer: &str| source.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let artifact = || {
        Some(Artifact {
            url: text("/status/artifact/url")?,
            digest: text("/status/artifact/digest")?,
            revision: text("/status/artifact/revision")?,
        })
    };
    artifact().map_or_else(|| ArtifactState::NotReady(why(source)), ArtifactState::Offered)
}

/// What its condition `Ready` says.
fn why(source: &Value) -> String {
    let conditions = source.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let message = ready.and_then(|ready| ready["message"].as_str());
    message.unwrap_or("Flux has not looked at it yet").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_artifact_is_offered_once_it_is_whole() {
        let artifact = json!({"url": "http://source/a.tar.gz", "digest": "sha256:1", "revision": "main@sha1:2"});
        let source = json!({"status": {"artifact": artifact}});
        let expected = Artifact {
            url: "http://source/a.tar.gz".to_owned(),
            digest: "sha256:1".to_owned(),
            revision: "main@sha1:2".to_owned(),
        };
        assert_eq!(offered(&source), ArtifactState::Offered(expected));
    }

    #[test]
    fn without_one_the_source_says_why() {
        let conditions = json!([{"type": "Ready", "status": "False", "message": "no such branch"}]);
        let source = json!({"status": {"conditions": conditions, "artifact": {"url": "http://source/a"}}});
        assert_eq!(offered(&source), ArtifactState::NotReady("no such branch".to_owned()));
        assert_eq!(offered(&json!({})), ArtifactState::NotReady("Flux has not looked at it yet".to_owned()));
    }
}
