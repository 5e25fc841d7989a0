//! Reads what a resource refers to: Secrets, ConfigMaps, the build's context and the engine's policy.
//!
//! What cannot be had becomes the block of the part that needs it. Only a store that does not answer is an error: then
//! nothing can be said.

use std::collections::BTreeMap;

use longshore_crds::{ContainerApp, ContainerEngine, EnvVar, LocalReference};

use super::build_context::{SourceContext, inputs_of};
use super::source_store::SourceLooks;
use super::{AppKey, ResourceError, Resources, SecretData};
use crate::app::{Block, BuildAccess, Credentials, Inputs, Instance, Part, Policy, Reason, Repository};
use crate::build::ContextReader;
use crate::registry::credentials_for;

/// What a resource refers to, and the context's files for the build that may follow.
pub(super) struct Dereferenced {
    pub(super) inputs: Inputs,
    pub(super) context: Option<SourceContext>,
}

pub(super) struct Dereference<'a> {
    pub(super) resources: &'a dyn Resources,
    pub(super) contexts: &'a ContextReader,
    pub(super) sources: &'a SourceLooks<'a>,
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
            let secret = push.secret_ref.as_ref();
            push_credentials.push(self.credentials(secret, &push.to, Part::Push).await?);
        }
        let inputs = Inputs {
            instance: self.instance.clone(),
            context: context_inputs,
            build_access,
            pull_credentials: self.pull_credentials(app).await?,
            push_credentials,
            env: self.environment(app.spec.run.as_ref().map_or(&[], |run| &run.env)).await?,
            policy: policy_of(&app.spec.engine, engine),
        };
        Ok(Dereferenced { inputs, context: context.and_then(Result::ok) })
    }

    async fn pull_credentials(&self, app: &ContainerApp) -> Result<Result<Option<Credentials>, Block>, ResourceError> {
        for secret in &app.spec.image.pull_secrets {
            match self.credentials(Some(secret), &app.spec.image.name, Part::Image).await? {
                Ok(None) => {}
                found_or_blocked => return Ok(found_or_blocked),
            }
        }
        Ok(Ok(None))
    }

    /// The credentials in a Secret for a registry; none when it has none for that host.
    pub(super) async fn credentials_in(
        &self,
        secret: &LocalReference,
        host: &str,
        part: Part,
    ) -> Result<Result<Option<Credentials>, Block>, ResourceError> {
        let Some(SecretData { kind, data }) = self.resources.secret(&self.key.namespace, &secret.name).await? else {
            return Ok(Err(self.missing(part, Reason::SecretNotFound, "Secret", &secret.name)));
        };
        Ok(credentials_for(&kind, &data, host).map_err(|error| {
            Block::waiting(part, Reason::SecretInvalid, format!("the Secret {}: {error}", secret.name))
        }))
    }

    /// The credentials in a Secret for the registry of a repository; none when it has none for that host.
    async fn credentials(
        &self,
        secret: Option<&LocalReference>,
        repository: &str,
        part: Part,
    ) -> Result<Result<Option<Credentials>, Block>, ResourceError> {
        let (Some(secret), Ok(repository)) = (secret, repository.parse::<Repository>()) else {
            return Ok(Ok(None));
        };
        self.credentials_in(secret, repository.host(), part).await
    }

    async fn environment(
        &self,
        variables: &[EnvVar],
    ) -> Result<Result<BTreeMap<String, String>, Block>, ResourceError> {
        let mut environment = BTreeMap::new();
        for variable in variables {
            match self.value(variable).await? {
                Ok(Some(value)) => environment.insert(variable.name.clone(), value),
                Ok(None) => None,
                Err(block) => return Ok(Err(block)),
            };
        }
        Ok(Ok(environment))
    }

    /// The value of a variable; `None` when it is optional and its key does not exist.
    async fn value(&self, variable: &EnvVar) -> Result<Result<Option<String>, Block>, ResourceError> {
        let Some(source) = &variable.value_from else {
            return Ok(Ok(Some(variable.value.clone().unwrap_or_default())));
        };
        let namespace = &self.key.namespace;
        let (kind, reason, selector, data) = match (&source.secret_key_ref, &source.config_map_key_ref) {
            (Some(selector), _) => {
                let found = self.resources.secret(namespace, &selector.name).await?;
                ("Secret", Reason::SecretNotFound, selector, found.map(|secret| secret.data))
            }
            (None, Some(selector)) => {
                let found = self.resources.config_map(namespace, &selector.name).await?;
                ("ConfigMap", Reason::ConfigMapNotFound, selector, found.map(|map| map.data))
            }
            (None, None) => return Ok(Ok(None)),
        };
        let is_there = data.is_some();
        let value = data.and_then(|mut data| data.remove(&selector.key));
        match value {
            Some(bytes) => Ok(String::from_utf8(bytes).map(Some).map_err(|_| {
                let message = format!(
                    "the key {} of the {kind} {} is not text, so it cannot be the value of the variable {}",
                    selector.key, selector.name, variable.name
                );
                Block::waiting(Part::Container, reason, message)
            })),
            None if selector.optional.unwrap_or(false) => Ok(Ok(None)),
            None if is_there => {
                let message = format!(
                    "the {kind} {} has no key {}, which the variable {} needs",
                    selector.name, selector.key, variable.name
                );
                Ok(Err(Block::waiting(Part::Container, reason, message)))
            }
            None => Ok(Err(self.missing(Part::Container, reason, kind, &selector.name))),
        }
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
