//! Which state of a repository is meant.

use std::fmt;

use super::SourceError;

/// Which state of a repository is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GitReference {
    /// The server's default branch.
    #[default]
    Default,
    /// The newest commit of a branch.
    Branch(String),
    /// The commit of a tag; an annotated one stands for the commit that it names.
    Tag(String),
    /// The newest tag in a range of semantic versions, such as `>=1.2, <2`; a `v` before a tag's version is ignored.
    Semver(semver::VersionReq),
    /// Exactly this commit: 40 hexadecimal digits.
    Commit(String),
    /// A reference by its whole name, such as `refs/pull/1/head`.
    Name(String),
}

/// A reference that a server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundReference {
    /// Its whole name.
    pub(super) name: String,
    /// The commit, in hexadecimal digits; where the reference is an annotated tag, the one that the tag names.
    pub(super) commit: String,
    /// For `HEAD`: the branch that it is.
    pub(super) target: Option<String>,
}

impl GitReference {
    /// Whether it can be a reference at all. What git itself refuses as a name is refused, and so is what another
    /// program may take for an option.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        match self {
            Self::Default | Self::Semver(_) => Ok(()),
            Self::Branch(name) => check_name(&format!("refs/heads/{name}"), name, "branch"),
            Self::Tag(name) => check_name(&format!("refs/tags/{name}"), name, "tag"),
            Self::Name(name) if name.starts_with("refs/") => check_name(name, name, "reference"),
            Self::Name(name) => Err(SourceError::Invalid(format!(
                "\"{}\" is not the whole name of a reference; one begins with refs/, such as refs/heads/main",
                name.escape_debug()
            ))),
            Self::Commit(commit) if is_commit(commit) => Ok(()),
            Self::Commit(commit) => Err(SourceError::Invalid(format!(
                "\"{}\" is not a commit; one is written as 40 lower-case hexadecimal digits",
                commit.escape_debug()
            ))),
        }
    }

    /// What a server is asked for: the beginnings of the names that may be meant.
    pub(super) fn prefixes(&self) -> Vec<String> {
        match self {
            Self::Default | Self::Commit(_) => vec!["HEAD".to_owned()],
            Self::Branch(name) => vec![format!("refs/heads/{name}")],
            Self::Tag(name) => vec![format!("refs/tags/{name}")],
            Self::Semver(_) => vec!["refs/tags/".to_owned()],
            Self::Name(name) => vec![name.clone()],
        }
    }

    /// The one that is meant among those that a server has, with the short name that a revision is written with.
    pub(super) fn choose(&self, found: &[FoundReference]) -> Option<(String, String)> {
        let exactly = |name: &str, short: &str| {
            let reference = found.iter().find(|reference| reference.name == name)?;
            Some((short.to_owned(), reference.commit.clone()))
        };
        match self {
            Self::Default => {
                let head = found.iter().find(|reference| reference.name == "HEAD")?;
                // What the server calls its branch ends up in statuses: only what can be a branch is taken over.
                let branch = head.target.as_deref().and_then(|target| target.strip_prefix("refs/heads/"));
                let branch = branch.filter(|name| Self::Branch((*name).to_owned()).check().is_ok());
                Some((branch.unwrap_or("HEAD").to_owned(), head.commit.clone()))
            }
            Self::Branch(name) => exactly(&format!("refs/heads/{name}"), name),
            Self::Tag(name) => exactly(&format!("refs/tags/{name}"), name),
            Self::Name(name) => exactly(name, name),
            Self::Semver(range) => newest_in(range, found),
            Self::Commit(_) => None,
        }
    }
}

/// The newest tag in the range. Versions that differ in nothing but their build compare by that, so that the choice
/// does not depend on the server's order.
fn newest_in(range: &semver::VersionReq, found: &[FoundReference]) -> Option<(String, String)> {
    found
        .iter()
        .filter_map(|reference| {
            let tag = reference.name.strip_prefix("refs/tags/")?;
            let version = semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
            range.matches(&version).then_some((version, tag, reference))
        })
        .max_by(|(one, one_tag, _), (other, other_tag, _)| one.cmp(other).then(one_tag.cmp(other_tag)))
        .map(|(_, tag, reference)| (tag.to_owned(), reference.commit.clone()))
}

/// Whether a text is a commit of a SHA-1 repository.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The rules of `git check-ref-format`, and no dash at the beginning.
fn check_name(whole: &str, shown: &str, kind: &str) -> Result<(), SourceError> {
    let has_forbidden = whole
        .chars()
        .any(|character| character.is_control() || character.is_whitespace() || "~^:?*[\\".contains(character));
    let has_bad_component = whole
        .split('/')
        .any(|part| part.is_empty() || part.starts_with(['.', '-']) || part.to_ascii_lowercase().ends_with(".lock"));
    let is_bad = shown.is_empty()
        || shown.starts_with('-')
        || whole.len() > 1024
        || has_forbidden
        || has_bad_component
        || whole.ends_with('.')
        || whole.contains("..")
        || whole.contains("@{");
    if !is_bad {
        return Ok(());
    }
    let start: String = shown.chars().take(100).collect();
    Err(SourceError::Invalid(format!(
        "\"{}\" is not the name of a {kind}; see git check-ref-format for what names may be",
        start.escape_debug()
    )))
}

impl fmt::Display for GitReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("the default branch"),
            Self::Branch(name) => write!(formatter, "the branch \"{name}\""),
            Self::Tag(name) => write!(formatter, "the tag \"{name}\""),
            Self::Semver(range) => write!(formatter, "a tag in the range \"{range}\""),
            Self::Commit(commit) => write!(formatter, "the commit {commit}"),
            Self::Name(name) => write!(formatter, "the reference \"{name}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Vec<FoundReference> {
        let reference = |(index, name): (usize, &&str)| FoundReference {
            name: (*name).to_owned(),
            commit: format!("{index:040x}"),
            target: (*name == "HEAD").then(|| "refs/heads/trunk".to_owned()),
        };
        names.iter().enumerate().map(reference).collect()
    }

    fn chosen(reference: &GitReference, names: &[&str]) -> Option<String> {
        reference.choose(&found(names)).map(|(name, _)| name)
    }

    #[test]
    fn a_reference_is_chosen_by_its_exact_name() {
        let names = ["HEAD", "refs/heads/main", "refs/heads/main2", "refs/tags/main", "refs/pull/1/head"];
        assert_eq!(
            GitReference::Branch("main".into()).choose(&found(&names)),
            Some(("main".into(), format!("{:040x}", 1)))
        );
        assert_eq!(
            GitReference::Tag("main".into()).choose(&found(&names)),
            Some(("main".into(), format!("{:040x}", 3)))
        );
        assert_eq!(chosen(&GitReference::Default, &names).as_deref(), Some("trunk"));
        assert_eq!(chosen(&GitReference::Name("refs/pull/1/head".into()), &names).as_deref(), Some("refs/pull/1/head"));
        assert_eq!(chosen(&GitReference::Branch("mai".into()), &names), None);
        assert_eq!(chosen(&GitReference::Default, &[]), None);
    }

    #[test]
    fn a_default_branch_that_cannot_be_one_is_not_named() {
        for (target, expected) in [("refs/heads/main", "main"), ("refs/heads/a\nb", "HEAD"), ("refs/tags/main", "HEAD")]
        {
            let head = FoundReference { name: "HEAD".into(), commit: "0".repeat(40), target: Some(target.into()) };
            assert_eq!(GitReference::Default.choose(&[head]), Some((expected.into(), "0".repeat(40))));
        }
    }

    #[test]
    fn the_newest_tag_of_a_range_is_chosen() {
        let names = [
            "refs/tags/v1.2.0",
            "refs/tags/1.10.0",
            "refs/tags/v1.9.9",
            "refs/tags/v2.0.0",
            "refs/tags/v1.11.0-rc.1",
            "refs/tags/latest",
            "refs/heads/1.99.0",
        ];
        let of = |range: &str| chosen(&GitReference::Semver(range.parse().unwrap()), &names);
        assert_eq!(of(">=1.2, <2").as_deref(), Some("1.10.0"));
        assert_eq!(of("~1.9").as_deref(), Some("v1.9.9"));
        assert_eq!(of("*").as_deref(), Some("v2.0.0"));
        assert_eq!(of(">=1.11.0-0, <1.12").as_deref(), Some("v1.11.0-rc.1"));
        assert_eq!(of("3"), None);
    }

    #[test]
    fn ordinary_names_are_accepted() {
        for name in ["main", "feature/x", "v1.2.3", "renovate/all-minor", "ä"] {
            assert_eq!(GitReference::Branch(name.into()).check(), Ok(()));
            assert_eq!(GitReference::Tag(name.into()).check(), Ok(()));
        }
        assert_eq!(GitReference::Name("refs/pull/1/head".into()).check(), Ok(()));
        assert_eq!(GitReference::Commit("0123456789abcdef0123456789abcdef01234567".into()).check(), Ok(()));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for name in [
            "",
            "-x",
            "--upload-pack=x",
            "a/-b",
            "a b",
            "a\nb",
            "a\0b",
            "a..b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "*",
            "a[b",
            "a\\b",
            "a@{1}",
            ".a",
            "a/.b",
            "a.lock",
            "a.",
            "a/",
            "/a",
            "a//b",
        ] {
            assert!(GitReference::Branch(name.into()).check().is_err(), "{name:?}");
            assert!(GitReference::Tag(name.into()).check().is_err(), "{name:?}");
        }
        for name in ["main", "HEAD", "refs/", "-refs/x"] {
            assert!(GitReference::Name(name.into()).check().is_err(), "{name:?}");
        }
        for commit in ["0123456", "HEAD", "0123456789ABCDEF0123456789abcdef01234567"] {
            assert!(GitReference::Commit(commit.into()).check().is_err(), "{commit:?}");
        }
    }
}
