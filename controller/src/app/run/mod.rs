//! What a container is made of beyond its image: what the `run` section asks for, in types that hold no wrong value.

mod environment;
mod expansion;
mod referred;

pub(super) use environment::environment;
pub(super) use expansion::expand;
pub use referred::{KeyOrigin, ObjectKind, Referred, referred_by};
