//! What registries hold, as the engine is told that asks them.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::Method;
use serde::Deserialize;

use super::connection::Connection;
use super::failure::Failure;
use super::transfer::registry_auth;
use crate::app::{Credentials, ImageReference, ManifestDigest, Purpose, RegistryError, RegistryRequest};
use crate::engine::EngineError;

/// An engine waits for a registry that does not answer for minutes; nobody waits that long for a look.
const LIMIT: Duration = Duration::from_secs(15);

/// The answer is a descriptor and a list of platforms.
const LONGEST_ANSWER: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Inspection {
    #[serde(rename = "Descriptor")]
    descriptor: Descriptor,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

/// The digest of the manifest or index under a reference, `GET /distribution/{name}/json`; Docker Engine since 17.06.
pub(super) async fn look_up(
    connection: &Connection,
    reference: &ImageReference,
    credentials: Option<&Credentials>,
) -> Result<Option<ManifestDigest>, EngineError> {
    let credentials = credentials.filter(|credentials| credentials.host == reference.host());
    let path = format!("/distribution/{}/json", reference.for_engine());
    let asked = async {
        let body = connection.send(Method::GET, &path, &registry_auth(credentials)).await?;
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        let body = body.map_err(|error| Failure::Unintelligible(error.to_string()))?.to_bytes();
        let inspection: Inspection =
            serde_json::from_slice(&body).map_err(|error| Failure::Unintelligible(error.to_string()))?;
        inspection
            .descriptor
            .digest
            .parse()
            .map_err(|_| Failure::Unintelligible(format!("\"{}\" is no digest", inspection.descriptor.digest)))
    };
    let request = RegistryRequest::new(reference, Purpose::Build, credentials);
    let Ok(answer) = tokio::time::timeout(LIMIT, asked).await else {
        let message = format!("{reference}: the registry has not answered within {} seconds", LIMIT.as_secs());
        return Err(EngineError::Registry(RegistryError::unavailable(message, request)));
    };
    match answer.map_err(|failure| connection.error_of_transfer(failure, &request)) {
        Ok(digest) => Ok(Some(digest)),
        Err(EngineError::Registry(error)) if error.kind.is_absence() => Ok(None),
        Err(error) => Err(error),
    }
}
