//! Containers: listed, inspected, made, started, stopped, renamed and removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary, ContainerSummaryStateEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};
use jiff::Timestamp;

use super::connection::Connection;
use super::failure::Failure;
use super::folders::Folders;
use super::{adjust, body, health, networks, ports};
use crate::app::{Container, ContainerDetail, ContainerId, ContainerState, EngineImageId};
use crate::engine::{CreateContainer, EngineError};

/// What the engine writes for a time that has not been.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(super) async fn list(connection: &Connection) -> Result<Vec<Container>, EngineError> {
    listed(connection, ListContainersOptionsBuilder::default().all(true)).await
}

/// An engine looks up these alone (20.10 and 29): it does not go through all that it has.
pub(super) async fn find(connection: &Connection, ids: &BTreeSet<ContainerId>) -> Result<Vec<Container>, EngineError> {
    let filters = HashMap::from([("id", ids.iter().map(|id| id.0.as_str()).collect())]);
    listed(connection, ListContainersOptionsBuilder::default().all(true).filters(&filters)).await
}

async fn listed(connection: &Connection, options: ListContainersOptionsBuilder) -> Result<Vec<Container>, EngineError> {
    let options = options.build();
    let listed = connection.docker().list_containers(Some(options)).await.map_err(|error| connection.error(error))?;
    Ok(listed.into_iter().filter_map(from_summary).collect())
}

pub(super) async fn inspect(connection: &Connection, id: &ContainerId) -> Result<Option<Container>, EngineError> {
    match connection.docker().inspect_container(&id.0, None::<InspectContainerOptions>).await.map_err(Failure::from) {
        Ok(inspected) => Ok(from_inspection(inspected)),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(connection.error(failure)),
    }
}

pub(super) async fn create(connection: &Connection, request: &CreateContainer) -> Result<ContainerId, EngineError> {
    let mut options = CreateContainerOptionsBuilder::default().name(&request.name);
    if let Some(platform) = &request.spec.platform {
        options = options.platform(platform);
    }
    let folders = Folders::make(connection, request).await?;
    match connection.docker().create_container(Some(options.build()), body::of(request, &folders)).await {
        Ok(created) => {
            folders.hand_over(connection).await;
            Ok(ContainerId(created.id))
        }
        Err(error) => {
            folders.give_up(connection).await;
            Err(connection.error_of_name(error, &request.name))
        }
    }
}

pub(super) async fn start(connection: &Connection, id: &ContainerId) -> Result<(), EngineError> {
    let started = connection.docker().start_container(&id.0, None::<StartContainerOptions>).await;
    match started {
        Ok(()) => Ok(()),
        Err(error) => Err(connection.error_of_start(Failure::from(error)).await),
    }
}

pub(super) async fn stop(connection: &Connection, id: &ContainerId, grace_period: Duration) -> Result<(), EngineError> {
    let seconds = i32::try_from(grace_period.as_secs()).unwrap_or(i32::MAX);
    let options = StopContainerOptionsBuilder::default().t(seconds).build();
    let stopped = connection.docker_after(grace_period).stop_container(&id.0, Some(options)).await;
    gone_is_well(connection, stopped)
}

pub(super) async fn rename(connection: &Connection, id: &ContainerId, name: &str) -> Result<(), EngineError> {
    let options = RenameContainerOptionsBuilder::default().name(name).build();
    match connection.docker().rename_container(&id.0, options).await.map_err(Failure::from) {
        // "Renaming a container with the same name as its current name": it is so already.
        Err(failure) if failure.message().contains("same name as its current name") => Ok(()),
        Err(failure) => Err(connection.error_of_name(failure, name)),
        Ok(()) => Ok(()),
    }
}

/// Its anonymous volumes go with it: nobody else can name them, so they would stay forever.
pub(super) async fn remove(connection: &Connection, id: &ContainerId) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::default().v(true).force(false).build();
    let removed = connection.docker().remove_container(&id.0, Some(options)).await;
    gone_is_well(connection, removed)
}

fn gone_is_well(connection: &Connection, outcome: Result<(), bollard::errors::Error>) -> Result<(), EngineError> {
    match outcome.map_err(Failure::from) {
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) if failure.message().contains("is already in progress") => Ok(()),
        Err(failure) => Err(connection.error(failure)),
        Ok(()) => Ok(()),
    }
}

/// A container of a list; `None` for one without an ID or an image, which is none to speak of.
fn from_summary(summary: ContainerSummary) -> Option<Container> {
    Some(Container {
        id: ContainerId(summary.id?),
        name: plain_name(summary.names.unwrap_or_default().first()?),
        image: summary.image_id?.parse::<EngineImageId>().ok()?,
        labels: sorted(summary.labels),
        state: match summary.state? {
            ContainerSummaryStateEnum::CREATED => ContainerState::Created,
            ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::STOPPING => ContainerState::Running,
            ContainerSummaryStateEnum::PAUSED => ContainerState::Paused,
            ContainerSummaryStateEnum::RESTARTING => ContainerState::Restarting,
            ContainerSummaryStateEnum::EXITED => ContainerState::Exited,
            ContainerSummaryStateEnum::REMOVING => ContainerState::Removing,
            ContainerSummaryStateEnum::DEAD | ContainerSummaryStateEnum::EMPTY => ContainerState::Dead,
        },
        ports: ports::of_summary(&summary.ports.unwrap_or_default()),
        health: health::of_listed_status(summary.status.as_deref().unwrap_or_default()),
        networks: networks::of(summary.network_settings.and_then(|settings| settings.networks)),
        created_at: Timestamp::from_second(summary.created?).ok()?,
        detail: None,
    })
}

fn from_inspection(inspected: ContainerInspectResponse) -> Option<Container> {
    let detail = detail(&inspected);
    let network = inspected.network_settings.unwrap_or_default();
    let state = match inspected.state?.status? {
        ContainerStateStatusEnum::CREATED => ContainerState::Created,
        ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING => ContainerState::Running,
        ContainerStateStatusEnum::PAUSED => ContainerState::Paused,
        ContainerStateStatusEnum::RESTARTING => ContainerState::Restarting,
        ContainerStateStatusEnum::REMOVING => ContainerState::Removing,
        ContainerStateStatusEnum::EXITED => ContainerState::Exited,
        ContainerStateStatusEnum::DEAD | ContainerStateStatusEnum::EMPTY => ContainerState::Dead,
    };
    Some(Container {
        id: ContainerId(inspected.id?),
        name: plain_name(&inspected.name?),
        image: inspected.image?.parse::<EngineImageId>().ok()?,
        labels: sorted(inspected.config.and_then(|config| config.labels)),
        state,
        ports: ports::of_map(&network.ports.unwrap_or_default()),
        networks: networks::of(network.networks),
        health: detail.health.as_ref().map(|report| report.health),
        created_at: Timestamp::from_nanosecond(inspected.created?.unix_timestamp_nanos()).ok()?,
        detail: Some(detail),
    })
}

fn detail(inspected: &ContainerInspectResponse) -> ContainerDetail {
    let state = inspected.state.clone().unwrap_or_default();
    let config = inspected.config.clone().unwrap_or_default();
    let host = inspected.host_config.as_ref();
    ContainerDetail {
        health: health::of_inspection(&state, config.healthcheck.as_ref()),
        exit_code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        error: state.error.unwrap_or_default(),
        restarts: inspected.restart_count.unwrap_or_default(),
        started_at: time(state.started_at),
        finished_at: time(state.finished_at),
        adjustable: host.map(adjust::of_host_config),
        asked_ports: host.and_then(|host| host.port_bindings.as_ref()).map(ports::asked).unwrap_or_default(),
        command: config.entrypoint.unwrap_or_default(),
        args: config.cmd.unwrap_or_default(),
        env: config
            .env
            .unwrap_or_default()
            .iter()
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn time(text: Option<String>) -> Option<Timestamp> {
    text.filter(|text| text != NEVER)?.parse().ok()
}

fn plain_name(name: &str) -> String {
    name.trim_start_matches('/').to_owned()
}

fn sorted(labels: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    labels.unwrap_or_default().into_iter().collect()
}
