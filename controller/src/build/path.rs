//! Paths in a build context.

use std::fmt;
use std::str::FromStr;

use super::ContextError;

/// The longest path that is accepted, in bytes: Linux's `PATH_MAX`.
const LONGEST_PATH: usize = 4096;
/// The longest component of a path, in bytes: Linux's `NAME_MAX`.
const LONGEST_COMPONENT: usize = 255;

/// The path of a file, a folder or a link in a build context: components with `/` between them, relative to the
/// context's root. It cannot lead out of the context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextPath(String);

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// There is nothing in it.
    #[error("it is empty; write a path such as Dockerfile or src/app.js")]
    Empty,
    /// It begins with a slash.
    #[error("it begins with a slash; write it relative to the context's root")]
    Absolute,
    /// One of its components is `..`.
    #[error("it has a component \"..\"; a path may not leave the context")]
    Parent,
    /// One of its components is `.` or empty.
    #[error("it has a component that is empty or \".\"; write single slashes between names and none at the end")]
    EmptyComponent,
    /// It has a NUL character.
    #[error("it has a NUL character, which no file name can hold")]
    Nul,
    /// It is too long.
    #[error("it is too long; a path may have {LONGEST_PATH} bytes and each name in it {LONGEST_COMPONENT}")]
    TooLong,
}

impl ContextPath {
    /// The path as it is written, without a slash at either end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How it is sorted where a folder comes right before what is in it: name by name.
    pub(crate) fn by_names(&self, other: &Self) -> std::cmp::Ordering {
        self.components().cmp(other.components())
    }

    /// Whether it lies in this folder, or in one of that folder's.
    pub(crate) fn is_below(&self, folder: &Self) -> bool {
        self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The paths of the folders that it is in, the outermost first.
    pub(crate) fn folders(&self) -> impl Iterator<Item = Self> {
        self.0.match_indices('/').map(|(index, _)| Self(self.0[..index].to_owned()))
    }

    /// The names that it is made of.
    pub(crate) fn components(&self) -> std::str::Split<'_, char> {
        self.0.split('/')
    }

    /// The path of a name in a folder, or in the root where there is none.
    pub(super) fn in_folder(folder: Option<&Self>, name: &str) -> Result<Self, ContextError> {
        match folder {
            Some(folder) => format!("{folder}/{name}").parse(),
            None => name.parse(),
        }
    }

    /// The path that a link at this path leads to; an absolute one is one from the context's root, as it is for whoever
    /// builds. `None` when it leads out of the context, or to its root.
    pub(crate) fn linked_to(&self, target: &str) -> Option<Self> {
        let folder = self.0.rsplit_once('/').map(|(folder, _)| folder).filter(|_| !target.starts_with('/'));
        let mut components: Vec<&str> = folder.map_or(Vec::new(), |folder| folder.split('/').collect());
        for component in target.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    components.pop()?;
                }
                name => components.push(name),
            }
        }
        components.join("/").parse().ok()
    }

    /// The path of the file that lies beside this one and has these characters after its name.
    pub(super) fn with_suffix(&self, suffix: &str) -> Result<Self, ContextError> {
        format!("{self}{suffix}").parse()
    }
}

impl FromStr for ContextPath {
    type Err = ContextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match problem_of(text) {
            Some(problem) => Err(ContextError::Path { path: text.to_owned(), problem }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

fn problem_of(text: &str) -> Option<PathProblem> {
    let has = |wrong: &[&str]| text.split('/').any(|component| wrong.contains(&component));
    let too_long = text.len() > LONGEST_PATH || text.split('/').any(|component| component.len() > LONGEST_COMPONENT);
    if text.is_empty() {
        Some(PathProblem::Empty)
    } else if text.starts_with('/') {
        Some(PathProblem::Absolute)
    } else if has(&[".."]) {
        Some(PathProblem::Parent)
    } else if has(&["", "."]) {
        Some(PathProblem::EmptyComponent)
    } else if text.contains('\0') {
        Some(PathProblem::Nul)
    } else if too_long {
        Some(PathProblem::TooLong)
    } else {
        None
    }
}

impl fmt::Display for ContextPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<PathProblem> {
        match text.parse::<ContextPath>() {
            Ok(_) => None,
            Err(ContextError::Path { problem, .. }) => Some(problem),
            Err(other) => panic!("an error about something else: {other}"),
        }
    }

    #[test]
    fn ordinary_paths_are_accepted() {
        for path in ["Dockerfile", "src/app.js", ".env", "..hidden", "a b/ä", "a\\b"] {
            assert_eq!(problem(path), None, "{path}");
        }
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["..", "../x", "a/../../x", "a/.."] {
            assert_eq!(problem(path), Some(PathProblem::Parent), "{path}");
        }
        assert_eq!(problem("/etc/passwd"), Some(PathProblem::Absolute));
    }

    #[test]
    fn paths_that_have_two_spellings_are_refused() {
        for path in ["./a", "a//b", "a/", "a/./b", "."] {
            assert_eq!(problem(path), Some(PathProblem::EmptyComponent), "{path}");
        }
        assert_eq!(problem(""), Some(PathProblem::Empty));
    }

    #[test]
    fn paths_that_no_file_system_takes_are_refused() {
        assert_eq!(problem("a\0b"), Some(PathProblem::Nul));
        assert_eq!(problem(&"x".repeat(256)), Some(PathProblem::TooLong));
        assert_eq!(problem(&"x/".repeat(2048).replace("x/", "xx/")), Some(PathProblem::EmptyComponent));
        assert_eq!(problem(&format!("{}x", "xx/".repeat(1366))), Some(PathProblem::TooLong));
    }

    #[test]
    fn a_link_leads_from_its_folder_and_never_out() {
        let leads = |target: &str| {
            let link: ContextPath = "docker/Dockerfile".parse().unwrap();
            link.linked_to(target).map(|path| path.to_string())
        };
        assert_eq!(leads("Dockerfile.prod").as_deref(), Some("docker/Dockerfile.prod"));
        assert_eq!(leads("../build/./Dockerfile").as_deref(), Some("build/Dockerfile"));
        assert_eq!(leads("/Dockerfile").as_deref(), Some("Dockerfile"));
        for target in ["../../secret", "/../secret", "..", ""] {
            assert!(leads(target).is_none_or(|path| path == "docker"), "{target}");
        }
    }

    #[test]
    fn an_error_names_the_path_and_what_to_write() {
        let error = "/etc/passwd".parse::<ContextPath>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"/etc/passwd\" is not a path in a build context: it begins with a slash; write it relative to the context's root"
        );
    }
}
