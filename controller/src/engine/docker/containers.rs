//! Containers.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, HostConfig, PortBinding, PortMap, PortSummaryTypeEnum, RestartPolicy as EnginePolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    RenameContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use longshore_crds::{Protocol, RestartPolicy};

use super::DockerEngine;
use crate::app::{Container, ContainerDetail, ContainerId, ContainerState, PublishedPort};
use crate::engine::{CreateContainer, EngineError, LogChunk, LogOptions};

impl DockerEngine {
    pub(super) async fn containers(&self) -> Result<Vec<Container>, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let containers = self.docker.list_containers(Some(options)).await.map_err(|error| self.error(error))?;
        Ok(containers.into_iter().filter_map(from_summary).collect())
    }

    pub(super) async fn container(&self, id: &ContainerId) -> Result<Option<Container>, EngineError> {
        match self.docker.inspect_container(&id.0, None).await.map_err(|error| self.error(error)) {
            Ok(container) => Ok(from_inspection(container)),
            Err(EngineError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn create(&self, request: &CreateContainer) -> Result<ContainerId, EngineError> {
        let options = CreateContainerOptionsBuilder::default().name(&request.name).build();
        let created = self.docker.create_container(Some(options), body_of(request)).await;
        created.map(|created| ContainerId(created.id)).map_err(|error| self.error(error))
    }

    pub(super) async fn start(&self, id: &ContainerId) -> Result<(), EngineError> {
        // A container that runs already is answered with 304, which is well.
        self.docker.start_container(&id.0, None).await.map_err(|error| self.error(error))
    }

    pub(super) async fn stop(&self, id: &ContainerId, grace_period: Duration) -> Result<(), EngineError> {
        let seconds = i32::try_from(grace_period.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        // The engine answers when the container has ended.
        let patient = self.docker.clone().with_timeout(grace_period + super::TIMEOUT);
        gone_is_well(patient.stop_container(&id.0, Some(options)).await.map_err(|error| self.error(error)))
    }

    pub(super) async fn rename(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        self.docker.rename_container(&id.0, options).await.map_err(|error| self.error(error))
    }

    pub(super) async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        // Anonymous volumes are part of the container: nothing else refers to them.
        let options = RemoveContainerOptionsBuilder::default().v(true).force(false).build();
        gone_is_well(self.docker.remove_container(&id.0, Some(options)).await.map_err(|error| self.error(error)))
    }

    pub(super) fn container_logs(
        &self,
        id: &ContainerId,
        options: &LogOptions,
    ) -> BoxStream<'static, Result<LogChunk, EngineError>> {
        let tail = options.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let since = options.since.map_or(0, |since| i32::try_from(since.as_second()).unwrap_or(0));
        let query = LogsOptionsBuilder::default()
            .follow(options.follow)
            .stdout(true)
            .stderr(true)
            .since(since)
            .tail(&tail)
            .build();
        let endpoint = std::sync::Arc::clone(&self.endpoint);
        let output = self.docker.logs(&id.0, Some(query));
        output.map(move |piece| piece.map(chunk).map_err(|error| super::errors::engine_error(&endpoint, error))).boxed()
    }
}

fn gone_is_well(result: Result<(), EngineError>) -> Result<(), EngineError> {
    match result {
        Err(EngineError::NotFound(_)) => Ok(()),
        // Somebody else's removal is under way, which is what is wanted.
        Err(EngineError::Conflict(message)) if message.contains("is already in progress") => Ok(()),
        result => result,
    }
}

fn chunk(output: LogOutput) -> LogChunk {
    LogChunk { is_stderr: matches!(output, LogOutput::StdErr { .. }), bytes: output.into_bytes() }
}

fn body_of(request: &CreateContainer) -> ContainerCreateBody {
    let spec = &request.spec;
    let given = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let container_port = |port: &PublishedPort| {
        let protocol = match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        format!("{}/{protocol}", port.container_port)
    };
    let mut bindings: PortMap = HashMap::new();
    for port in &spec.ports {
        let host_ip = if port.host_ip.is_unspecified() { String::new() } else { port.host_ip.to_string() };
        let binding = PortBinding { host_ip: Some(host_ip), host_port: Some(port.host_port.to_string()) };
        bindings.entry(container_port(port)).or_default().get_or_insert_default().push(binding);
    }
    let policy = match spec.restart_policy {
        RestartPolicy::Always => RestartPolicyNameEnum::ALWAYS,
        RestartPolicy::OnFailure => RestartPolicyNameEnum::ON_FAILURE,
        RestartPolicy::Never => RestartPolicyNameEnum::NO,
    };
    ContainerCreateBody {
        image: Some(request.image.to_string()),
        labels: Some(request.labels.clone().into_iter().collect()),
        entrypoint: given(&spec.command),
        cmd: given(&spec.args),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        working_dir: spec.working_dir.clone(),
        exposed_ports: Some(spec.ports.iter().map(container_port).collect()),
        stop_timeout: i64::try_from(spec.grace_period.as_secs()).ok(),
        host_config: Some(HostConfig {
            port_bindings: Some(bindings),
            restart_policy: Some(EnginePolicy { name: Some(policy), maximum_retry_count: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn from_summary(summary: ContainerSummary) -> Option<Container> {
    let ports = summary.ports.into_iter().flatten().filter_map(|port| {
        Some(PublishedPort {
            host_ip: host_ip(port.ip.as_deref().unwrap_or_default())?,
            host_port: port.public_port.filter(|port| *port > 0)?,
            container_port: port.private_port,
            protocol: if port.typ == Some(PortSummaryTypeEnum::UDP) { Protocol::Udp } else { Protocol::Tcp },
        })
    });
    Some(Container {
        id: ContainerId(summary.id?),
        name: summary.names?.first()?.trim_start_matches('/').to_owned(),
        image: summary.image_id?.parse().ok()?,
        labels: summary.labels.unwrap_or_default().into_iter().collect(),
        state: match summary.state? {
            ContainerSummaryStateEnum::RUNNING => ContainerState::Running,
            ContainerSummaryStateEnum::RESTARTING => ContainerState::Restarting,
            ContainerSummaryStateEnum::EXITED => ContainerState::Exited,
            ContainerSummaryStateEnum::PAUSED => ContainerState::Paused,
            ContainerSummaryStateEnum::REMOVING => ContainerState::Removing,
            ContainerSummaryStateEnum::DEAD => ContainerState::Dead,
            _ => ContainerState::Created,
        },
        ports: distinct(ports),
        created_at: Timestamp::from_second(summary.created.unwrap_or(0)).unwrap_or_default(),
        detail: None,
    })
}

fn from_inspection(container: ContainerInspectResponse) -> Option<Container> {
    let state = container.state.unwrap_or_default();
    let config = container.config.unwrap_or_default();
    let host = container.host_config.unwrap_or_default();
    let network = container.network_settings.unwrap_or_default();
    let ip = network
        .networks
        .unwrap_or_default()
        .into_values()
        .find_map(|endpoint| endpoint.ip_address.filter(|ip| !ip.is_empty()));
    let detail = ContainerDetail {
        ip,
        exit_code: state.exit_code.unwrap_or(0),
        error: state.error.unwrap_or_default(),
        restarts: container.restart_count.unwrap_or(0),
        started_at: state.started_at.as_deref().and_then(time),
        finished_at: state.finished_at.as_deref().and_then(time),
        asked_ports: ports_of(host.port_bindings.unwrap_or_default()),
        command: config.entrypoint.unwrap_or_default(),
        args: config.cmd.unwrap_or_default(),
        env: environment(config.env.unwrap_or_default()),
    };
    Some(Container {
        id: ContainerId(container.id?),
        name: container.name?.trim_start_matches('/').to_owned(),
        image: container.image?.parse().ok()?,
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        state: match state.status? {
            ContainerStateStatusEnum::RUNNING => ContainerState::Running,
            ContainerStateStatusEnum::RESTARTING => ContainerState::Restarting,
            ContainerStateStatusEnum::EXITED => ContainerState::Exited,
            ContainerStateStatusEnum::PAUSED => ContainerState::Paused,
            ContainerStateStatusEnum::REMOVING => ContainerState::Removing,
            ContainerStateStatusEnum::DEAD => ContainerState::Dead,
            _ => ContainerState::Created,
        },
        ports: ports_of(network.ports.unwrap_or_default()),
        created_at: container
            .created
            .and_then(|time| Timestamp::from_second(time.unix_timestamp()).ok())
            .unwrap_or_default(),
        detail: Some(detail),
    })
}

fn ports_of(map: PortMap) -> Vec<PublishedPort> {
    let ports = map.into_iter().flat_map(|(container_port, bindings)| {
        let (number, protocol) = container_port.split_once('/').unwrap_or((&container_port, "tcp"));
        let number: Option<u16> = number.parse().ok();
        let protocol = if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp };
        bindings.into_iter().flatten().filter_map(move |binding| {
            Some(PublishedPort {
                host_ip: host_ip(binding.host_ip.as_deref().unwrap_or_default())?,
                host_port: binding.host_port?.parse().ok().filter(|port| *port > 0)?,
                container_port: number?,
                protocol,
            })
        })
    });
    distinct(ports)
}

/// The engine publishes "every address" on 0.0.0.0 and on ::, and lists both; it is one port to whoever asked for it.
fn host_ip(text: &str) -> Option<IpAddr> {
    match text {
        "" | "::" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        text => text
            .parse()
            .ok()
            .map(|ip| if ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED) { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { ip }),
    }
}

fn distinct(ports: impl Iterator<Item = PublishedPort>) -> Vec<PublishedPort> {
    let ports: std::collections::BTreeSet<PublishedPort> = ports.collect();
    ports.into_iter().collect()
}

fn environment(variables: Vec<String>) -> BTreeMap<String, String> {
    let split = |variable: String| variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    variables.into_iter().filter_map(split).collect()
}

/// Engines write the year 1 for "never".
fn time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().filter(|time| time.as_second() > 0)
}
