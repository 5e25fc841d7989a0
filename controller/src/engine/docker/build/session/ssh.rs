//! `moby.sshforward.v1`: what `RUN --mount=type=ssh` shows to a step, an agent that signs. No key is ever sent.

use std::collections::BTreeMap;

use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::Ssh;
use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::agent::{Agent, TooLarge};
use crate::engine::SshKey;

/// The ID that a mount has which names none.
const DEFAULT: &str = "default";
/// The header that says which agent is meant.
const ID_HEADER: &str = "buildkit.ssh.id";

/// The agents of a build, by the keys that they hold.
pub(super) struct AgentsById(BTreeMap<String, Vec<SshKey>>);

impl AgentsById {
    pub(super) fn new(keys: BTreeMap<String, Vec<SshKey>>) -> Self {
        Self(keys)
    }

    fn keys(&self, id: &str) -> Result<&[SshKey], Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        let keys = self.0.get(id).map(Vec::as_slice);
        keys.ok_or_else(|| Status::not_found("the build was given no ssh keys for an agent with this ID"))
    }
}

#[tonic::async_trait]
impl Ssh for AgentsById {
    type ForwardAgentStream = BoxStream<'static, Result<BytesMessage, Status>>;

    async fn check_agent(&self, request: Request<CheckAgentRequest>) -> Result<Response<CheckAgentResponse>, Status> {
        self.keys(&request.get_ref().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let agent = Agent::with(self.keys(&id_of(request.metadata()))?.to_vec());
        let conversation = request.into_inner().scan(agent, |agent, heard| {
            let answer = heard.and_then(|heard| {
                let too_large = |TooLarge| Status::resource_exhausted("no question to an ssh agent is that large");
                agent.hear(&heard.data).map_err(too_large)
            });
            std::future::ready(Some(answer))
        });
        let answers = conversation.filter_map(|answer| async {
            match answer {
                Ok(data) if data.is_empty() => None,
                answer => Some(answer.map(|data| BytesMessage { data })),
            }
        });
        Ok(Response::new(answers.boxed()))
    }
}

fn id_of(headers: &MetadataMap) -> String {
    headers.get(ID_HEADER).and_then(|id| id.to_str().ok()).unwrap_or(DEFAULT).to_owned()
}
