//! The records of revisions in a cluster: listed by the app's name, written and removed only where the app owns them.

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use longshore_crds::{ContainerApp, ContainerAppRevision};
use serde_json::Value;
use tracing::warn;

use super::errors::{is_gone, resource_error};
use super::guard::parse;
use super::status_patch::FIELD_MANAGER;
use crate::app::{labels, owner_uid_of};
use crate::reconcile::ResourceError;

/// How many are read at once: each may have 256 KiB of log.
const PAGE: u32 = 10;

/// The records of the revisions of one app.
pub(super) struct Revisions<'a> {
    api: Api<DynamicObject>,
    app: &'a ContainerApp,
}

impl<'a> Revisions<'a> {
    pub(super) fn of(app: &'a ContainerApp, client: &Client) -> Self {
        let resource = ApiResource::erase::<ContainerAppRevision>(&());
        let namespace = app.namespace().unwrap_or_default();
        Self { api: Api::namespaced_with(client.clone(), &namespace, &resource), app }
    }

    pub(super) async fn list(&self) -> Result<Vec<ContainerAppRevision>, ResourceError> {
        let mut page = ListParams::default().labels(&format!("{}={}", labels::NAME, self.app.name_any())).limit(PAGE);
        let mut revisions = Vec::new();
        loop {
            let listed = self.api.list(&page).await.map_err(|error| self.error("list the revisions", &error))?;
            revisions.extend(listed.items.into_iter().filter_map(understood));
            match listed.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(revisions),
            }
        }
    }

    /// Most records are new, so they are not looked for before.
    pub(super) async fn write(&self, revision: &ContainerAppRevision) -> Result<(), ResourceError> {
        let name = revision.name_any();
        let what = format!("write the revision {name}");
        let mut object = as_object(revision)?;
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.api.create(&parameters, &object).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => return Err(self.error(&what, &error)),
        }
        let there = self.api.get_metadata_opt(&name).await.map_err(|error| self.error(&what, &error))?;
        let Some(there) = there.filter(|there| self.is_ours(&there.metadata)) else {
            return Err(ResourceError::Conflict);
        };
        object.metadata.resource_version = there.resource_version();
        self.api.replace(&name, &parameters, &object).await.map_err(|error| self.error(&what, &error))?;
        Ok(())
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), ResourceError> {
        let what = format!("remove the revision {name}");
        let there = self.api.get_metadata_opt(name).await.map_err(|error| self.error(&what, &error))?;
        let Some(there) = there.filter(|there| self.is_ours(&there.metadata)) else {
            return Ok(());
        };
        // The one that was looked at, and none that has taken its name since.
        let preconditions = Preconditions { uid: there.uid(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.api.delete(name, &parameters).await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(self.error(&what, &error)),
        }
    }

    fn is_ours(&self, metadata: &kube::core::ObjectMeta) -> bool {
        owner_uid_of(metadata).is_some_and(|owner| Some(owner) == self.app.metadata.uid.as_deref())
    }

    fn error(&self, what: &str, error: &kube::Error) -> ResourceError {
        resource_error(&format!("{what} of the ContainerApp {}", self.app.name_any()), error)
    }
}

/// One that somebody has broken stands in nobody's way.
fn understood(object: DynamicObject) -> Option<ContainerAppRevision> {
    let name = object.name_any();
    let value = serde_json::to_value(object).unwrap_or(Value::Null);
    parse(&value)
        .inspect_err(|message| warn!(name, "the revision cannot be understood and is left out: {message}"))
        .ok()
}

fn as_object(revision: &ContainerAppRevision) -> Result<DynamicObject, ResourceError> {
    let value = serde_json::to_value(revision).and_then(serde_json::from_value);
    value.map_err(|error| ResourceError::Unavailable(format!("the revision cannot be written: {error}")))
}
