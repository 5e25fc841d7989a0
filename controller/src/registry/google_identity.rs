//! The Google identity of the machine or of the user: Google's Application Default Credentials
//! (<https://cloud.google.com/docs/authentication/application-default-credentials>).
//!
//! # Guarantees
//! A token is shown to Google's registries alone. None is written anywhere, and one that is about to end is never
//! given: the library fetches a new one before.
//!
//! # Caveats
//! The library gives up for good on an error that it holds for permanent. Whoever fails is asked anew from the
//! beginning, so that a permission which is granted later is found.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use google_cloud_auth::credentials::{AccessTokenCredentials, Builder, mds};
use tokio::sync::Mutex;

use super::ambient::AmbientCredentials;
use crate::app::{Credentials, is_google_registry};

/// The user name beside which Google's registries take an access token for a password
/// (<https://cloud.google.com/artifact-registry/docs/docker/authentication#token>).
const USER: &str = "oauth2accesstoken";

/// What a push needs; what the identity may do is decided by its roles.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

const METADATA_HOST: &str = "metadata.google.internal";

/// How long the metadata server may take to say that it is there: it is on the machine itself, or nowhere.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// How long a token may take.
const TOKEN_LIMIT: Duration = Duration::from_secs(10);
/// How long it is believed that there is no identity here.
const ABSENT: Duration = Duration::from_secs(300);

/// The identity that registries of Google are shown when no Secret is named.
pub struct GoogleIdentity {
    /// The file of the Application Default Credentials, if there is one.
    file: Option<PathBuf>,
    metadata_host: String,
    known: Mutex<Known>,
}

/// What was found out.
enum Known {
    Nothing,
    NobodySince(Instant),
    Somebody(AccessTokenCredentials),
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
        Self { file, metadata_host, known: Mutex::new(Known::Nothing) }
    }

    /// Whoever it is, asked for once and then remembered.
    async fn identity(&self, known: &mut Known) -> Result<Option<AccessTokenCredentials>, String> {
        match known {
            Known::Somebody(identity) => return Ok(Some(identity.clone())),
            Known::NobodySince(when) if when.elapsed() < ABSENT => return Ok(None),
            Known::NobodySince(_) | Known::Nothing => {}
        }
        let built = if self.file.is_some() {
            Builder::default().with_scopes([SCOPE]).build_access_token_credentials()
        } else if is_metadata_server(&self.metadata_host).await {
            let server = format!("http://{}", self.metadata_host);
            mds::Builder::default().with_endpoint(server).with_scopes([SCOPE]).build_access_token_credentials()
        } else {
            *known = Known::NobodySince(Instant::now());
            return Ok(None);
        };
        let identity = built.map_err(|error| self.problem(&innermost(&error)))?;
        *known = Known::Somebody(identity.clone());
        Ok(Some(identity))
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
        let mut known = self.known.lock().await;
        let Some(identity) = self.identity(&mut known).await? else {
            return Ok(None);
        };
        let problem = match tokio::time::timeout(TOKEN_LIMIT, identity.access_token()).await {
            Ok(Ok(access)) => {
                let (host, username) = (host.to_owned(), USER.to_owned());
                return Ok(Some(Credentials { host, username, password: access.token.into() }));
            }
            Ok(Err(error)) => innermost(&error),
            Err(_) => format!("there was none within {} seconds", TOKEN_LIMIT.as_secs()),
        };
        *known = Known::Nothing;
        Err(self.problem(&problem))
    }

    async fn forget(&self, host: &str) {
        if is_google_registry(host) {
            *self.known.lock().await = Known::Nothing;
        }
    }
}

/// Whether Google's metadata server answers there. It says so itself
/// (<https://cloud.google.com/compute/docs/instances/detect-compute-engine>).
async fn is_metadata_server(host: &str) -> bool {
    const FLAVOR: &str = "Metadata-Flavor";
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(PROBE_LIMIT).build() else {
        return false;
    };
    let asked = client.get(format!("http://{host}/")).header(FLAVOR, "Google").send().await;
    asked.is_ok_and(|answer| answer.headers().get(FLAVOR).is_some_and(|flavor| flavor == "Google"))
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
