//! An engine behind mutual TLS, as `tlsSecretRef` asks for it. The lab's engines listen on sockets, so a forwarder in
//! the test's process stands in front of one and asks for certificates as `dockerd --tlsverify` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use longshore::engine::{EngineError, EnginePool, Engines};
use longshore::reconcile::SecretData;
use longshore::testing::{MemoryResources, TestClock};
use longshore_crds::{ContainerEngine, ContainerEngineSpec, LocalReference};
use longshore_tests::LabEngine;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

const NAMESPACE: &str = "longshore-system";
const SECRET: &str = "engine-tls";

/// Who vouches for both ends.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(parameters, key).expect("an authority"))
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new([name.to_owned()]).expect("parameters");
        (parameters.signed_by(&key, &self.0).expect("a certificate"), key)
    }

    /// What a Secret holds for a client that trusts `self` and that `vouching` vouches for.
    fn secret(&self, vouching: &Self) -> SecretData {
        let (certificate, key) = vouching.issue("longshore");
        let data = [("ca.crt", self.0.pem()), ("tls.crt", certificate.pem()), ("tls.key", key.serialize_pem())];
        SecretData {
            kind: "Opaque".to_owned(),
            data: data.map(|(name, pem)| (name.to_owned(), pem.into_bytes())).into_iter().collect::<BTreeMap<_, _>>(),
        }
    }

    /// The lab's engine 20 at a port that lets in only those whom this authority vouches for.
    async fn guard_engine(&self) -> String {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let (certificate, key) = self.issue("localhost");
        let configuration = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .expect("a certificate and its key");
        let acceptor = TlsAcceptor::from(Arc::new(configuration));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    let endpoint = LabEngine::Engine20.endpoint();
                    let socket = endpoint.trim_start_matches("unix://");
                    let mut engine = UnixStream::connect(socket).await.expect("the lab's engine");
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
                });
            }
        });
        format!("tcp://localhost:{port}")
    }
}

/// A pool whose Secret holds this.
fn pool(secret: Option<SecretData>) -> (EnginePool, MemoryResources) {
    let resources = MemoryResources::new(&TestClock::default());
    if let Some(secret) = secret {
        resources.put_secret(NAMESPACE, SECRET, secret);
    }
    (EnginePool::new(Arc::new(resources.clone()), NAMESPACE), resources)
}

fn engine_at(endpoint: &str, secret: Option<&str>) -> ContainerEngine {
    let spec = ContainerEngineSpec {
        endpoint: endpoint.to_owned(),
        tls_secret_ref: secret.map(|name| LocalReference { name: name.to_owned() }),
        allowed_namespaces: None,
        host_ports: None,
        max_concurrent_builds: None,
        registries: Vec::new(),
    };
    ContainerEngine::new("guarded", spec)
}

/// Why an engine could not be reached.
async fn unreachable(pool: &EnginePool, engine: &ContainerEngine) -> String {
    let answer = match pool.connect(engine).await {
        Ok(connected) => connected.info().await,
        Err(error) => Err(error),
    };
    match answer {
        Err(EngineError::Unreachable { endpoint, message }) => {
            assert_eq!(endpoint, engine.spec.endpoint);
            message
        }
        other => panic!("the engine is not reached: {other:?}"),
    }
}

#[tokio::test]
async fn the_certificates_of_the_secret_open_the_engine() {
    let authority = Authority::new();
    let endpoint = authority.guard_engine().await;
    let (pool, _) = pool(Some(authority.secret(&authority)));
    let guarded = pool.connect(&engine_at(&endpoint, Some(SECRET))).await.expect("a connection");
    let direct = pool.connect(&engine_at(&LabEngine::Engine20.endpoint(), None)).await.expect("a connection");
    assert_eq!(guarded.info().await, direct.info().await);
    assert!(guarded.list_containers().await.is_ok());
}

#[tokio::test]
async fn an_engine_that_another_authority_vouches_for_is_not_spoken_to() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let endpoint = authority.guard_engine().await;
    let (pool, _) = pool(Some(foreign.secret(&authority)));
    let message = unreachable(&pool, &engine_at(&endpoint, Some(SECRET))).await;
    assert!(message.contains("certificate"), "{message}");
}

#[tokio::test]
async fn a_client_that_nobody_vouches_for_is_not_let_in() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let endpoint = authority.guard_engine().await;
    let (pool, _) = pool(Some(authority.secret(&foreign)));
    unreachable(&pool, &engine_at(&endpoint, Some(SECRET))).await;
    unreachable(&pool, &engine_at(&endpoint, None)).await;
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named() {
    let (pool, _) = pool(None);
    let message = unreachable(&pool, &engine_at("tcp://localhost:2376", Some(SECRET))).await;
    assert_eq!(message, "the TLS Secret longshore-system/engine-tls does not exist");
}

/// Certificates are renewed while the controller runs.
#[tokio::test]
async fn a_secret_that_changes_is_used_from_the_next_connection_on() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let endpoint = authority.guard_engine().await;
    let (pool, resources) = pool(Some(authority.secret(&foreign)));
    let engine = engine_at(&endpoint, Some(SECRET));
    unreachable(&pool, &engine).await;

    resources.put_secret(NAMESPACE, SECRET, authority.secret(&authority));
    let connected = pool.connect(&engine).await.expect("a connection");
    assert!(connected.info().await.is_ok());
    let again = pool.connect(&engine).await.expect("a connection");
    assert!(Arc::ptr_eq(&connected, &again), "an unchanged Secret keeps the connection");
}
