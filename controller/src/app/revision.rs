//! The records of an app's revisions: what went into each, and what came out.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::api::ObjectMeta;
use longshore_crds::{
    BaseImageStatus, BuildStatus, ContainerApp, ContainerAppRevision, ContainerAppRevisionSpec,
    ContainerAppRevisionStatus, RevisionInputs, RevisionOutcome, SourceStatus,
};

use super::{AttemptKey, BuildSpec, Desired, Owner, labels};

/// How much of an input hash tells two revisions apart at a glance: the version and twelve digits.
const SHORT_HASH: usize = 15;

/// The record of one revision. Of one that was read the log is left behind: it is long, and nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionRecord {
    /// The UID of the app that it belongs to. An app that was made anew under its name finds the records of the one
    /// before it, until they are gone.
    pub owner_uid: String,
    /// What went in.
    pub spec: ContainerAppRevisionSpec,
    /// What came out.
    pub status: ContainerAppRevisionStatus,
}

impl RevisionRecord {
    /// The record in a resource; `None` when no app owns it or nothing came out of it.
    pub fn of_resource(resource: ContainerAppRevision) -> Option<Self> {
        let owner_uid = owner_uid_of(&resource.metadata)?.to_owned();
        let mut status = resource.status?;
        status.log.clear();
        Some(Self { owner_uid, spec: resource.spec, status })
    }

    /// The resource that holds this record of an app of this owner.
    pub fn to_resource(&self, owner: &Owner) -> ContainerAppRevision {
        let inputs = self.short_hash().map(|short| (labels::INPUTS, short));
        let labels = [(labels::NAME, owner.name.as_str()), (labels::OWNER_UID, &owner.uid)];
        let labels = labels.into_iter().chain(inputs);
        let mut resource = ContainerAppRevision::new(&self.name(), self.spec.clone());
        resource.metadata.namespace = Some(owner.namespace.clone());
        resource.metadata.labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
        resource.metadata.owner_references = Some(vec![OwnerReference {
            api_version: ContainerApp::api_version(&()).into_owned(),
            kind: ContainerApp::kind(&()).into_owned(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
            controller: Some(true),
            block_owner_deletion: None,
        }]);
        resource.status = Some(self.status.clone());
        resource
    }

    /// The number of the revision.
    pub fn number(&self) -> i64 {
        self.spec.revision
    }

    /// The name of the resource. An app's name has at most 63 characters and a number 19, so it is never too long; and
    /// what stands behind the last dash is the number, so no two revisions of any apps share one.
    pub fn name(&self) -> String {
        format!("{}-{}", self.spec.app, self.spec.revision)
    }

    /// Whether there is an image.
    pub fn has_succeeded(&self) -> bool {
        self.status.outcome == RevisionOutcome::Succeeded
    }

    /// Whether it is of the image that is wanted now.
    pub fn is_of(&self, desired: &Desired) -> bool {
        let wanted = desired.input_hash();
        match (&self.spec.input_hash, &wanted) {
            (Some(recorded), Some(wanted)) => recorded == wanted.as_str(),
            (None, None) => self.spec.image == desired.image.to_string(),
            _ => false,
        }
    }

    /// The engine's ID of the image.
    pub fn image_id(&self) -> Option<&str> {
        self.status.image.as_ref().map(|image| image.id.as_str())
    }

    /// As much of the input hash as tells two revisions apart at a glance; `None` for an image that is pulled.
    pub fn short_hash(&self) -> Option<&str> {
        let hash = self.spec.input_hash.as_deref()?;
        Some(hash.get(..SHORT_HASH).unwrap_or(hash))
    }
}

/// The UID of the app that controls a revision.
pub fn owner_uid_of(metadata: &ObjectMeta) -> Option<&str> {
    let owners = metadata.owner_references.iter().flatten();
    let controller = owners
        .filter(|owner| owner.controller == Some(true))
        .find(|owner| owner.kind == ContainerApp::kind(&()) && owner.api_version == ContainerApp::api_version(&()));
    controller.map(|owner| owner.uid.as_str())
}

/// How this process has brought an image, or has tried to: a build or a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Making {
    /// What was attempted.
    pub what: AttemptKey,
    /// Whether it failed.
    pub has_failed: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How the build went.
    pub build: Option<BuildStatus>,
    /// What the build printed, secrets masked.
    pub log: Arc<str>,
}

/// What was read of a build's context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextContent {
    /// Its digest, and how large it is.
    pub source: SourceStatus,
    /// Its files: for each path the first digits of its content's digest.
    pub files: BTreeMap<String, String>,
}

/// What goes into this build, as it is recorded.
pub fn inputs_of(build: &BuildSpec, context: Option<&ContextContent>) -> RevisionInputs {
    let base_images = build
        .base_images
        .iter()
        .map(|(reference, digest)| BaseImageStatus { reference: reference.canonical(), digest: digest.clone() });
    RevisionInputs {
        dockerfile: build.dockerfile.clone(),
        target: build.target.clone(),
        args: build.args.clone(),
        platforms: build.platforms.clone(),
        rebuild_token: build.rebuild_token.clone(),
        secrets: build.secret_ids.iter().cloned().collect(),
        base_images: base_images.collect(),
        files: context.map(|content| content.files.clone()).unwrap_or_default(),
    }
}
