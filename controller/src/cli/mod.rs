//! The command line: one file for each command.

mod controller;

pub use controller::ControllerCommand;
