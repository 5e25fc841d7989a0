//! What a reader can do about it.

use super::{Purpose, RegistryError, RegistryErrorKind, RegistryRequest, Shown};
use crate::app::google::{GoogleRepository, is_google_registry};

/// Registries that are no more, and what is there in their stead.
const RETIRED: &[(&str, &str)] = &[
    // https://kubernetes.io/blog/2023/03/10/image-registry-redirect/
    ("k8s.gcr.io", "its images are at registry.k8s.io, under the same names"),
    // https://docs.github.com/packages/working-with-a-github-packages-registry/migrating-to-the-container-registry-from-the-docker-registry
    ("docker.pkg.github.com", "its images are at ghcr.io"),
    // https://cloud.google.com/container-registry/docs/deprecations/feature-deprecations
    ("b.gcr.io", "its images are nowhere any more; push to Artifact Registry, LOCATION-docker.pkg.dev"),
    ("bucket.gcr.io", "its images are nowhere any more; push to Artifact Registry, LOCATION-docker.pkg.dev"),
];

/// What is there instead of a registry that is no more.
pub(super) fn successor_of(host: &str) -> Option<&'static str> {
    RETIRED.iter().find(|(retired, _)| *retired == host).map(|(_, successor)| *successor)
}

/// What helps against an error, as a phrase that can stand behind it.
pub(super) fn of(error: &RegistryError) -> String {
    let request = &*error.request;
    match error.kind {
        RegistryErrorKind::AuthenticationRequired => of_authentication(request),
        RegistryErrorKind::PermissionDenied => of_permission(request),
        RegistryErrorKind::TokenExpired => {
            "the token that was shown is valid no longer; one that Longshore fetches is \
            fetched anew, one in a Secret has to be replaced there"
                .to_owned()
        }
        RegistryErrorKind::RepositoryNotFound => of_repository(request),
        RegistryErrorKind::RegistryRetired => of_retired(error),
        RegistryErrorKind::ManifestUnknown => of_manifest(request),
        RegistryErrorKind::RateLimited => of_limit(error),
        RegistryErrorKind::Unavailable => match error.retry_after {
            Some(wait) => format!("it is asked again after {} seconds, as it wishes", wait.as_secs()),
            None => "it is asked again".to_owned(),
        },
        RegistryErrorKind::CertificateUnknown => of_certificate(request),
        RegistryErrorKind::DigestMismatch => "find out who else pushes to that tag, or what between here and the \
            registry changes what is sent"
            .to_owned(),
        RegistryErrorKind::DeletionUnsupported => {
            "let the registry delete, as storage.delete.enabled does it in that of \
            Docker, or leave keep out of the push; it is tried again after a day"
                .to_owned()
        }
        RegistryErrorKind::TagShared => "it is left there and not looked at again".to_owned(),
    }
}

/// Where credentials for it are named.
fn field(request: &RegistryRequest) -> &'static str {
    match request.purpose {
        Purpose::Push | Purpose::Delete => "the secretRef beside spec.push[].to",
        Purpose::Pull | Purpose::Build => "spec.image.pullSecrets",
        Purpose::LookUp => "secretRef or pullSecrets",
    }
}

fn of_authentication(request: &RegistryRequest) -> String {
    let host = request.host().unwrap_or("the registry");
    match request.shown {
        Shown::Nothing => {
            format!("no credentials were shown: name a Secret that has some for {host} in {}", field(request))
        }
        Shown::Password | Shown::Token => {
            format!("{host} does not take the credentials that it was shown: correct the Secret, or log in again")
        }
    }
}

/// The role that a Google service account or user needs
/// (<https://cloud.google.com/artifact-registry/docs/access-control>).
fn role(request: &RegistryRequest) -> &'static str {
    match request.purpose {
        Purpose::Push => "roles/artifactregistry.writer",
        Purpose::Delete => "roles/artifactregistry.repoAdmin",
        Purpose::Pull | Purpose::Build | Purpose::LookUp => "roles/artifactregistry.reader",
    }
}

fn google_repository(request: &RegistryRequest) -> Option<GoogleRepository> {
    GoogleRepository::of(request.reference.as_ref()?.repository())
}

fn of_permission(request: &RegistryRequest) -> String {
    let role = role(request);
    if let Some(GoogleRepository { project, location, name }) = google_repository(request) {
        return format!(
            "whoever these credentials are of needs {role} on the repository {name} in {location} of the project {project}"
        );
    }
    if request.host().is_some_and(is_google_registry) {
        return format!("whoever these credentials are of needs {role}");
    }
    let may = match request.purpose {
        Purpose::Push => "push to",
        Purpose::Delete => "delete tags in",
        Purpose::Pull | Purpose::Build | Purpose::LookUp => "pull from",
    };
    format!("let whoever these credentials are of {may} that repository, and see that it exists")
}

fn of_repository(request: &RegistryRequest) -> String {
    let is_push = request.purpose == Purpose::Push;
    match google_repository(request) {
        Some(repository) if is_push && repository.serves_gcr() => format!(
            "create it with {}, or give whoever pushes roles/artifactregistry.createOnPushWriter on the project {}, so \
             that the first push creates it",
            repository.command(),
            repository.project
        ),
        Some(repository) if is_push => {
            format!("create it with {}, and give whoever pushes {}", repository.command(), role(request))
        }
        Some(repository) => format!("correct the name, or create the repository with {}", repository.command()),
        None if request.host().is_some_and(|host| host.ends_with("-docker.pkg.dev")) => {
            "write the name as LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE".to_owned()
        }
        None if is_push => "create the repository at the registry, or correct spec.push[].to".to_owned(),
        None if request.shown == Shown::Nothing => {
            format!("correct the name; if it is a private one, name a Secret in {}", field(request))
        }
        None => "correct the name".to_owned(),
    }
}

fn of_retired(error: &RegistryError) -> String {
    let request = &*error.request;
    if let Some(successor) = request.host().and_then(successor_of) {
        return format!("that registry is no more: {successor}");
    }
    match google_repository(request) {
        Some(repository) if repository.serves_gcr() => format!(
            "Container Registry is shut down and the project {0} was not migrated to Artifact Registry: gcloud \
             artifacts docker upgrade migrate --projects={0} does it, and the names stay",
            repository.project
        ),
        _ => {
            "the image is in Docker's format of 2015 (schema 1), which is not read any more: take a newer tag, or have \
              it pushed anew"
                .to_owned()
        }
    }
}

fn of_manifest(request: &RegistryRequest) -> String {
    let correct = match request.purpose {
        Purpose::Pull => "correct spec.image.name and tags",
        Purpose::Build => "correct the Dockerfile",
        Purpose::Push | Purpose::LookUp | Purpose::Delete => "correct the name and the tag",
    };
    format!("{correct}, or push that image")
}

fn of_limit(error: &RegistryError) -> String {
    let again = match error.retry_after {
        Some(wait) => format!("it is asked again after {} seconds, as it wishes", wait.as_secs()),
        None => "it is asked again later".to_owned(),
    };
    match error.request.shown {
        Shown::Nothing => format!("{again}; most registries let more through with credentials"),
        Shown::Password | Shown::Token => again,
    }
}

fn of_certificate(request: &RegistryRequest) -> String {
    let host = request.host().unwrap_or("HOST");
    match request.purpose {
        Purpose::LookUp | Purpose::Delete => format!(
            "put the certificate of its authority into spec.registries of the ContainerEngine, beside the host {host}, or \
             into the file that --registry-ca names"
        ),
        Purpose::Pull | Purpose::Push | Purpose::Build => format!(
            "put the certificate of its authority into /etc/docker/certs.d/{host}/ca.crt on the engine's host, or name \
             {host} in insecure-registries of the engine's daemon.json if it has none"
        ),
    }
}
