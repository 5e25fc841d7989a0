//! What a container is made of beyond its image: what the `run` section asks for, in types that hold no wrong value.

mod adjustable;
mod amount;
mod bounds;
mod environment;
mod expansion;
mod mounts;
mod network;
mod ports;
mod referred;
mod security;
mod settings;

pub use adjustable::{Adjustable, EngineRestart};
pub use amount::{Bytes, MilliCpu};
pub use bounds::Bounds;
pub(super) use environment::environment;
pub(super) use expansion::expand;
pub(super) use mounts::check as check_mounts;
pub use mounts::{Mount, MountSource, MountedFile};
pub use network::Naming;
pub(super) use ports::wanted_ports;
pub use referred::{KeyOrigin, ObjectKind, Referred, referred_by};
pub use security::Security;
pub(crate) use settings::Settings;

use super::{Block, Part, Reason};

#[cfg(test)]
mod pinned_tests;

/// The block of a field of the `run` section that cannot be so.
pub(super) fn refused(field: &str, message: impl std::fmt::Display) -> Block {
    Block::terminal(Part::Container, Reason::InvalidSpec, format!("spec.run.{field}: {message}"))
}
