//! What a source stands for at a moment.

use std::fmt;
use std::str::FromStr;

use super::reference::is_commit;
use crate::app::Digest;

/// What a source stands for at a moment: `main@sha1:12ab…` for a repository, as Flux writes revisions, `sha1:12ab…`
/// where the commit itself was asked for, `sha256:…` for an archive. It can be kept as text and read again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceRevision {
    /// The branch, the tag or the reference that it was found under.
    name: Option<String>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Content {
    Commit(String),
    Archive(Digest),
}

/// What is wrong with a text that should be a revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a revision; one is written NAME@sha1:COMMIT, sha1:COMMIT or sha256:DIGEST")]
pub struct RevisionError(String);

impl SourceRevision {
    pub(super) fn of_commit(name: Option<String>, commit: String) -> Self {
        Self { name, content: Content::Commit(commit) }
    }

    pub(super) fn of_archive(digest: Digest) -> Self {
        Self { name: None, content: Content::Archive(digest) }
    }

    /// The commit, in hexadecimal digits; `None` for an archive.
    pub fn commit(&self) -> Option<&str> {
        match &self.content {
            Content::Commit(commit) => Some(commit),
            Content::Archive(_) => None,
        }
    }

    /// The archive's digest; `None` for a commit.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.content {
            Content::Commit(_) => None,
            Content::Archive(digest) => Some(digest),
        }
    }
}

impl fmt::Display for SourceRevision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(formatter, "{name}@")?;
        }
        match &self.content {
            Content::Commit(commit) => write!(formatter, "sha1:{commit}"),
            Content::Archive(digest) => digest.fmt(formatter),
        }
    }
}

impl FromStr for SourceRevision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || RevisionError(text.to_owned());
        let (name, content) = match text.rsplit_once('@') {
            Some((name, content)) => (Some(name.to_owned()), content),
            None => (None, text),
        };
        match content.strip_prefix("sha1:") {
            Some(commit) if is_commit(commit) => Ok(Self::of_commit(name, commit.to_owned())),
            Some(_) => Err(wrong()),
            None if name.is_none() => content.parse().map(Self::of_archive).map_err(|_| wrong()),
            None => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_revision_is_the_same_after_it_was_written_and_read() {
        let archive = Digest::of("archive").to_string();
        for text in [format!("main@sha1:{COMMIT}"), format!("a@b@sha1:{COMMIT}"), format!("sha1:{COMMIT}"), archive] {
            assert_eq!(text.parse::<SourceRevision>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_revision_is_refused() {
        for text in ["", "main", "main@sha1:12ab", "sha256:12", &format!("main@{}", Digest::of("")), COMMIT] {
            assert!(text.parse::<SourceRevision>().is_err(), "{text}");
        }
    }
}
