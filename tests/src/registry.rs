//! The lab's gcr.io, asked directly.

use serde_json::Value;

use crate::programs::{lab_variable, run};

/// Everything that may lie under a tag.
const MANIFESTS: &str = "Accept: application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json";

/// The digest that it holds under a tag; `None` when it holds nothing there.
pub fn digest_in_registry(repository: &str, tag: &str) -> Option<String> {
    let headers = ask(&format!("{repository}/manifests/{tag}"), &["--head"])?;
    headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Docker-Content-Digest").then(|| value.trim().to_owned())
    })
}

/// What it holds beside the image under a tag: the in-toto statement of this type about the image; `None` when there is
/// none. It lies in a manifest of its own (BuildKit's docs/attestations/attestation-storage.md).
pub fn statement_in_registry(repository: &str, tag: &str, predicate_type: &str) -> Option<Value> {
    let index = object(&format!("{repository}/manifests/{tag}"))?;
    let manifests = index["manifests"].as_array()?;
    let is_image = |digest: &Value| manifests.iter().any(|manifest| manifest["digest"] == *digest);
    let beside = manifests.iter().find(|manifest| {
        let annotations = &manifest["annotations"];
        annotations["vnd.docker.reference.type"] == "attestation-manifest"
            && is_image(&annotations["vnd.docker.reference.digest"])
    })?;
    let statements = object(&format!("{repository}/manifests/{}", beside["digest"].as_str()?))?;
    let layers = statements["layers"].as_array()?;
    let layer = layers.iter().find(|layer| layer["annotations"]["in-toto.io/predicate-type"] == predicate_type)?;
    object(&format!("{repository}/blobs/{}", layer["digest"].as_str()?))
}

fn object(path: &str) -> Option<Value> {
    serde_json::from_str(&ask(path, &[])?).ok()
}

fn ask(path: &str, options: &[&str]) -> Option<String> {
    let user = format!("{}:{}", lab_variable("LONGSHORE_LAB_GCR_USER"), lab_variable("LONGSHORE_LAB_GCR_PASSWORD"));
    let authority = lab_variable("LONGSHORE_LAB_CA");
    let address = format!("https://gcr.io/v2/{path}");
    let connection = ["--silent", "--fail", "--noproxy", "*", "--cacert", &authority, "--user", &user];
    run("curl", &[&connection, options, &["--header", MANIFESTS, &address]].concat(), "").ok()
}

/// Lets a tag point at what another one of the repository points at, behind everybody's back.
///
/// # Panics
/// If the registry does not take it.
pub fn move_tag(repository: &str, tag: &str, to: &str) {
    let path = format!("{repository}/manifests/{to}");
    let manifest = ask(&path, &[]).unwrap_or_else(|| panic!("{path} is not there"));
    let kind: Value = serde_json::from_str(&manifest).unwrap_or_default();
    let content_type = format!("Content-Type: {}", kind["mediaType"].as_str().unwrap_or_default());
    let options = ["--request", "PUT", "--header", &content_type, "--data-binary", &manifest];
    ask(&format!("{repository}/manifests/{tag}"), &options)
        .unwrap_or_else(|| panic!("{repository}:{tag} was not moved"));
}

/// Takes a repository of the lab's hub away, with all that lies below it. A registry's API takes away what a repository
/// holds and never the repository, so its folder is removed.
pub fn remove_from_hub(repository: &str) {
    let repositories = format!("{}/hub/data/docker/registry/v2/repositories", lab_variable("LONGSHORE_LAB_STATE"));
    let _ = std::fs::remove_dir_all(format!("{repositories}/{repository}"));
}

/// A Secret with the credentials of the lab's gcr.io, as YAML.
pub fn registry_secret(name: &str, password: &str) -> String {
    let user = lab_variable("LONGSHORE_LAB_GCR_USER");
    let configuration = serde_json::json!({"auths": {"gcr.io": {"username": user, "password": password}}});
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name},
        "stringData": {".dockerconfigjson": configuration.to_string()},
    })
    .to_string()
}
