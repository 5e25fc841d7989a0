//! Volumes that stay.

use std::collections::BTreeMap;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::connection::Connection;
use super::failure::Failure;
use crate::app::Volume;
use crate::engine::EngineError;

pub(super) async fn list(connection: &Connection) -> Result<Vec<Volume>, EngineError> {
    let listed = connection.docker().list_volumes(None::<ListVolumesOptions>).await;
    let listed = listed.map_err(|error| connection.error(error))?.volumes.unwrap_or_default();
    let volumes = listed.into_iter();
    Ok(volumes.map(|volume| Volume { name: volume.name, labels: volume.labels.into_iter().collect() }).collect())
}

/// One that is there is left as it is: the engine answers with it, whatever its labels (20.10 to 29).
pub(super) async fn create(
    connection: &Connection,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), EngineError> {
    let request = VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(labels.clone().into_iter().collect()),
        ..VolumeCreateRequest::default()
    };
    connection.docker().create_volume(request).await.map(|_| ()).map_err(|error| connection.error(error))
}

pub(super) async fn remove(connection: &Connection, name: &str) -> Result<(), EngineError> {
    match connection.docker().remove_volume(name, None::<RemoveVolumeOptions>).await.map_err(Failure::from) {
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) => Err(connection.error(failure)),
        Ok(()) => Ok(()),
    }
}
