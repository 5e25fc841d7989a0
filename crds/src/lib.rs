//! The Longshore API, `longshore.dev/v1alpha1`: the kinds that people write and the statuses that the
//! controller writes.
//!
//! Every field of these types is in the schema that the API server enforces and that `kubectl explain`
//! shows, so a field is here only when something honours it.

mod build;
mod build_context;
mod container_app;
mod container_app_revision;
mod container_app_status;
mod container_engine;
mod duration;
mod manifests;
mod one_shot_status;
mod probe;
mod reference_to;
mod run;
mod strategy;

pub use build::{
    Attestations, BasePullPolicy, Build, BuildNetwork, BuildSecret, BuildSsh, CacheKind, CacheMode, CacheTo, HostAlias,
    Provenance, Sbom,
};
pub use build_context::{BuildContext, GitContext, GitReference, HttpContext, SourceKind, SourceReference};
pub use container_app::{ContainerApp, ContainerAppSpec, DeletionPolicy, Drift, Image, PullPolicy, Push};
pub use container_app_revision::{
    ContainerAppRevision, ContainerAppRevisionSpec, ContainerAppRevisionStatus, RevisionImage, RevisionInputs,
    RevisionOutcome,
};
pub use container_app_status::{
    BaseImageStatus, BuildFailure, BuildStatus, ContainerAppStatus, ContainerStatus, EngineReference, FormerEngine,
    ImageStatus, PushStatus, RemoteReference, SourceStatus,
};
pub use container_engine::{
    ContainerEngine, ContainerEngineSpec, ContainerEngineStatus, HostPortRange, Leftover, RegistrySettings, Tombstone,
};
pub use duration::parse_duration;
pub use manifests::{custom_resource_definitions, manifest_of};
pub use one_shot_status::{RunOutcome, RunStatus, ScheduleStatus};
pub use probe::{ExecAction, Probe};
pub use reference_to::{KeySelector, LocalReference};
pub use run::{
    Capabilities, ClaimVolume, ConfigMapVolume, ContainerPort, DnsConfig, DnsOption, EmptyDirVolume, EnvFromSource,
    EnvVar, EnvVarSource, KeyToPath, Lifecycle, Logs, Medium, ObjectSelector, Protocol, Quantity, ResourceLimits,
    ResourceRequests, Resources, RestartPolicy, Run, SecretVolume, SecurityContext, StopSignal, Sysctl, SysctlName,
    Volume, VolumeMount, VolumeReclaimPolicy,
};
pub use strategy::Strategy;

/// The API group of every kind.
pub const GROUP: &str = "longshore.dev";

/// The version of every kind.
pub const VERSION: &str = "v1alpha1";
