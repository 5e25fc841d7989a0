//! The front as a process: what it is told at its start, and its doors.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::credentials::Vouching;
use super::gate::Gate;
use super::memory::Memory;
use super::upstream::Upstream;
use super::{UNTRUSTED_HOST, control};

/// What the lab tells the front.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Where it answers with TLS.
    address: String,
    /// The certificate for its names but the one that nobody trusts, in PEM.
    certificate: PathBuf,
    /// Its key.
    key: PathBuf,
    /// Where tests tell it what to do.
    control: String,
    /// The registry behind it.
    registry: String,
    /// The lab's user.
    user: String,
    /// The file with the password.
    password_file: PathBuf,
    /// The file with the secret that vouches for tokens and keys.
    secret_file: PathBuf,
}

/// Serves until the process ends.
///
/// # Errors
/// A sentence, when something that it needs is not there.
pub async fn serve(settings: Settings) -> Result<(), String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let gate = Arc::new(Gate {
        vouching: Vouching::with(&word_in(&settings.secret_file)?),
        user: (settings.user.clone(), word_in(&settings.password_file)?),
        memory: Memory::default(),
        upstream: Upstream::at(&settings.registry),
    });
    let mut tls = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(Certificates {
        own: certified(&settings.certificate, &settings.key)?,
        untrusted: self_signed()?,
    }));
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let control = listen(&settings.control).await?;
    let listener = listen(&settings.address).await?;
    tokio::spawn(control::serve(control, Arc::clone(&gate)));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (gate, acceptor) = (Arc::clone(&gate), acceptor.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let gate = Arc::clone(&gate);
                async move { gate.answer(request).await }
            });
            // An error ends the connection, which is how a client learns that it was cut.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn listen(address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))
}

fn word_in(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(text.trim_end().to_owned())
}

/// The certificates, chosen by the name that the client wants.
#[derive(Debug)]
struct Certificates {
    own: Arc<CertifiedKey>,
    untrusted: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_untrusted = hello.server_name() == Some(UNTRUSTED_HOST);
        Some(Arc::clone(if is_untrusted { &self.untrusted } else { &self.own }))
    }
}

fn certified(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, String> {
    let problem = |file: &Path, error: &dyn Display| format!("{}: {error}", file.display());
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| problem(certificate, &error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| problem(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| problem(key, &error))?;
    with_key(chain, private)
}

fn self_signed() -> Result<Arc<CertifiedKey>, String> {
    let made = rcgen::generate_simple_self_signed([UNTRUSTED_HOST.to_owned()]).map_err(|error| error.to_string())?;
    let private = PrivateKeyDer::try_from(made.signing_key.serialize_der())?.clone_key();
    with_key(vec![made.cert.der().clone()], private)
}

fn with_key(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Arc<CertifiedKey>, String> {
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map(Arc::new).map_err(|error| error.to_string())
}
