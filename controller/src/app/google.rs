//! Google's registries: gcr.io with its regions, and Artifact Registry.

use super::Repository;

/// A repository of Artifact Registry, in which images lie. It must be there before anything is pushed into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleRepository {
    /// The project.
    pub project: String,
    /// Where it lies: a region, or `us`, `europe` or `asia`.
    pub location: String,
    /// Its name. One that serves a host of gcr.io is called like the host
    /// (<https://cloud.google.com/artifact-registry/docs/transition/gcr-repositories>).
    pub name: String,
}

impl GoogleRepository {
    /// The one that an image of this name lies in; `None` when it lies elsewhere, or when the name has no room for one.
    pub fn of(image: &Repository) -> Option<Self> {
        let (project, rest) = project_in(image.path())?;
        if let Some(location) = image.host().strip_suffix("-docker.pkg.dev") {
            // What is left of the path names the repository, and the image in it.
            let (name, _) = rest.split_once('/')?;
            return Some(Self { project, location: location.to_owned(), name: name.to_owned() });
        }
        let location = location_of_gcr(image.host())?.to_owned();
        Some(Self { project, location, name: image.host().to_owned() })
    }

    /// Whether it serves a host of gcr.io. Such a one is made by the first push of who may do so.
    pub fn serves_gcr(&self) -> bool {
        location_of_gcr(&self.name).is_some()
    }

    /// The command that makes it.
    pub fn command(&self) -> String {
        let Self { project, location, name } = self;
        format!(
            "gcloud artifacts repositories create {name} --repository-format=docker --location={location} --project={project}"
        )
    }
}

/// The project that a path begins with, and the rest. The name of a project in an organisation's domain has two parts,
/// `example.com/my-project`, and is written `example.com:my-project` elsewhere.
fn project_in(path: &str) -> Option<(String, &str)> {
    let (first, rest) = path.split_once('/')?;
    if !first.contains('.') {
        return Some((first.to_owned(), rest));
    }
    let (second, rest) = rest.split_once('/')?;
    Some((format!("{first}:{second}"), rest))
}

/// Where the repository lies that serves a host of gcr.io; `None` for any other host.
fn location_of_gcr(host: &str) -> Option<&'static str> {
    match host {
        "gcr.io" | "us.gcr.io" => Some("us"),
        "eu.gcr.io" => Some("europe"),
        "asia.gcr.io" => Some("asia"),
        _ => None,
    }
}

/// Whether a host, written as in an image reference, is one of Google's registries: `gcr.io`, `*.gcr.io`, and
/// `LOCATION-docker.pkg.dev` (<https://cloud.google.com/artifact-registry/docs/docker/names>). A port makes it another.
pub fn is_google_registry(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    host == "gcr.io"
        || host.strip_suffix(".gcr.io").is_some_and(is_label)
        || host.strip_suffix("-docker.pkg.dev").is_some_and(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(image: &str) -> Option<String> {
        GoogleRepository::of(&image.parse().unwrap()).map(|repository| repository.command())
    }

    #[test]
    fn the_command_that_makes_a_repository_names_it_its_location_and_its_project() {
        for (image, name, location, project) in [
            ("gcr.io/my-project/node-app", "gcr.io", "us", "my-project"),
            ("us.gcr.io/my-project/node-app", "us.gcr.io", "us", "my-project"),
            ("eu.gcr.io/my-project/team/node-app", "eu.gcr.io", "europe", "my-project"),
            ("asia.gcr.io/my-project/node-app", "asia.gcr.io", "asia", "my-project"),
            ("gcr.io/example.com/my-project/node-app", "gcr.io", "us", "example.com:my-project"),
            ("us-docker.pkg.dev/my-project/team/node-app", "team", "us", "my-project"),
            ("europe-west1-docker.pkg.dev/my-project/team/web/node-app", "team", "europe-west1", "my-project"),
        ] {
            let expected = format!(
                "gcloud artifacts repositories create {name} --repository-format=docker --location={location} --project={project}"
            );
            assert_eq!(command(image), Some(expected), "{image}");
        }
    }

    #[test]
    fn a_name_without_room_for_a_repository_names_none() {
        for image in ["us-docker.pkg.dev/my-project/node-app", "mirror.gcr.io/library/node", "docker.io/my/node-app"] {
            assert_eq!(command(image), None, "{image}");
        }
    }

    #[test]
    fn googles_registries_are_known_by_their_names() {
        for host in ["gcr.io", "eu.gcr.io", "mirror.gcr.io", "europe-west1-docker.pkg.dev", "us-docker.pkg.dev"] {
            assert!(is_google_registry(host), "{host}");
        }
    }

    #[test]
    fn no_other_host_passes_for_one() {
        for host in [
            "",
            "docker.io",
            "gcr.io.evil.test",
            "evil.test",
            "evilgcr.io",
            ".gcr.io",
            "a.b.gcr.io",
            "gcr.io:443",
            "eu.gcr.io:5000",
            "GCR.IO",
            "docker.pkg.dev",
            "-docker.pkg.dev",
            "evil.us-docker.pkg.dev",
            "us-docker.pkg.dev.evil.test",
            "us-docker.pkg.dev:443",
            "us-npm.pkg.dev",
        ] {
            assert!(!is_google_registry(host), "{host}");
        }
    }
}
