//! Reads what a resource refers to: Secrets, ConfigMaps, the build's context and the engine's policy.
//!
//! What cannot be had becomes the block of the part that needs it. Only a store that does not answer is an error: then
//! nothing can be said.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use longshore_crds::{BuildContext, ContainerApp, ContainerEngine, EnvVar, LocalReference};

use super::{AppKey, ConfigMapData, ResourceError, Resources, SecretData};
use crate::app::{Block, Credentials, Inputs, Instance, Part, Policy, Reason, Repository};
use crate::build::{ContextReader, ContextSource, DockerfileSource, ReadContext};
use crate::registry::credentials_for;

/// What a resource refers to, and the context's files for the build that may follow.
pub(super) struct Dereferenced {
    pub(super) inputs: Inputs,
    pub(super) context: Option<Arc<ReadContext>>,
}

pub(super) struct Dereference<'a> {
    pub(super) resources: &'a dyn Resources,
    pub(super) contexts: &'a ContextReader,
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
            Some(build) => Some(self.context(&build.context, build.dockerfile.as_deref()).await?),
            None => None,
        };
        let mut push_credentials = Vec::new();
        for push in &app.spec.push {
            let secret = push.secret_ref.as_ref();
            push_credentials.push(self.credentials(secret, &push.to, Part::Push).await?);
        }
        let inputs = Inputs {
            instance: self.instance.clone(),
            context: context.as_ref().map(|read| read.as_ref().map(ReadContext::digest).map_err(Clone::clone)),
            pull_credentials: self.pull_credentials(app).await?,
            push_credentials,
            env: self.environment(app.spec.run.as_ref().map_or(&[], |run| &run.env)).await?,
            policy: policy_of(&app.spec.engine, engine),
        };
        Ok(Dereferenced { inputs, context: context.and_then(Result::ok).map(Arc::new) })
    }

    async fn context(
        &self,
        context: &BuildContext,
        dockerfile: Option<&str>,
    ) -> Result<Result<ReadContext, Block>, ResourceError> {
        let source = match self.context_source(context).await? {
            Ok(source) => source,
            Err(block) => return Ok(Err(block)),
        };
        let dockerfile = dockerfile.unwrap_or("Dockerfile").to_owned();
        let is_beside = context.path.is_some() && dockerfile.split('/').any(|component| component == "..");
        let place = if is_beside { DockerfileSource::Beside } else { DockerfileSource::InContext };
        let dockerfile = place(dockerfile);
        Ok(self.contexts.read(source, dockerfile).await.map_err(|error| {
            Block::waiting(Part::Source, Reason::ContextUnreadable, format!("spec.image.build.context: {error}"))
        }))
    }

    async fn context_source(&self, context: &BuildContext) -> Result<Result<ContextSource, Block>, ResourceError> {
        if let Some(files) = &context.inline {
            return Ok(Ok(ContextSource::Files(
                files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect(),
            )));
        }
        if let Some(reference) = &context.config_map {
            let found = self.resources.config_map(&self.key.namespace, &reference.name).await?;
            return Ok(found
                .map(|ConfigMapData { data }| ContextSource::Files(data))
                .ok_or_else(|| self.missing(Part::Source, Reason::ConfigMapNotFound, "ConfigMap", &reference.name)));
        }
        let Some(path) = &context.path else {
            let message =
                "spec.image.build.context: a build context needs exactly one source: inline, configMap or path";
            return Ok(Err(Block::terminal(Part::Source, Reason::InvalidSpec, message)));
        };
        Ok(self.folder(path).map(ContextSource::Folder).ok_or_else(|| {
            let message = "spec.image.build.context.path: a path is read from the machine that runs longshore up; in \
                           a cluster use inline or configMap";
            Block::terminal(Part::Source, Reason::InvalidSpec, message)
        }))
    }

    fn folder(&self, path: &str) -> Option<PathBuf> {
        Some(self.resources.context_root(self.key)?.join(path))
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
        let Some(SecretData { kind, data }) = self.resources.secret(&self.key.namespace, &secret.name).await? else {
            return Ok(Err(self.missing(part, Reason::SecretNotFound, "Secret", &secret.name)));
        };
        Ok(credentials_for(&kind, &data, repository.host()).map_err(|error| {
            Block::waiting(part, Reason::SecretInvalid, format!("the Secret {}: {error}", secret.name))
        }))
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

    fn missing(&self, part: Part, reason: Reason, kind: &str, name: &str) -> Block {
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
