//! The `build` section: from what is written to a build that can be made.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use longshore_crds::{Build, BuildNetwork, CacheKind, CacheMode, HostAlias, parse_duration};

use super::dockerfile::base_images;
use super::validate::invalid;
use super::{Block, BuildMethod, BuildSpec, CacheExport, ContextInputs, ImageReference, Inputs, Part, labels};

const DEFAULT_DOCKERFILE: &str = "Dockerfile";

pub(super) fn build_spec(build: &Build, context: ContextInputs, inputs: &Inputs) -> Result<BuildSpec, Block> {
    let method = BuildMethod {
        origin: context.origin.clone(),
        named_base_images: base_images(&context.dockerfile, &build.args, build.target.as_deref()),
        ..method(build, inputs)?
    };
    Ok(BuildSpec {
        dockerfile: dockerfile_name(build),
        target: build.target.clone(),
        args: build.args.clone(),
        labels: image_labels(build)?,
        annotations: build.annotations.clone(),
        network: build.network.unwrap_or(BuildNetwork::Default),
        extra_hosts: extra_hosts(&build.host_aliases)?,
        platforms: build.platforms.clone(),
        attestations: build.attestations.clone().unwrap_or_default(),
        source_date_epoch: build.source_date_epoch,
        secret_ids: build.secrets.iter().map(|secret| secret.id.clone()).collect(),
        ssh_ids: build.ssh.iter().map(|ssh| ssh.id.clone()).collect(),
        rebuild_token: build.rebuild_token.clone(),
        base_images: BTreeMap::new(),
        context: context.digest,
        method,
    })
}

fn dockerfile_name(build: &Build) -> String {
    match (&build.dockerfile_inline, &build.dockerfile) {
        (Some(_), _) => "inline".to_owned(),
        (None, Some(path)) => path.clone(),
        (None, None) => DEFAULT_DOCKERFILE.to_owned(),
    }
}

fn field(name: &str) -> String {
    format!("spec.image.build.{name}")
}

fn method(build: &Build, inputs: &Inputs) -> Result<BuildMethod, Block> {
    let default = BuildMethod::default();
    let duration = |name: &str, text: &Option<String>, default: Duration| {
        duration(text.as_deref(), default).map_err(|message| invalid(Part::Image, &field(name), message))
    };
    Ok(BuildMethod {
        follows_base_images: build.rebuild_on_base_image_change,
        base_image_interval: duration("baseImageInterval", &build.base_image_interval, default.base_image_interval)?,
        base_pull_policy: build.base_pull_policy.unwrap_or_default(),
        cache_from: build
            .cache_from
            .iter()
            .enumerate()
            .map(|(index, text)| reference(&format!("cacheFrom[{index}]"), text))
            .collect::<Result<_, _>>()?,
        cache_to: cache_to(build)?,
        no_cache: build.no_cache,
        timeout: duration("timeout", &build.timeout, default.timeout)?,
        access: inputs.build_access.clone(),
        ..default
    })
}

/// A duration that a field holds, or what it is when the field is absent; the sentence that says what is wrong with it.
pub(super) fn duration(text: Option<&str>, default: Duration) -> Result<Duration, String> {
    let Some(text) = text else {
        return Ok(default);
    };
    let found = parse_duration(text).filter(|duration| !duration.is_zero());
    found.ok_or_else(|| format!("\"{text}\" is not a duration above zero, such as 90s, 5m or 1h30m"))
}

fn reference(name: &str, text: &str) -> Result<ImageReference, Block> {
    text.parse().map_err(|error| invalid(Part::Image, &field(name), error))
}

fn cache_to(build: &Build) -> Result<Option<CacheExport>, Block> {
    let Some(cache) = &build.cache_to else {
        return Ok(None);
    };
    match (cache.kind, &cache.reference) {
        (CacheKind::Inline, _) => Ok(Some(CacheExport::Inline)),
        (CacheKind::Registry, Some(text)) => Ok(Some(CacheExport::Registry {
            reference: reference("cacheTo.reference", text)?,
            mode: cache.mode.unwrap_or(CacheMode::Min),
        })),
        (CacheKind::Registry, None) => {
            let message = "is missing; a cache of the type Registry is kept under a reference of its own";
            Err(invalid(Part::Image, &field("cacheTo.reference"), message))
        }
    }
}

fn extra_hosts(aliases: &[HostAlias]) -> Result<Vec<(String, IpAddr)>, Block> {
    let mut hosts = Vec::new();
    for (index, alias) in aliases.iter().enumerate() {
        let address: IpAddr = alias.ip.parse().map_err(|_| {
            let message = format!("\"{}\" is not an IP address, such as 10.0.0.7 or fd00::7", alias.ip);
            invalid(Part::Image, &field(&format!("hostAliases[{index}].ip")), message)
        })?;
        hosts.extend(alias.hostnames.iter().map(|name| (name.clone(), address)));
    }
    Ok(hosts)
}

fn image_labels(build: &Build) -> Result<BTreeMap<String, String>, Block> {
    if let Some(name) = build.labels.keys().find(|name| name.starts_with(labels::PREFIX)) {
        let message = format!("{name} begins with {}, which only Longshore writes", labels::PREFIX);
        return Err(invalid(Part::Image, &field("labels"), message));
    }
    Ok(build.labels.clone())
}
