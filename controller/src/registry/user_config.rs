//! The user's own Docker configuration, as `docker login` and credential helpers keep it.
//!
//! # Caveats
//! A helper is a program of the user's, which may take its time or ask for something. It is given ten seconds, and what
//! it said is remembered for a minute.

use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use super::ambient::AmbientCredentials;
use crate::app::Credentials;

const HELPER_LIMIT: Duration = Duration::from_secs(10);
const REMEMBERED: Duration = Duration::from_secs(60);

/// What a helper prints, and exits with 1, when it has nothing for a registry
/// (<https://github.com/docker/docker-credential-helpers/blob/master/credentials/error.go>).
const NOTHING_FOUND: &str = "credentials not found";

type Answer = Result<Option<Credentials>, String>;

/// The credentials of the user who runs the program.
pub struct UserConfig {
    file: Option<PathBuf>,
    answers: Mutex<HashMap<String, (Instant, Answer)>>,
}

impl UserConfig {
    /// `config.json` in `DOCKER_CONFIG`, or in `~/.docker`.
    pub fn of_the_user() -> Self {
        let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
        let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
        Self::in_file(folder.or_else(home).map(|folder| folder.join("config.json")))
    }

    fn in_file(file: Option<PathBuf>) -> Self {
        Self { file, answers: Mutex::default() }
    }

    fn remembered(&self, host: &str) -> Option<Answer> {
        let answers = self.lock();
        let (when, answer) = answers.get(host)?;
        (when.elapsed() < REMEMBERED).then(|| answer.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, Answer)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AmbientCredentials for UserConfig {
    async fn for_host(&self, host: &str) -> Answer {
        let Some(file) = &self.file else { return Ok(None) };
        if let Some(answer) = self.remembered(host) {
            return answer;
        }
        let (path, name) = (file.clone(), host.to_owned());
        let reading = tokio::task::spawn_blocking(move || read(&path, &name));
        let answer = match tokio::time::timeout(HELPER_LIMIT, reading).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err("the credential helper does not answer".to_owned()),
        };
        let answer = answer.map_err(|problem| format!("{}: {problem}", file.display()));
        self.lock().insert(host.to_owned(), (Instant::now(), answer.clone()));
        answer
    }

    async fn forget(&self, refused: &Credentials) -> bool {
        let mut answers = self.lock();
        let known = answers.get(&refused.host).and_then(|(_, answer)| answer.as_ref().ok()?.as_ref());
        let came_from_here = known.is_some_and(|known| known.are(refused));
        if came_from_here {
            answers.remove(&refused.host);
        }
        came_from_here
    }
}

fn read(file: &PathBuf, host: &str) -> Answer {
    let file = match File::open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    match get_credential_from_reader(BufReader::new(file), address(host)) {
        Ok(DockerCredential::UsernamePassword(username, _)) if username.is_empty() => Ok(None),
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Credentials { host: host.to_owned(), username, password: password.into() }))
        }
        Ok(DockerCredential::IdentityToken(_)) => Err(format!(
            "what it has for {host} is an identity token, which cannot be used; log in with a user name and a password \
             or an access token"
        )),
        Err(error) => problem(host, error).map_or(Ok(None), Err),
    }
}

/// What the configuration and the helpers call a registry.
fn address(host: &str) -> &str {
    if host == "docker.io" { "https://index.docker.io/v1/" } else { host }
}

/// What is wrong, in words; `None` when there simply are no credentials.
fn problem(host: &str, error: CredentialRetrievalError) -> Option<String> {
    match error {
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => None,
        CredentialRetrievalError::HelperFailure { stdout, stderr, .. }
            if [&stdout, &stderr].iter().any(|said| said.contains(NOTHING_FOUND)) =>
        {
            None
        }
        CredentialRetrievalError::HelperFailure { helper, .. } => {
            Some(format!("the credential helper {helper} gives nothing for {host}; run it to see why"))
        }
        CredentialRetrievalError::HelperCommunicationError | CredentialRetrievalError::MalformedHelperResponse => {
            Some(format!("the credential helper that it names for {host} cannot be run, or its answer is none"))
        }
        CredentialRetrievalError::ConfigReadError => Some("it is not a Docker configuration".to_owned()),
        CredentialRetrievalError::CredentialDecodingError | CredentialRetrievalError::CredentialMismatchError => {
            Some(format!("its entry for {host} has no user name and password that can be read; log in again"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret as _;
    use tempfile::TempDir;

    use super::*;

    /// A configuration in a folder of its own.
    fn configured(json: &str) -> (TempDir, UserConfig) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        fs::write(&file, json).unwrap();
        (folder, UserConfig::in_file(Some(file)))
    }

    async fn login(config: &UserConfig, host: &str) -> Result<Option<(String, String)>, String> {
        let found = config.for_host(host).await?;
        Ok(found.map(|found| {
            assert_eq!(found.host, host);
            (found.username, found.password.expose_secret().to_owned())
        }))
    }

    #[tokio::test]
    async fn a_host_gets_what_the_user_has_logged_in_with() {
        let (_folder, config) = configured(
            r#"{"auths": {"gcr.io": {"auth": "dXNlcjpwYXNz"}, "https://index.docker.io/v1/": {"auth": "aHViOnA6dw=="}}}"#,
        );
        assert_eq!(login(&config, "gcr.io").await, Ok(Some(("user".to_owned(), "pass".to_owned()))));
        assert_eq!(login(&config, "docker.io").await, Ok(Some(("hub".to_owned(), "p:w".to_owned()))));
        for host in ["eu.gcr.io", "gcr.io:443", "gcr.io.evil.test", "io"] {
            assert_eq!(login(&config, host).await, Ok(None), "{host}");
        }
    }

    #[tokio::test]
    async fn without_a_configuration_there_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let config = UserConfig::in_file(Some(folder.path().join("config.json")));
        assert_eq!(login(&config, "gcr.io").await, Ok(None));
        assert_eq!(login(&UserConfig::in_file(None), "gcr.io").await, Ok(None));
        let (_folder, empty) = configured("{}");
        assert_eq!(login(&empty, "gcr.io").await, Ok(None));
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_told_and_not_quoted() {
        for (json, said) in [
            ("canary", "it is not a Docker configuration"),
            (r#"{"auths": {"gcr.io": {"auth": "canary!"}}}"#, "its entry for gcr.io has no user name"),
            (r#"{"auths": {"gcr.io": {"auth": "", "identitytoken": "canary"}}}"#, "an identity token"),
            (r#"{"credHelpers": {"gcr.io": "that-nobody-has"}}"#, "cannot be run"),
        ] {
            let (_folder, config) = configured(json);
            let problem = login(&config, "gcr.io").await.unwrap_err();
            assert!(problem.contains("config.json: ") && problem.contains(said), "{json}: {problem}");
            assert!(!problem.contains("canary"), "{json}: {problem}");
        }
    }
}
