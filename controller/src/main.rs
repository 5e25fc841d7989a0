//! The `longshore` command.

use clap::{Parser, Subcommand};
use longshore::cli::ControllerCommand;

#[derive(Parser)]
#[command(name = "longshore", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Controller(ControllerCommand),
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Command::Controller(command) = Arguments::parse().command;
    match command.run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(message) => {
            tracing::error!("{message}");
            std::process::ExitCode::FAILURE
        }
    }
}
