//! The Secrets and ConfigMaps that a `run` section refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use longshore_crds::Run;

use crate::app::Reason;

/// What was read of the Secrets and ConfigMaps that a `run` section refers to. One that does not exist is not in here.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Referred {
    /// The values of each object by their keys.
    pub objects: BTreeMap<(ObjectKind, String), BTreeMap<String, Vec<u8>>>,
}

impl Referred {
    /// The object of this name.
    pub(super) fn object(&self, kind: ObjectKind, name: &str) -> Option<&BTreeMap<String, Vec<u8>>> {
        self.objects.get(&(kind, name.to_owned()))
    }
}

/// The keys alone: a value may be secret.
impl fmt::Debug for Referred {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.objects.iter().map(|(object, values)| (object, values.keys()));
        formatter.debug_map().entries(keys).finish()
    }
}

/// The objects that a `run` section refers to.
pub fn referred_by(run: &Run) -> BTreeSet<(ObjectKind, String)> {
    let sources = run.env.iter().filter_map(|variable| variable.value_from.as_ref());
    let keys = sources.flat_map(|source| {
        let selected =
            [(ObjectKind::Secret, &source.secret_key_ref), (ObjectKind::ConfigMap, &source.config_map_key_ref)];
        selected.into_iter().filter_map(|(kind, selector)| Some((kind, selector.as_ref()?.name.clone())))
    });
    let wholes = run.env_from.iter().flat_map(|source| {
        let selected = [(ObjectKind::Secret, &source.secret_ref), (ObjectKind::ConfigMap, &source.config_map_ref)];
        selected.into_iter().filter_map(|(kind, selector)| Some((kind, selector.as_ref()?.name.clone())))
    });
    let files = run.volumes.iter().flat_map(|volume| {
        let secret = volume.secret.as_ref().map(|secret| (ObjectKind::Secret, secret.secret_name.clone()));
        let map = volume.config_map.as_ref().map(|map| (ObjectKind::ConfigMap, map.name.clone()));
        secret.into_iter().chain(map)
    });
    keys.chain(wholes).chain(files).collect()
}

/// What values are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl ObjectKind {
    /// Why a container waits for one that does not exist.
    pub(super) fn missing(self) -> Reason {
        match self {
            Self::Secret => Reason::SecretNotFound,
            Self::ConfigMap => Reason::ConfigMapNotFound,
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        })
    }
}

/// The key of a Secret or a ConfigMap that a value was read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyOrigin {
    /// What it is a key of.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: String,
    /// The key.
    pub key: String,
}

/// `the key token of the Secret npm`.
impl fmt::Display for KeyOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the key {} of the {} {}", self.key, self.kind, self.name)
    }
}
