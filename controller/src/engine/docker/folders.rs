//! The folders of a container that it finds filled, and that go with it: files from Secrets and ConfigMaps, and empty
//! folders.
//!
//! They are volumes without a name, which engines remove with the container that has them. What is in them has to be there
//! before the program starts, and cannot be put there through the container itself where it may only read. So another
//! container has them first, one that is never started: files are copied into it, the real one takes its volumes over, and
//! it is removed without them. When we die in between, it is left `created`; its labels say whose it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bollard::models::{ContainerCreateBody, HostConfig, Mount as ApiMount, MountType, MountVolumeOptions};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
    UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use tar::{Builder, EntryType, Header};

use super::connection::Connection;
use crate::app::{Mount, MountSource, MountedFile, labels};
use crate::engine::{CreateContainer, EngineError};

/// Everybody may write into an empty folder, as in core/v1: whom a program runs as is known only when it runs.
const EMPTY_FOLDER_MODE: u32 = 0o777;
const FOLDER_MODE: u32 = 0o755;

/// The containers that hold folders until the real one is made.
#[derive(Default)]
pub(super) struct Folders {
    holders: Vec<Holder>,
}

/// One of them.
struct Holder {
    id: String,
    /// How the real container takes its volumes: `ro` or `rw`.
    mode: &'static str,
    /// The volumes that it has beyond ours, by their places: those of the image's `VOLUME`s.
    foreign: BTreeMap<String, String>,
}

impl Folders {
    /// Makes and fills the folders of a container. Nothing is left when it fails.
    pub(super) async fn make(connection: &Connection, request: &CreateContainer) -> Result<Self, EngineError> {
        let mut folders = Self::default();
        match folders.make_all(connection, request).await {
            Ok(()) => Ok(folders),
            Err(error) => {
                folders.give_up(connection).await;
                Err(error)
            }
        }
    }

    async fn make_all(&mut self, connection: &Connection, request: &CreateContainer) -> Result<(), EngineError> {
        let mounts = &request.spec.mounts;
        let files = mounts.iter().filter_map(|mount| match &mount.source {
            MountSource::Files(files) => Some((mount, files.as_slice())),
            MountSource::Empty | MountSource::Memory(_) | MountSource::Claim(_) => None,
        });
        let files: Vec<(&Mount, &[MountedFile])> = files.collect();
        if !files.is_empty() {
            let paths = files.iter().map(|(mount, _)| mount.path.as_str()).collect();
            let id = self.hold(connection, request, &paths, "ro").await?;
            for (mount, files) in files {
                fill(connection, &id, &mount.path, archive_of(files)).await?;
            }
        }
        for is_read_only in [false, true] {
            let is_wanted = |mount: &&Mount| mount.source == MountSource::Empty && mount.is_read_only == is_read_only;
            let paths: BTreeSet<&str> = mounts.iter().filter(is_wanted).map(|mount| mount.path.as_str()).collect();
            if !paths.is_empty() {
                let id = self.hold(connection, request, &paths, if is_read_only { "ro" } else { "rw" }).await?;
                fill(connection, &id, "/", archive_of_folders(&paths)).await?;
            }
        }
        Ok(())
    }

    async fn hold(
        &mut self,
        connection: &Connection,
        request: &CreateContainer,
        paths: &BTreeSet<&str>,
        mode: &'static str,
    ) -> Result<String, EngineError> {
        let mut options = CreateContainerOptionsBuilder::default();
        if let Some(platform) = &request.spec.platform {
            options = options.platform(platform);
        }
        let created = connection.docker().create_container(Some(options.build()), holder_of(request, paths)).await;
        let id = created.map_err(|error| connection.error(error))?.id;
        self.holders.push(Holder { id: id.clone(), mode, foreign: BTreeMap::new() });
        let inspected = connection.docker().inspect_container(&id, None::<InspectContainerOptions>).await;
        let points = inspected.map_err(|error| connection.error(error))?.mounts.unwrap_or_default();
        let foreign = points.into_iter().filter(|point| point.typ.as_deref() == Some("volume"));
        let foreign = foreign.filter_map(|point| Some((point.destination?, point.name?)));
        if let Some(holder) = self.holders.last_mut() {
            holder.foreign = foreign.filter(|(path, _)| !paths.contains(path.as_str())).collect();
        }
        Ok(id)
    }

    /// What the real container takes over.
    pub(super) fn taken_over(&self) -> Option<Vec<String>> {
        let taken = self.holders.iter().map(|holder| format!("{}:{}", holder.id, holder.mode));
        (!self.holders.is_empty()).then(|| taken.collect())
    }

    /// Volumes of the real container's own where it would take over those of the image's `VOLUME`s.
    pub(super) fn volumes_of_the_image(&self) -> impl Iterator<Item = ApiMount> {
        let paths: BTreeSet<&String> = self.holders.iter().flat_map(|holder| holder.foreign.keys()).collect();
        paths.into_iter().map(|path| ApiMount {
            target: Some(path.clone()),
            typ: Some(MountType::VOLUME),
            ..ApiMount::default()
        })
    }

    /// Removes what held the folders and leaves these to the real container. What cannot be removed now is found by its
    /// labels and removed later.
    pub(super) async fn hand_over(self, connection: &Connection) {
        for holder in self.holders {
            remove(connection, &holder.id, false).await;
            for volume in holder.foreign.values() {
                let removed = connection.docker().remove_volume(volume, None::<RemoveVolumeOptions>).await;
                note(removed, "a volume of the image stays without a container");
            }
        }
    }

    /// Removes what held the folders and the folders.
    pub(super) async fn give_up(self, connection: &Connection) {
        for holder in self.holders {
            remove(connection, &holder.id, true).await;
        }
    }
}

fn holder_of(request: &CreateContainer, paths: &BTreeSet<&str>) -> ContainerCreateBody {
    let ours = [labels::INSTANCE, labels::OWNER_UID, labels::NAMESPACE, labels::NAME];
    let owner = request.labels.iter().filter(|(label, _)| ours.contains(&label.as_str()));
    let owner = owner.map(|(label, value)| (label.clone(), value.clone()));
    let mounts = paths.iter().map(|path| ApiMount {
        target: Some((*path).to_owned()),
        typ: Some(MountType::VOLUME),
        // What the image has there is not copied.
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..ApiMount::default()
    });
    ContainerCreateBody {
        image: Some(request.image.to_string()),
        labels: Some(owner.chain([(labels::FOLDERS_OF.to_owned(), request.name.clone())]).collect()),
        // It is never started, but an engine makes none that could not be.
        entrypoint: Some(vec!["never-started".to_owned()]),
        host_config: Some(HostConfig { mounts: Some(mounts.collect()), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    }
}

/// Copies an archive into a folder of a container that was never started.
async fn fill(
    connection: &Connection,
    id: &str,
    folder: &str,
    archive: io::Result<Vec<u8>>,
) -> Result<(), EngineError> {
    let archive = archive.map_err(|error| EngineError::Other(format!("the files of {folder}: {error}")))?;
    let options = UploadToContainerOptionsBuilder::default().path(folder).build();
    let body = bollard::body_full(Bytes::from(archive));
    let copied = connection.docker().upload_to_container(id, Some(options), body).await;
    copied.map_err(|error| connection.error(error))
}

/// Files that belong to root, in folders that everybody may look into.
fn archive_of(files: &[MountedFile]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let folders: BTreeSet<&str> = files.iter().flat_map(|file| folders_above(&file.path)).collect();
    for folder in folders {
        add(&mut archive, &format!("{folder}/"), EntryType::Directory, FOLDER_MODE, &[])?;
    }
    for file in files {
        add(&mut archive, &file.path, EntryType::Regular, file.mode, &file.content)?;
    }
    archive.into_inner()
}

/// Folders that are there, with their mode.
fn archive_of_folders(paths: &BTreeSet<&str>) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for path in paths {
        let path = format!("{}/", path.trim_start_matches('/'));
        add(&mut archive, &path, EntryType::Directory, EMPTY_FOLDER_MODE, &[])?;
    }
    archive.into_inner()
}

/// `a/b` and `a` of `a/b/c`.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn add(archive: &mut Builder<Vec<u8>>, path: &str, kind: EntryType, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
    archive.append_data(&mut header, path, content)
}

async fn remove(connection: &Connection, id: &str, with_volumes: bool) {
    let options = RemoveContainerOptionsBuilder::default().v(with_volumes).force(false).build();
    let removed = connection.docker().remove_container(id, Some(options)).await;
    note(removed, "a container that held folders stays for now");
}

fn note(outcome: Result<(), bollard::errors::Error>, what: &str) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::app::{KeyOrigin, ObjectKind};

    fn file(path: &str, mode: u32) -> MountedFile {
        MountedFile {
            path: path.to_owned(),
            mode,
            content: path.as_bytes().to_vec(),
            origin: KeyOrigin { kind: ObjectKind::Secret, name: "s".to_owned(), key: "k".to_owned() },
        }
    }

    fn entries(archive: Vec<u8>) -> Vec<String> {
        let mut archive = tar::Archive::new(io::Cursor::new(archive));
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            let (path, mode) = (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap());
            format!("{path} {mode:o} {content}").trim_end().to_owned()
        });
        entries.collect()
    }

    #[test]
    fn files_come_after_their_folders() {
        let long = format!("{}/x", "long".repeat(40));
        let archive = archive_of(&[file("a/b/c", 0o600), file("d", 0o444), file(&long, 0o644)]).unwrap();
        let folder = format!("{}/ 755", "long".repeat(40));
        let expected = ["a/ 755", "a/b/ 755", &folder, "a/b/c 600 a/b/c", "d 444 d", &format!("{long} 644 {long}")];
        assert_eq!(entries(archive), expected);
    }

    #[test]
    fn empty_folders_are_open_to_everybody() {
        let archive = archive_of_folders(&BTreeSet::from(["/var/cache/app"])).unwrap();
        assert_eq!(entries(archive), ["var/cache/app/ 777"]);
    }
}
