//! What makes a container, in the words of the engine's API.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HostConfig, HostConfigLogConfig, Mount as ApiMount, MountTmpfsOptions,
    MountType,
};
use longshore_crds::StopSignal;

use super::folders::Folders;
use super::{adjust, health, networks, ports};
use crate::app::{Adjustable, Bounds, Bytes, Mount, MountSource, Naming, Security};
use crate::engine::CreateContainer;

/// Everybody may write into an empty folder, as in core/v1.
const OPEN_FOLDER_MODE: i64 = 0o777;

/// What makes the container. What is not given is left to the image and to the engine.
pub(super) fn of(request: &CreateContainer, folders: &Folders) -> ContainerCreateBody {
    let spec = &request.spec;
    let env: Vec<String> = spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    ContainerCreateBody {
        image: Some(request.image.to_string()),
        labels: Some(request.labels.clone().into_iter().collect()),
        entrypoint: given(&spec.command),
        cmd: given(&spec.args),
        env: given(&env),
        working_dir: spec.working_dir.clone(),
        hostname: spec.naming.hostname.clone(),
        user: user(&spec.security),
        exposed_ports: Some(spec.ports.iter().map(ports::key).collect()),
        healthcheck: spec.health_check.as_ref().map(health::to_config),
        stop_timeout: i64::try_from(spec.grace_period.as_secs()).ok(),
        stop_signal: spec.stop_signal.map(StopSignal::as_str).map(str::to_owned),
        networking_config: request.attachment.as_ref().map(networks::to_config),
        host_config: Some(HostConfig {
            network_mode: request.attachment.as_ref().map(|attachment| attachment.network.clone()),
            port_bindings: Some(ports::to_map(&spec.ports)),
            mounts: Some(folders.volumes_of_the_image().chain(spec.mounts.iter().filter_map(mount)).collect()),
            volumes_from: folders.taken_over(),
            ..secured(&spec.security, named(&spec.naming, bounded(&Adjustable::of(spec), &spec.bounds)))
        }),
        ..ContainerCreateBody::default()
    }
}

/// What is mounted by itself; the other folders are taken over from where they were filled.
fn mount(mount: &Mount) -> Option<ApiMount> {
    let mounted = ApiMount {
        target: Some(mount.path.clone()),
        read_only: mount.is_read_only.then_some(true),
        ..ApiMount::default()
    };
    match &mount.source {
        MountSource::Empty | MountSource::Files(_) => None,
        MountSource::Claim(name) => {
            Some(ApiMount { source: Some(name.clone()), typ: Some(MountType::VOLUME), ..mounted })
        }
        MountSource::Memory(limit) => {
            let size_bytes = limit.and_then(|Bytes(bytes)| i64::try_from(bytes).ok());
            let mode = Some(OPEN_FOLDER_MODE);
            let options = MountTmpfsOptions { size_bytes, mode, ..MountTmpfsOptions::default() };
            Some(ApiMount { typ: Some(MountType::TMPFS), tmpfs_options: Some(options), ..mounted })
        }
    }
}

fn given(words: &[String]) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.to_vec())
}

fn user(security: &Security) -> Option<String> {
    let user = security.user?;
    Some(security.group.map_or_else(|| user.to_string(), |group| format!("{user}:{group}")))
}

fn bounded(adjustable: &Adjustable, bounds: &Bounds) -> HostConfig {
    HostConfig {
        device_requests: bounds.gpus.map(|gpus| vec![gpu_request(gpus)]),
        log_config: log_config(bounds),
        ..adjust::host_config(adjustable)
    }
}

fn gpu_request(gpus: u64) -> DeviceRequest {
    DeviceRequest {
        driver: Some("nvidia".to_owned()),
        count: i64::try_from(gpus).ok(),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    }
}

/// For the log driver that the engine is set up for: json-file and local know both options by these names.
fn log_config(bounds: &Bounds) -> Option<HostConfigLogConfig> {
    let Bytes(size) = bounds.log_size?;
    let size = ("max-size".to_owned(), size.to_string());
    let files = bounds.log_files.map(|files| ("max-file".to_owned(), files.to_string()));
    let config: HashMap<String, String> = std::iter::once(size).chain(files).collect();
    Some(HostConfigLogConfig { typ: None, config: Some(config) })
}

fn named(naming: &Naming, host_config: HostConfig) -> HostConfig {
    let hosts: Vec<String> = naming.hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect();
    let servers: Vec<String> = naming.nameservers.iter().map(ToString::to_string).collect();
    HostConfig {
        extra_hosts: given(&hosts),
        dns: given(&servers),
        dns_search: given(&naming.searches),
        dns_options: given(&naming.options),
        ..host_config
    }
}

fn secured(security: &Security, host_config: HostConfig) -> HostConfig {
    let groups: Vec<String> = security.groups.iter().map(u32::to_string).collect();
    let dropped: Vec<String> = security.dropped_capabilities.iter().cloned().collect();
    let sysctls: HashMap<String, String> =
        security.sysctls.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect();
    HostConfig {
        group_add: given(&groups),
        readonly_rootfs: security.has_read_only_root.then_some(true),
        cap_drop: given(&dropped),
        security_opt: security.gains_no_privileges.then(|| vec!["no-new-privileges:true".to_owned()]),
        sysctls: (!sysctls.is_empty()).then_some(sysctls),
        ..host_config
    }
}
