//! `moby.filesync.v1.Auth`: credentials for the registries of base images and caches.
//!
//! Only `Credentials` is answered. BuildKit then fetches tokens itself, with what it was given and from the server that
//! the registry names; the other three methods would have us fetch them.

use bollard_buildkit_proto::moby::filesync::v1::auth_server::Auth;
use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use crate::app::Credentials;

/// Docker Hub as references name it, and the host that its images are really at.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// Credentials, each for exactly one host.
pub(super) struct CredentialsByHost(Vec<Credentials>);

impl CredentialsByHost {
    pub(super) fn new(credentials: Vec<Credentials>) -> Self {
        Self(credentials)
    }

    fn find(&self, host: &str) -> Option<&Credentials> {
        let host = if host == DOCKER_HUB_HOST { DOCKER_HUB } else { host };
        self.0.iter().find(|credentials| credentials.host == host)
    }
}

#[tonic::async_trait]
impl Auth for CredentialsByHost {
    /// An answer without a user's name says that there are no credentials for this host.
    async fn credentials(&self, request: Request<CredentialsRequest>) -> Result<Response<CredentialsResponse>, Status> {
        let found = self.find(&request.get_ref().host);
        Ok(Response::new(found.map_or_else(CredentialsResponse::default, |credentials| CredentialsResponse {
            username: credentials.username.clone(),
            secret: credentials.password.expose_secret().to_owned(),
        })))
    }

    async fn fetch_token(&self, _: Request<FetchTokenRequest>) -> Result<Response<FetchTokenResponse>, Status> {
        Err(only_credentials())
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(only_credentials())
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(only_credentials())
    }
}

fn only_credentials() -> Status {
    Status::unimplemented("only Credentials is answered")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(host: &str) -> (String, String) {
        let credentials = |host: &str| Credentials {
            host: host.to_owned(),
            username: format!("user of {host}"),
            password: format!("password of {host}").into(),
        };
        let auth = CredentialsByHost::new(["gcr.io", "docker.io", "localhost:5000"].map(credentials).to_vec());
        let request = Request::new(CredentialsRequest { host: host.to_owned() });
        let CredentialsResponse { username, secret } = auth.credentials(request).await.unwrap().into_inner();
        (username, secret)
    }

    #[tokio::test]
    async fn credentials_go_to_exactly_their_host() {
        assert_eq!(answer("gcr.io").await.1, "password of gcr.io");
        assert_eq!(answer("localhost:5000").await.1, "password of localhost:5000");
        for host in ["gcr.io.evil.example", "evil.gcr.io", "gcr.io:443", "GCR.IO", "localhost", "gcr.io/", "", "*"] {
            assert_eq!(answer(host).await, (String::new(), String::new()), "{host}");
        }
    }

    #[tokio::test]
    async fn docker_hub_is_known_by_the_host_that_serves_it() {
        assert_eq!(answer("registry-1.docker.io").await.0, "user of docker.io");
    }
}
