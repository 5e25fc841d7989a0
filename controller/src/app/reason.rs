//! The reasons of conditions and Events: stable words that people and programs match.

/// Why a condition is as it is. Each is documented in `docs/reference.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The container runs and everything else is as it was asked.
    Running,
    /// The one-shot has exited with 0.
    Completed,
    /// The one-shot waits for its next run.
    Scheduled,
    /// The container is stopped, as it was asked.
    Stopped,
    /// The image is built and pushed where that was asked; nothing is to run.
    ImageReady,
    /// Something is being done.
    Progressing,
    /// The image is being built, or is about to be.
    Building,
    /// The image is being pulled, or is about to be.
    Pulling,
    /// The image is being pushed, or is about to be.
    Pushing,
    /// The container is being made and started.
    Starting,
    /// The container has started and is not ready yet.
    BecomingReady,
    /// The container is being replaced by one for the newer spec.
    Replacing,
    /// What the resource made is being removed.
    Deleting,
    /// The context was read.
    ContextRead,
    /// The image is on the engine.
    ImagePresent,
    /// Every destination holds the image.
    DestinationsHold,
    /// The registry wants credentials, or does not take those that it was shown.
    AuthenticationRequired,
    /// The registry knows who asks, who may not do this.
    PermissionDenied,
    /// The registry was shown a token that is valid no longer.
    TokenExpired,
    /// The registry has no such repository.
    RepositoryNotFound,
    /// The registry is shut down, or gives the image in a form that nobody takes any more.
    RegistryRetired,
    /// The registry's repository has no such image.
    ManifestUnknown,
    /// The registry was asked too often.
    RateLimited,
    /// The registry does not answer, or not now; what was known is still held for true.
    RegistryUnavailable,
    /// The registry's certificate is of an authority that is not trusted.
    CertificateUnknown,
    /// What the registry holds, gives or has taken does not have the digest that it should.
    DigestMismatch,
    /// A field has a value that cannot be.
    InvalidSpec,
    /// The engine's policy forbids what is asked.
    PolicyRefused,
    /// The `ContainerEngine` does not exist.
    EngineNotFound,
    /// The engine does not answer.
    EngineUnavailable,
    /// A Secret, or a key in it, does not exist.
    SecretNotFound,
    /// A Secret is there but cannot be used.
    SecretInvalid,
    /// The credentials of the user or of the machine cannot be had.
    CredentialsUnavailable,
    /// A ConfigMap, or a key in it, does not exist.
    ConfigMapNotFound,
    /// The context cannot be read.
    ContextUnreadable,
    /// The context's source is being read.
    ReadingSource,
    /// The context's source could not be asked; what was known is still held for true.
    SourceUnavailable,
    /// The context's source wants credentials, or other ones.
    SourceDenied,
    /// The context's source does not exist, or has not what is asked of it.
    SourceNotFound,
    /// The server of the context's source is not the one that is trusted.
    SourceUntrusted,
    /// What the context's source holds cannot be used.
    SourceRefused,
    /// The build took longer than it may.
    BuildTimedOut,
    /// A step of the Dockerfile failed, or the Dockerfile is broken.
    BuildFailed,
    /// The image is not on the engine, and it may not be pulled.
    ImageNotFound,
    /// The registry has the image for other platforms only.
    PlatformNotFound,
    /// The image could not be pulled for a reason that nobody knows.
    PullFailed,
    /// Somebody has moved a tag in a registry, and it is not to be put back.
    TagMoved,
    /// A tag in a registry holds another image and must not be overwritten.
    TagImmutable,
    /// A tag on the engine belongs to someone else.
    TagConflict,
    /// The push failed for a reason that nobody knows.
    PushFailed,
    /// The container's name is another's.
    NameConflict,
    /// A volume of the name that is wanted is another's.
    VolumeConflict,
    /// A network of the name that is wanted is another's.
    NetworkConflict,
    /// The engine has no addresses left for one more network.
    NetworkPoolExhausted,
    /// A host port is another's.
    PortConflict,
    /// A host IP is no address of the engine's host.
    HostIPNotFound,
    /// The engine refuses to make or start the container.
    StartFailed,
    /// The container runs and its health check fails.
    Unhealthy,
    /// The container keeps ending and the engine keeps starting it.
    CrashLoopBackOff,
    /// The one-shot has exited with another code than 0.
    RunFailed,
    /// The one-shot has failed more often than it may.
    BackoffLimitExceeded,
    /// The one-shot took longer than it may.
    DeadlineExceeded,
    /// The new container failed and the one before it runs again.
    RolledBack,
    /// The engine did not do what was asked.
    EngineError,
    /// A registry deletes no tags. It is the reason of an Event only.
    DeletionUnsupported,
    /// A superseded tag in a registry cannot be deleted without another one. It is the reason of an Event only.
    TagShared,
    /// Something of a resource that is gone is left on an engine. It is the reason of an Event only.
    Orphaned,
    /// The revision to go back to does not exist.
    RevisionNotFound,
    /// The record of a revision could not be written or removed. It is the reason of an Event only.
    RevisionNotRecorded,
}

impl Reason {
    /// The word, as it is written into conditions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Scheduled => "Scheduled",
            Self::Stopped => "Stopped",
            Self::ImageReady => "ImageReady",
            Self::Progressing => "Progressing",
            Self::Building => "Building",
            Self::Pulling => "Pulling",
            Self::Pushing => "Pushing",
            Self::Starting => "Starting",
            Self::BecomingReady => "BecomingReady",
            Self::Replacing => "Replacing",
            Self::Deleting => "Deleting",
            Self::ContextRead => "ContextRead",
            Self::ImagePresent => "ImagePresent",
            Self::DestinationsHold => "DestinationsHold",
            Self::AuthenticationRequired => "AuthenticationRequired",
            Self::PermissionDenied => "PermissionDenied",
            Self::TokenExpired => "TokenExpired",
            Self::RepositoryNotFound => "RepositoryNotFound",
            Self::RegistryRetired => "RegistryRetired",
            Self::ManifestUnknown => "ManifestUnknown",
            Self::RateLimited => "RateLimited",
            Self::RegistryUnavailable => "RegistryUnavailable",
            Self::CertificateUnknown => "CertificateUnknown",
            Self::DigestMismatch => "DigestMismatch",
            Self::InvalidSpec => "InvalidSpec",
            Self::PolicyRefused => "PolicyRefused",
            Self::EngineNotFound => "EngineNotFound",
            Self::EngineUnavailable => "EngineUnavailable",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretInvalid => "SecretInvalid",
            Self::CredentialsUnavailable => "CredentialsUnavailable",
            Self::ConfigMapNotFound => "ConfigMapNotFound",
            Self::ContextUnreadable => "ContextUnreadable",
            Self::ReadingSource => "ReadingSource",
            Self::SourceUnavailable => "SourceUnavailable",
            Self::SourceDenied => "SourceDenied",
            Self::SourceNotFound => "SourceNotFound",
            Self::SourceUntrusted => "SourceUntrusted",
            Self::SourceRefused => "SourceRefused",
            Self::BuildTimedOut => "BuildTimedOut",
            Self::BuildFailed => "BuildFailed",
            Self::ImageNotFound => "ImageNotFound",
            Self::PlatformNotFound => "PlatformNotFound",
            Self::PullFailed => "PullFailed",
            Self::TagMoved => "TagMoved",
            Self::TagImmutable => "TagImmutable",
            Self::TagConflict => "TagConflict",
            Self::PushFailed => "PushFailed",
            Self::NameConflict => "NameConflict",
            Self::VolumeConflict => "VolumeConflict",
            Self::NetworkConflict => "NetworkConflict",
            Self::NetworkPoolExhausted => "NetworkPoolExhausted",
            Self::PortConflict => "PortConflict",
            Self::HostIPNotFound => "HostIPNotFound",
            Self::StartFailed => "StartFailed",
            Self::Unhealthy => "Unhealthy",
            Self::CrashLoopBackOff => "CrashLoopBackOff",
            Self::RunFailed => "RunFailed",
            Self::BackoffLimitExceeded => "BackoffLimitExceeded",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::RolledBack => "RolledBack",
            Self::EngineError => "EngineError",
            Self::DeletionUnsupported => "DeletionUnsupported",
            Self::TagShared => "TagShared",
            Self::Orphaned => "Orphaned",
            Self::RevisionNotFound => "RevisionNotFound",
            Self::RevisionNotRecorded => "RevisionNotRecorded",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
