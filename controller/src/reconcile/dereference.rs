//! Reads what a resource refers to: Secrets, ConfigMaps, the build's context and the engine's policy.
//!
//! What cannot be had becomes the block of the part that needs it. Only a store that does not answer is an error: then
//! nothing can be said.

use longshore_crds::{ContainerApp, ContainerEngine, LocalReference, Push, Run};

use super::build_context::{SourceContext, inputs_of};
use super::recent_folders::RecentFolders;
use super::source_store::SourceLooks;
use super::{AppKey, ResourceError, Resources, SecretData};
use crate::app::{
    Block, BuildAccess, Credentials, Inputs, Instance, ObjectKind, Part, Policy, Reason, Referred, Repository,
    referred_by,
};
use crate::build::ContextReader;
use crate::registry::{AmbientCredentials, NamedFor, credentials_for};

/// What a resource refers to, and the context's files for the build that may follow.
pub(super) struct Dereferenced {
    pub(super) inputs: Inputs,
    pub(super) context: Option<SourceContext>,
}

pub(super) struct Dereference<'a> {
    pub(super) resources: &'a dyn Resources,
    pub(super) contexts: &'a ContextReader,
    pub(super) folders: &'a RecentFolders,
    pub(super) sources: &'a SourceLooks<'a>,
    pub(super) ambient: &'a dyn AmbientCredentials,
    pub(super) instance: &'a Instance,
    pub(super) key: &'a AppKey,
}

impl Dereference<'_> {
    pub(super) async fn read(
        &self,
        app: &ContainerApp,
        engine: &ContainerEngine,
    ) -> Result<Dereferenced, ResourceError> {
        let context = match &app.spec.image.build {
            Some(build) => Some(self.context(build).await?),
            None => None,
        };
        let context_inputs = context.as_ref().map(|read| read.as_ref().map(inputs_of).map_err(Clone::clone));
        let dockerfile =
            context_inputs.as_ref().and_then(|inputs| inputs.as_ref().ok()).map(|inputs| &inputs.dockerfile);
        let build_access = match &app.spec.image.build {
            Some(build) => {
                self.build_access(build, &app.spec.image.pull_secrets, dockerfile.map(String::as_str)).await?
            }
            None => Ok(BuildAccess::default()),
        };
        let mut push_credentials = Vec::new();
        for push in &app.spec.push {
            push_credentials.push(self.push_credentials(push).await?);
        }
        let inputs = Inputs {
            instance: self.instance.clone(),
            context: context_inputs,
            build_access,
            pull_credentials: self.pull_credentials(app).await?,
            push_credentials,
            referred: self.referred(app.spec.run.as_ref()).await?,
            policy: policy_of(&app.spec.engine, engine),
        };
        Ok(Dereferenced { inputs, context: context.and_then(Result::ok) })
    }

    async fn pull_credentials(&self, app: &ContainerApp) -> Result<Result<Option<Credentials>, Block>, ResourceError> {
        let Ok(repository) = app.spec.image.name.parse::<Repository>() else {
            return Ok(Ok(None));
        };
        self.credentials_to_read(&app.spec.image.pull_secrets, (repository.host(), NamedFor::ThisRegistry)).await
    }

    /// The credentials for reading from a registry: those of the first Secret that has some, or the ambient ones. When
    /// these cannot be had, what is public can still be read.
    pub(super) async fn credentials_to_read(
        &self,
        secrets: &[LocalReference],
        registry: (&str, NamedFor),
    ) -> Result<Result<Option<Credentials>, Block>, ResourceError> {
        for secret in secrets {
            match self.credentials_in(secret, registry, Part::Image).await? {
                Ok(None) => {}
                found_or_blocked => return Ok(found_or_blocked),
            }
        }
        let ambient = self.ambient.for_host(registry.0).await;
        Ok(Ok(ambient.unwrap_or_else(|problem| {
            tracing::warn!(host = registry.0, problem, "reading from the registry without credentials");
            None
        })))
    }

    /// The credentials for a push. Those of a Secret that is named, and no others; without one the ambient ones.
    async fn push_credentials(&self, push: &Push) -> Result<Result<Option<Credentials>, Block>, ResourceError> {
        let Ok(repository) = push.to.parse::<Repository>() else {
            return Ok(Ok(None));
        };
        let host = repository.host();
        match &push.secret_ref {
            Some(secret) => self.credentials_in(secret, (host, NamedFor::ThisRegistry), Part::Push).await,
            None => Ok(self.ambient.for_host(host).await.map_err(|problem| {
                let message = format!("the credentials for {host} cannot be had: {problem}");
                Block::waiting(Part::Push, Reason::CredentialsUnavailable, message)
            })),
        }
    }

    /// The credentials in a Secret for a registry; none when it has none for that host.
    async fn credentials_in(
        &self,
        secret: &LocalReference,
        (host, named_for): (&str, NamedFor),
        part: Part,
    ) -> Result<Result<Option<Credentials>, Block>, ResourceError> {
        let Some(SecretData { kind, data }) = self.resources.secret(&self.key.namespace, &secret.name).await? else {
            return Ok(Err(self.missing(part, Reason::SecretNotFound, "Secret", &secret.name)));
        };
        Ok(credentials_for(&kind, &data, host, named_for).map_err(|error| {
            Block::waiting(part, Reason::SecretInvalid, format!("the Secret {}: {error}", secret.name))
        }))
    }

    /// The Secrets and ConfigMaps that the container needs, each read once.
    async fn referred(&self, run: Option<&Run>) -> Result<Referred, ResourceError> {
        let mut referred = Referred::default();
        for (kind, name) in run.map(referred_by).unwrap_or_default() {
            let values = match kind {
                ObjectKind::Secret => {
                    let secret = self.resources.secret(&self.key.namespace, &name).await?;
                    secret.map(|secret| secret.data)
                }
                ObjectKind::ConfigMap => {
                    let map = self.resources.config_map(&self.key.namespace, &name).await?;
                    map.map(|map| map.data)
                }
            };
            referred.objects.extend(values.map(|values| ((kind, name), values)));
        }
        Ok(referred)
    }

    pub(super) fn missing(&self, part: Part, reason: Reason, kind: &str, name: &str) -> Block {
        let message = format!(
            "the {kind} {name} does not exist in the namespace {}: create it, and it is read within seconds",
            self.key.namespace
        );
        Block::waiting(part, reason, message)
    }
}

fn policy_of(name: &str, engine: &ContainerEngine) -> Policy {
    Policy {
        engine: name.to_owned(),
        allowed_namespaces: engine.spec.allowed_namespaces.clone(),
        host_ports: engine.spec.host_ports.clone(),
    }
}
