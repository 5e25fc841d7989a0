//! The context of a build, read from wherever the resource says that it lies.

use std::path::PathBuf;
use std::sync::Arc;

use longshore_crds::{Build, BuildContext};

use super::dereference::Dereference;
use super::{ConfigMapData, ResourceError};
use crate::app::{Block, ContextInputs, Part, Reason};
use crate::build::{ContextSource, DockerfileSource, ReadContext};

const DEFAULT_DOCKERFILE: &str = "Dockerfile";

type Found<T> = Result<Result<T, Block>, ResourceError>;

impl Dereference<'_> {
    pub(super) async fn context(&self, build: &Build) -> Found<Arc<ReadContext>> {
        let source = match self.context_source(&build.context).await? {
            Ok(source) => source,
            Err(block) => return Ok(Err(block)),
        };
        let read = self.contexts.read(source, dockerfile_of(build)).await;
        Ok(read.map(Arc::new).map_err(|error| {
            Block::waiting(Part::Source, Reason::ContextUnreadable, format!("spec.image.build.context: {error}"))
        }))
    }

    async fn context_source(&self, context: &BuildContext) -> Found<ContextSource> {
        if let Some(files) = &context.inline {
            let files = files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes()));
            return Ok(Ok(ContextSource::Files(files.collect())));
        }
        if let Some(reference) = &context.config_map {
            let found = self.resources.config_map(&self.key.namespace, &reference.name).await?;
            return Ok(found
                .map(|ConfigMapData { data }| ContextSource::Files(data))
                .ok_or_else(|| self.missing(Part::Source, Reason::ConfigMapNotFound, "ConfigMap", &reference.name)));
        }
        let Some(path) = &context.path else {
            return Ok(Err(refused("", "needs exactly one source: inline, configMap, git, http, sourceRef or path")));
        };
        Ok(self.folder(path).map(ContextSource::Folder).ok_or_else(|| {
            let message = "it is read from the machine that runs longshore up; in a cluster use git, http, sourceRef, \
                           inline or configMap";
            refused(".path", message)
        }))
    }

    fn folder(&self, path: &str) -> Option<PathBuf> {
        Some(self.resources.context_root(self.key)?.join(path))
    }
}

fn refused(field: &str, message: &str) -> Block {
    Block::terminal(Part::Source, Reason::InvalidSpec, format!("spec.image.build.context{field}: {message}"))
}

/// Where the Dockerfile lies: one that is outside of the context has `..` in its path.
fn dockerfile_of(build: &Build) -> DockerfileSource {
    if let Some(text) = &build.dockerfile_inline {
        return DockerfileSource::Inline(text.clone());
    }
    let path = build.dockerfile.as_deref().unwrap_or(DEFAULT_DOCKERFILE).to_owned();
    if path.split('/').any(|component| component == "..") {
        DockerfileSource::Beside(path)
    } else {
        DockerfileSource::InContext(path)
    }
}

/// What the domain has to know of a context.
pub(super) fn inputs_of(context: &ReadContext) -> ContextInputs {
    ContextInputs {
        digest: context.digest(),
        dockerfile: String::from_utf8_lossy(context.dockerfile().text()).into_owned(),
        origin: None,
    }
}
