//! What the tests share: the lab's components, and things made for one test and removed after it.
//!
//! Every function here ends the test with a sentence when the lab is not there: a test that cannot look has not passed.

#![expect(clippy::missing_panics_doc, reason = "a panic is how a test fails, and each says what is missing")]

mod controller;
pub mod engine_contract;
mod engine_door;
mod engines;
mod git_server;
mod installation;
mod kubernetes;
pub mod lab;
mod metadata_server;
mod namespace;
mod own_engine;
mod place;
mod programs;
mod registry;
pub mod registry_front;
mod ssh_server;
mod standalone;
mod wait;

pub use controller::{Controller, longshore, longshore_binary};
pub use engine_door::EngineDoor;
pub use engines::{ENGINES, LabEngine, answer_on_port, example_never_built};
pub use git_server::{Answer, Change, GitRequest, GitServer, Repository};
pub use installation::{Installation, Rights};
pub use kubernetes::{administrator, client_with_token, install_crds};
pub use metadata_server::MetadataServer;
pub use namespace::with_temp_namespace;
pub use own_engine::{OwnEngine, Signal};
pub use place::Place;
pub use programs::{corrupt, from_repository, helm, kubectl, lab_variable};
pub use registry::{digest_in_registry, move_tag, registry_secret, remove_from_hub, statement_in_registry};
pub use registry_front::RegistryFront;
pub use ssh_server::SshServer;
pub use standalone::{Attached, Said, StandaloneProject};
pub use wait::eventually;

/// A name that no other test, in this process or another, has.
pub fn unique_name(prefix: &str) -> String {
    format!("{prefix}-{:08x}", rand::random::<u32>())
}
