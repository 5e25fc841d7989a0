//! A process that dies before or after any of its effects.
//!
//! A harness runs a scenario once with [`CrashPlan::none`] to learn its effects, and then once for each of them and
//! each [`Moment`] with [`CrashPlan::at`]: it drives the reconciler until [`CrashPlan::death`], drops it, and lets
//! another one, wrapped in a plan of its own, find what is left.
//!
//! # Guarantees
//! Everything that changes an engine, a registry or a resource is an effect: the calls of
//! [`Engine`](crate::engine::Engine) and of [`Registry`](crate::registry::Registry) that are no reads, and the calls of
//! [`Resources`](crate::reconcile::Resources) that write. After its death
//! a process hears nothing and does nothing: every call stays pending. A call that was under way at the death has its
//! effect or not, and is not heard of.

mod engine;
mod plan;
mod registry;
mod resources;

pub use plan::{CrashPlan, Moment};

#[cfg(test)]
mod tests;
