//! Build contexts: what is in them, what `.dockerignore` leaves out, and how they are sent.
//!
//! A context is read twice: once to know what it contains, which decides whether there is a build at all, and once more
//! when it is sent. What is sent must be what was read, or the build fails: an image never carries the hash of other
//! files than those that it was built from.

mod archive;
mod dockerignore;
mod entry;
mod error;
mod folder;
mod reader;

pub use dockerignore::DockerIgnore;
pub use error::ContextError;
pub use reader::{ContextReader, ContextSource, ReadContext};
