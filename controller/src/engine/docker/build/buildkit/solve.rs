//! A build's request in BuildKit's words, as `docker buildx` says them to a Docker Engine.

use std::collections::HashMap;

use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, CacheOptionsEntry, Exporter, SolveRequest};
use longshore_crds::{BuildNetwork, CacheMode};

use crate::app::CacheExport;
use crate::engine::{BuildRequest, Provenance};

/// The front end that is built into BuildKit.
const DOCKERFILE: &str = "dockerfile.v0";
/// The exporter that puts an image into the engine's own store.
const INTO_THE_ENGINE: &str = "moby";
/// The argument by which BuildKit is told what time it is.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
/// What makes that the time of files that steps have made as well, and not only of the image and of what is copied. A
/// layer that is unpacked already cannot be changed any more; the engine unpacks it for the first container.
const IN_ALL_LAYERS: &[(&str, &str)] = &[("rewrite-timestamp", "true"), ("unpack", "false")];

pub(super) fn solve_request(request: &BuildRequest, session: &str, reference: &str) -> SolveRequest {
    let exporter = Exporter { r#type: INTO_THE_ENGINE.to_owned(), attrs: exporter_attributes(request) };
    SolveRequest {
        r#ref: reference.to_owned(),
        session: session.to_owned(),
        frontend: DOCKERFILE.to_owned(),
        frontend_attrs: frontend_attributes(request),
        // BuildKit until 0.12 knows one exporter only, and those after it look here when the list is empty.
        exporter_deprecated: exporter.r#type.clone(),
        exporter_attrs_deprecated: exporter.attrs.clone(),
        exporters: vec![exporter],
        cache: Some(CacheOptions {
            exports: request.cache_to.iter().map(cache_export).collect(),
            ..CacheOptions::default()
        }),
        ..SolveRequest::default()
    }
}

fn frontend_attributes(request: &BuildRequest) -> HashMap<String, String> {
    let mut attributes = HashMap::new();
    let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    set("filename", request.context.dockerfile().name().to_owned());
    // The engine's own image of a name comes first, as with `docker build`.
    set("image-resolve-mode", if request.pull { "pull" } else { "local" }.to_owned());
    if let Some(target) = &request.target {
        set("target", target.clone());
    }
    if request.no_cache {
        // Of every stage.
        set("no-cache", String::new());
    }
    if request.network == BuildNetwork::None {
        set("force-network-mode", "none".to_owned());
    }
    if !request.extra_hosts.is_empty() {
        let hosts = request.extra_hosts.iter().map(|(name, address)| format!("{name}={address}"));
        set("add-hosts", hosts.collect::<Vec<_>>().join(","));
    }
    if !request.platforms.is_empty() {
        set("platform", request.platforms.join(","));
    }
    if !request.cache_from.is_empty() {
        let references = request.cache_from.iter().map(crate::app::ImageReference::canonical);
        set("cache-from", references.collect::<Vec<_>>().join(","));
    }
    if let Some(sbom) = &request.attestations.sbom {
        let generator = sbom.generator.as_ref().map(|image| format!("generator={}", image.canonical()));
        set("attest:sbom", generator.unwrap_or_default());
    }
    match request.attestations.provenance {
        Provenance::None => None,
        Provenance::Min => set("attest:provenance", "mode=min".to_owned()),
        Provenance::Max => set("attest:provenance", "mode=max".to_owned()),
    };
    for (name, value) in &request.args {
        set(&format!("build-arg:{name}"), value.clone());
    }
    if let Some(seconds) = request.source_date_epoch {
        set(&format!("build-arg:{SOURCE_DATE_EPOCH}"), seconds.to_string());
    }
    for (name, value) in &request.labels {
        set(&format!("label:{name}"), value.clone());
    }
    attributes
}

fn exporter_attributes(request: &BuildRequest) -> HashMap<String, String> {
    let name = ("name".to_owned(), request.reference.canonical());
    let annotations = request.annotations.iter();
    let annotations = annotations.map(|(name, value)| (format!("annotation.{name}"), value.clone()));
    let times = if request.source_date_epoch.is_some() { IN_ALL_LAYERS } else { &[] };
    let times = times.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    std::iter::once(name).chain(annotations).chain(times).collect()
}

fn cache_export(export: &CacheExport) -> CacheOptionsEntry {
    let (kind, attributes) = match export {
        CacheExport::Inline => ("inline", Vec::new()),
        CacheExport::Registry { reference, mode } => {
            let mode = match mode {
                CacheMode::Min => "min",
                CacheMode::Max => "max",
            };
            ("registry", vec![("ref", reference.canonical()), ("mode", mode.to_owned())])
        }
    };
    let attrs = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    CacheOptionsEntry { r#type: kind.to_owned(), attrs }
}
