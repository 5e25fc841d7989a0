//! Which paths BuildKit means when it asks for some and for what the links on the way to them lead to.
//!
//! A Dockerfile's `COPY link /` needs the link and its target. The rules are those of `fsutil`'s `FollowLinks`: a path
//! that ends in a link, or leads through one, stands for the link and for its target with the rest of the path; the
//! last name may have wildcards. A link that leads out of the folder is cut at its root, as for whoever builds.

use std::collections::BTreeSet;

use super::synced::SyncedFolder;
use crate::build::{ContextPath, Pattern, clean};

/// The paths and what they lead to; `None` when one of them is the whole folder.
pub(super) fn follow(folder: &SyncedFolder, paths: &[String]) -> Option<Vec<String>> {
    let mut followed = Followed { folder, found: BTreeSet::new(), is_whole: false };
    for path in paths {
        followed.add(path);
    }
    (!followed.is_whole).then(|| followed.found.into_iter().collect())
}

struct Followed<'a> {
    folder: &'a SyncedFolder,
    found: BTreeSet<String>,
    is_whole: bool,
}

impl Followed<'_> {
    /// Each link is followed once, so this ends.
    fn add(&mut self, path: &str) {
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            // A slash in front makes `..` stop at the root.
            let path = clean(&format!("/{path}"));
            if path == "." {
                self.is_whole = true;
                continue;
            }
            let mut current = String::new();
            let mut names = path.split('/').peekable();
            while let Some(name) = names.next() {
                if !current.is_empty() {
                    current.push('/');
                }
                current.push_str(name);
                let targets = self.targets(&current);
                let is_last = names.peek().is_none();
                if !is_last && targets.is_empty() {
                    continue;
                }
                if self.found.insert(current.clone()) && !targets.is_empty() {
                    let rest: Vec<&str> = names.by_ref().collect();
                    let rest = rest.join("/");
                    waiting.extend(targets.into_iter().map(|target| format!("{target}/{rest}")));
                }
                break;
            }
        }
    }

    /// What a link leads to, or the links that a last name with wildcards means.
    fn targets(&self, path: &str) -> Vec<String> {
        let (folder, name) = path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name));
        let Some(path) = path.parse::<ContextPath>().ok() else {
            return Vec::new();
        };
        if !has_wildcards(name) {
            return self.target(&path).into_iter().collect();
        }
        let (Ok(pattern), Ok(folder)) = (Pattern::parse(name), folder.map(str::parse::<ContextPath>).transpose())
        else {
            return Vec::new();
        };
        let is_meant = |path: &&ContextPath| path.components().next_back().is_some_and(|name| pattern.matches(name));
        self.folder.paths_in(folder.as_ref()).filter(is_meant).filter_map(|path| self.target(path)).collect()
    }

    /// What the link at a path leads to, from the folder's root.
    fn target(&self, path: &ContextPath) -> Option<String> {
        let target = self.folder.link(path)?;
        if target.starts_with('/') {
            return Some(target.to_owned());
        }
        let folder = path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        Some(format!("{folder}/{target}"))
    }
}

fn has_wildcards(name: &str) -> bool {
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}
