//! What a build is given that is secret, read from the Secrets that the resource names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore_crds::{Build, BuildSecret, BuildSsh, CacheKind, LocalReference};
use secrecy::{SecretSlice, SecretString};

use super::dereference::Dereference;
use super::{ResourceError, SecretData};
use crate::app::{Block, BuildAccess, ImageReference, Part, Reason, base_images_of};
use crate::engine::{DEFAULT_SBOM_GENERATOR, frontend_images_of};
use crate::registry::NamedFor;

/// The key of a Secret of the type `kubernetes.io/ssh-auth`.
const SSH_KEY: &str = "ssh-privatekey";

type Found<T> = Result<Result<T, Block>, ResourceError>;

impl Dereference<'_> {
    /// Everything that the build of this Dockerfile is given.
    pub(super) async fn build_access(
        &self,
        build: &Build,
        pull_secrets: &[LocalReference],
        dockerfile: Option<&str>,
    ) -> Found<BuildAccess> {
        let mut access = BuildAccess::default();
        for host in registry_hosts(build, dockerfile.unwrap_or_default()) {
            match self.credentials_to_read(pull_secrets, (&host, NamedFor::AnyRegistry)).await? {
                Ok(credentials) => access.credentials.extend(credentials),
                Err(block) => return Ok(Err(block)),
            }
        }
        for secret in &build.secrets {
            match self.build_secret(secret).await? {
                Ok(value) => access.secrets.extend(value.map(|value| (secret.id.clone(), value))),
                Err(block) => return Ok(Err(block)),
            }
        }
        for ssh in &build.ssh {
            match self.private_key(ssh).await? {
                Ok(key) => access.ssh.insert(ssh.id.clone(), key),
                Err(block) => return Ok(Err(block)),
            };
        }
        Ok(Ok(access))
    }

    /// `None` when it is optional and not there.
    async fn build_secret(&self, secret: &BuildSecret) -> Found<Option<Arc<SecretSlice<u8>>>> {
        let selector = &secret.secret_key_ref;
        let found = self.resources.secret(&self.key.namespace, &selector.name).await?;
        let is_there = found.is_some();
        let value = found.and_then(|SecretData { mut data, .. }| data.remove(&selector.key));
        Ok(match value {
            Some(bytes) => Ok(Some(Arc::new(bytes.into()))),
            None if selector.optional.unwrap_or(false) => Ok(None),
            None if is_there => {
                let needed_by = format!("the build's secret {}", secret.id);
                Err(no_key(&selector.name, &selector.key, &needed_by))
            }
            None => Err(self.missing(Part::Image, Reason::SecretNotFound, "Secret", &selector.name)),
        })
    }

    async fn private_key(&self, ssh: &BuildSsh) -> Found<SecretString> {
        let name = &ssh.secret_ref.name;
        let Some(SecretData { mut data, .. }) = self.resources.secret(&self.key.namespace, name).await? else {
            return Ok(Err(self.missing(Part::Image, Reason::SecretNotFound, "Secret", name)));
        };
        let Some(bytes) = data.remove(SSH_KEY) else {
            return Ok(Err(no_key(name, SSH_KEY, &format!("the build's ssh {}", ssh.id))));
        };
        Ok(String::from_utf8(bytes).map(SecretString::from).map_err(|_| {
            let message =
                format!("the key {SSH_KEY} of the Secret {name} is not a private key as ssh-keygen writes it");
            Block::waiting(Part::Image, Reason::SecretInvalid, message)
        }))
    }
}

fn no_key(secret: &str, key: &str, needed_by: &str) -> Block {
    let message = format!("the Secret {secret} has no key {key}, which {needed_by} needs");
    Block::waiting(Part::Image, Reason::SecretNotFound, message)
}

/// The registries that a build may ask: those of its base images, of its caches, of its front end, and of the program
/// that makes its SBOM.
fn registry_hosts(build: &Build, dockerfile: &str) -> BTreeSet<String> {
    let args: &BTreeMap<String, String> = &build.args;
    let bases = base_images_of(dockerfile, args, build.target.as_deref());
    let written = build.cache_to.iter().filter(|cache| cache.kind == CacheKind::Registry);
    let caches = build.cache_from.iter().chain(written.filter_map(|cache| cache.reference.as_ref()));
    let frontends = frontend_images_of(dockerfile.as_bytes(), args).into_iter().map(|(_, image)| image);
    let sbom = build.attestations.iter().filter_map(|attestations| attestations.sbom.as_ref());
    let generators = sbom.map(|sbom| sbom.generator.as_deref().unwrap_or(DEFAULT_SBOM_GENERATOR).to_owned());
    let others = caches.cloned().chain(frontends).chain(generators);
    let others = others.filter_map(|text| text.parse::<ImageReference>().ok());
    bases.into_iter().chain(others).map(|reference| reference.host().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hosts(dockerfile: &str, attestations: &Value) -> Vec<String> {
        let build = json!({"context": {"inline": {}}, "attestations": attestations});
        registry_hosts(&serde_json::from_value(build).unwrap(), dockerfile).into_iter().collect()
    }

    #[test]
    fn every_registry_that_a_build_may_ask_is_known() {
        assert_eq!(hosts("FROM gcr.io/base\n", &json!({})), ["gcr.io"]);
        assert_eq!(hosts("# syntax=docker/dockerfile:1\nFROM gcr.io/base\n", &json!({})), ["docker.io", "gcr.io"]);
        assert_eq!(
            hosts("FROM gcr.io/base\n", &json!({"sbom": {"generator": "quay.io/scanner"}})),
            ["gcr.io", "quay.io"]
        );
        assert_eq!(hosts("FROM gcr.io/base\n", &json!({"sbom": {}})), ["docker.io", "gcr.io"]);
    }
}
