//! How large an index is.

use std::collections::BTreeMap;

use super::*;

/// A registry that holds these manifests by their digests.
async fn holding(manifests: &[String]) -> Server {
    let held: BTreeMap<String, String> =
        manifests.iter().map(|manifest| (Digest::of(manifest).to_string(), manifest.clone())).collect();
    Server::answering(move |request| {
        let asked = request.uri().path().rsplit('/').next().unwrap_or_default();
        held.get(asked).map_or_else(|| answer(404, &[], ""), |manifest| manifest_answer(manifest))
    })
    .await
}

/// The manifest of an image of these blobs, each a digit and its size, the configuration first.
fn image_of(blobs: &[(&str, u64)]) -> String {
    let blob = |(digit, size): &(&str, u64)| format!(r#"{{"digest":"sha256:{}","size":{size}}}"#, digit.repeat(64));
    let layers: Vec<String> = blobs[1..].iter().map(blob).collect();
    format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, blob(&blobs[0]), layers.join(","))
}

fn index_of(manifests: &[String]) -> String {
    let entries: Vec<String> =
        manifests.iter().map(|manifest| format!(r#"{{"digest":"{}","size":7}}"#, Digest::of(manifest))).collect();
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))
}

async fn size(server: &Server, index: &str) -> Option<u64> {
    let pinned = server.reference().repository().pinned(&ManifestDigest(Digest::of(index)));
    registry().index_size(&pinned, None).await
}

#[tokio::test]
async fn an_index_is_as_large_as_all_that_it_leads_to_and_what_is_shared_counts_once() {
    let images = [image_of(&[("a", 1), ("b", 20), ("c", 300)]), image_of(&[("d", 4000), ("b", 20)])];
    let index = index_of(&images);
    let server = holding(&[&images[..], std::slice::from_ref(&index)].concat()).await;
    assert_eq!(size(&server, &index).await, Some(4321));
    assert_eq!(server.methods().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_learnt_is_not_made_up() {
    let image = image_of(&[("a", 1)]);
    let index = index_of(&[image.clone(), "elsewhere".to_owned()]);
    let server = holding(&[image.clone(), index.clone(), index_of(&[])]).await;
    assert_eq!(size(&server, &index).await, None);
    assert_eq!(size(&server, &index_of(&[])).await, None);
    assert_eq!(size(&server, "nothing").await, None);
    let huge = index_of(&[image_of(&[("a", u64::MAX)]), image_of(&[("b", 1)])]);
    let server = holding(&[image_of(&[("a", u64::MAX)]), image_of(&[("b", 1)]), huge.clone()]).await;
    assert_eq!(size(&server, &huge).await, None);
}
