//! The `longshore` command.

use std::process::ExitCode;

use clap::Parser;
use longshore::cli::CommandLine;

#[tokio::main]
async fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    // Another provider cannot have been installed before; if one were, it would serve as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    command_line.run().await
}
