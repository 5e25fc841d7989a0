//! What is wanted, after validation: types that cannot hold a wrong value.

use std::collections::BTreeMap;
use std::time::Duration;

use longshore_crds::{Drift, RestartPolicy, StopSignal};
use serde_json::{Value, json};

use super::run::Settings;
use super::{
    Action, Block, Bounds, BuildSpec, Credentials, CredentialsMark, HealthCheck, ImageKey, ImageReference, InputHash,
    KeyOrigin, Mount, Naming, OneShot, Owner, Pull, Repository, Rollout, Security, SpecHash, WantedPort,
};

/// What one resource asks for. A part whose inputs could not be had is the [`Block`] that says why.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Who owns what is made.
    pub owner: Owner,
    /// The generation of the spec.
    pub generation: i64,
    /// The name of the engine.
    pub engine: String,
    /// The image's repository.
    pub repository: Repository,
    /// The reference of the image that runs: the repository and the first tag, or the digest.
    pub image: ImageReference,
    /// Where the image comes from.
    pub source: Result<ImageSource, Block>,
    /// Why the context may be older than its source is.
    pub source_trouble: Option<Block>,
    /// The public tags that an image which is built gets on the engine; empty for one that is pulled.
    pub tags: Vec<ImageReference>,
    /// Where the image is pushed, one entry for each tag.
    pub destinations: Vec<Destination>,
    /// The container; absent when the image is only built and pushed.
    pub run: Option<RunSpec>,
    /// How many superseded images are kept.
    pub revision_history_limit: usize,
    /// The revision whose image is wanted instead of that of the source.
    pub rollback_to: Option<i64>,
    /// How long without progress until the resource is called stalled.
    pub progress_deadline: Duration,
}

impl Desired {
    /// What identifies the image among those that the owner keeps; `None` while the source is not known.
    pub fn image_key(&self) -> Option<ImageKey> {
        match self.source.as_ref().ok()? {
            ImageSource::Build(build) => Some(ImageKey::built(&InputHash::of(build))),
            ImageSource::Pull(pull) => Some(ImageKey::pulled(&self.pulled_reference(pull), pull.platform.as_deref())),
        }
    }

    /// Whether what is being done is still wanted though its result is seen already: an engine shows an image before the
    /// build or the pull that brings it has ended, and what comes after, a cache for a registry or the log, would be lost
    /// with the rest of the call.
    pub fn awaits_the_end_of(&self, running: &Action) -> bool {
        match running {
            Action::BuildImage { reference, .. } => {
                self.image_key().is_some_and(|key| self.owner.private_reference(&key) == *reference)
            }
            Action::PullImage { .. } => self.pull_action().is_some_and(|wanted| wanted == *running),
            _ => false,
        }
    }

    /// Whether it is a one-shot with a schedule.
    pub fn comes_back(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.one_shot.schedule.is_some())
    }

    /// The credentials with which this reference is pushed.
    pub fn credentials_to_push(&self, reference: &ImageReference) -> Option<&Credentials> {
        self.destination(reference)?.credentials.as_ref().ok()?.as_ref()
    }

    /// Whether another image under this reference in a registry stays there.
    pub fn never_overwrites(&self, reference: &ImageReference) -> bool {
        self.destination(reference).is_some_and(|destination| destination.rules.immutable_tags)
    }

    /// The destination with whose credentials superseded tags of a repository are looked at and deleted. Where none
    /// keeps a number of them, or its credentials are not there, they are not.
    pub fn destination_to_delete_in(&self, repository: &Repository) -> Option<&Destination> {
        let here = self.destinations.iter().filter(|destination| destination.reference.repository() == repository);
        here.into_iter().find(|destination| destination.rules.keep.is_some() && destination.credentials.is_ok())
    }

    /// Whether what is pushed under this reference is deleted once it is superseded long enough.
    pub fn keeps_superseded(&self, reference: &ImageReference) -> bool {
        self.destination(reference).is_some_and(|destination| destination.rules.keep.is_some())
    }

    fn destination(&self, reference: &ImageReference) -> Option<&Destination> {
        self.destinations.iter().find(|destination| destination.reference == *reference)
    }

    /// The credentials with which the image is pulled.
    pub fn credentials_to_pull(&self) -> Option<&Credentials> {
        match &self.source {
            Ok(ImageSource::Pull(pull)) => pull.credentials.as_ref(),
            _ => None,
        }
    }

    /// The credentials that a build has for registries.
    pub fn credentials_to_build(&self) -> &[Credentials] {
        match &self.source {
            Ok(ImageSource::Build(build)) => build.method.access.as_ref().map_or(&[], |access| &access.credentials),
            _ => &[],
        }
    }

    /// What tells all of them from other ones.
    pub fn credentials_mark(&self) -> CredentialsMark {
        let pushes = self.destinations.iter().map(|destination| destination.credentials.as_ref().ok()?.as_ref());
        let builds = self.credentials_to_build().iter().map(Some);
        CredentialsMark::of(pushes.chain([self.credentials_to_pull()]).chain(builds))
    }

    /// The step that pulls the image, where it is pulled.
    pub fn pull_action(&self) -> Option<Action> {
        match self.source.as_ref().ok()? {
            ImageSource::Build(_) => None,
            ImageSource::Pull(pull) => {
                Some(Action::PullImage { reference: self.pulled_reference(pull), platform: pull.platform.clone() })
            }
        }
    }

    /// The reference by which the image is pulled, where it is.
    pub fn pull_reference(&self) -> Option<ImageReference> {
        match self.source.as_ref().ok()? {
            ImageSource::Build(_) => None,
            ImageSource::Pull(pull) => Some(self.pulled_reference(pull)),
        }
    }

    /// What is pulled: by its digest where that is known. A tag may move between a look and a pull.
    pub fn pulled_reference(&self, pull: &Pull) -> ImageReference {
        pull.digest.as_ref().map_or_else(|| self.image.clone(), |digest| self.repository.pinned(digest))
    }

    /// The input hash, where the image is built and its source is known.
    pub fn input_hash(&self) -> Option<InputHash> {
        match self.source.as_ref().ok()? {
            ImageSource::Build(build) => Some(InputHash::of(build)),
            ImageSource::Pull { .. } => None,
        }
    }
}

/// Where an image comes from.
#[derive(Clone, Debug)]
pub enum ImageSource {
    /// It is built on the engine.
    Build(Box<BuildSpec>),
    /// It is pulled by the reference of [`Desired::image`].
    Pull(Pull),
}

/// One reference in a registry that must hold the image.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Where.
    pub reference: ImageReference,
    /// For the registry of the reference; without any, the push is anonymous.
    pub credentials: Result<Option<Credentials>, Block>,
    /// What is done about what the registry holds there.
    pub rules: PushRules,
}

/// What is done about what a registry holds under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRules {
    /// How often the registry is asked.
    pub interval: Duration,
    /// What is done about a tag that somebody has moved.
    pub drift: Drift,
    /// Whether a tag that holds another image is never overwritten.
    pub immutable_tags: bool,
    /// How many superseded images stay in the repository; without a number all do.
    pub keep: Option<usize>,
}

impl Default for PushRules {
    fn default() -> Self {
        Self { interval: Duration::from_secs(300), drift: Drift::default(), immutable_tags: false, keep: None }
    }
}

/// The container that is wanted.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// Its name on the engine.
    pub name: String,
    /// Whether it is kept as it is, and stopped.
    pub is_stopped: bool,
    /// What it is made of, but for its image.
    pub container: Result<ContainerSpec, Block>,
    /// How it takes over from another, and stays well.
    pub rollout: Rollout,
    /// What is asked of it where it ends.
    pub one_shot: OneShot,
}

/// What a container is made of, but for its image, its name and its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSpec {
    /// The ports to publish, in order.
    pub ports: Vec<WantedPort>,
    /// Instead of the image's `ENTRYPOINT`; the image's own when empty.
    pub command: Vec<String>,
    /// Instead of the image's `CMD`; the image's own when empty.
    pub args: Vec<String>,
    /// The environment beside the image's own.
    pub env: BTreeMap<String, String>,
    /// Where the values of variables come from that are those of keys. It is for telling alone, and not hashed.
    pub env_origins: BTreeMap<String, KeyOrigin>,
    /// Instead of the image's `WORKDIR`.
    pub working_dir: Option<String>,
    /// The platform of the image; the engine's own when absent.
    pub platform: Option<String>,
    /// When it is started again.
    pub restart_policy: RestartPolicy,
    /// How often the engine starts it again after failures, where there is an end to it.
    pub retries: Option<u32>,
    /// How long it has to end before it is killed.
    pub grace_period: Duration,
    /// The signal that asks it to end; the image's own when absent.
    pub stop_signal: Option<StopSignal>,
    /// Its labels beside ours.
    pub labels: BTreeMap<String, String>,
    /// What it is called by itself, and how it finds others.
    pub naming: Naming,
    /// As whom it runs, and what it gives up.
    pub security: Security,
    /// What it may use.
    pub bounds: Bounds,
    /// Its folders that are not its image's.
    pub mounts: Vec<Mount>,
    /// How the engine finds out whether it is well; as the image has it when absent.
    pub health_check: Option<HealthCheck>,
}

impl ContainerSpec {
    /// The hash of this spec.
    pub fn hash(&self) -> SpecHash {
        SpecHash::of(self)
    }

    /// The spec in the one form that is hashed. The order of ports does not matter, that of arguments does.
    pub(crate) fn canonical(&self) -> Value {
        let mut ports: Vec<String> = self.ports.iter().map(ToString::to_string).collect();
        ports.sort_unstable();
        let mut canonical = json!({
            "args": self.args,
            "command": self.command,
            "env": self.env,
            "gracePeriodSeconds": self.grace_period.as_secs(),
            "ports": ports,
            "restartPolicy": self.restart_policy,
            "workingDir": self.working_dir,
        });
        // Without one the hash is that of the versions that knew no platform: an upgrade replaces no container.
        if let Some(platform) = &self.platform {
            canonical["platform"] = json!(platform);
        }
        // As with the platform.
        let settings = self.settings();
        if !settings.values().is_empty() {
            canonical["settings"] = json!(settings.values());
        }
        if let Some(check) = &self.health_check {
            canonical["healthCheck"] = check.canonical();
        }
        canonical
    }

    /// What is set beyond the fields that every spec has.
    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.set("backoff limit", self.retries.as_ref());
        settings.set("stop signal", self.stop_signal.map(StopSignal::as_str).as_ref());
        for (name, value) in &self.labels {
            settings.add(&format!("label {name}"), value);
        }
        self.naming.settings(&mut settings);
        self.security.settings(&mut settings);
        self.bounds.settings(&mut settings);
        for mount in &self.mounts {
            mount.settings(&mut settings);
        }
        settings
    }

    /// What a container made for this spec tells of itself, so that what differs from another spec can be named. Values of
    /// the environment and arguments are not in it.
    pub(crate) fn told(&self) -> Settings {
        let mut told = self.settings().without_contents();
        told.set("platform", self.platform.as_ref());
        told.set("working directory", self.working_dir.as_ref());
        told.add("restart policy", &format!("{:?}", self.restart_policy));
        told.add("grace period", &format!("{}s", self.grace_period.as_secs()));
        told
    }

    /// Whether the container is a one-shot, done when it has exited with 0.
    pub fn is_one_shot(&self) -> bool {
        self.restart_policy != RestartPolicy::Always
    }
}
