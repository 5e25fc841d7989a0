//! Registries that an engine's administrators have set to be reached in another way than usual.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use longshore_crds::RegistrySettings;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::{Registry as _, image, image_manifest, manifest_answer, registry};
use crate::app::{ImageReference, RegistryErrorKind};

/// A registry on loopback that speaks HTTPS with a certificate that nobody knows.
struct PrivateRegistry {
    address: String,
    certificate: String,
    serving: JoinHandle<()>,
}

impl Drop for PrivateRegistry {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl PrivateRegistry {
    async fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let configuration = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(configuration))));
        Self { address, certificate: certificate.pem(), serving }
    }

    fn reference(&self) -> ImageReference {
        format!("{}/my-project/node-app:0.2", self.address).parse().unwrap()
    }

    fn settings(&self) -> RegistrySettings {
        RegistrySettings {
            host: self.address.clone(),
            certificate_authority: Some(self.certificate.clone()),
            ..RegistrySettings::default()
        }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let answer = |_: Request<Incoming>| async {
                Ok::<hyper::Response<Full<Bytes>>, std::convert::Infallible>(manifest_answer(&image_manifest()))
            };
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
    }
}

#[tokio::test]
async fn an_authority_is_trusted_for_the_host_beside_which_it_is_set_and_for_no_other() {
    let (server, other) = (PrivateRegistry::start().await, PrivateRegistry::start().await);
    let set = registry().with_settings(&[server.settings()]).unwrap().unwrap();
    assert_eq!(set.look_up(&server.reference(), None).await, Ok(Some(image())));
    let swapped = RegistrySettings { host: other.address.clone(), ..server.settings() };
    let set = registry().with_settings(&[swapped]).unwrap().unwrap();
    let refused = set.look_up(&other.reference(), None).await;
    assert_eq!(refused.unwrap_err().kind, RegistryErrorKind::CertificateUnknown);
}

#[tokio::test]
async fn a_host_that_is_not_set_is_reached_as_ever() {
    let server = super::Server::answering(|_| manifest_answer(&image_manifest())).await;
    let elsewhere = RegistrySettings { host: "elsewhere.example".to_owned(), plain_http: true, ..Default::default() };
    let set = registry().with_settings(&[elsewhere]).unwrap().unwrap();
    assert_eq!(set.look_up(&server.reference(), None).await, Ok(Some(image())));
    assert!(registry().with_settings(&[]).unwrap().is_none());
}

#[test]
fn an_authority_that_is_none_is_named_by_its_host() {
    let broken = RegistrySettings {
        host: "registry.example".to_owned(),
        certificate_authority: Some("-----BEGIN CERTIFICATE-----".to_owned()),
        ..RegistrySettings::default()
    };
    let problem = registry().with_settings(&[broken]).err().unwrap();
    assert_eq!(problem, "spec.registries: the certificateAuthority of registry.example holds no certificate in PEM");
}
