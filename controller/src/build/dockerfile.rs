//! The Dockerfile of a context, and the file with the patterns that goes with it.

use bytes::Bytes;

use super::dockerignore::IgnoreRules;
use super::files::{Files, Look};
use super::source::DockerfileSource;
use super::{ContextError, ContextPath};

/// The name of the file with the patterns, and what stands behind a Dockerfile's name in that of its own.
pub(super) const IGNORE_FILE: &str = ".dockerignore";

/// What a Dockerfile is called that has no name of its own.
const NAME: &str = "Dockerfile";

/// The largest Dockerfile and the largest file with patterns that are read, in bytes.
const LARGEST: u64 = 1 << 20;

/// How many links one after the other are followed to a Dockerfile, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// A context's Dockerfile. It is no part of the context: `.dockerignore` may leave it out, and it may lie elsewhere.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    /// The last component of its path, which is what messages of a build call it.
    name: String,
    text: Bytes,
    /// Its own file with patterns, `<name>.dockerignore`, which comes before the context's.
    own_ignore_file: Option<Bytes>,
    /// Where it lies in the context's source. It need not be in the context.
    path: Option<ContextPath>,
}

impl Dockerfile {
    /// What messages of a build call it: its name without its folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is in it.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What is in it, to be shared.
    pub(crate) fn bytes(&self) -> Bytes {
        self.text.clone()
    }

    /// The name and the content of the file with patterns that is for this Dockerfile alone, where there is one.
    pub(crate) fn own_ignore_file(&self) -> Option<(String, Bytes)> {
        let content = self.own_ignore_file.clone()?;
        Some((format!("{}{IGNORE_FILE}", self.name), content))
    }

    pub(super) fn path(&self) -> Option<&ContextPath> {
        self.path.as_ref()
    }
}

/// Finds the Dockerfile, `None` when there is none, and what the patterns that go with it leave out.
pub(super) fn find(
    files: &dyn Files,
    source: &DockerfileSource,
) -> Result<(Option<Dockerfile>, IgnoreRules), ContextError> {
    let found = match source {
        DockerfileSource::InContext(path) => {
            let path: ContextPath = path.parse()?;
            let own_ignore_file = own_ignore_file(files, &path)?;
            let text = resolve(files, &path)?.map(|target| read(files, &target)).transpose()?;
            text.map(|text| Dockerfile { name: name_of(&path), text, own_ignore_file, path: Some(path) })
        }
        DockerfileSource::Beside(written) => {
            let (beside, path) = files.beside(written)?;
            let beside: &dyn Files = beside.as_deref().unwrap_or(files);
            let own_ignore_file = own_ignore_file(beside, &path)?;
            if !matches!(beside.look(&path)?, Some(Look::File)) {
                return Err(ContextError::NoDockerfileBeside { path: written.clone() });
            }
            let text = read(beside, &path)?;
            Some(Dockerfile { name: name_of(&path), text, own_ignore_file, path: None })
        }
        DockerfileSource::Inline(text) => {
            let text = Bytes::copy_from_slice(text.as_bytes());
            Some(Dockerfile { name: NAME.to_owned(), text, own_ignore_file: None, path: None })
        }
    };
    let own = found.as_ref().and_then(Dockerfile::own_ignore_file);
    let rules = match own {
        Some((name, content)) => IgnoreRules::parse(&name, &content)?,
        None => rules_of_the_root(files)?,
    };
    Ok((found, rules))
}

fn rules_of_the_root(files: &dyn Files) -> Result<IgnoreRules, ContextError> {
    let path: ContextPath = IGNORE_FILE.parse()?;
    match ignore_file(files, &path)? {
        Some(content) => IgnoreRules::parse(path.as_str(), &content),
        None => Ok(IgnoreRules::default()),
    }
}

fn own_ignore_file(files: &dyn Files, dockerfile: &ContextPath) -> Result<Option<Bytes>, ContextError> {
    ignore_file(files, &dockerfile.with_suffix(IGNORE_FILE)?)
}

/// The content of a file with patterns, where there is one.
fn ignore_file(files: &dyn Files, path: &ContextPath) -> Result<Option<Bytes>, ContextError> {
    match files.look(path)? {
        None => Ok(None),
        Some(Look::File) => read(files, path).map(Some),
        Some(Look::Link(_) | Look::Other) => Err(ContextError::unreadable(
            path,
            "it is not a file, and links are not followed; put the patterns into a file of this name",
        )),
    }
}

fn read(files: &dyn Files, path: &ContextPath) -> Result<Bytes, ContextError> {
    files.read(path, LARGEST)?.ok_or_else(|| {
        ContextError::unreadable(
            path,
            "it has more than 1 MiB, which is the limit for a Dockerfile and for a file with patterns",
        )
    })
}

/// The file that a path means, links to files of the same source being followed; `None` when there is none.
fn resolve(files: &dyn Files, path: &ContextPath) -> Result<Option<ContextPath>, ContextError> {
    let mut current = path.clone();
    for _ in 0..MOST_LINKS {
        match files.look(&current)? {
            Some(Look::File) => return Ok(Some(current)),
            Some(Look::Link(target)) => {
                current = current.linked_to(&target).ok_or_else(|| {
                    ContextError::unreadable(path, "it is a link that leads out of the build context")
                })?;
            }
            Some(Look::Other) | None => return Ok(None),
        }
    }
    Err(ContextError::unreadable(path, "it is a link that leads to itself"))
}

fn name_of(path: &ContextPath) -> String {
    path.components().next_back().unwrap_or(NAME).to_owned()
}
