//! Build contexts: what is in them, what `.dockerignore` leaves out, and how they are sent.
//!
//! A [`ContextReader`] reads a [`ContextSource`] into a [`ReadContext`]: its digest, its size and the names in it. A
//! read context becomes the tar archive that an engine builds from, [`ReadContext::into_archive`].
//!
//! # Guarantees
//! - The same files give the same digest, whether they come from a folder, from a ConfigMap or stand inline.
//! - What is sent is what was digested, or the stream ends in an error that names the file.
//! - Nothing outside of a context's folder is ever opened: no link is followed, and one that takes the place of a
//!   file or a folder while the context is read or sent is noticed.
//! - Errors name files and never quote what is in them.
//!
//! # Caveats
//! - Of a file's mode only the owner's right to execute it counts; owners, times, extended attributes and the special
//!   bits do not. Hard links are files of their own.
//! - The Dockerfile and the file with the patterns are sent even where a pattern leaves them out: an engine that is
//!   given an archive has no other way to see them, so `ADD .` under BuildKit copies them as well.

mod archive;
mod cache;
mod context;
mod digest;
mod dockerignore;
mod error;
mod fingerprints;
mod folder;
mod path;
mod pattern;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

pub use context::{ContextReader, ContextSource, ReadContext};
pub use error::ContextError;
pub use path::{ContextPath, PathProblem};
