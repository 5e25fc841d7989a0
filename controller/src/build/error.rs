//! What is wrong with a build context. The messages name files and never quote what is in them.

/// Why a context cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// A path leads out of the context, or is no path.
    #[error("\"{0}\" is not a path in a build context: it must be relative, without .., and at most 4096 bytes long")]
    Path(String),
    /// One path is a file and another lies below it.
    #[error("\"{0}\" is both a file and a folder")]
    FileAndFolder(String),
    /// The folder does not exist, or is none.
    #[error("the folder {0} does not exist: create it, or correct the path")]
    NoFolder(String),
    /// The Dockerfile is not in the context.
    #[error("the Dockerfile {dockerfile} is not in the context, which has {}", describe(.files))]
    NoDockerfile {
        /// Where it was looked for.
        dockerfile: String,
        /// Some of what is there.
        files: Vec<String>,
    },
    /// Something that is neither a file nor a folder nor a symbolic link.
    #[error("{0} is a device, a pipe or a socket, which a build context cannot hold: name it in .dockerignore")]
    Special(String),
    /// A name that is not UTF-8.
    #[error("{0} has a name that is not UTF-8: rename it, or name its folder in .dockerignore")]
    NotText(String),
    /// Too many files.
    #[error("the context has more than {0} files: name what is not needed in .dockerignore")]
    TooManyFiles(usize),
    /// Too large.
    #[error("the context is larger than {} MiB: name what is not needed in .dockerignore", .0 / (1024 * 1024))]
    TooLarge(u64),
    /// A pattern that cannot be understood.
    #[error(".dockerignore: the pattern {0} cannot be understood: check its brackets and backslashes")]
    Pattern(String),
    /// A file could not be read.
    #[error("{path} cannot be read: {message}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        message: String,
    },
    /// A file changed while the context was sent.
    #[error("{0} has changed while the context was sent")]
    Changed(String),
}

impl ContextError {
    pub(super) fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Unreadable { path: path.display().to_string(), message: error.to_string() }
    }
}

fn describe(files: &[String]) -> String {
    const SHOWN: usize = 5;
    match files {
        [] => "no files".to_owned(),
        few if few.len() <= SHOWN => few.join(", "),
        many => format!("{} and {} more files", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}
