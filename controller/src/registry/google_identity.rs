//! The Google identity of the machine or of the user: Google's Application Default Credentials
//! (<https://cloud.google.com/docs/authentication/application-default-credentials>).
//!
//! # Guarantees
//! A token is shown to Google's registries alone. None is written anywhere, and one that is about to end is never
//! given where another can be had.
//!
//! # Caveats
//! The library gives up for good on an error that it holds for permanent. Whoever fails is asked anew from the
//! beginning, half a minute later, so that a permission which is granted later is found.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use google_cloud_auth::credentials::{AccessTokenCredentials, Builder};
use tokio::sync::Mutex;

use super::ambient::AmbientCredentials;
use super::metadata_server::MetadataServer;
use crate::app::{Credentials, is_google_registry};

/// The user name beside which Google's registries take an access token for a password
/// (<https://cloud.google.com/artifact-registry/docs/docker/authentication#token>).
const USER: &str = "oauth2accesstoken";

/// What a push needs; what the identity may do is decided by its roles.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

const METADATA_HOST: &str = "metadata.google.internal";

/// How long a token may take, with waiting for the end of one that is nearly dead.
const TOKEN_LIMIT: Duration = Duration::from_secs(45);
/// How long it is believed that there is no token to be had, or no identity at all: every look at every resource asks,
/// and the metadata server of a Kubernetes cluster may answer some seconds after a Pod has started
/// (<https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity#limitations>).
const REFUSED: Duration = Duration::from_secs(30);

/// The identity that registries of Google are shown when no Secret is named.
pub struct GoogleIdentity {
    /// The file of the Application Default Credentials, if there is one.
    file: Option<PathBuf>,
    metadata_host: String,
    state: Mutex<State>,
}

/// Who it is, and which tokens it has given.
struct State {
    known: Known,
    given: Option<Credentials>,
    /// The last that a registry has called expired, which several resources may have been given.
    refused: Option<Credentials>,
}

/// What was found out.
enum Known {
    Nothing,
    NobodySince(Instant),
    RefusedSince(Instant, String),
    InFile(AccessTokenCredentials),
    Machine(MetadataServer),
}

impl GoogleIdentity {
    /// That of the machine, or of the user: the file that `GOOGLE_APPLICATION_CREDENTIALS` names, what `gcloud auth
    /// application-default login` has written, or the metadata server, which is at `GCE_METADATA_HOST` when that is
    /// set.
    pub fn ambient() -> Self {
        let named = env::var_os("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
        let own = || {
            let home = PathBuf::from(env::var_os("HOME")?);
            Some(home.join(".config/gcloud/application_default_credentials.json")).filter(|file| file.exists())
        };
        Self::found_in(named.or_else(own), env::var("GCE_METADATA_HOST").unwrap_or_else(|_| METADATA_HOST.to_owned()))
    }

    fn found_in(file: Option<PathBuf>, metadata_host: String) -> Self {
        // Tests start without main. That it is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let state = State { known: Known::Nothing, given: None, refused: None };
        Self { file, metadata_host, state: Mutex::new(state) }
    }

    /// Finds out who it is, once.
    async fn find_out(&self, known: &mut Known) -> Result<(), String> {
        match known {
            Known::InFile(_) | Known::Machine(_) => return Ok(()),
            Known::NobodySince(when) if when.elapsed() < REFUSED => return Ok(()),
            Known::RefusedSince(when, why) if when.elapsed() < REFUSED => return Err(why.clone()),
            Known::NobodySince(_) | Known::RefusedSince(..) | Known::Nothing => {}
        }
        *known = if self.file.is_some() {
            let built = Builder::default().with_scopes([SCOPE]).build_access_token_credentials();
            Known::InFile(built.map_err(|error| innermost(&error))?)
        } else {
            let server = MetadataServer::found_at(&self.metadata_host, SCOPE).await?;
            server.map_or_else(|| Known::NobodySince(Instant::now()), Known::Machine)
        };
        Ok(())
    }

    /// A token, if there is anybody to have one.
    async fn token(&self, known: &mut Known) -> Result<Option<String>, String> {
        self.find_out(known).await?;
        match known {
            Known::InFile(identity) => {
                let access = identity.access_token().await.map_err(|error| innermost(&error))?;
                Ok(Some(access.token))
            }
            Known::Machine(server) => server.token().await.map(Some),
            Known::NobodySince(_) | Known::RefusedSince(..) | Known::Nothing => Ok(None),
        }
    }

    fn problem(&self, why: &str) -> String {
        match &self.file {
            Some(file) => format!("the Google credentials in {} give no token: {why}", file.display()),
            None => format!(
                "Google's metadata server at {} gives no token: {why}; see whether the machine, or the Kubernetes \
                 ServiceAccount, has a Google service account",
                self.metadata_host
            ),
        }
    }
}

#[async_trait]
impl AmbientCredentials for GoogleIdentity {
    async fn for_host(&self, host: &str) -> Result<Option<Credentials>, String> {
        if !is_google_registry(host) {
            return Ok(None);
        }
        let mut state = self.state.lock().await;
        let asked = tokio::time::timeout(TOKEN_LIMIT, self.token(&mut state.known)).await;
        let seconds = TOKEN_LIMIT.as_secs();
        match asked.unwrap_or_else(|_| Err(format!("there was none within {seconds} seconds"))) {
            Ok(token) => {
                let credentials = token.map(|token| credentials(host, token));
                state.given.clone_from(&credentials);
                Ok(credentials)
            }
            Err(why) => {
                if !matches!(state.known, Known::RefusedSince(..)) {
                    state.known = Known::RefusedSince(Instant::now(), why.clone());
                }
                Err(self.problem(&why))
            }
        }
    }

    async fn forget(&self, refused: &Credentials) -> bool {
        let mut state = self.state.lock().await;
        // One token is for all of Google's registries.
        let is = |given: &Option<Credentials>| given.as_ref().is_some_and(|given| given.show_the_same_as(refused));
        if !is(&state.given) {
            return is(&state.refused);
        }
        match &mut state.known {
            Known::Machine(server) => server.forget_token(),
            // The library keeps the token.
            known @ Known::InFile(_) => *known = Known::Nothing,
            Known::Nothing | Known::NobodySince(_) | Known::RefusedSince(..) => {}
        }
        state.refused = state.given.take();
        true
    }
}

fn credentials(host: &str, token: String) -> Credentials {
    Credentials { host: host.to_owned(), username: USER.to_owned(), password: token.into() }
}

/// What was wrong in the end.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
#[path = "google_identity_tests.rs"]
mod tests;
