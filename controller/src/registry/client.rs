//! The client of real registries, over the OCI distribution protocol.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use oci_client::client::{Certificate, CertificateEncoding, Client, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use oci_client::secrets::RegistryAuth;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{Registry, RegistryError};
use crate::app::{Credentials, Digest, ImageReference, ManifestDigest, RemoteImage};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of registries: over TLS, and over plain HTTP on loopback alone, as Docker Engines do.
///
/// # Caveats
/// A registry that asks for a token names the server that gives it (its realm), and the credentials for the registry are
/// shown to that server, as the protocol has it.
#[derive(Clone, Debug, Default)]
pub struct OciRegistry {
    /// Authorities to trust beside the system's own, in DER.
    certificates: Vec<Vec<u8>>,
}

impl OciRegistry {
    /// A client that trusts the authorities in a file as well, when one is named.
    ///
    /// # Errors
    /// A sentence for the user, when the file cannot be read or holds no certificate.
    pub fn trusting_file(file: Option<&Path>) -> Result<Self, String> {
        let Some(file) = file else { return Ok(Self::default()) };
        let pem = std::fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Self {
                certificates: certificates.into_iter().map(|certificate| certificate.as_ref().to_vec()).collect(),
            }),
            _ => Err(format!("{} holds no certificate in PEM", file.display())),
        }
    }

    /// A client for one question. It is not kept: it would remember one resource's credentials for another's question.
    fn client(&self, host: &str) -> Client {
        let certificate = |data: &Vec<u8>| Certificate { encoding: CertificateEncoding::Der, data: data.clone() };
        Client::new(ClientConfig {
            protocol: if is_loopback(host) { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: self.certificates.iter().map(certificate).collect(),
            connect_timeout: Some(TIMEOUT),
            read_timeout: Some(TIMEOUT),
            ..ClientConfig::default()
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What is wanted of a manifest: its configuration, which an index has not.
#[derive(Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

#[async_trait]
impl Registry for OciRegistry {
    async fn look_up(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
    ) -> Result<Option<RemoteImage>, RegistryError> {
        let accepted = [
            OCI_IMAGE_MEDIA_TYPE,
            OCI_IMAGE_INDEX_MEDIA_TYPE,
            IMAGE_MANIFEST_MEDIA_TYPE,
            IMAGE_MANIFEST_LIST_MEDIA_TYPE,
        ];
        let unreadable = |why: String| {
            RegistryError::Unavailable(format!("{} answers for {reference} with {why}", reference.host()))
        };
        let target = reference.canonical().parse().map_err(|_| unreadable("a name that it refuses".to_owned()))?;
        let authentication = match credentials {
            Some(credentials) if credentials.host == reference.host() => {
                RegistryAuth::Basic(credentials.username.clone(), credentials.password.expose_secret().to_owned())
            }
            _ => RegistryAuth::Anonymous,
        };
        let client = self.client(reference.host());
        let (bytes, _) = match client.pull_manifest_raw(&target, &authentication, &accepted).await {
            Ok(answer) => answer,
            Err(error) => return failed(reference, &error),
        };
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|_| unreadable("something that is not a manifest".to_owned()))?;
        let config = manifest.config.map(|config| config.digest.parse()).transpose();
        Ok(Some(RemoteImage {
            // Of the bytes themselves: a header could say anything.
            manifest: ManifestDigest(Digest::of(&bytes)),
            config: config.map_err(|error| unreadable(format!("a bad digest: {error}")))?,
        }))
    }
}

fn failed(reference: &ImageReference, error: &OciDistributionError) -> Result<Option<RemoteImage>, RegistryError> {
    let host = reference.host();
    let denied = || {
        Err(RegistryError::Denied(format!(
            "{host} refuses to show {reference}: check the credentials in the Secret that is named for it"
        )))
    };
    let unavailable = |why: &dyn std::fmt::Display| {
        Err(RegistryError::Unavailable(format!("{host} could not be asked for {reference}: {why}")))
    };
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) => Ok(None),
        OciDistributionError::RegistryError { envelope, .. } => {
            let has = |codes: &[OciErrorCode]| envelope.errors.iter().any(|error| codes.contains(&error.code));
            if has(&[OciErrorCode::ManifestUnknown, OciErrorCode::NameUnknown, OciErrorCode::NotFound]) {
                Ok(None)
            } else if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                denied()
            } else {
                unavailable(&envelope)
            }
        }
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => denied(),
        OciDistributionError::ServerError { code: 404, .. } => Ok(None),
        OciDistributionError::ServerError { code: 401 | 403, .. } => denied(),
        OciDistributionError::ServerError { code, .. } => unavailable(&format!("it answers with the status {code}")),
        OciDistributionError::RequestError(error) => unavailable(&root_cause(error)),
        other => unavailable(other),
    }
}

/// The innermost cause says what happened; those around it only that a request failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
