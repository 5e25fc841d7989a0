//! Which part of a folder an engine wants.

use tonic::Status;
use tonic::metadata::MetadataMap;

use super::follow::follow;
use super::synced::SyncedFolder;
use crate::build::{IgnoreRules, Verdict};

/// What an engine asks for, as its headers say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The folder's name.
    pub(super) folder: String,
    /// Only what matches one of these patterns, or lies in a folder that does.
    pub(super) include: Vec<String>,
    /// Nothing that matches these patterns, by the rules of `.dockerignore`.
    pub(super) exclude: Vec<String>,
    /// Only these paths, and what the links on the way to them lead to.
    pub(super) follow: Vec<String>,
}

/// A folder that is sent in part; `true` for what was sent already.
struct Parent {
    index: usize,
    include: Option<Verdict>,
    exclude: Option<Verdict>,
    is_sent: bool,
}

impl Wanted {
    pub(super) fn from_headers(headers: &MetadataMap) -> Self {
        Self {
            folder: values(headers, "dir-name").into_iter().next().unwrap_or_default(),
            include: values(headers, "include-patterns"),
            exclude: values(headers, "exclude-patterns"),
            follow: values(headers, "followpaths"),
        }
    }

    /// The places of the folder's entries that are wanted, in their order, with the folders that they are in.
    pub(super) fn select(&self, folder: &SyncedFolder) -> Result<Vec<usize>, Status> {
        let followed = match self.follow.as_slice() {
            [] => Some(Vec::new()),
            paths => follow(folder, paths),
        };
        let include = match followed {
            Some(followed) => rules(&[self.include.as_slice(), &followed].concat())?,
            None => None,
        };
        let exclude = rules(&self.exclude)?.filter(|rules| !folder.has_applied(rules));
        if include.is_none() && exclude.is_none() {
            return Ok((0..folder.entries().len()).collect());
        }
        Ok(filtered(folder, include.as_ref(), exclude.as_ref()))
    }
}

fn filtered(folder: &SyncedFolder, include: Option<&IgnoreRules>, exclude: Option<&IgnoreRules>) -> Vec<usize> {
    let mut selected = Vec::new();
    let mut parents: Vec<Parent> = Vec::new();
    for (index, entry) in folder.entries().iter().enumerate() {
        while parents.pop_if(|parent| !entry.path.is_below(&folder.entries()[parent.index].path)).is_some() {}
        let parent = parents.last();
        let judged = |rules: Option<&IgnoreRules>, of_parent: fn(&Parent) -> Option<&Verdict>| {
            rules.map(|rules| rules.judge(&entry.path, parent.and_then(of_parent)))
        };
        let included = judged(include, |parent| parent.include.as_ref());
        let excluded = judged(exclude, |parent| parent.exclude.as_ref());
        let is_wanted = included.as_ref().is_none_or(|verdict| verdict.excluded)
            && excluded.as_ref().is_none_or(|verdict| !verdict.excluded);
        if is_wanted {
            for parent in parents.iter_mut().filter(|parent| !parent.is_sent) {
                parent.is_sent = true;
                selected.push(parent.index);
            }
            selected.push(index);
        }
        if entry.is_folder() {
            parents.push(Parent { index, include: included, exclude: excluded, is_sent: is_wanted });
        }
    }
    selected
}

fn rules(patterns: &[String]) -> Result<Option<IgnoreRules>, Status> {
    if patterns.is_empty() {
        return Ok(None);
    }
    IgnoreRules::of_patterns(patterns).map(Some).map_err(Status::invalid_argument)
}

/// The values of a header. One that is not ASCII is encoded as in a URL's query, and another header says so.
fn values(headers: &MetadataMap, name: &str) -> Vec<String> {
    let is_encoded = headers.get(format!("{name}-encoded")).is_some_and(|value| value == "1" || value == "true");
    let values = headers.get_all(name);
    let texts = values.iter().map(|value| String::from_utf8_lossy(value.as_encoded_bytes()).into_owned());
    texts.map(|text| if is_encoded { decoded(&text) } else { text }).collect()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
