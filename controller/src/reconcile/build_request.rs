//! From a build that is wanted to what an engine is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};

use crate::app::{self, BuildAccess, BuildSpec, ImageReference, InputHash, Owner, labels};
use crate::build::ReadContext;
use crate::engine::{Attestations, BuildRequest, EngineError, Provenance, Sbom, SshKey};

/// The standard labels that tell when an image was made and where it comes from
/// (<https://github.com/opencontainers/image-spec/blob/main/annotations.md>).
const CREATED_LABEL: &str = "org.opencontainers.image.created";
const REVISION_LABEL: &str = "org.opencontainers.image.revision";
const SOURCE_LABEL: &str = "org.opencontainers.image.source";

/// What an engine is asked for, but for what the plan decides: whether base images are pulled, and the cache used.
pub(super) fn build_request(
    build: &BuildSpec,
    context: Arc<ReadContext>,
    owner: &Owner,
    reference: ImageReference,
    now: Timestamp,
) -> Result<BuildRequest, EngineError> {
    let access = build.method.access.as_ref().map_err(|block| EngineError::Other(block.message.clone()))?;
    let shared_key = format!("longshore/{}", owner.uid);
    Ok(BuildRequest {
        target: build.target.clone(),
        args: build.args.clone(),
        labels: labels_of(build, &context, now),
        annotations: build.annotations.clone(),
        network: build.network,
        extra_hosts: build.extra_hosts.clone(),
        platforms: build.platforms.clone(),
        cache_from: build.method.cache_from.clone(),
        cache_to: build.method.cache_to.iter().cloned().collect(),
        source_date_epoch: build.source_date_epoch,
        attestations: attestations(build)?,
        secrets: secrets(access),
        ssh: keys(access)?,
        credentials: access.credentials.clone(),
        ..BuildRequest::new(context, reference, shared_key)
    })
}

/// The standard labels that the Dockerfile does not write itself, then what is asked for, then our own.
fn labels_of(build: &BuildSpec, context: &ReadContext, now: Timestamp) -> BTreeMap<String, String> {
    let dockerfile = String::from_utf8_lossy(context.dockerfile().text());
    let mut all = standard_labels(build, now);
    all.retain(|name, _| !dockerfile.contains(name.as_str()));
    all.extend(build.labels.clone());
    all.insert(labels::INPUT_HASH.to_owned(), InputHash::of(build).as_str().to_owned());
    all
}

fn standard_labels(build: &BuildSpec, now: Timestamp) -> BTreeMap<String, String> {
    let created = build.source_date_epoch.unwrap_or(now.as_second());
    let created = Timestamp::from_second(created).unwrap_or(now).to_string();
    let origin = build.method.origin.iter();
    let origin = origin.flat_map(|origin| [(REVISION_LABEL, &origin.revision), (SOURCE_LABEL, &origin.url)]);
    let labels = origin.map(|(name, value)| (name, value.clone())).chain([(CREATED_LABEL, created)]);
    labels.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn attestations(build: &BuildSpec) -> Result<Attestations, EngineError> {
    let generator = |text: &Option<String>| text.as_deref().map(str::parse).transpose();
    let sbom = build.attestations.sbom.as_ref().map(|sbom| {
        let generator = generator(&sbom.generator).map_err(|error: app::ReferenceError| {
            EngineError::Unsupported(format!("spec.image.build.attestations.sbom.generator: {error}"))
        })?;
        Ok::<_, EngineError>(Sbom { generator })
    });
    Ok(Attestations {
        sbom: sbom.transpose()?,
        provenance: match build.attestations.provenance {
            None => Provenance::None,
            Some(longshore_crds::Provenance::Min) => Provenance::Min,
            Some(longshore_crds::Provenance::Max) => Provenance::Max,
        },
    })
}

fn secrets(access: &BuildAccess) -> BTreeMap<String, SecretSlice<u8>> {
    let secrets = access.secrets.iter();
    secrets.map(|(id, value)| (id.clone(), value.expose_secret().to_vec().into())).collect()
}

fn keys(access: &BuildAccess) -> Result<BTreeMap<String, Vec<SshKey>>, EngineError> {
    let mut keys = BTreeMap::new();
    for (id, text) in &access.ssh {
        let key = SshKey::from_openssh(text.expose_secret().as_bytes()).map_err(|error| {
            EngineError::Unsupported(format!("spec.image.build.ssh: the private key of {id} cannot be used: {error}"))
        })?;
        keys.insert(id.clone(), vec![key]);
    }
    Ok(keys)
}
