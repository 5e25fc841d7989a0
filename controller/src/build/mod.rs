//! Build contexts: what is in them, what `.dockerignore` leaves out, and how they are sent.
//!
//! A [`ContextReader`] reads a [`ContextSource`] and its [`Dockerfile`] into a [`ReadContext`]: its digest, its size and
//! the names in it. An engine asks a read context for the files that it does not have yet, or is sent all of them as
//! the tar archive [`ReadContext::archive`].
//!
//! # Guarantees
//! - The same files and the same Dockerfile give the same digest, wherever they come from.
//! - What is sent is what was digested, or the sending ends in an error that names the file.
//! - Nothing outside of a context's folder is ever opened: no link is followed, and one that takes the place of a
//!   file or a folder while the context is read or sent is noticed.
//! - Errors name files and never quote what is in them.
//!
//! # Caveats
//! - Of a file's mode only the owner's right to execute it counts; owners, times, extended attributes and the special
//!   bits do not. Hard links are files of their own.
//! - Of a folder only files tell when they were changed; folders and links have the time of the source, which is that
//!   of a commit, or else 1970.
//!
//! The Dockerfile is no part of a context: it may lie beside it, stand in the resource, or be left out of the context
//! by a pattern. An engine is given it for itself.

mod archive;
mod cache;
mod content;
mod context;
mod digest;
mod dockerfile;
mod dockerignore;
mod error;
mod files;
mod fingerprints;
mod folder;
mod kept_digests;
mod path;
mod pattern;
mod reader;
mod source;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use content::ContextFile;
pub use context::ReadContext;
pub use dockerfile::Dockerfile;
pub(crate) use dockerignore::{IgnoreRules, Verdict, clean};
pub use error::ContextError;
pub use path::{ContextPath, PathProblem};
pub(crate) use pattern::Pattern;
pub use reader::ContextReader;
pub use source::{ContentStore, ContextSource, DockerfileSource, StoredEntry, StoredFiles};
pub(crate) use tree::{Entry, FileEntry};
