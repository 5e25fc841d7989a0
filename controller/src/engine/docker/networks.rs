//! Networks of containers.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{EndpointSettings, Network as ApiNetwork, NetworkConnectRequest, NetworkingConfig};
use bollard::query_parameters::ListNetworksOptions;
use jiff::Timestamp;
use serde_json::json;

use super::connection::Connection;
use super::failure::Failure;
use crate::app::{Attachment, ContainerId, Network, NetworkPlace};
use crate::engine::EngineError;

pub(super) async fn list(connection: &Connection) -> Result<Vec<Network>, EngineError> {
    let listed = connection.docker().list_networks(None::<ListNetworksOptions>).await;
    let listed = listed.map_err(|error| connection.error(error))?;
    Ok(listed.into_iter().filter_map(from_api).collect())
}

/// An engine before 25 looks for the name only when it is told to (`CheckDuplicate`, which is the rule since then), and
/// bollard has no such field.
pub(super) async fn create(
    connection: &Connection,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), EngineError> {
    let request = json!({"Name": name, "CheckDuplicate": true, "Driver": "bridge", "Labels": labels});
    match connection.post("/networks/create", &request).await {
        Err(Failure::Refused { status: 409, .. }) | Ok(_) => Ok(()),
        Err(failure) => Err(connection.error_of_network(failure)),
    }
}

pub(super) async fn remove(connection: &Connection, id: &str) -> Result<(), EngineError> {
    match connection.docker().remove_network(id).await.map_err(Failure::from) {
        Err(failure) if failure.is_not_found() => Ok(()),
        // The status code is 403 in all versions, and the words tell.
        Err(failure) if failure.message().contains("has active endpoints") => {
            Err(EngineError::Conflict(failure.message().to_owned()))
        }
        Err(failure) => Err(connection.error(failure)),
        Ok(()) => Ok(()),
    }
}

pub(super) async fn connect(
    connection: &Connection,
    id: &ContainerId,
    attachment: &Attachment,
) -> Result<(), EngineError> {
    let request = NetworkConnectRequest { container: id.0.clone(), endpoint_config: Some(endpoint(attachment)) };
    match connection.docker().connect_network(&attachment.network, request).await.map_err(Failure::from) {
        Err(failure) if failure.message().contains("already exists in network") => Ok(()),
        Err(failure) => Err(connection.error_of_start(failure).await),
        Ok(()) => Ok(()),
    }
}

/// What makes a container in this network.
pub(super) fn to_config(attachment: &Attachment) -> NetworkingConfig {
    let endpoints = HashMap::from([(attachment.network.clone(), endpoint(attachment))]);
    NetworkingConfig { endpoints_config: Some(endpoints) }
}

fn endpoint(attachment: &Attachment) -> EndpointSettings {
    EndpointSettings { aliases: Some(vec![attachment.alias.clone()]), ..EndpointSettings::default() }
}

/// The networks of a container, and its addresses in them.
pub(super) fn of(networks: Option<HashMap<String, EndpointSettings>>) -> BTreeMap<String, NetworkPlace> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let place = |endpoint: EndpointSettings| NetworkPlace {
        network_id: given(endpoint.network_id),
        address: given(endpoint.ip_address),
    };
    networks.unwrap_or_default().into_iter().map(|(name, endpoint)| (name, place(endpoint))).collect()
}

/// A network without an ID or a name is none to speak of.
fn from_api(network: ApiNetwork) -> Option<Network> {
    Some(Network {
        id: network.id?,
        name: network.name?,
        labels: network.labels.unwrap_or_default().into_iter().collect(),
        created_at: Timestamp::from_nanosecond(network.created?.unix_timestamp_nanos()).ok()?,
    })
}
