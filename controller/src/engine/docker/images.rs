//! Images: listed, tagged and removed.

use std::collections::{BTreeSet, HashMap};

use bollard::models::{ImageInspect, ImageManifestSummary, ImageManifestSummaryKindEnum, ImageSummary};
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder};
use http_body_util::{BodyExt, Limited};
use hyper::Method;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::connection::Connection;
use super::failure::Failure;
use super::transfer::registry_auth;
use crate::app::{ConfigDigest, EngineImageId, Image, ImageReference, ImageStore, ManifestDigest, Repository};
use crate::engine::EngineError;

/// BuildKit notes the configuration's digest here, on what it puts into containerd's store.
const CONFIG_DIGEST_ANNOTATION: &str = "config.digest";

/// The media types of what names an image for each of several platforms.
const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// Every image that has a reference, with what an index is made of (API 1.47). Leaving out the others is worth it: 29
/// takes milliseconds for each image.
pub(super) async fn list(connection: &Connection) -> Result<Vec<ImageSummary>, EngineError> {
    let filters = HashMap::from([("dangling", vec!["false"])]);
    let options = ListImagesOptionsBuilder::default().all(true).manifests(true).filters(&filters).build();
    connection.docker().list_images(Some(options)).await.map_err(|error| connection.error(error))
}

/// The images that a reference of these patterns points at, each with those references alone (seen with 20.10 and 29).
pub(super) async fn list_by_reference(
    connection: &Connection,
    patterns: &[String],
) -> Result<Vec<ImageSummary>, EngineError> {
    let filters = HashMap::from([("reference", patterns.iter().map(String::as_str).collect())]);
    let options = ListImagesOptionsBuilder::default().manifests(true).filters(&filters).build();
    connection.docker().list_images(Some(options)).await.map_err(|error| connection.error(error))
}

/// What an inspection says of the platform.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// The answer to an inspection is a configuration and some lists.
const LONGEST_INSPECTION: usize = 4 * 1024 * 1024;

/// Whether an image is there for a platform. An engine with containerd's store may hold several under one ID and is asked
/// for this one (API 1.49); others say what theirs is for.
pub(super) async fn has_platform(
    connection: &Connection,
    image: &EngineImageId,
    platform: &str,
) -> Result<bool, EngineError> {
    let asked = Platform::of(platform);
    let json = serde_json::json!({
        "os": asked.os, "architecture": asked.architecture, "variant": asked.variant,
    });
    let query = utf8_percent_encode(&json.to_string(), NON_ALPHANUMERIC).to_string();
    let inspection = async {
        let path = format!("/images/{image}/json?platform={query}");
        let body = connection.send(Method::GET, &path, &registry_auth(None)).await?;
        let body = Limited::new(body, LONGEST_INSPECTION).collect().await;
        let body = body.map_err(|error| Failure::Unintelligible(error.to_string()))?.to_bytes();
        serde_json::from_slice::<Inspected>(&body).map_err(|error| Failure::Unintelligible(error.to_string()))
    };
    match inspection.await {
        Ok(found) => Ok(asked.is_served_by(&Platform {
            os: &found.os,
            architecture: &found.architecture,
            variant: found.variant.as_deref().unwrap_or_default(),
        })),
        Err(failure) if failure.is_not_found() => Ok(false),
        Err(failure) => Err(connection.error(failure)),
    }
}

/// A platform in its three parts, the variant empty where none is named.
struct Platform<'a> {
    os: &'a str,
    architecture: &'a str,
    variant: &'a str,
}

impl<'a> Platform<'a> {
    /// The platform that is written `os/architecture` or `os/architecture/variant`.
    fn of(text: &'a str) -> Self {
        let mut parts = text.splitn(3, '/').map(Some).chain(std::iter::repeat(None)).map(Option::unwrap_or_default);
        let mut next = || parts.next().unwrap_or_default();
        Self { os: next(), architecture: next(), variant: next() }
    }

    /// Whether an image of this platform is what is asked for. On arm64 there is one variant, which is often left out.
    fn is_served_by(&self, other: &Self) -> bool {
        let variants = (self.variant, other.variant);
        let same_variant = variants.0.is_empty() || variants.0 == variants.1;
        let is_only_one = self.architecture == "arm64" && variants == ("v8", "");
        (self.os, self.architecture) == (other.os, other.architecture) && (same_variant || is_only_one)
    }
}

/// The image of this ID, or that this reference points at, in the form of a list; `None` when there is none.
pub(super) async fn inspect(connection: &Connection, name: &str) -> Result<Option<ImageSummary>, EngineError> {
    match connection.docker().inspect_image(name).await.map_err(Failure::from) {
        Ok(inspected) => Ok(Some(as_listed(inspected))),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(connection.error(failure)),
    }
}

/// The same as a list tells it. Of an index 29 lists the bytes of all platforms, and tells of one only when it is
/// inspected; under a pattern in turn it lists those references alone that match.
pub(super) async fn as_listed_alone(
    connection: &Connection,
    inspected: ImageSummary,
    reference: &ImageReference,
) -> Result<ImageSummary, EngineError> {
    if !is_index(&inspected) {
        return Ok(inspected);
    }
    let listed = list_by_reference(connection, &[reference.to_string()]).await?;
    let listed = listed.into_iter().find(|listed| listed.id == inspected.id).unwrap_or_else(|| inspected.clone());
    Ok(ImageSummary { repo_tags: inspected.repo_tags, repo_digests: inspected.repo_digests, ..listed })
}

fn is_index(image: &ImageSummary) -> bool {
    let media_type = image.descriptor.as_ref().and_then(|descriptor| descriptor.media_type.as_deref());
    media_type.is_some_and(|media_type| INDEX_TYPES.contains(&media_type))
}

fn as_listed(inspected: ImageInspect) -> ImageSummary {
    ImageSummary {
        id: inspected.id.unwrap_or_default(),
        descriptor: inspected.descriptor,
        repo_tags: inspected.repo_tags.unwrap_or_default(),
        repo_digests: inspected.repo_digests.unwrap_or_default(),
        created: inspected.created.map_or(0, bollard::models::BollardDate::unix_timestamp),
        size: inspected.size.unwrap_or_default(),
        labels: inspected.config.and_then(|config| config.labels).unwrap_or_default(),
        ..ImageSummary::default()
    }
}

pub(super) async fn tag(
    connection: &Connection,
    image: &EngineImageId,
    reference: &ImageReference,
) -> Result<(), EngineError> {
    let options =
        TagImageOptionsBuilder::default().repo(&reference.repository().to_string()).tag(reference.version()).build();
    connection.docker().tag_image(&image.to_string(), Some(options)).await.map_err(|error| connection.error(error))
}

/// Layers that no image needs any more go with the last reference, as they do for `docker rmi`.
pub(super) async fn remove(connection: &Connection, reference: &ImageReference) -> Result<(), EngineError> {
    let options = RemoveImageOptionsBuilder::default().force(false).noprune(false).build();
    match connection.docker().remove_image(&reference.for_engine(), Some(options), None).await.map_err(Failure::from) {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) => Err(connection.error(failure)),
    }
}

/// An image as it was listed; `None` for one whose ID is no digest.
///
/// containerd's store lists a digest with every repository that a local tag names, also one to which nothing was
/// pushed: there [`Image::manifests`] says what would be pushed, and only a registry says what was.
pub(super) fn from_summary(summary: ImageSummary, store: ImageStore) -> Option<Image> {
    let id: EngineImageId = summary.id.parse().ok()?;
    let annotation = summary
        .descriptor
        .and_then(|descriptor| descriptor.annotations)
        .and_then(|mut annotations| annotations.remove(CONFIG_DIGEST_ANNOTATION));
    let (config, target) = match store {
        ImageStore::GraphDriver => (Some(ConfigDigest(id.0.clone())), None),
        ImageStore::Containerd => {
            (annotation.and_then(|digest| digest.parse().ok()), Some(ManifestDigest(id.0.clone())))
        }
    };
    let sent_alone = summary.manifests.as_deref().and_then(sent_alone);
    let mut manifests = manifests(&summary.repo_digests);
    if let Some(target) = &target {
        // Everything that points at it points at this one manifest or index; 29 lists the digest with one repository only
        // where tags of several point at it.
        let names = summary.repo_tags.iter().filter_map(|name| name.parse::<ImageReference>().ok());
        manifests.extend(names.map(|name| (name.repository().clone(), target.clone())));
    }
    Some(Image {
        id,
        references: references(&summary.repo_tags),
        config,
        manifests,
        target,
        sent_alone,
        labels: summary.labels.into_iter().collect(),
        size: summary.size,
        created_at: Timestamp::from_second(summary.created).ok().filter(|time| time.as_second() > 0),
    })
}

/// The one manifest of an image that is there, where others of its index are not. 29 says so of a push: "Not all
/// multiplatform-content is present and only the available single-platform image was pushed".
fn sent_alone(manifests: &[ImageManifestSummary]) -> Option<ManifestDigest> {
    let is_image = |part: &&ImageManifestSummary| part.kind == Some(ImageManifestSummaryKindEnum::IMAGE);
    let mut present = manifests.iter().filter(|part| part.available).filter(is_image);
    let (only, others) = (present.next()?, present.next());
    let is_whole = manifests.iter().all(|part| part.available);
    (others.is_none() && !is_whole).then(|| only.id.parse().ok())?
}

/// The tags that are references; an image without any is listed as `<none>:<none>`, and one that was pulled by its digest
/// in containerd's store with that.
fn references(tags: &[String]) -> Vec<ImageReference> {
    let mut references: Vec<ImageReference> = tags
        .iter()
        .filter_map(|tag| tag.parse().ok())
        .filter(|reference: &ImageReference| reference.digest().is_none())
        .collect();
    references.sort_unstable();
    references
}

fn manifests(digests: &[String]) -> BTreeSet<(Repository, ManifestDigest)> {
    digests
        .iter()
        .filter_map(|digest| {
            let reference: ImageReference = digest.parse().ok()?;
            Some((reference.repository().clone(), reference.digest()?.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0d3300874769cbafa3830ad4506f74c10aebf10c11ecf7838361ed49fe16ab55";

    fn summary(tags: &[&str], digests: &[&str]) -> ImageSummary {
        ImageSummary {
            id: DIGEST.to_owned(),
            repo_tags: tags.iter().map(ToString::to_string).collect(),
            repo_digests: digests.iter().map(ToString::to_string).collect(),
            ..ImageSummary::default()
        }
    }

    #[test]
    fn an_id_is_a_config_digest_in_a_graph_drivers_store() {
        let image = from_summary(summary(&["busybox:latest"], &[]), ImageStore::GraphDriver).unwrap();
        assert_eq!(image.config, Some(DIGEST.parse().unwrap()));
        assert_eq!(image.target, None);
    }

    #[test]
    fn an_id_is_a_manifest_digest_in_containerds_store() {
        let image = from_summary(summary(&["busybox:latest"], &[]), ImageStore::Containerd).unwrap();
        assert_eq!(image.config, None);
        assert_eq!(image.target, Some(DIGEST.parse().unwrap()));
    }

    #[test]
    fn a_platform_is_served_by_the_same_one_whose_variant_may_be_left_out() {
        for (asked, found, is_served) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/arm64", false),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm/v7", "linux/arm/v6", false),
            ("linux/arm/v7", "linux/arm", false),
            ("linux/amd64", "windows/amd64", false),
        ] {
            assert_eq!(Platform::of(asked).is_served_by(&Platform::of(found)), is_served, "{asked} {found}");
        }
    }

    #[test]
    fn of_an_index_that_is_there_in_part_the_one_platform_that_is_there_is_sent() {
        let part = |digit: &str, kind: &str, available: bool| {
            let digest = format!("sha256:{}", digit.repeat(64));
            let descriptor = serde_json::json!({"digest": digest, "mediaType": "", "size": 1});
            serde_json::json!({
                "ID": digest, "Descriptor": descriptor, "Available": available, "Kind": kind,
                "Size": {"Total": 1, "Content": 1},
            })
        };
        let sent = |parts: Vec<serde_json::Value>| {
            let parts: Vec<ImageManifestSummary> = serde_json::from_value(parts.into()).unwrap();
            super::sent_alone(&parts).map(|digest| digest.to_string()[7..8].to_owned())
        };
        let (own, other) = (part("1", "image", true), part("2", "image", false));
        assert_eq!(sent(vec![other.clone(), own.clone()]).as_deref(), Some("1"));
        assert_eq!(sent(vec![own.clone(), part("3", "attestation", false)]).as_deref(), Some("1"));
        assert_eq!(sent(vec![own.clone()]), None);
        assert_eq!(sent(vec![own.clone(), part("2", "image", true)]), None);
        assert_eq!(sent(vec![own, part("2", "image", true), part("4", "image", false)]), None);
        assert_eq!(sent(vec![other]), None);
    }

    #[test]
    fn an_image_without_references_has_none() {
        let summary = summary(&["<none>:<none>"], &["<none>@<none>"]);
        let image = from_summary(summary, ImageStore::GraphDriver).unwrap();
        assert_eq!(image.references, []);
        assert!(image.manifests.is_empty());
    }

    #[test]
    fn what_was_pulled_by_its_digest_into_containerds_store_has_no_tag() {
        let name = format!("gcr.io/my-project/node-app@{DIGEST}");
        let image = from_summary(summary(&[&name], &[&name]), ImageStore::Containerd).unwrap();
        assert_eq!(image.references, []);
        assert!(image.has(&name.parse().unwrap()));
    }

    #[test]
    fn every_repository_of_a_tag_is_known_with_the_digest_in_containerds_store() {
        let listed = summary(&["busybox:latest", "other/busybox:1"], &[&format!("other/busybox@{DIGEST}")]);
        let image = from_summary(listed, ImageStore::Containerd).unwrap();
        assert!(image.has(&format!("busybox@{DIGEST}").parse().unwrap()));
    }

    #[test]
    fn a_digest_is_known_with_its_repository() {
        let digests = [format!("gcr.io/my-project/node-app@{DIGEST}")];
        let summary = summary(&[], &[&digests[0]]);
        let image = from_summary(summary, ImageStore::GraphDriver).unwrap();
        let expected = ("gcr.io/my-project/node-app".parse().unwrap(), DIGEST.parse().unwrap());
        assert_eq!(image.manifests, BTreeSet::from([expected]));
    }
}
