//! Longshore takes a container from its Dockerfile to running, and keeps it so.
//!
//! The pure and the real are kept apart. [`app`] is the domain: what is wanted, what was found, and the plan that
//! leads from one to the other, all of it functions over data. [`engine`], [`build`], [`registry`] and [`source`] talk
//! to the world, each behind a narrow contract. [`reconcile`] is the only place where the two meet.

pub mod app;
pub mod build;
pub mod cli;
pub mod cluster;
pub mod engine;
pub mod reconcile;
pub mod registry;
pub mod source;
pub mod standalone;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
