//! What an engine says of itself.

use bollard::models::{SystemInfo, SystemVersion};

use super::connection::Connection;
use crate::app::{BuilderKind, EngineInfo, ImageStore};
use crate::engine::EngineError;

/// The version of the API since which Docker Engine builds with BuildKit without being experimental (18.09).
const BUILDKIT_SINCE: (u32, u32) = (1, 39);
/// How an engine with containerd's image store calls its kind of driver, since 24.0.
const CONTAINERD_DRIVER: &str = "io.containerd.snapshotter.v1";

pub(super) async fn info(connection: &Connection) -> Result<EngineInfo, EngineError> {
    let docker = connection.docker();
    let (info, version) =
        futures::try_join!(docker.info(), docker.version()).map_err(|error| connection.error(error))?;
    Ok(from_answers(&info, &version))
}

fn from_answers(info: &SystemInfo, version: &SystemVersion) -> EngineInfo {
    EngineInfo {
        id: info.id.clone().unwrap_or_default(),
        version: version.version.clone().unwrap_or_default(),
        api_version: version.api_version.clone().unwrap_or_default(),
        image_store: image_store(info),
        builder: builder(version),
    }
}

fn image_store(info: &SystemInfo) -> ImageStore {
    let is_containerd =
        info.driver_status.iter().flatten().any(|entry| entry.get(1).is_some_and(|value| value == CONTAINERD_DRIVER));
    if is_containerd { ImageStore::Containerd } else { ImageStore::GraphDriver }
}

/// BuildKit is in Docker Engine; others that speak its API, such as Podman, name their components differently.
fn builder(version: &SystemVersion) -> BuilderKind {
    let is_docker = version.components.iter().flatten().any(|component| component.name == "Engine");
    let is_recent = version
        .api_version
        .as_deref()
        .and_then(|version| version.split_once('.'))
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        .is_some_and(|version: (u32, u32)| version >= BUILDKIT_SINCE);
    if is_docker && is_recent { BuilderKind::BuildKit } else { BuilderKind::Classic }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder_of(json: &str) -> BuilderKind {
        builder(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn docker_engine_builds_with_buildkit() {
        let json = r#"{"ApiVersion":"1.41","Components":[{"Name":"Engine","Version":"20.10.24"}]}"#;
        assert_eq!(builder_of(json), BuilderKind::BuildKit);
    }

    #[test]
    fn an_old_engine_and_podman_build_classically() {
        let old = r#"{"ApiVersion":"1.38","Components":[{"Name":"Engine","Version":"18.06"}]}"#;
        assert_eq!(builder_of(old), BuilderKind::Classic);
        let podman = r#"{"ApiVersion":"1.41","Components":[{"Name":"Podman Engine","Version":"4.3.1"}]}"#;
        assert_eq!(builder_of(podman), BuilderKind::Classic);
    }

    #[test]
    fn the_kind_of_driver_tells_the_image_store() {
        let store = |json: &str| image_store(&serde_json::from_str(json).unwrap());
        let containerd = r#"{"Driver":"overlayfs","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#;
        assert_eq!(store(containerd), ImageStore::Containerd);
        let graph = r#"{"Driver":"overlay2","DriverStatus":[["Backing Filesystem","extfs"]]}"#;
        assert_eq!(store(graph), ImageStore::GraphDriver);
    }
}
