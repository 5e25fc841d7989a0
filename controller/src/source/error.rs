//! What can go wrong with a source.

use std::fmt::Display;

/// What went wrong with a source, by what it means for those who use it. The messages are for users: they name files
/// and addresses (without user names and passwords in them) and never quote a file's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The server does not answer, or not now; trying again later may help.
    #[error("{0}")]
    Unreachable(String),
    /// The server wants credentials, or refuses those that it was given.
    #[error("{0}")]
    Denied(String),
    /// There is no such repository or archive.
    #[error("{0}")]
    NotFound(String),
    /// The repository has no such branch, tag, reference or commit.
    #[error("{0}")]
    ReferenceNotFound(String),
    /// The server's certificate is not one that is trusted.
    #[error("{0}")]
    CertificateUnknown(String),
    /// Nothing says which key the ssh server should have.
    #[error("{0}")]
    HostKeyUnknown(String),
    /// The ssh server has another key than the one that it should have.
    #[error("{0}")]
    HostKeyMismatch(String),
    /// Something is larger than may be; the sentence names the limit.
    #[error("{0}")]
    TooLarge(String),
    /// A path or a kind of file that could lead out of the source.
    #[error("{0}")]
    Unsafe(String),
    /// What was downloaded is not what its digest says.
    #[error("{0}")]
    DigestMismatch(String),
    /// What was asked for, or what the server sent, cannot be made sense of.
    #[error("{0}")]
    Invalid(String),
    /// The fault is on this side: a full disk, a folder that cannot be written.
    #[error("{0}")]
    Other(String),
}

impl SourceError {
    /// Whether trying again later may help although nobody does anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Other(_))
    }

    /// The same error with another sentence.
    pub(super) fn reworded(self, reword: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Unreachable(sentence) => Self::Unreachable(reword(sentence)),
            Self::Denied(sentence) => Self::Denied(reword(sentence)),
            Self::NotFound(sentence) => Self::NotFound(reword(sentence)),
            Self::ReferenceNotFound(sentence) => Self::ReferenceNotFound(reword(sentence)),
            Self::CertificateUnknown(sentence) => Self::CertificateUnknown(reword(sentence)),
            Self::HostKeyUnknown(sentence) => Self::HostKeyUnknown(reword(sentence)),
            Self::HostKeyMismatch(sentence) => Self::HostKeyMismatch(reword(sentence)),
            Self::TooLarge(sentence) => Self::TooLarge(reword(sentence)),
            Self::Unsafe(sentence) => Self::Unsafe(reword(sentence)),
            Self::DigestMismatch(sentence) => Self::DigestMismatch(reword(sentence)),
            Self::Invalid(sentence) => Self::Invalid(reword(sentence)),
            Self::Other(sentence) => Self::Other(reword(sentence)),
        }
    }

    /// A problem with the store of contents.
    pub(super) fn store(problem: impl Display) -> Self {
        Self::Other(format!("the store of sources cannot be used: {problem}"))
    }

    /// The work was given up because nobody waits for it any more.
    pub(super) fn stopped() -> Self {
        Self::Other("the source was not read to its end: nobody waits for it any more".to_owned())
    }
}

/// How much of a stranger's words is quoted.
const LONGEST_QUOTE: usize = 200;

/// A stranger's words, on one line and not too long.
pub(super) fn quoted(words: &str) -> String {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    words.trim().chars().map(clean).take(LONGEST_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_s_words_are_kept_short_and_on_one_line() {
        assert_eq!(quoted(" no\nline \u{1b}[31m\n"), "no line  [31m");
        assert_eq!(quoted(&"x".repeat(5000)).len(), LONGEST_QUOTE);
    }

    #[test]
    fn only_what_may_change_by_itself_may_pass() {
        assert!(SourceError::Unreachable(String::new()).may_pass());
        assert!(!SourceError::Denied(String::new()).may_pass());
        assert!(!SourceError::HostKeyMismatch(String::new()).may_pass());
    }
}
