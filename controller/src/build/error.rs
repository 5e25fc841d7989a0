//! What can be wrong with a build context.

use std::fmt::Display;

use super::PathProblem;

/// Why a build context could not be read or sent. The messages are for users: they name files and never quote them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// A name is not a path in a context.
    #[error("\"{path}\" is not a path in a build context: {problem}")]
    Path {
        /// The name.
        path: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// A file stands where other files need a folder.
    #[error("\"{path}\" is both a file and a folder of the build context; rename one of the two")]
    FileAndFolder {
        /// The path of both.
        path: String,
    },
    /// A name is not text.
    #[error("the name of \"{path}\" is not UTF-8; rename it, or leave its folder out with .dockerignore")]
    NotText {
        /// The path, with what is not UTF-8 replaced.
        path: String,
    },
    /// A thing that an archive for a build does not hold.
    #[error(
        "\"{path}\" is a {kind}; a build context holds only files, folders and links: remove it, or leave it out with .dockerignore"
    )]
    Special {
        /// The path.
        path: String,
        /// `device` or `named pipe`.
        kind: &'static str,
    },
    /// A line of `.dockerignore` is not a pattern.
    #[error("{file}, line {line}: {problem}")]
    Ignore {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what to write.
        problem: &'static str,
    },
    /// The context's folder cannot be used.
    #[error("the build context's folder {path} cannot be read: {problem}")]
    Folder {
        /// The folder, as it was asked for.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// Something in the context cannot be read.
    #[error("\"{path}\" in the build context cannot be read: {problem}")]
    Unreadable {
        /// The path.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// There are too many bytes.
    #[error(
        "the build context has more than {limit} bytes, which is the limit; leave out with .dockerignore what the build does not need"
    )]
    TooLarge {
        /// How many there may be.
        limit: u64,
    },
    /// There are too many files.
    #[error(
        "the build context has more than {limit} files and folders, which is the limit; leave out with .dockerignore what the build does not need"
    )]
    TooManyFiles {
        /// How many there may be.
        limit: u64,
    },
    /// Something is not what it was when the context was read.
    #[error(
        "\"{path}\" changed while the build context was read or sent; the build is tried again with what is there now"
    )]
    Changed {
        /// The path.
        path: String,
    },
    /// The Dockerfile is not there.
    #[error("the Dockerfile \"{path}\" is not in the build context, which has {names}")]
    NoDockerfile {
        /// Where it should be.
        path: String,
        /// A few of the names that are there.
        names: String,
    },
    /// There is no Dockerfile where it should lie outside of the context.
    #[error("there is no file \"{path}\" for the Dockerfile; the path is relative to the build context's folder")]
    NoDockerfileBeside {
        /// Where it should be.
        path: String,
    },
    /// The Dockerfile should lie outside of a context that has no outside.
    #[error(
        "the Dockerfile \"{path}\" lies outside of the build context, which only a folder and a repository have; put it into the context"
    )]
    NothingBeside {
        /// Where it should be.
        path: String,
    },
    /// The program is ending.
    #[error("the build context was not read to its end: the program is ending")]
    Interrupted,
}

impl ContextError {
    pub(super) fn unreadable(path: &(impl Display + ?Sized), problem: impl Into<String>) -> Self {
        Self::Unreadable { path: path.to_string(), problem: problem.into() }
    }

    pub(super) fn changed(path: &impl Display) -> Self {
        Self::Changed { path: path.to_string() }
    }
}
