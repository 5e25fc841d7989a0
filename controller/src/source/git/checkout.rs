//! The files of a commit, out of a pack and into the store.

use std::collections::BTreeMap;

use gix_hash::ObjectId;

use super::modules::addresses_in;
use super::pack::{NamedKind, Pack};
use crate::source::paths::{TreeBuilder, in_folder, link_target};
use crate::source::{SourceEntry, SourceError};

/// The file that names the submodules.
const MODULES: &[u8] = b".gitmodules";

/// The longest target of a link, in bytes, with one more so that what is longer is noticed.
const LONGEST_TARGET: usize = 4097;

/// A submodule of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Submodule {
    /// Where its files belong.
    pub(super) path: String,
    /// Its commit.
    pub(super) commit: String,
    /// The address of its repository as it is written; `None` where `.gitmodules` has none.
    pub(super) address: Option<String>,
}

/// What was found in a commit.
pub(super) struct Checkout {
    /// When the commit was made, in seconds since 1970.
    pub(super) time: i64,
    pub(super) submodules: Vec<Submodule>,
}

/// Adds the files of a commit to a tree, below a folder of it. Attributes, filters and large-file pointers are left
/// as they are: a context is what the commit holds.
pub(super) fn check_out(
    pack: &mut Pack,
    commit: &ObjectId,
    below: &str,
    tree: &mut TreeBuilder,
) -> Result<Checkout, SourceError> {
    let commit = pack.commit(commit)?;
    let mut submodules = Vec::new();
    let mut modules = None;
    let mut waiting = vec![(below.to_owned(), commit.tree)];
    while let Some((folder, id)) = waiting.pop() {
        for named in pack.folder(&id)? {
            let path = in_folder(&folder, &named.name)?;
            let entry = match named.kind {
                NamedKind::Folder => {
                    waiting.push((path.clone(), named.id));
                    SourceEntry::Folder
                }
                NamedKind::Submodule => {
                    submodules.push((path.clone(), named.id));
                    SourceEntry::Folder
                }
                NamedKind::Link => {
                    let target = pack.content(&named.id)?;
                    let target = link_target(&path, &target[..target.len().min(LONGEST_TARGET)])?;
                    SourceEntry::Link { target }
                }
                NamedKind::File { executable } => {
                    if folder == below && named.name == MODULES {
                        modules = Some(named.id);
                    }
                    let bytes = pack.content(&named.id)?;
                    tree.check_room(bytes.len() as u64)?;
                    let content = tree.hold.put(bytes)?;
                    SourceEntry::File { executable, size: bytes.len() as u64, content }
                }
            };
            tree.add(&path, entry)?;
        }
    }
    let addresses = match modules {
        Some(id) if !submodules.is_empty() => addresses_in(pack.content(&id)?, &in_folder(below, MODULES)?)?,
        _ => BTreeMap::new(),
    };
    let with_address = |(path, id): (String, ObjectId)| {
        let inside = path.strip_prefix(below).unwrap_or(&path).trim_start_matches('/');
        let address = addresses.get(inside).cloned();
        Submodule { commit: id.to_string(), address, path }
    };
    Ok(Checkout { time: commit.time, submodules: submodules.into_iter().map(with_address).collect() })
}
