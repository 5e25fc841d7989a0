//! `moby.buildkit.secrets.v1`: what `RUN --mount=type=secret` shows to a step.

use std::collections::BTreeMap;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::Secrets;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use secrecy::{ExposeSecret, SecretSlice};
use tonic::{Request, Response, Status};

/// The most bytes that BuildKit takes for a secret.
pub(in super::super) const LARGEST_SECRET: usize = 500 * 1024;

/// The secrets of a build.
pub(super) struct SecretsById(BTreeMap<String, SecretSlice<u8>>);

impl SecretsById {
    pub(super) fn new(secrets: BTreeMap<String, SecretSlice<u8>>) -> Self {
        Self(secrets)
    }
}

#[tonic::async_trait]
impl Secrets for SecretsById {
    /// A step that can do without a secret goes on when it is not found.
    async fn get_secret(&self, request: Request<GetSecretRequest>) -> Result<Response<GetSecretResponse>, Status> {
        let secret = self.0.get(&request.get_ref().id).map(ExposeSecret::expose_secret);
        match secret {
            Some(secret) if secret.len() > LARGEST_SECRET => Err(Status::out_of_range("the secret is too large")),
            Some(secret) => Ok(Response::new(GetSecretResponse { data: secret.to_vec() })),
            None => Err(Status::not_found("the build was given no secret with this ID")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(id: &str) -> Result<Vec<u8>, tonic::Code> {
        let secrets = [("npm", b"canary".to_vec()), ("large", vec![0; LARGEST_SECRET + 1])];
        let secrets = secrets.map(|(id, value)| (id.to_owned(), value.into()));
        let request = Request::new(GetSecretRequest { id: id.to_owned(), ..GetSecretRequest::default() });
        let answer = SecretsById::new(secrets.into()).get_secret(request).await;
        answer.map(|response| response.into_inner().data).map_err(|status| status.code())
    }

    #[tokio::test]
    async fn a_secret_is_had_by_its_id_alone() {
        assert_eq!(answer("npm").await, Ok(b"canary".to_vec()));
        for id in ["", "NPM", "npm ", "../npm"] {
            assert_eq!(answer(id).await, Err(tonic::Code::NotFound), "{id}");
        }
    }

    #[tokio::test]
    async fn a_secret_that_buildkit_would_not_take_is_not_sent() {
        assert_eq!(answer("large").await, Err(tonic::Code::OutOfRange));
    }
}
