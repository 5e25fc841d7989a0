//! Mutual TLS with an engine, from certificates in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::app::Digest;

/// The keys of a TLS Secret; `tls.crt` and `tls.key` are those of the type `kubernetes.io/tls`.
const AUTHORITY: &str = "ca.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// What mutual TLS needs, as PEM: the authority that the engine's certificate is checked against, and the certificate
/// and private key that we show. It has no `Debug`: nothing may print it.
#[derive(Clone)]
pub struct TlsMaterial {
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// What is wrong with the content of a TLS Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A key is not there.
    #[error("the TLS Secret has no {0}; it needs ca.crt, tls.crt and tls.key")]
    Missing(&'static str),
    /// A value is not what it should be. It is not quoted.
    #[error("{key} of the TLS Secret does not hold {wanted} in PEM")]
    Malformed {
        /// The key.
        key: &'static str,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The certificate and the key do not go together, or are of a kind that TLS does not know.
    #[error("tls.crt and tls.key of the TLS Secret cannot be used: {0}")]
    Unusable(String),
}

impl TlsMaterial {
    /// The material in a Secret's data, by the keys `ca.crt`, `tls.crt` and `tls.key`.
    pub fn from_secret(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, TlsError> {
        let value = |key: &'static str| data.get(key).cloned().ok_or(TlsError::Missing(key));
        Ok(Self { authority: value(AUTHORITY)?, certificate: value(CERTIFICATE)?, key: value(KEY)? })
    }

    /// What tells this material from another, without telling what it is.
    pub(in crate::engine) fn digest(&self) -> Digest {
        let each = [&self.authority, &self.certificate, &self.key].map(Digest::of);
        Digest::of(each.map(|digest| digest.to_string()).concat())
    }

    /// The configuration of a TLS client that trusts this authority alone and shows this certificate.
    pub(super) fn client_configuration(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Unusable(error.to_string()))?
            .with_root_certificates(self.authorities()?)
            .with_client_auth_cert(certificates(CERTIFICATE, &self.certificate)?, self.private_key()?)
            .map_err(|error| TlsError::Unusable(error.to_string()))
    }

    fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(AUTHORITY, &self.authority)? {
            roots.add(certificate).map_err(|_| TlsError::Malformed { key: AUTHORITY, wanted: "a certificate" })?;
        }
        Ok(roots)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::Malformed { key: KEY, wanted: "a private key" })
    }
}

fn certificates(key: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let malformed = || TlsError::Malformed { key, wanted: "a certificate" };
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| malformed())?;
    if certificates.is_empty() {
        return Err(malformed());
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(keys: &[&str]) -> BTreeMap<String, Vec<u8>> {
        keys.iter().map(|key| ((*key).to_owned(), b"canary".to_vec())).collect()
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = TlsMaterial::from_secret(&secret(&["ca.crt", "tls.crt"])).err();
        assert_eq!(error, Some(TlsError::Missing("tls.key")));
    }

    #[test]
    fn a_malformed_value_is_named_and_not_quoted() {
        let material = TlsMaterial::from_secret(&secret(&["ca.crt", "tls.crt", "tls.key"])).unwrap();
        let error = material.client_configuration().unwrap_err().to_string();
        assert!(error.starts_with("ca.crt of the TLS Secret"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}
