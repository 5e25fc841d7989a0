//! The context of a build, read from wherever the resource says that it lies.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use longshore_crds::{Build, BuildContext, LocalReference, parse_duration};

use super::dereference::Dereference;
use super::remote_context::RemoteContext;
use super::{ConfigMapData, ResourceError};
use crate::app::{Block, ContextInputs, Origin, Part, Reason};
use crate::build::{ContextSource, DockerfileSource, ReadContext};

const DEFAULT_DOCKERFILE: &str = "Dockerfile";

pub(super) type Found<T> = Result<Result<T, Block>, ResourceError>;

/// A context that was read, and where it comes from.
pub(super) struct SourceContext {
    pub(super) read: Arc<ReadContext>,
    /// Where the source stands, in the words of the status.
    pub(super) revision: String,
    /// The repository that it comes from.
    pub(super) origin: Option<Origin>,
    /// Why it may be older than its source is.
    pub(super) trouble: Option<Block>,
}

/// Where the files of a context are.
struct Located {
    source: ContextSource,
    revision: Option<String>,
    origin: Option<Origin>,
    trouble: Option<Block>,
}

impl Located {
    fn here(source: ContextSource) -> Self {
        Self { source, revision: None, origin: None, trouble: None }
    }
}

impl Dereference<'_> {
    pub(super) async fn context(&self, build: &Build) -> Found<SourceContext> {
        let located = match self.locate(&build.context).await? {
            Ok(located) => located,
            Err(block) => return Ok(Err(block)),
        };
        let Located { source, revision, origin, trouble } = located;
        let read = self.contexts.read(source, dockerfile_of(build)).await;
        Ok(read
            .map(|read| SourceContext {
                revision: revision.unwrap_or_else(|| read.digest().0.to_string()),
                read: Arc::new(read),
                origin,
                trouble,
            })
            .map_err(|error| {
                Block::waiting(Part::Source, Reason::ContextUnreadable, format!("spec.image.build.context: {error}"))
            }))
    }

    async fn locate(&self, context: &BuildContext) -> Found<Located> {
        if let Some(files) = &context.inline {
            let files = files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes()));
            return Ok(Ok(Located::here(ContextSource::Files(files.collect()))));
        }
        if let Some(reference) = &context.config_map {
            return self.config_map_files(reference).await;
        }
        if let Some(path) = &context.path {
            return Ok(self.folder(path).map(|folder| Located::here(ContextSource::Folder(folder))));
        }
        let found = match (&context.git, &context.http, &context.source_ref) {
            (Some(git), None, None) => self.git(git).await?,
            (None, Some(http), None) => self.archive(http).await?,
            (None, None, Some(reference)) => self.artifact(reference).await?,
            _ => Err(refused("", "needs exactly one source: inline, configMap, git, http, sourceRef or path")),
        };
        Ok(found.map(|RemoteContext { files, revision, origin, trouble }| Located {
            source: ContextSource::Stored(files),
            revision: Some(revision),
            origin,
            trouble,
        }))
    }

    async fn config_map_files(&self, reference: &LocalReference) -> Found<Located> {
        let found = self.resources.config_map(&self.key.namespace, &reference.name).await?;
        Ok(found
            .map(|ConfigMapData { data }| Located::here(ContextSource::Files(data)))
            .ok_or_else(|| self.missing(Part::Source, Reason::ConfigMapNotFound, "ConfigMap", &reference.name)))
    }

    fn folder(&self, path: &str) -> Result<PathBuf, Block> {
        self.resources.context_root(self.key).map(|root| root.join(path)).ok_or_else(|| {
            let message = "it is read from the machine that runs longshore up; in a cluster use git, http, sourceRef, \
                           inline or configMap";
            refused(".path", message)
        })
    }
}

/// The block of a field of the context that cannot be so.
pub(super) fn refused(field: &str, message: &str) -> Block {
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
pub(super) fn inputs_of(context: &SourceContext) -> ContextInputs {
    ContextInputs {
        digest: context.read.digest(),
        dockerfile: String::from_utf8_lossy(context.read.dockerfile().text()).into_owned(),
        origin: context.origin.clone(),
        trouble: context.trouble.clone(),
    }
}

/// How often a remote source is asked where nothing is said.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// A source of Flux tells by itself when it has something new; it is looked at this often.
const ARTIFACT_INTERVAL: Duration = Duration::from_secs(60);

/// How often a folder is looked at for edits. What has not changed since is not read again.
const FOLDER_INTERVAL: Duration = Duration::from_secs(5);

/// How often the source of a context is asked whether it has moved; `None` when it lies in a resource, which tells.
pub(super) fn interval_of(context: &BuildContext) -> Option<Duration> {
    let written = |text: &Option<String>| {
        let duration = text.as_deref().and_then(parse_duration).filter(|duration| !duration.is_zero());
        duration.unwrap_or(DEFAULT_INTERVAL)
    };
    let git = context.git.as_ref().map(|git| written(&git.interval));
    let http = || context.http.as_ref().map(|http| written(&http.interval));
    let artifact = || context.source_ref.as_ref().map(|_| ARTIFACT_INTERVAL);
    let folder = || context.path.as_ref().map(|_| FOLDER_INTERVAL);
    git.or_else(http).or_else(artifact).or_else(folder)
}
