//! The lab's `gcr.io`: a front before a plain registry, which asks for credentials as Google's registry does, plays
//! the faults that a test orders, and counts what it is asked. `tests/lab/lab` starts it; tests speak to it through
//! [`RegistryFront`].
//!
//! It answers by several names, which all lead to the same registry (see [`credentials`] for what it takes):
//! - `gcr.io`, `us-docker.pkg.dev`: with a certificate of the lab's authority;
//! - `evil.test`, `gcr.io.evil.test`: the same, for what must never be shown any credentials of `gcr.io`;
//! - `realm.gcr.io`: the same, but it sends whoever asks to [`FOREIGN_REALM`] for a token;
//! - `eu.gcr.io`: with a certificate that nobody trusts.

mod answers;
mod body;
mod client;
mod control;
pub mod credentials;
mod gate;
mod memory;
mod protocol;
mod server;
mod target;
mod upstream;

pub use client::RegistryFront;
pub use protocol::{Action, Fault, Kind, SeenRequest};
pub use server::{Settings, serve};

/// The token server that `realm.gcr.io` names, which is none of its.
pub const FOREIGN_REALM: &str = "https://evil.test/v2/token";

/// The host whose token server is foreign.
const HOST_WITH_FOREIGN_REALM: &str = "realm.gcr.io";

/// The host whose certificate nobody trusts.
const UNTRUSTED_HOST: &str = "eu.gcr.io";
