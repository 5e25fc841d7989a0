//! What a command of standalone mode works with: the resources of its project and the engines.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::failure::Failure;
use super::options::{OutsideOptions, ProjectOptions};
use super::output;
use crate::build::ContextReader;
use crate::engine::{Engine, EnginePool, Engines};
use crate::reconcile::{Reconciler, ReconcilerParts, Reporter, Resources, Wakes};
use crate::registry::{FirstOf, GoogleIdentity, OciRegistry, UserConfig};
use crate::source::SourceOptions;
use crate::standalone::{DEFAULT_NAMESPACE, FileResources, Images, Manifests, Project, StateFolder};

/// A project and its engines.
pub struct Session {
    /// The resources.
    pub resources: Arc<FileResources>,
    engines: Arc<EnginePool>,
}

/// What becomes of what an app that is removed has made, beyond its container.
#[derive(Clone, Copy, Debug)]
pub struct Removal {
    /// Its images.
    pub images: Images,
    /// Whether its volumes go, with everything in them.
    pub volumes: bool,
}

impl Removal {
    /// For what removes no app.
    pub const OF_NONE: Self = Self { images: Images::Go, volumes: false };
}

impl Session {
    /// Reads the files. What they hold that is not for standalone mode is told.
    pub fn open(files: &[PathBuf], options: &ProjectOptions) -> Result<Self, Failure> {
        let manifests = Manifests::load(files)?;
        for warning in &manifests.warnings {
            output::note(&format!("warning: {warning}"));
        }
        let project = options.project(files);
        let state = StateFolder::of_project(project.name(), options.state_dir.as_deref())?;
        let resources = Arc::new(FileResources::new(project, state, manifests, options.endpoint()?));
        let engines = EnginePool::new(Arc::clone(&resources) as Arc<dyn Resources>, DEFAULT_NAMESPACE);
        Ok(Self { resources, engines: Arc::new(engines) })
    }

    /// The project.
    pub fn project(&self) -> &Project {
        self.resources.project()
    }

    /// The reconciler of the project's apps, and the apps that it wants looked at.
    pub fn reconciler(
        &self,
        outside: &OutsideOptions,
        reporter: Arc<dyn Reporter>,
        removal: Removal,
    ) -> Result<(Arc<Reconciler>, Wakes), Failure> {
        let registry = OciRegistry::trusting_file(outside.registry_ca.as_deref()).map_err(Failure::BadInput)?;
        let cache = outside.cache();
        Ok(Reconciler::new(ReconcilerParts {
            resources: Arc::clone(&self.resources) as Arc<dyn Resources>,
            engines: Arc::clone(&self.engines) as Arc<dyn Engines>,
            registry: Arc::new(registry),
            ambient: Arc::new(FirstOf(vec![Box::new(UserConfig::of_the_user()), Box::new(GoogleIdentity::ambient())])),
            contexts: ContextReader::remembering_in(cache.join("contexts")),
            sources: SourceOptions::in_cache(&cache, outside.registry_ca.clone()),
            instance: self.project().instance().clone(),
            reporter,
            clock: Arc::new(Timestamp::now),
            keep_images: removal.images == Images::Stay,
            remove_volumes: removal.volumes,
            // There is nobody who would come back to it later: the user is told, and tries again.
            engine_patience: None,
        }))
    }

    /// The engines that the files describe, and the default one.
    pub async fn engines(&self) -> Result<Vec<Arc<dyn Engine>>, Failure> {
        let names = self.resources.engine_names();
        let described = names.iter().filter_map(|name| self.resources.engine_named(name));
        let mut engines = Vec::new();
        for engine in described {
            engines.push(self.engines.connect(&engine).await?);
        }
        Ok(engines)
    }
}
