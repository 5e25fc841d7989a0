//! What a build is given that is secret, read from the Secrets that the resource names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore_crds::{Build, BuildSecret, BuildSsh, CacheKind, LocalReference};
use secrecy::{SecretSlice, SecretString};

use super::dereference::Dereference;
use super::{ResourceError, SecretData};
use crate::app::{Block, BuildAccess, Credentials, ImageReference, Part, Reason, base_images_of};

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
            match self.credentials_of(pull_secrets, &host).await? {
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

    async fn credentials_of(&self, secrets: &[LocalReference], host: &str) -> Found<Option<Credentials>> {
        for secret in secrets {
            match self.credentials_in(secret, host, Part::Image).await? {
                Ok(None) => {}
                found_or_blocked => return Ok(found_or_blocked),
            }
        }
        Ok(Ok(None))
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

/// The registries that a build may ask: those of its base images, of its caches, and of its front end.
fn registry_hosts(build: &Build, dockerfile: &str) -> BTreeSet<String> {
    let args: &BTreeMap<String, String> = &build.args;
    let bases = base_images_of(dockerfile, args, build.target.as_deref());
    let written = build.cache_to.iter().filter(|cache| cache.kind == CacheKind::Registry);
    let caches = build.cache_from.iter().chain(written.filter_map(|cache| cache.reference.as_ref()));
    let caches = caches.filter_map(|text| text.parse::<ImageReference>().ok());
    bases.into_iter().chain(caches).map(|reference| reference.host().to_owned()).collect()
}
