//! The flags that several commands share.

use std::env;
use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::standalone::{Endpoint, Project};

/// What `--project` means for commands that list what there is.
pub const EVERY_PROJECT: &str = "Only this project; default: that of the files, and without files every project";

/// Which project is meant, and where its engine is.
#[derive(Clone, Debug, Args)]
pub struct ProjectOptions {
    /// Name of the project; default: the name of the folder of the first file, or of the current folder
    #[arg(long, env = "LONGSHORE_PROJECT", value_name = "NAME")]
    pub project: Option<String>,

    /// Address of the engine `default`, unless the files describe it: unix:///… or tcp://…
    #[arg(long, env = "DOCKER_HOST", value_name = "ADDRESS")]
    pub engine_host: Option<String>,

    /// Folder for what is remembered between runs; default: `longshore` in `XDG_STATE_HOME`, or in `~/.local/state`
    #[arg(long, env = "LONGSHORE_STATE_DIR", value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
}

impl ProjectOptions {
    /// The project, named or by the folder of these files.
    pub fn project(&self, files: &[PathBuf]) -> Project {
        match &self.project {
            Some(name) => Project::named(name),
            None => Project::of_files(files),
        }
    }

    /// The address of the default engine.
    pub fn endpoint(&self) -> Result<Endpoint, Failure> {
        match self.engine_host.as_deref() {
            // An empty variable is one that is not set.
            None | Some("") => Ok(Endpoint::default()),
            Some(text) => Ok(text.parse()?),
        }
    }
}

/// How registries and the sources of builds are reached.
#[derive(Clone, Debug, Args)]
pub struct OutsideOptions {
    /// A file of certificate authorities (PEM) to trust for registries, git servers and archives, beside the system's own
    #[arg(long, env = "LONGSHORE_REGISTRY_CA", value_name = "FILE")]
    pub registry_ca: Option<PathBuf>,

    /// Folder where git repositories and archives that builds read are kept, and the digests of what folders held;
    /// default: `longshore` in `XDG_CACHE_HOME`, or in `~/.cache`
    #[arg(long, env = "LONGSHORE_CACHE_DIR", value_name = "FOLDER")]
    pub cache_dir: Option<PathBuf>,
}

impl OutsideOptions {
    /// The folder of the cache; when none is named that of the user, as
    /// <https://specifications.freedesktop.org/basedir-spec/latest/> has it.
    pub fn cache(&self) -> PathBuf {
        self.cache_dir.clone().unwrap_or_else(cache_of_the_user)
    }
}

fn cache_of_the_user() -> PathBuf {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(env::temp_dir).join("longshore")
}
