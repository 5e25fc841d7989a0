//! Google's registries: gcr.io with its regions, and Artifact Registry.

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
