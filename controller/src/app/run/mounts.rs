//! What is mounted into a container: empty folders, files from Secrets and ConfigMaps, and volumes that stay.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use longshore_crds::{KeyToPath, Medium, Run, Volume, VolumeMount};

use super::environment::missing_object;
use super::{Bytes, KeyOrigin, ObjectKind, Referred, Settings, refused};
use crate::app::{Block, Digest, Owner, Part};

/// The mode of files that say nothing else, as in core/v1.
const DEFAULT_MODE: u32 = 0o644;

/// A folder of a container that is not its image's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is: an absolute path, not `/`.
    pub path: String,
    /// Whether nothing may be written to it.
    pub is_read_only: bool,
    /// What it is.
    pub source: MountSource,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A folder on the engine's disk, empty at first and gone with the container.
    Empty,
    /// A folder in memory, with so many bytes at most.
    Memory(Option<Bytes>),
    /// These files, and nothing else. They are gone with the container.
    Files(Vec<MountedFile>),
    /// The volume of this name on the engine, which stays.
    Claim(String),
}

/// A file that is mounted.
#[derive(Clone, PartialEq, Eq)]
pub struct MountedFile {
    /// Its path below the mount, without `.` and `..`.
    pub path: String,
    /// Its mode, 0777 at most.
    pub mode: u32,
    /// What it holds.
    pub content: Vec<u8>,
    /// Where that comes from.
    pub origin: KeyOrigin,
}

/// Without the content: it may be secret.
impl fmt::Debug for MountedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({:o}) from {}", self.path, self.mode, self.origin)
    }
}

impl MountedFile {
    /// What stands for its content among settings.
    fn digest(&self) -> Digest {
        Digest::of([format!("{:o} ", self.mode).into_bytes(), self.content.clone()].concat())
    }
}

impl Mount {
    /// The mounts of a container, in the order of the spec; the block of the first object or key that is missing.
    pub(crate) fn of(run: &Run, referred: &Referred, owner: &Owner) -> Result<Vec<Self>, Block> {
        let mounts = run.volume_mounts.iter().filter_map(|mount| {
            let volume = run.volumes.iter().find(|volume| volume.name == mount.name)?;
            Some(Self::of_one(mount, volume, referred, owner))
        });
        mounts.collect()
    }

    fn of_one(mount: &VolumeMount, volume: &Volume, referred: &Referred, owner: &Owner) -> Result<Self, Block> {
        let source = source(volume, referred, owner)?;
        let claim = volume.persistent_volume_claim.as_ref();
        let is_read_only = matches!(source, MountSource::Files(_))
            || mount.read_only.unwrap_or(false)
            || claim.is_some_and(|claim| claim.read_only.unwrap_or(false));
        Ok(Self { path: plain(&mount.mount_path), is_read_only, source })
    }

    /// The name of the volume that stays, where it is one.
    pub fn claim(&self) -> Option<&str> {
        match &self.source {
            MountSource::Claim(name) => Some(name),
            MountSource::Empty | MountSource::Memory(_) | MountSource::Files(_) => None,
        }
    }

    pub(crate) fn settings(&self, settings: &mut Settings) {
        let what = match &self.source {
            MountSource::Empty => "an empty folder".to_owned(),
            MountSource::Memory(None) => "memory".to_owned(),
            MountSource::Memory(Some(limit)) => format!("{limit} of memory"),
            MountSource::Files(_) => "files".to_owned(),
            MountSource::Claim(name) => format!("the volume {name}"),
        };
        // Files are never written to.
        let is_told = self.is_read_only && !matches!(self.source, MountSource::Files(_));
        let what = if is_told { format!("{what}, read-only") } else { what };
        settings.add(&format!("mount {}", self.path), &what);
        if let MountSource::Files(files) = &self.source {
            for file in files {
                settings.content(&format!("{} at {}/{}", file.origin, self.path, file.path), &file.digest());
            }
        }
    }
}

/// A path with one `/` between its parts and none at its end.
fn plain(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.fold(String::new(), |path, part| format!("{path}/{part}"))
}

fn source(volume: &Volume, referred: &Referred, owner: &Owner) -> Result<MountSource, Block> {
    if let Some(claim) = &volume.persistent_volume_claim {
        return Ok(MountSource::Claim(owner.volume_name(&claim.claim_name)));
    }
    if let Some(map) = &volume.config_map {
        let wanted = Wanted::new(&map.items, map.default_mode, map.optional);
        return files(ObjectKind::ConfigMap, &map.name, &wanted, volume, referred, owner);
    }
    if let Some(secret) = &volume.secret {
        let wanted = Wanted::new(&secret.items, secret.default_mode, secret.optional);
        return files(ObjectKind::Secret, &secret.secret_name, &wanted, volume, referred, owner);
    }
    let folder = volume.empty_dir.clone().unwrap_or_default();
    match folder.medium {
        Some(Medium::Memory) => {
            let limit = folder.size_limit.as_ref().map(Bytes::parse).transpose();
            Ok(MountSource::Memory(limit.map_err(|error| refused(&size_limit_of(volume), error))?))
        }
        Some(Medium::Disk) | None => Ok(MountSource::Empty),
    }
}

fn size_limit_of(volume: &Volume) -> String {
    format!("volumes[{}].emptyDir.sizeLimit", volume.name)
}

/// Which keys of an object become files.
struct Wanted<'a> {
    items: &'a [KeyToPath],
    mode: u32,
    is_optional: bool,
}

impl<'a> Wanted<'a> {
    fn new(items: &'a [KeyToPath], default_mode: Option<i32>, optional: Option<bool>) -> Self {
        Self { items, mode: mode(default_mode, DEFAULT_MODE), is_optional: optional.unwrap_or(false) }
    }
}

fn mode(mode: Option<i32>, or: u32) -> u32 {
    mode.and_then(|mode| u32::try_from(mode).ok()).map_or(or, |mode| mode & 0o777)
}

fn files(
    kind: ObjectKind,
    name: &str,
    wanted: &Wanted<'_>,
    volume: &Volume,
    referred: &Referred,
    owner: &Owner,
) -> Result<MountSource, Block> {
    let Some(object) = referred.object(kind, name) else {
        return if wanted.is_optional {
            Ok(MountSource::Files(Vec::new()))
        } else {
            Err(missing_object(kind, name, &owner.namespace))
        };
    };
    let file = |key: &str, path: &str, mode: u32, content: &[u8]| MountedFile {
        path: path.to_owned(),
        mode,
        content: content.to_vec(),
        origin: KeyOrigin { kind, name: name.to_owned(), key: key.to_owned() },
    };
    if wanted.items.is_empty() {
        let files = object.iter().filter(|(key, _)| !matches!(key.as_str(), "." | ".."));
        return Ok(MountSource::Files(files.map(|(key, value)| file(key, key, wanted.mode, value)).collect()));
    }
    let mut files = Vec::new();
    for item in wanted.items {
        match object.get(&item.key) {
            Some(value) => files.push(file(&item.key, &item.path, mode(item.mode, wanted.mode), value)),
            None if wanted.is_optional => {}
            None => {
                let message =
                    format!("the {kind} {name} has no key {}, which the volume {} needs", item.key, volume.name);
                return Err(Block::waiting(Part::Container, kind.missing(), message));
            }
        }
    }
    Ok(MountSource::Files(files))
}

/// What cannot be so, whatever is referred to.
pub(crate) fn check(run: &Run) -> Result<(), Block> {
    for (index, volume) in run.volumes.iter().enumerate() {
        check_volume(volume, &format!("volumes[{index}]"))?;
    }
    let mut paths = BTreeSet::new();
    let mut mounted: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, mount) in run.volume_mounts.iter().enumerate() {
        let field = |name: &str| format!("volumeMounts[{index}].{name}");
        let Some(volume) = run.volumes.iter().find(|volume| volume.name == mount.name) else {
            return Err(refused(&field("name"), format!("{} is none of spec.run.volumes", mount.name)));
        };
        check_path(&mount.mount_path, &field("mountPath"))?;
        if !paths.insert(plain(&mount.mount_path)) {
            return Err(refused(&field("mountPath"), format!("{} is mounted already", mount.mount_path)));
        }
        // Engines have no way to give the folder of one container a second place in it.
        let is_empty_folder = volume.empty_dir.is_some();
        if let Some(first) = mounted.insert(&mount.name, index).filter(|_| is_empty_folder) {
            let message =
                format!("{} is mounted by spec.run.volumeMounts[{first}]; an emptyDir has one place", mount.name);
            return Err(refused(&field("name"), message));
        }
    }
    Ok(())
}

fn check_path(path: &str, field: &str) -> Result<(), Block> {
    let is_folder = path.starts_with('/') && !plain(path).is_empty();
    if !is_folder || path.split('/').any(|part| part == "..") || path.contains([':', '\0']) {
        let message = format!("\"{path}\" is not an absolute path below /, without .. and :");
        return Err(refused(field, message));
    }
    Ok(())
}

fn check_volume(volume: &Volume, field: &str) -> Result<(), Block> {
    let given = [
        volume.empty_dir.is_some(),
        volume.config_map.is_some(),
        volume.secret.is_some(),
        volume.persistent_volume_claim.is_some(),
    ];
    if given.into_iter().filter(|is_given| *is_given).count() != 1 {
        let message = "a volume is exactly one of emptyDir, configMap, secret and persistentVolumeClaim";
        return Err(refused(field, message));
    }
    if let Some(limit) = volume.empty_dir.as_ref().and_then(|folder| folder.size_limit.as_ref()) {
        let is_memory = volume.empty_dir.as_ref().and_then(|folder| folder.medium) == Some(Medium::Memory);
        let field = format!("{field}.emptyDir.sizeLimit");
        if !is_memory {
            return Err(refused(&field, "is kept by the engine with medium: Memory only"));
        }
        Bytes::parse(limit).map_err(|error| refused(&field, error))?;
    }
    let maps = volume.config_map.iter().map(|map| ("configMap", &map.items));
    let secrets = volume.secret.iter().map(|secret| ("secret", &secret.items));
    for (kind, items) in maps.chain(secrets) {
        check_items(items, &format!("{field}.{kind}.items"))?;
    }
    Ok(())
}

fn check_items(items: &[KeyToPath], field: &str) -> Result<(), Block> {
    let mut paths = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let field = format!("{field}[{index}].path");
        let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        if !item.path.split('/').all(is_plain) {
            let message = format!("\"{}\" is not a path in the volume, without . and ..", item.path);
            return Err(refused(&field, message));
        }
        if !paths.insert(&item.path) {
            return Err(refused(&field, format!("{} is another item's path already", item.path)));
        }
    }
    // A file cannot be a folder as well.
    let below = |path: &str| paths.iter().find(|other| other.starts_with(&format!("{path}/")));
    match items.iter().enumerate().find_map(|(index, item)| Some((index, &item.path, below(&item.path)?))) {
        Some((index, path, other)) => {
            Err(refused(&format!("{field}[{index}].path"), format!("{path} is a file, and {other} lies in it")))
        }
        None => Ok(()),
    }
}
