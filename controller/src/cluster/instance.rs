//! Which installation this is.

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};

use super::errors::resource_error;
use crate::app::Instance;
use crate::reconcile::ResourceError;

/// The namespace that every cluster has, and whose UID tells clusters apart.
const KUBE_SYSTEM: &str = "kube-system";

/// The installation of this release in this cluster. Two clusters, or two releases in one, may share an engine: neither
/// takes the other's containers for its own.
pub async fn instance(client: &Client, release: &str) -> Result<Instance, ResourceError> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let namespace = namespaces.get_metadata(KUBE_SYSTEM).await;
    let namespace = namespace.map_err(|error| resource_error("read the namespace kube-system", &error))?;
    Ok(Instance::new(&format!("{}-{release}", namespace.uid().unwrap_or_default())))
}
