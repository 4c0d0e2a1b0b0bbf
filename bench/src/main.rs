//! The real `grantor` from outside: starts the binary beside this program on a throw-away directory, and measures what a token
//! costs, or keeps it busy among attackers and judges how it holds out.
#![allow(clippy::print_stdout, reason = "the table is the result")]

mod hostile;
mod load;
mod server;
mod sign;
mod soak;
mod tokens;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand};

/// Measure CPU time per token and tokens per second; or soak
#[derive(Debug, Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  cargo build --release -p grantor-server && cargo run --release -p grantor-bench -- --runs 5
  cargo run --release -p grantor-bench -- soak --minutes 5"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    tokens: tokens::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure CPU time per token and tokens per second; what is done without a command
    Tokens(tokens::Options),
    /// Serve honest clients at a fixed rate for minutes, attackers among them, and judge what came of it
    Soak(soak::Options),
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Tokens(cli.tokens)) {
        Command::Tokens(options) => tokens::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Soak(options) => soak::run(&options),
    }
}
