//! A few digits for each file of a context, so that two revisions can be told apart in words.

use std::collections::BTreeMap;

use super::ContextPath;
use super::digest::short_digest;
use super::tree::{Entry, Tree};

/// How many files are recorded, and how many bytes their paths may have: a record lies in an API server.
const MOST_FILES: usize = 512;
const MOST_BYTES: usize = 64 * 1024;

/// The files and links by their paths. Where they are too many it is the top level only, with a `/` behind the names of
/// folders; where that is too much as well, nothing.
pub(super) fn fingerprints(tree: &Tree) -> BTreeMap<String, String> {
    let is_no_folder = |(_, entry): &(&ContextPath, &Entry)| !matches!(entry, Entry::Folder);
    let files: Vec<(&ContextPath, &Entry)> = tree.entries().iter().filter(is_no_folder).collect();
    if is_little(files.iter().map(|(path, _)| path.as_str())) {
        return files.iter().map(|file| (file.0.to_string(), short_digest(&[*file]))).collect();
    }
    let mut top_level: BTreeMap<String, Vec<(&ContextPath, &Entry)>> = BTreeMap::new();
    for file in files {
        let name = match file.0.as_str().split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => file.0.to_string(),
        };
        top_level.entry(name).or_default().push(file);
    }
    if !is_little(top_level.keys().map(String::as_str)) {
        return BTreeMap::new();
    }
    top_level.into_iter().map(|(name, files)| (name, short_digest(&files))).collect()
}

fn is_little<'a>(mut paths: impl Iterator<Item = &'a str>) -> bool {
    let counted = paths.try_fold((0, 0), |(files, bytes), path| {
        let sum = (files + 1, bytes + path.len());
        (sum.0 <= MOST_FILES && sum.1 <= MOST_BYTES).then_some(sum)
    });
    counted.is_some()
}
