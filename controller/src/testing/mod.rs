//! What tests need instead of the real world: an engine, registries and resources in memory, a clock that stands
//! still, and a harness that lets a process die at any of its effects. It is there with the feature `testing`.

pub mod crash;
mod draw;
mod engines;
mod resources;

pub use crate::engine::memory::{Gate, MemoryEngine, Operation, TestClock};
pub use crate::registry::memory::{Deletes, ManifestFormat, MemoryImage, MemoryLayer, MemoryRegistry};
pub use draw::Draw;
pub use engines::MemoryEngines;
pub use resources::{MemoryResources, ResourceOperation};

#[cfg(test)]
mod scenario_tests;
